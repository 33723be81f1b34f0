"""Waiting for a window to have nothing left to do, instead of for a time that a busy machine needs more of."""

import threading

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication

from studio.link import QUICK_CALLS, SLOW_CALLS
from studio.window import Window

PATIENCE_S = 60.0
ROUNDS = 3
"""How often an answer may lead to another question."""


def settle(qtbot, window: Window) -> None:
    """Until the service has answered what was asked, and what that led to, and all of it is laid out."""
    for _ in range(ROUNDS):
        meetings = []
        for pool, count in ((window.link._quick, QUICK_CALLS), (window.link._slow, SLOW_CALLS)):
            meeting = threading.Barrier(count)  # whoever is there has nothing else to do
            meetings += [pool.submit(meeting.wait, PATIENCE_S) for _ in range(count)]
        qtbot.waitUntil(lambda meetings=meetings: all(one.done() for one in meetings), timeout=round(1000 * PATIENCE_S))
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
