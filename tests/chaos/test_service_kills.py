"""Votes on their way to a service that is killed, stopped or cut off: each waits in the outbox, and arrives once."""

import contextlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from backend.client import ServicePlace
from backend.domain import VERIFY_STUDY, Receipt, ServiceError, Vote
from studio.outbox import Outbox
from tests.chaos.killed_work import made, opened, vote_of
from tests.chaos.service_line import PATIENCE_S, Proxy, Reach, Service, drawn, sending, stored_times, wait_until
from tests.promises import Tally

pytestmark = [pytest.mark.slow, pytest.mark.server]

SILENT: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
Submit = Callable[[tuple[Any, ...]], tuple[Receipt, ...]]


@pytest.fixture
def project(memory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("studio.sync.BATCH", 6)  # so that there are many requests
    monkeypatch.setattr("studio.sync.LONGEST_WAIT_S", 0.05)
    return made(memory / "made")


@pytest.mark.promise(
    "A vote arrives once over a connection that is cut before, in and after the service's answer",
    area="Durability",
    goal="0 lost, 0 doubled in 1,200 votes with at least 100 cuts",
    control="tests/chaos/test_service_kills.py::test_an_outbox_that_forgets_before_the_receipt_loses_votes",
)
def test_cut_connections_lose_and_double_no_vote(project: Path, memory: Path, long: bool, tally: Tally) -> None:
    number = 1200 if long else 120
    with Outbox(memory / "outbox.sqlite") as outbox:
        lost, doubled, cuts = votes_over_cuts(project, memory, outbox, number=number)
        assert (outbox.counts().pending, outbox.counts().attention) == (0, 0)
    tally.record(number, lost=lost + doubled, note=f"{cuts} cuts")
    assert (lost, doubled) == (0, 0)
    assert cuts >= number / 12
    workspace = opened(project)
    assert workspace.verify().problems == ()
    assert len(workspace.votes(study_id=VERIFY_STUDY)) == number
    workspace.close()


class Forgetful(Outbox):
    """A mutant: lets go of votes when they are sent, not when their receipts come."""

    def unsent(self, limit: int = 100, *, of: Any = Vote) -> tuple[Any, ...]:
        votes = super().unsent(limit, of=of)
        for vote in votes:
            self.forget(vote.id)
        return votes


def test_an_outbox_that_forgets_before_the_receipt_loses_votes(project: Path, memory: Path) -> None:
    with Forgetful(memory / "outbox.sqlite") as outbox:
        lost, _, _ = votes_over_cuts(project, memory, outbox, number=60)
    assert lost > 0


def test_a_sender_that_names_votes_anew_doubles_them(project: Path, memory: Path) -> None:
    """Why a vote's id is made before it is first written down."""
    calls = 0

    def renaming(submit: Submit) -> Submit:
        def send(votes: tuple[Any, ...]) -> tuple[Receipt, ...]:
            nonlocal calls
            calls += 1
            receipts = submit(tuple(replace(vote, id=f"{vote.id}-{calls}") for vote in votes))
            return tuple(replace(receipt, id=vote.id) for receipt, vote in zip(receipts, votes, strict=True))

        return send

    with Outbox(memory / "outbox.sqlite") as outbox:
        _, doubled, _ = votes_over_cuts(project, memory, outbox, number=60, through=renaming)
    assert doubled > 0


@pytest.mark.promise(
    "Votes given while the service stands still wait on this machine's disk, and arrive once when it goes on",
    area="Durability",
    goal="0 lost, 0 doubled, service stopped for 30 s",
    control="tests/chaos/test_service_kills.py::test_an_outbox_that_forgets_before_the_receipt_loses_votes",
)
@pytest.mark.parametrize("patience_s", [300.0, 0.3], ids=["one request waits", "requests are given up"])
def test_a_stopped_service_gets_every_vote_once_when_it_goes_on(
    project: Path, memory: Path, monkeypatch: pytest.MonkeyPatch, patience_s: float, long: bool, tally: Tally
) -> None:
    monkeypatch.setattr("backend.client.remote.READ_S", patience_s)
    pair, service, reach = pair_of(project), Service(project), Reach(project)
    votes = [vote_of(f"v{n}", pair) for n in range(60)]
    with Outbox(memory / "outbox.sqlite") as outbox, sending(outbox, reach) as line:
        line.sync.write(votes[0])
        wait_until(lambda: outbox.counts().sent == 1, "the first vote arrives")
        service.send(signal.SIGSTOP)
        for vote in votes[1:]:
            line.sync.write(vote)
        wait_until(lambda: outbox.counts().pending == len(votes) - 1, "votes are saved while the service stands still")
        time.sleep(30 if long else 1)
        assert outbox.counts().sent == 1
        service.send(signal.SIGCONT)
        wait_until(lambda: outbox.counts().sent == len(votes), "every vote has its receipt")
    reach.close()
    service.kill()
    lost, doubled = wrong(project, votes)
    tally.record(len(votes), lost=lost + doubled)
    assert (lost, doubled) == (0, 0)


@pytest.mark.promise(
    "A vote arrives once at a service that is killed with signal 9 again and again",
    area="Durability",
    goal="0 lost, 0 doubled in 100 kills",
    control="tests/chaos/test_service_kills.py::test_an_outbox_that_forgets_before_the_receipt_loses_votes",
    kills=(5, 100),
)
def test_kills_of_the_service_lose_and_double_no_vote(project: Path, memory: Path, long: bool, tally: Tally) -> None:
    chance, kills, starting = random.Random(4), 100 if long else 5, list[float]()
    pair, service, reach = pair_of(project), Service(project), Reach(project)
    votes: list[Vote] = []
    with Outbox(memory / "outbox.sqlite") as outbox, sending(outbox, reach) as line:
        for _ in range(kills):
            sent = outbox.counts().sent
            for _ in range(25):
                votes.append(vote_of(f"v{len(votes)}", pair))
                line.sync.write(votes[-1])
            wait_until(lambda sent=sent: outbox.counts().sent > sent, "the service takes votes")
            time.sleep(chance.uniform(0, 0.1))
            started = time.monotonic()
            service.restart()
            starting.append(time.monotonic() - started)
        wait_until(lambda: outbox.counts().sent == len(votes), "every vote has its receipt")
    reach.close()
    service.kill()
    lost, doubled = wrong(project, votes)
    p50 = sorted(starting)[len(starting) // 2]
    tally.record(kills, lost=lost + doubled, note=f"{len(votes)} votes, back after p50 {p50:.1f} s")
    assert (lost, doubled) == (0, 0)
    workspace = opened(project)
    assert workspace.verify().problems == ()
    workspace.close()


SERVE = (sys.executable, "-m", "backend.cli", "serve", "--project")
P50_S, MAX_S = 1.5, 5.0


@pytest.mark.promise(
    "A service that is killed and started anew, as a command of its own, has a receipt for the next vote within seconds",
    area="Durability",
    goal="20 kills with signal 9: p50 < 1.5 s, none over 5 s",
    control="tests/chaos/test_service_kills.py::test_a_service_that_begins_late_is_found",
    kills=(1, 20),
)
def test_a_killed_service_is_back_within_seconds(project: Path, long: bool, tally: Tally) -> None:
    took = back_after(project, kills=20 if long else 1)
    patience_s = 0.0 if long else PATIENCE_S  # beside other tests
    late = [one for one in took if one > MAX_S + patience_s]
    tally.record(len(took), lost=len(late), note=f"p50 {median(took):.2f} s, at most {max(took):.2f} s")
    assert late == []
    assert median(took) < P50_S + patience_s


def test_a_service_that_begins_late_is_found(project: Path) -> None:
    late = f"import sys, time; time.sleep({MAX_S}); from backend.cli.app import main; main()"
    (took,) = back_after(project, kills=1, then=(sys.executable, "-c", late, "serve", "--project"))
    assert took > MAX_S


def back_after(project: Path, *, kills: int, then: tuple[str, ...] = SERVE) -> list[float]:
    """Seconds from each kill of a service to the receipt of a vote that waits for the next one. `then`: how that is started."""
    votes = [vote_of(f"v{n}", pair_of(project)) for n in range(kills + 1)]
    service, reach, took = subprocess.Popen([*SERVE, str(project)], **SILENT), Reach(project), list[float]()
    try:
        receipt_of(reach, votes[0])
        for vote in votes[1:]:
            service.kill()
            killed = time.monotonic()
            service.wait()
            service = subprocess.Popen([*then, str(project)], **SILENT)
            receipt_of(reach, vote)
            took.append(time.monotonic() - killed)
    finally:
        service.kill()
        service.wait()
        reach.close()
    assert wrong(project, votes) == (0, 0)
    return took


def receipt_of(reach: Reach, vote: Vote) -> None:
    """Tells a vote to whoever serves, until there is a receipt."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(ServiceError):
            assert reach((vote,))[0].id == vote.id
            return
        time.sleep(0.01)
    raise AssertionError(f"no receipt within {PATIENCE_S:.0f} s")


def votes_over_cuts(
    project: Path, memory: Path, outbox: Outbox, *, number: int, through: Callable[[Submit], Submit] = lambda submit: submit
) -> tuple[int, int, int]:
    """How many votes were lost, how many doubled, and how many connections were cut."""
    pair, service = pair_of(project), Service(project)
    proxy = Proxy(memory / "proxy.sock", ServicePlace(project).socket, drawn(2))
    reach = Reach(project, through=proxy.path)
    votes = [vote_of(f"v{n}", pair) for n in range(number)]
    with sending(outbox, through(reach)) as line:
        for vote in votes:
            line.sync.write(vote)
        wait_until(lambda: len(line.saved) == number and not outbox.counts().pending, "every vote is sent")
    reach.close()
    proxy.close()
    service.kill()
    return *wrong(project, votes), sum(count for fault, count in proxy.faults.items() if fault != "none")


def wrong(project: Path, votes: list[Vote]) -> tuple[int, int]:
    """How many votes the journal lacks, and how many it has more than once."""
    times = stored_times(project, VERIFY_STUDY)
    lost = sum(not times[vote.trial_id, vote.rev] for vote in votes)
    return lost, sum(count - 1 for count in times.values())


def pair_of(project: Path) -> str:
    workspace = opened(project)
    found = workspace.pairs(limit=1).rows[0].pair_id
    workspace.close()
    return found
