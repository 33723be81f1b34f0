"""Studio that judges by itself until it is killed; as a command one that sends what waits: `python -m tests.chaos.studio_voter PROJECT STATE RATER flush CLIPS`."""

import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest

from backend.api import Api
from backend.client import connect
from backend.domain import ServiceError
from bench.qt import application
from bench.studio_queue import PlantQueue, start
from studio.app import open_window
from studio.pages.judge import JudgePage
from studio.sessions.verify import Phase
from studio.sync import VoteSync
from studio.window import Window

LOOK_MS = 10
_services: list[subprocess.Popen[str]] = []  # kept: a service ends when its pipe is closed


def vote(project: Path, state: Path, rater: str, mode: str, clips: int, says: Connection | None = None) -> None:
    """Opens the window until killed, or, to `flush`, until nothing waits in the outbox.

    `judge` presses a verdict whenever a pair is open, and says how many the screen has moved on from; `judge-hastily` is a
    mutant. The service is a child of this process, started when there is none.
    """
    if mode == "judge-hastily":
        VoteSync._write_all = write_all_hastily
    app = application()
    reach = partial(reached, project, clips)
    with closing(
        open_window(reach(), project=project, rater=rater, state=state / "p", page="verify", revive=reach)
    ) as window:
        window.show()
        timer, voter = QTimer(interval=LOOK_MS), Voter(window, says)  # a signal alone would not keep the voter
        timer.timeout.connect(partial(end_when_sent, window) if mode == "flush" else voter.look)
        timer.start()
        app.exec()


class Voter:
    """Says how many verdicts the screen has moved on from."""

    def __init__(self, window: Window, says: Connection | None) -> None:
        assert isinstance(window.page, JudgePage)
        self.page, self.says, self.told = window.page, says, 0

    def look(self) -> None:
        """Tells what was judged since, and judges the open pair."""
        while self.told < self.page.session.judged:
            self.told += 1
            assert self.says is not None, "somebody hears of what is judged"
            self.says.send(self.told)
        if self.page.session.phase is Phase.JUDGING:
            QTest.keyClick(self.page, Qt.Key.Key_2)


def write_all_hastily(self: VoteSync) -> None:
    """A mutant: says that a verdict is saved before it is in the outbox."""
    while (said := self._to_write.get()) is not None:
        self.saved(said)
        time.sleep(60)
        self.outbox.put(said)
        self._wake.set()


def end_when_sent(window: Window) -> None:
    """Ends the application when every vote has its receipt."""
    if window.link.outbox.counts().pending == 0:
        application().quit()


def reached(project: Path, clips: int) -> Api:
    """The running service, or one that is started now."""
    try:
        return connect(project)
    except ServiceError:
        _services.append(start(project, PlantQueue(clips=clips)))
        return connect(project)


if __name__ == "__main__":
    project, state, rater, mode, clips = sys.argv[1:]
    vote(Path(project), Path(state), rater, mode, int(clips))
