"""Studio in which somebody drags a corner of a box, or paints a mask, until it is killed: `python -m tests.chaos.studio_dragger PROJECT STATE RATER MODE CLIPS`.

`drag` and `paint` save `SAVED` boxes, each told as a line of JSON when the screen has moved on from it, then say `dragging` and
keep the button down. `drag-eagerly` is a mutant that stores a box whenever the mouse has moved.
"""

import json
import os
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest

from bench.qt import application
from studio.app import open_window
from studio.pages.verify import VerifyPage
from studio.player.edit_pane import EditPane
from studio.sessions.verify import Phase
from tests.chaos.studio_voter import LOOK_MS, reached

SAVED, MOVES = 2, 6
LEFT = Qt.MouseButton.LeftButton


def main() -> None:
    """Runs until killed."""
    project, state, rater, mode, clips = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:5], int(sys.argv[5])
    app, reach = application(), partial(reached, project, clips)
    with closing(
        open_window(reach(), project=project, rater=rater, state=state / "p", page="verify", revive=reach)
    ) as window:
        window.show()
        assert isinstance(window.page, VerifyPage)
        if mode == "drag-eagerly":
            store_every_move(window.page)
        dragger, timer = Dragger(window.page, paints=mode == "paint"), QTimer(interval=LOOK_MS)
        timer.timeout.connect(dragger.look)
        timer.start()
        app.exec()


class Dragger:
    """A move of the mouse at each look."""

    def __init__(self, page: VerifyPage, *, paints: bool) -> None:
        self.page, self.paints = page, paints
        self.saved = self.moves = 0
        self.box: tuple[float, ...] = ()
        page.editor.saved.connect(self.on_saved)

    def look(self) -> None:
        """Opens the editor, drags, and saves what is to be saved."""
        session, pane = self.page.editor.session, self.page.editor.pane
        if not self.page.is_editing:
            if self.page.session.phase is Phase.JUDGING:
                QTest.keyClick(self.page, Qt.Key.Key_E)
            return
        if session is None or pane.image.isNull() or self.box:
            return
        is_last = self.saved == SAVED
        if not self.moves:
            if is_last and self.paints:
                self.page.editor.use_tool("brush")
            corner = pane._shown(session.box[2], session.box[3]).toPoint()
            self.start = pane.rect().center() if is_last and self.paints else corner
            QTest.mousePress(pane, LEFT, pos=self.start)
        self.moves += 1
        QTest.mouseMove(pane, self.start - QPoint(3 * (self.moves % 20) + 2, self.moves % 20 + 1))
        if is_last:
            if self.moves == MOVES:
                tell("dragging")
        elif self.moves == MOVES:
            QTest.mouseRelease(pane, LEFT, pos=self.start - QPoint(3 * MOVES + 2, MOVES + 1))
            self.box, self.moves = session.box, 0
            QTest.keyClick(pane, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)

    def on_saved(self, *_: object) -> None:
        """The screen has moved on; of the mutant in the middle of a drag."""
        if not self.box:
            tell("dragging")
            return
        tell(json.dumps(self.box))
        self.saved, self.box = self.saved + 1, ()


def tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def store_every_move(page: VerifyPage) -> None:
    """A mutant: what the hand has not let go of is stored."""
    move = EditPane.mouseMoveEvent

    def move_and_store(self: EditPane, event: QMouseEvent) -> None:
        move(self, event)
        if self._held is not None:
            page.editor.save()

    EditPane.mouseMoveEvent = move_and_store


if __name__ == "__main__":
    main()
