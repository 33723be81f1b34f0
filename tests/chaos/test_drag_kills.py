"""kill -9 of Studio while a box is dragged or a mask painted: the last saved correction is there whole, and nothing of the gesture."""

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
from bench.studio_queue import PlantQueue, start
from studio.outbox import Outbox
from tests.promises import Tally

pytestmark = [pytest.mark.slow, pytest.mark.server]

CLIPS = 1
LONGEST_HELD_S, PATIENCE_S = 0.3, 240.0


@dataclass(frozen=True, slots=True)
class Found:
    """Boxes that the screen moved on from, and corrections that Studio's outbox holds, waiting or sent."""

    told: tuple[tuple[float, ...], ...]
    stored: tuple[Correction, ...]

    @property
    def is_right(self) -> bool:
        return (
            tuple(one.box for one in self.stored if one.kind == "box") == self.told == tuple(one.box for one in self.stored)
        )


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    with start(tmp_path / "queue", PlantQueue(clips=CLIPS)) as made:
        made.communicate()
    return tmp_path / "queue"


@pytest.mark.promise(
    "A window that is killed while a box is dragged or a mask painted has every saved correction whole, and stores nothing of the gesture",
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


def test_a_window_that_stores_every_move_is_found(queue: Path, tmp_path: Path) -> None:
    assert not drag_and_kill(queue, tmp_path / "rater", "drag-eagerly", random.Random(6)).is_right


def drag_and_kill(queue: Path, state: Path, mode: str, draw: random.Random) -> Found:
    command = [sys.executable, "-m", "tests.chaos.studio_dragger", str(queue), str(state), state.name, mode, str(CLIPS)]
    studio = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
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
    return Found(tuple(told), tuple(sorted(stored.values(), key=lambda one: one.made_at)))
