"""Cyclic garbage is collected in the GUI thread alone, between events.

Python collects in whichever thread allocates, in the middle of whatever that does. A cycle with a Qt object in it then ends that object
in another thread, or while its scene is painted, and the process ends with it (seen: pyqtgraph's GraphicsScene in a paint event).
"""

import gc

from PySide6.QtCore import QObject, QTimer

CHECK_MS = 500


class GarbageCollector(QObject):
    """Takes collections over from Python while it lives: as often as Python's thresholds ask, but from a timer's event."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        gc.disable()
        self._timer = QTimer(self)
        self._timer.setInterval(CHECK_MS)
        self._timer.timeout.connect(self.check)
        self._timer.start()

    def check(self) -> None:
        """Collects the oldest generation whose threshold is passed, and the younger ones with it."""
        counts, thresholds = gc.get_count(), gc.get_threshold()
        passed = [
            generation for generation in range(3) if thresholds[generation] and counts[generation] > thresholds[generation]
        ]
        if passed:
            gc.collect(passed[-1])

    def close(self) -> None:
        """Gives collections back to Python."""
        self._timer.stop()
        gc.enable()
