"""Long work as one person looks at it: which job is shown, what is asked of the service and when, how far its log is known.

The session decides and remembers; it touches no widget, thread, clock or network: moments come from whoever asks.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from backend.domain.jobs import JobLog, JobRow

VIEWS = ("list", "flow", "quarantine", "training")
STARTED_HERE = ("curate", "evaluate", "export", "latents", "train", "generate")
"""Kinds of jobs that have a form."""
RUNNING = ("queued", "running")
POLLED: dict[str, tuple[float, float]] = {
    "jobs": (1.0, 5.0),
    "log": (1.0, 6.0),
    "flow": (2.5, 15.0),
    "quarantine": (5.0, 20.0),
    "runs": (3.0, 15.0),
    "curves": (3.0, 20.0),
}
"""Seconds between two questions of a sort: while something runs, and while nothing does."""
SHOWS: dict[str, tuple[str, ...]] = {
    "list": ("jobs", "log"),
    "flow": ("jobs", "flow"),
    "quarantine": ("jobs", "quarantine"),
    "training": ("jobs", "runs", "curves"),
}
"""What a view lives on, the most urgent first."""
LONGEST_WAIT_S = 30.0
"""Between questions to a service that does not answer."""
MOST_LINES = 20_000
"""Of a log that are kept here; the file beside the project has all."""


@dataclass(slots=True, kw_only=True)
class Poll:
    """When each sort of question is due. One of a sort is on its way at a time; failures make the waits longer."""

    _last_s: dict[str, float] = field(default_factory=dict)
    _flying: set[str] = field(default_factory=set)
    _failures: int = 0

    def due(self, view: str, now_s: float, *, busy: bool) -> tuple[str, ...]:
        """What to ask now; each is to be `answered` or `failed`."""
        found = []
        for name in SHOWS[view]:
            wait = POLLED[name][0 if busy else 1]
            if self._failures:
                wait = max(wait, min(LONGEST_WAIT_S, 2.0**self._failures))
            if name not in self._flying and now_s - self._last_s.get(name, float("-inf")) >= wait:
                self._flying.add(name)
                self._last_s[name] = now_s
                found.append(name)
        return tuple(found)

    def answered(self, name: str) -> None:
        self._flying.discard(name)
        self._failures = 0

    def failed(self, name: str) -> None:
        self._flying.discard(name)
        self._failures += 1

    def hurry(self, *names: str) -> None:
        """These are due at once; all without names."""
        self._failures = 0
        for name in names or POLLED:
            self._last_s.pop(name, None)


@dataclass(slots=True, kw_only=True)
class LogTail:
    """What is known of a job's log. `first` is the number of the first line that is kept."""

    job_id: str = ""
    lines: list[str] = field(default_factory=list)
    after: int = 0
    first: int = 0

    def look_at(self, job_id: str) -> bool:
        """Another job's log, from its beginning; gives whether it is another."""
        if job_id == self.job_id:
            return False
        self.job_id, self.lines, self.after, self.first = job_id, [], 0, 0
        return True

    def take(self, job_id: str, asked_after: int, log: JobLog) -> tuple[str, ...]:
        """Takes an answer and gives the lines that are new; none of one that came too late or twice."""
        if job_id != self.job_id or asked_after != self.after:
            return ()
        self.after = log.next_after
        self.lines += log.lines
        gone = max(0, len(self.lines) - MOST_LINES)
        del self.lines[:gone]
        self.first += gone
        return log.lines

    def matches(self, words: str) -> tuple[int, ...]:
        """Places of the kept lines in which the words occur, whatever their case."""
        wanted = words.casefold()
        return tuple(n for n, line in enumerate(self.lines) if wanted in line.casefold()) if wanted else ()


@dataclass(slots=True, kw_only=True)
class JobsSession:
    """State of one person at the list of jobs."""

    view: str = VIEWS[0]
    jobs: tuple[JobRow, ...] = ()
    shown: str = ""
    """The job that is looked at."""
    is_known: bool = False
    trouble: str = ""
    """Why the service could not be asked last; empty when it could."""
    poll: Poll = field(default_factory=Poll)
    tail: LogTail = field(default_factory=LogTail)

    def know(self, jobs: Iterable[JobRow]) -> tuple[JobRow, ...]:
        """Takes the list anew and gives the jobs that ended since. Without a choice the newest is shown."""
        before = {job.job_id for job in self.jobs if job.state in RUNNING}
        self.jobs, self.is_known, self.trouble = tuple(jobs), True, ""
        if self.job is None:
            self.show(self.jobs[0].job_id if self.jobs else "")
        return tuple(job for job in self.jobs if job.job_id in before and job.state not in RUNNING)

    def show(self, job_id: str) -> bool:
        """Looks at another job; gives whether it is another."""
        self.shown = job_id
        changed = self.tail.look_at(job_id)
        if changed:
            self.poll.hurry("log")
        return changed

    @property
    def job(self) -> JobRow | None:
        """The job that is looked at."""
        return next((job for job in self.jobs if job.job_id == self.shown), None)

    @property
    def is_busy(self) -> bool:
        """Whether anything runs or waits."""
        return any(job.state in RUNNING for job in self.jobs)

    @property
    def can_cancel(self) -> bool:
        """Whether the shown job can be stopped; an export is written in one go."""
        return self.job is not None and self.job.state in RUNNING and self.job.kind != "export"

    @property
    def can_start_again(self) -> bool:
        """Whether the shown job has ended and could be asked for with the same form."""
        job = self.job
        return job is not None and job.state not in RUNNING and job.kind in STARTED_HERE

    def due(self, now_s: float) -> tuple[str, ...]:
        """What to ask of the service now."""
        return self.poll.due(self.view, now_s, busy=self.is_busy)


def asked_again(job: JobRow) -> dict[str, str]:
    """What a job is started with again: a training that did not come to its end goes on in its folder.

    Which items were tried again is left out: what is still pending is worked on anyway.
    """
    asked = {name: value for name, value in job.asked.items() if name != "retry"}
    if job.kind == "train" and job.state != "done" and job.out:
        return {**asked, "out": job.out, "resume": "true"}
    return asked


def took_s(job: JobRow, now: datetime) -> float | None:
    """Seconds that a job has run, until its end or until now; None before it began."""
    if not job.started_at:
        return None
    until = moment(job.ended_at) if job.ended_at else now
    return max(0.0, (until - moment(job.started_at)).total_seconds())


def moment(said: str) -> datetime:
    """A time of the service, which is in UTC whether it says so or not."""
    found = datetime.fromisoformat(said)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def share(job: JobRow) -> float | None:
    """How much of the present stage is done, 0 to 1; None where its length is not known."""
    return min(1.0, job.done / job.total) if job.total > 0 else None
