"""Votes on their way to a service that may be away, slow or unwilling."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.domain import VERIFY_STUDY, Vote
from studio.navigation import sync_words
from studio.outbox import Outbox, Said
from studio.sync import SyncState, VoteSync
from tests.studio.world import World


def vote(number: int, *, rev: int = 1) -> Vote:
    return Vote(
        id=f"vote{number}",
        rev=rev,
        study_id=VERIFY_STUDY,
        trial_id=f"trial{number}",
        item_id=f"pair_{number:04d}",
        rater="ann",
        rater_kind="person",
        question="identity",
        choice="same",
    )


class Line:
    """A VoteSync over a world, with everything that it reported."""

    def __init__(self, world: World, outbox: Outbox) -> None:
        self.saved: list[Said] = []
        self.not_saved: list[tuple[Said, str]] = []
        self.sent: list[tuple[str, int]] = []
        self.refused: list[tuple[Said, str]] = []
        self.states: list[SyncState] = []
        self.outbox = outbox
        self.sync = VoteSync(
            outbox=outbox,
            submit=lambda said: world.api.submit_votes(votes=said),
            saved=self.saved.append,
            not_saved=lambda vote, reason: self.not_saved.append((vote, reason)),
            sent=self.sent.extend,
            refused=lambda said, problem: self.refused.append((said, problem)),
            state=self.states.append,
            first_wait_s=0.02,
        )


def wait_until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not claim():
        assert time.monotonic() < deadline, "did not come true within 5 s"
        time.sleep(0.005)


@pytest.fixture
def line(world: World, tmp_path: Path) -> Iterator[Line]:
    before = threading.active_count()
    with Outbox(tmp_path / "outbox.sqlite") as outbox:
        line = Line(world, outbox)
        yield line
        line.sync.close()
    assert threading.active_count() == before


def test_a_vote_reaches_the_service_once(line: Line, world: World) -> None:
    line.sync.start()
    line.sync.write(vote(1))
    wait_until(lambda: line.sent == [("vote1", 1)])
    wait_until(lambda: bool(line.states) and line.states[-1] == SyncState())
    assert line.saved == [vote(1)]
    assert world.journal == [vote(1)]


def test_votes_given_offline_arrive_in_order_when_the_service_is_back(line: Line, world: World) -> None:
    world.away = True
    line.sync.start()
    for number in range(5):
        line.sync.write(vote(number))
    line.sync.write(replace(vote(0), rev=2, choice=None))
    wait_until(lambda: len(line.saved) == 6 and line.states[-1].waiting == 6)
    assert (sync_words(line.states[-1]), world.journal) == ("Offline · 6 votes waiting", [])
    world.away = False
    wait_until(lambda: line.states[-1] == SyncState())
    assert [(v.id, v.rev) for v in world.journal] == [(f"vote{n}", 1) for n in range(5)] + [("vote0", 2)]


def test_a_refused_vote_is_set_aside_and_holds_up_no_other(line: Line, world: World) -> None:
    world.refused.add("pair_0001")
    world.away = True
    line.sync.start()
    for number in range(3):
        line.sync.write(vote(number))
    wait_until(lambda: len(line.saved) == 3)
    world.away = False
    wait_until(lambda: line.states[-1].refused == 1 and line.states[-1].waiting == 0)
    assert [v.id for v in world.journal] == ["vote0", "vote2"]
    assert line.states[-1].refused == 1
    (refused,) = line.outbox.refused()
    assert "is not taken" in refused.problem
    assert line.refused == [(refused.said, refused.problem)]


def test_what_an_earlier_run_left_is_sent_at_the_start(line: Line, world: World) -> None:
    line.outbox.put(vote(7))
    line.sync.start()
    wait_until(lambda: world.journal == [vote(7)])


def test_a_service_that_lost_votes_gets_them_again_at_the_start(line: Line, world: World) -> None:
    line.outbox.put(vote(7))
    (receipt,) = world.api.submit_votes(votes=(vote(7),))
    line.outbox.mark_sent("vote7", 1, receipt)
    world.journal.clear()
    world.stored.clear()
    line.sync.start()
    wait_until(lambda: world.journal == [vote(7)])


def test_closing_writes_what_was_handed_over(line: Line, world: World) -> None:
    world.away = True
    line.sync.start()
    for number in range(20):
        line.sync.write(vote(number))
    line.sync.close()
    assert line.outbox.counts().pending == 20
    line.sync._threads.clear()
    line.sync = Line(world, line.outbox).sync
    line.sync.start()


def test_a_disk_that_refuses_is_reported_with_the_vote(line: Line) -> None:
    line.sync.start()
    line.outbox.close()
    line.sync.write(vote(1))
    wait_until(lambda: len(line.not_saved) == 1)
    assert line.not_saved[0][0] == vote(1)
    assert line.saved == []
