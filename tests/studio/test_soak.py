"""Painting and signalling leave the reference counts of None, True and False where they were.

PySide6 6.12 drops one count at every call that returns nothing, which ends in an abort after half a minute of play on
Python 3.11; short tests do not see it.
"""

import ctypes
import sys
from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QObject, Signal

from studio.player.pane import Pane
from tests.promises import Tally

PAINTS, EMITS = 8000, 2000
COUNTED = (None, True, False)
DRIFT = 200  # counts that caches, logging and the test itself may move


class Bell(QObject):
    rung = Signal(bool)


@pytest.mark.slow
@pytest.mark.promise(
    "Painting 8,000 frames and 2,000 signals leave the reference counts of None, True and False where they were",
    area="Studio",
    goal="drift below 200",
    control="tests/studio/test_soak.py::test_a_slot_that_keeps_a_count_at_each_call_is_noticed",
)
def test_reference_counts_do_not_drift_over_eight_thousand_paints(qtbot, tally: Tally) -> None:
    drift = drift_of(qtbot)
    moved = [name for name, by in drift.items() if abs(by) >= DRIFT]
    tally.record(PAINTS + EMITS, lost=len(moved), note=", ".join(f"{name} {by:+d}" for name, by in drift.items()))
    assert not moved, drift


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="since Python 3.12 these counts never move")
def test_a_slot_that_keeps_a_count_at_each_call_is_noticed(qtbot) -> None:
    drift = drift_of(qtbot, lambda _: ctypes.pythonapi.Py_IncRef(ctypes.py_object(None)))
    assert drift["None"] >= DRIFT


def drift_of(qtbot, slot: Callable[[bool], object] = bool) -> dict[str, int]:
    """How far the counts move over all paints and emissions; `slot` hears the emissions too."""
    panes = [Pane("A"), Pane("B")]
    for pane in panes:
        qtbot.addWidget(pane)
        pane.resize(64, 36)
        pane.show()
        qtbot.waitUntil(lambda pane=pane: pane.windowHandle().isExposed())
    painted: list[int] = []
    for pane in panes:
        pane.painted.connect(lambda: painted.append(1))
    frames = [np.full((36, 64, 3), shade, np.uint8) for shade in (10, 200)]
    bell, heard = Bell(), list[bool]()
    bell.rung.connect(heard.append)
    bell.rung.connect(slot)
    before = [sys.getrefcount(thing) for thing in COUNTED]
    for index in range(PAINTS // 2):
        for pane in panes:
            pane.show_frame(frames[index % 2], index)
            pane.repaint()
    for _ in range(EMITS):
        bell.rung.emit(True)
    assert len(heard) == EMITS
    assert len(painted) >= PAINTS
    heard.clear()
    painted.clear()
    after = [sys.getrefcount(thing) for thing in COUNTED]
    return {str(thing): b - a for thing, a, b in zip(COUNTED, before, after, strict=True)}
