"""Where a person writes another prompt for a benchmark's case, and takes it back."""

import uuid
from datetime import UTC, datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from backend.domain.corrections import Correction
from studio.actions import key_of
from studio.correction_sender import CorrectionSender
from studio.link import Link
from studio.texts import text
from studio.widgets import label

WIDTH_PX = 720


class PromptEditor(QWidget):
    """Opens on a case. `saved` comes when the journal has another prompt, or has taken one back; `left` when there is none.

    As in the CorrectionEditor what is stored is on this machine's disk first, and `waits` comes with it where the service
    does not answer soon. `failed` says why a prompt cannot be; the words stay to be mended.
    """

    saved = Signal(bool)
    """Whether a prompt was taken back."""
    waits = Signal(object)
    left = Signal()
    failed = Signal(str)

    def __init__(self, link: Link, rater: str) -> None:
        super().__init__()
        self.rater = rater
        self._content, self._before = "", ""
        self._made: list[Correction] = []
        self._then: list[Correction] = []
        self.outgoing = CorrectionSender(link)
        self.outgoing.arrived.connect(self._on_arrived)
        self.outgoing.waits.connect(self._on_waits)
        self.outgoing.refused.connect(self._on_refused)
        self.field = QPlainTextEdit()
        self.field.setObjectName("written")
        self.field.setAccessibleName(text("verify.prompt"))
        self.field.setTabChangesFocus(True)
        self.field.setMaximumWidth(WIDTH_PX)
        words = label(text("verify.prompt_words"), "muted")
        words.setWordWrap(True)
        words.setMaximumWidth(WIDTH_PX)
        self.save_button = QPushButton(text("verify.prompt_save", cap=key_of("save_correction")))
        self.save_button.setObjectName("primary")
        self.save_button.clicked.connect(self.save)
        leave = QPushButton(text("verify.prompt_leave", cap=key_of("leave_correction")))
        leave.setObjectName("worded")
        leave.clicked.connect(self.close_editor)
        self.take_back_button = QPushButton(text("correct.take_back"))
        self.take_back_button.setObjectName("worded")
        self.take_back_button.clicked.connect(self.take_back)
        row = QHBoxLayout()
        row.addWidget(self.take_back_button)
        row.addStretch(1)
        row.addWidget(leave)
        row.addWidget(self.save_button)
        inner = QWidget()
        inner.setMaximumWidth(WIDTH_PX)
        column = QVBoxLayout(inner)
        column.setSpacing(12)
        column.addWidget(label(text("verify.prompt"), "title"))
        column.addWidget(words)
        column.addWidget(self.field, 1)
        column.addLayout(row)
        around = QVBoxLayout(self)
        around.setContentsMargins(24, 20, 24, 24)
        around.addWidget(inner, 1, Qt.AlignmentFlag.AlignHCenter)
        inner.setMinimumWidth(min(WIDTH_PX, 560))

    def open(self, content: str, prompt: str) -> None:
        """Shows a case's prompt to be changed."""
        self._content, self._before = content, prompt
        self.field.setPlainText(prompt)
        self.field.setFocus()
        self._free()

    def close_editor(self) -> None:
        """Forgets what was not stored; what is on its way goes on."""
        if self.outgoing.is_busy:
            self.outgoing.move_on()
        else:
            self.left.emit()

    def save(self) -> None:
        """Stores the prompt when it is another one."""
        words = self.field.toPlainText().strip()
        if self.outgoing.is_busy:
            return
        if not words or words == self._before:
            self.left.emit()
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        said = Correction(
            id=uuid.uuid4().hex, rev=1, kind="prompt", item_id=self._content, rater=self.rater, text=words, made_at=now
        )
        self._store(said, then=[*self._made, said])

    @property
    def can_take_back(self) -> bool:
        """Whether this person wrote a prompt since the window was opened."""
        return bool(self._made) and not self.outgoing.is_busy

    def take_back(self) -> None:
        """Withdraws the last prompt that this person wrote here."""
        if self.can_take_back:
            last = self._made[-1]
            gone = Correction(id=last.id, rev=2, kind="prompt", item_id=last.item_id, rater=self.rater, withdrawn=True)
            self._store(gone, then=self._made[:-1])

    def _store(self, said: Correction, *, then: list[Correction]) -> None:
        self._then = then
        self.save_button.setEnabled(False)
        self.take_back_button.setEnabled(False)
        self.outgoing.send((said,))

    def _on_arrived(self) -> None:
        taken_back = len(self._then) < len(self._made)
        self._made = self._then
        self._free()
        self.saved.emit(taken_back)

    def _on_waits(self, waiting: tuple[Correction, ...]) -> None:
        self._made = self._then
        self._free()
        self.waits.emit(waiting)

    def _on_refused(self, why: str) -> None:
        self._free()
        self.failed.emit(why)

    def _free(self) -> None:
        self.save_button.setEnabled(True)
        self.take_back_button.setEnabled(self.can_take_back)
