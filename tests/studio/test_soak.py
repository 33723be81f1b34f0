"""Painting and signalling leave the reference counts of None, True and False where they were.

PySide6 6.12 drops one count at every call that returns nothing, which ends in an abort after half a minute of play on
Python 3.11; short tests do not see it.
"""

import sys

import numpy as np
import pytest
from PySide6.QtCore import QObject, Signal

from studio.player.pane import Pane

PAINTS, EMITS = 8000, 2000
DRIFT = 200  # counts that caches, logging and the test itself may move


class Bell(QObject):
    rung = Signal(bool)


@pytest.mark.slow
def test_reference_counts_do_not_drift_over_eight_thousand_paints(qtbot) -> None:
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
    before = [sys.getrefcount(thing) for thing in (None, True, False)]
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
    after = [sys.getrefcount(thing) for thing in (None, True, False)]
    assert all(abs(a - b) < DRIFT for a, b in zip(after, before, strict=True)), (before, after)
