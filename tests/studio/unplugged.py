"""Studio on a screen that goes: `python -m tests.studio.unplugged PROJECT`, with its state below XDG_DATA_HOME.

Says `open` when a pair can be judged, judges it after a line on its input, and says `waiting` when that verdict is on the
disk and was not sent. What follows is Studio's own.
"""

import sys
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from backend.client import connect
from bench.qt import wait
from studio.app import run
from studio.pages.verify import VerifyPage
from studio.sessions.verify import Phase
from studio.window import Window


def main() -> int:
    project = Path(sys.argv[1])
    app = QApplication(["studio"])
    QTimer.singleShot(0, app, judge)
    return run(connect(project), project=project, rater="ann", theme="light", language="en", page="verify")


def judge() -> None:
    (window,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, Window)]
    page = window.page
    assert isinstance(page, VerifyPage)
    wait(lambda: page.session.phase is Phase.JUDGING)
    say("open")
    sys.stdin.readline()
    window.activateWindow()  # no window manager does it here
    wait(window.isActiveWindow)
    QTest.keyClicks(page, "2")
    wait(lambda: window.link.outbox.counts().pending == 1 and window.link.sync_state.lost)
    say("waiting")


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
