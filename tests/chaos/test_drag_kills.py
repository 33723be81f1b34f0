"""kill -9 of Studio while a box is dragged or a mask painted: what was saved reaches the journal whole, and nothing of the gesture."""

import json
import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from backend.domain.corrections import Correction
from backend.store.correction_events import CORRECTED
from backend.store.journal_reader import JournalReader
from bench.studio_queue import PlantQueue, start
from studio.outbox import Outbox
from tests.promises import Tally

pytestmark = [pytest.mark.slow, pytest.mark.server]

CLIPS = 1
LONGEST_HELD_S, PATIENCE_S = 0.3, 240.0


@dataclass(frozen=True, slots=True)
class Found:
    """Boxes that the screen moved on from, corrections that Studio's outbox holds, and the service's journal once all is sent.

    `stored` and `journalled` are kinds and boxes, in the order in which they were made.
    """

    told: tuple[tuple[float, ...], ...]
    stored: tuple[tuple[str, tuple[float, ...] | None], ...]
    journalled: tuple[tuple[str, tuple[float, ...] | None], ...]

    @property
    def is_right(self) -> bool:
        return tuple(("box", box) for box in self.told) == self.stored == self.journalled


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    with start(tmp_path / "queue", PlantQueue(clips=CLIPS)) as made:
        made.communicate()
    return tmp_path / "queue"


@pytest.mark.promise(
    "A window that is killed while a box is dragged or a mask painted has every saved correction whole, as the journal has in the end, and stores nothing of the gesture",
    area="Durability",
    goal="0 lost, 0 half-made in 20 kills",
    control="tests/chaos/test_drag_kills.py::test_a_window_that_stores_every_move_is_found",
    kills=(1, 20),
)
def test_killed_drags_leave_what_was_saved(queue: Path, tmp_path: Path, long: bool, tally: Tally) -> None:
    draw = random.Random(6)
    for kill in range(20 if long else 1):
        found = drag_and_kill(queue, tmp_path / f"rater-{kill}", ("drag", "paint")[kill % 2], draw)
        tally.record(1, lost=not found.is_right)
        assert len(found.told) == 2, "nothing was saved before the drag"
        assert found.is_right, found


@pytest.mark.thorough
def test_a_window_that_stores_every_move_is_found(queue: Path, tmp_path: Path) -> None:
    found = drag_and_kill(queue, tmp_path / "rater", "drag-eagerly", random.Random(6))
    assert not found.is_right
    assert len(found.journalled) > len(found.told), "the journal has what the hand has not let go of"


def drag_and_kill(queue: Path, state: Path, mode: str, draw: random.Random) -> Found:
    studio = subprocess.Popen(
        command("studio_dragger", queue, state, mode), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert studio.stdout is not None
    told, watch = [], threading.Timer(PATIENCE_S, studio.kill)
    watch.start()
    try:
        for line in studio.stdout:
            if line == "dragging\n":
                break
            told.append(tuple(json.loads(line)))
        time.sleep(draw.uniform(0, LONGEST_HELD_S))
    finally:
        watch.cancel()
        studio.kill()
        studio.wait()
    with Outbox(state / "p" / "outbox.sqlite") as outbox:
        assert not outbox.counts().attention
        stored = {one.id: one for one in outbox.unsent(1000, of=Correction)}
        stored |= {one.id: one for one, _ in outbox.sent(1000, of=Correction)}
    made = sorted(stored.values(), key=lambda one: one.made_at)
    return Found(tuple(told), tuple((one.kind, one.box) for one in made), journalled(queue, state))


def journalled(queue: Path, state: Path) -> tuple[tuple[str, tuple[float, ...] | None], ...]:
    """What the journal has of a rater after a second window has sent what waited."""
    subprocess.run(command("studio_voter", queue, state, "flush"), check=True, timeout=PATIENCE_S, capture_output=True)
    with JournalReader(queue / "journal.sqlite") as journal:
        events = [one for one in journal.stream() if one.kind == CORRECTED and one.actor == state.name]
    made = sorted(events, key=lambda one: one.client_time)
    return tuple((one.body["what"], tuple(one.body["box"]) if one.body["box"] else None) for one in made)


def command(program: str, queue: Path, state: Path, mode: str) -> list[str]:
    """A program of this folder over the queue, as the rater of that state's name."""
    return [sys.executable, "-m", f"tests.chaos.{program}", str(queue), str(state), state.name, mode, str(CLIPS)]
