"""Votes and changed votes over a real socket that holds requests back, doubles them, lets them overtake each other and cuts their answers."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from backend.client import ServicePlace
from backend.domain import VERIFY_STUDY, Vote
from studio.outbox import Outbox
from tests.chaos import killed_work
from tests.chaos.killed_work import made, opened, vote_of
from tests.chaos.service_line import SLOW_FAULTS, Proxy, Reach, Service, drawn, sending, stored_times, wait_until
from tests.promises import Tally

pytestmark = [pytest.mark.slow, pytest.mark.server]

LATE_S = 0.03


@dataclass(frozen=True, slots=True)
class Found:
    """`lost`: votes whose last word is not in the journal; `doubled`: rows too many; `overtaken`: trials of which the catalog shows an earlier word."""

    lost: int
    doubled: int
    overtaken: int
    faults: Counter[str]


@pytest.fixture
def project(memory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("studio.sync.BATCH", 4)  # so that there are many requests
    monkeypatch.setattr("studio.sync.LONGEST_WAIT_S", 0.02)
    return made(memory / "made")


@pytest.mark.promise(
    "A vote arrives once, and its last word counts, over a line that is slow, doubles requests, lets them overtake each other and cuts answers",
    area="Durability",
    goal="0 lost, 0 doubled, 0 overtaken in 1,200 votes with at least 25 faults of each of 6 kinds",
    control="tests/chaos/test_slow_line.py::test_a_service_that_takes_each_call_for_a_new_one_doubles_votes",
)
def test_a_slow_and_doubling_line_loses_and_doubles_no_vote(project: Path, memory: Path, long: bool, tally: Tally) -> None:
    number = 1200 if long else 120
    found = votes_over(project, memory, number=number)
    told = {name: count for name, count in sorted(found.faults.items()) if name != "none"}
    tally.record(
        number,
        lost=found.lost + found.doubled + found.overtaken,
        note=", ".join(f"{count} {name}" for name, count in told.items()),
    )
    assert (found.lost, found.doubled, found.overtaken) == (0, 0, 0)
    assert set(told) == set(SLOW_FAULTS) - {"none"}
    assert min(told.values()) >= (25 if long else 1)


def test_a_service_that_takes_each_call_for_a_new_one_doubles_votes(project: Path, memory: Path) -> None:
    assert votes_over(project, memory, number=40, work=killed_work.serve_each_call_anew).doubled > 0


def votes_over(project: Path, memory: Path, *, number: int, work: Callable[..., None] = killed_work.serve) -> Found:
    """Every third vote is changed while it may be on its way."""
    workspace = opened(project)
    pair = workspace.pairs(limit=1).rows[0].pair_id
    workspace.close()
    service = Service(project, work)
    proxy = Proxy(memory / "proxy.sock", ServicePlace(project).socket, drawn(3, SLOW_FAULTS), late_s=LATE_S)
    reach = Reach(project, through=proxy.path)
    last: dict[str, Vote] = {}
    with Outbox(memory / "outbox.sqlite") as outbox, sending(outbox, reach) as line:
        for n in range(number):
            vote = vote_of(f"v{n}", pair)
            last[vote.trial_id] = vote
            line.sync.write(vote)
            if n % 3 == 2:
                changed = replace(last[f"trial-v{n - 2}"], rev=1, choice="different")
                last[changed.trial_id] = changed
                line.sync.write(changed)
                wait_until(lambda: outbox.counts().sent > 0, "the service takes votes")
        wait_until(lambda: not outbox.counts().pending and len(line.saved) == number + number // 3, "every vote is sent")
        assert outbox.counts().attention == 0
    proxy.arrived()
    reach.close()
    proxy.close()
    service.kill()
    return found_in(project, last, proxy.faults)


def found_in(project: Path, last: dict[str, Vote], faults: Counter[str]) -> Found:
    times = stored_times(project, VERIFY_STUDY)
    workspace = opened(project)
    shown = {vote.trial_id: (vote.rev, vote.choice) for vote in workspace.votes(study_id=VERIFY_STUDY)}
    assert workspace.verify().problems == ()
    workspace.close()
    return Found(
        lost=sum(not times[trial, vote.rev] for trial, vote in last.items()),
        doubled=sum(count - 1 for count in times.values()),
        overtaken=sum(shown.get(trial) != (vote.rev, vote.choice) for trial, vote in last.items()),
        faults=faults,
    )
