"""The sheet behind the status of votes: what waits and why, and what the service refused, to be sent again or dropped."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from backend.domain import StudioError, Vote
from studio.ask_dialog import AskDialog
from studio.link import Link
from studio.outbox import Refused
from studio.sentences import translated
from studio.texts import named, text
from studio.widgets import label

SIZE_PX = (760, 460)


class VotesSheet(QDialog):
    """Chosen rows, or all while none is chosen, are sent again (Return) or dropped (Delete, which asks once more)."""

    def __init__(self, parent: QWidget, link: Link) -> None:
        super().__init__(parent)
        self.setWindowTitle(text("votes.title"))
        self.resize(*SIZE_PX)
        self._link, self._open = link, True
        self.finished.connect(self._leave)
        self.refused: tuple[Refused, ...] = ()
        self._cannot_read = False
        self.told = label("", "muted")
        self.told.setWordWrap(True)
        self.trouble = label("", "banner")
        self.trouble.setWordWrap(True)
        self.trouble.hide()
        self.rows = _Rows(self.send_again, self.ask_to_drop)
        self.again, self.drop = QPushButton(text("votes.again")), QPushButton(text("votes.drop"))
        self.again.setObjectName("primary")
        self.drop.setObjectName("grave")
        self.again.clicked.connect(self.send_again)
        self.drop.clicked.connect(self.ask_to_drop)
        self.away = QPushButton(text("votes.close"))
        self.away.setObjectName("worded")
        self.away.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.addWidget(self.drop)
        buttons.addStretch(1)
        buttons.addWidget(self.away)
        buttons.addWidget(self.again)
        column = QVBoxLayout(self)
        column.setContentsMargins(28, 24, 28, 22)
        column.setSpacing(14)
        column.addWidget(label(text("votes.title"), "title"))
        column.addWidget(self.told)
        column.addWidget(self.rows, 1)
        column.addStretch(0)
        column.addWidget(self.trouble)
        column.addLayout(buttons)
        link.sync_changed.connect(self._read)
        self._show(())
        self.away.setFocus()
        self._read()

    def send_again(self) -> None:
        """Sends the chosen ones again; what is refused once more comes back with its reason of now."""
        self.trouble.hide()
        self._link.send_again(self._chosen(), self._cannot)

    def ask_to_drop(self) -> None:
        """Asks, then removes the chosen ones from this machine."""
        chosen = self._chosen()
        if not chosen:
            return
        asked = AskDialog(
            self,
            title=text("votes.drop_title", count=len(chosen)),
            words=text("votes.drop_words"),
            go=text("votes.drop"),
            is_grave=True,
        )

        def drop() -> None:
            self.trouble.hide()
            self._link.drop_refused(chosen, self._cannot)
            asked.done_with()

        asked.wanted.connect(drop)
        asked.open()

    def _chosen(self) -> tuple[Refused, ...]:
        rows = sorted(self.rows.row(item) for item in self.rows.selectedItems())
        return tuple(self.refused[row] for row in rows) or self.refused

    def _leave(self) -> None:
        self._open = False

    def _read(self) -> None:
        if self._open:
            self._link.ask(self._link.outbox.refused, self._show, self._is_unread)

    def _show(self, refused: tuple[Refused, ...]) -> None:
        if not self._open:
            return
        state = self._link.sync_state
        parts = [text("votes.waiting", count=state.waiting, why=state.trouble or text("votes.on_the_way"))]
        parts = parts if state.waiting else []
        parts += [text("votes.refused", count=len(refused))] if refused else []
        self.told.setText("\n\n".join(parts) or text("votes.saved"))
        if self._cannot_read:
            self._cannot_read = False
            self.trouble.hide()
        came_or_went = bool(refused) != bool(self.refused)
        if refused != self.refused:
            self.refused = refused
            self.rows.fill(refused)
        for widget in (self.rows, self.again, self.drop):
            widget.setVisible(bool(refused))
        if came_or_went:  # at other times it stays where the person put it: this is called at every attempt to send
            (self.rows if refused else self.away).setFocus()

    def _is_unread(self, error: StudioError) -> None:
        self._cannot_read = True
        self._cannot(error)

    def _cannot(self, error: StudioError) -> None:
        if not self._open:
            return
        self.trouble.setText(str(error))
        self.trouble.show()


class _Rows(QListWidget):
    """What was refused, a row each, with its reason below it."""

    def __init__(self, again: Callable[[], object], drop: Callable[[], object]) -> None:
        super().__init__()
        self._again, self._drop = again, drop
        self.setObjectName("items")
        self.setAccessibleName(text("votes.list"))
        self.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.setWordWrap(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def fill(self, refused: Sequence[Refused]) -> None:
        self.clear()
        for one in refused:
            item = QListWidgetItem(f"{said_words(one)}\n{translated(one.problem)}")
            item.setToolTip(translated(one.problem))
            self.addItem(item)
        self.setCurrentRow(0)
        self.clearSelection()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._again()
        elif event.key() == Qt.Key.Key_Delete:
            self._drop()
        else:
            super().keyPressEvent(event)


def said_words(refused: Refused) -> str:
    """What somebody said: when, on what, and the answer."""
    said = refused.said
    at = said.made_at[:16].replace("T", " ")
    if isinstance(said, Vote):
        answer = text("votes.undone") if said.choice is None else named("values", said.choice)
        return " · ".join(part for part in (at, said.item_id, f"{named('aspects', said.question)}: {answer}") if part)
    return " · ".join(part for part in (at, said.item_id, named("correct", said.kind)) if part)
