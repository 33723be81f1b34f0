"""Where a person puts right what machines made of a subject: its box, its mask, and the words about it."""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCompleter,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from backend.api import Api
from backend.domain import ProjectError, StudioError
from backend.domain.corrections import Correction, Outline
from backend.domain.model_work import SegmentedFrame
from studio.actions import key_of
from studio.correction_sender import CorrectionSender
from studio.link import Link
from studio.player.edit_pane import EditPane
from studio.sessions.correcting import TOOLS, CorrectingSession
from studio.texts import text
from studio.theme import Theme
from studio.widgets import Chip, clear, label

SIDE_PX = 340
MOST_LETTERS = {"phrase": 500, "category": 100}
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Side:
    """A panel that can be corrected: its outline, and its frame as uint8 `(H, W, 3)` RGB."""

    slot: str
    title: str
    outline: Outline
    frame: np.ndarray


class CorrectionEditor(QWidget):
    """Opens on an item of a queue. `saved` comes with the outlines as they stand afterwards, `left` when nothing was stored.

    What is stored is on this machine's disk first. Where the service does not answer for it soon, `saved` comes with the
    outlines as they will stand, and `waits` with what is still on its way.
    """

    saved = Signal(object)
    waits = Signal(object)
    left = Signal()
    failed = Signal(str)

    def __init__(self, link: Link, rater: str) -> None:
        super().__init__()
        self.link, self.rater = link, rater
        self.sides: tuple[Side, ...] = ()
        self.sessions: dict[str, CorrectingSession] = {}
        self.words: dict[str, dict[str, str]] = {}
        self.slot = ""
        self._study, self._item = "", ""
        self._asked = 0
        self._made: list[Correction] = []
        self._then: list[Correction] = []
        self._is_showing = False
        """Whether the service has what was stored, and is asked for what came of it."""
        self.outgoing = CorrectionSender(link)
        self.outgoing.arrived.connect(self._on_arrived)
        self.outgoing.waits.connect(self._move_on)
        self.outgoing.refused.connect(self._on_refused)
        self.pane = EditPane(text("correct.frame"))
        self.title = label("", "title")
        self.by_people = Chip("", tone="accent")
        self.hint = label("", "hint")
        self.hint.setWordWrap(True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.hint.setMinimumHeight(5 * self.hint.fontMetrics().lineSpacing())
        self._sides_row = QWidget()
        QHBoxLayout(self._sides_row).setContentsMargins(0, 0, 0, 0)
        self.caption = QPlainTextEdit()
        self.caption.setObjectName("written")
        self.caption.setAccessibleName(text("correct.caption"))
        self.caption.setTabChangesFocus(True)
        self.phrase, self.category = QLineEdit(), QLineEdit()
        for name, field in (("phrase", self.phrase), ("category", self.category)):
            field.setAccessibleName(text("correct.phrase") if name == "phrase" else text("correct.category"))
            field.setMaxLength(MOST_LETTERS[name])
        self._build()

    def open(self, study_id: str, item_id: str, slots: Sequence[tuple[str, str]], categories: Sequence[str]) -> None:
        """Asks for what the panels `slots` (with their titles) show; panels without a clip are left out."""
        self._study, self._item = study_id, item_id
        self.sides, self.sessions = (), {}
        self.pane.set_session(None)
        self.pane.show_sentence(text("correct.opening"))
        completer = QCompleter(list(categories), self.category)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.category.setCompleter(completer)
        self._asked += 1
        number, api = self._asked, self.link.api
        self.link.ask(
            lambda: read_sides(api, study_id, item_id, slots),
            lambda sides: self._show(sides) if number == self._asked else None,
            lambda error: self._refuse(error) if number == self._asked else None,
            slow=True,
        )

    def close_editor(self) -> None:
        """Forgets what was not stored; what is on its way goes on."""
        if self.outgoing.is_busy:
            self.outgoing.move_on()
            return
        self._asked += 1
        self._free()
        self.sides, self.sessions = (), {}
        self.pane.set_session(None)
        self.left.emit()

    def set_theme(self, theme: Theme) -> None:
        self.pane.set_colours(theme.colour("well"), theme.colour("muted"))

    @property
    def is_busy(self) -> bool:
        """Whether what was stored is not shown yet."""
        return self.outgoing.is_busy or self._is_showing

    @property
    def session(self) -> CorrectingSession | None:
        """Of the side that is shown."""
        return self.sessions.get(self.slot)

    def use_tool(self, tool: str) -> None:
        """Box, points or brush."""
        session = self.session
        if session is None:
            return
        if tool != "box" and session.mask is None:
            self.hint.setText(text("correct.no_mask"))
            return
        session.tool = tool
        for name, button in self.tools.items():
            button.setChecked(name == tool)
        hints = {
            "box": text("correct.hint_box"),
            "points": text("correct.hint_points"),
            "brush": text("correct.hint_brush"),
        }
        self.hint.setText(hints[tool])
        self.pane.setFocus()
        self.pane.update()

    def other_side(self) -> bool:
        """Shows the next panel that can be corrected; False where there is none."""
        slots = [side.slot for side in self.sides]
        if len(slots) > 1:
            self._show_side(slots[(slots.index(self.slot) + 1) % len(slots)])
        return len(slots) > 1

    def undo(self) -> None:
        """The last change of box or mask on the shown side."""
        if self.session is not None:
            self.session.undo()
            self.pane.update()

    def resize_brush(self, factor: float) -> None:
        if self.session is not None:
            self.session.resize_brush(factor)
            self.pane.update()

    def save(self) -> None:
        """Stores what was changed on every side; the screen moves on when it is safe."""
        if self.is_busy or not self.sides:
            return
        self._keep_words()
        made: dict[tuple[str, str], Correction] = {}
        for side in self.sides:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            for one in self.sessions[side.slot].corrections(
                self.words[side.slot], rater=self.rater, now=now, new_id=lambda: uuid.uuid4().hex
            ):
                made[one.kind, one.item_id] = one
        if not made:
            self.close_editor()
            return
        corrections = tuple(made.values())
        self._store(corrections, made=[*self._made, *corrections])

    @property
    def can_take_back(self) -> bool:
        """Whether this person corrected something since the window was opened."""
        return bool(self._made)

    def take_back(self) -> None:
        """Withdraws the last correction that this person made here."""
        if self._made and not self.is_busy:
            last = self._made[-1]
            gone = Correction(id=last.id, rev=2, kind=last.kind, item_id=last.item_id, rater=self.rater, withdrawn=True)
            self._store((gone,), made=self._made[:-1])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter in a line goes back to the picture, as from a note."""
        if isinstance(event, QKeyEvent) and event.type() is QEvent.Type.KeyPress and watched is not self.caption:
            plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
            if plain and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.pane.setFocus()
                return True
        return super().eventFilter(watched, event)

    def _store(self, corrections: tuple[Correction, ...], *, made: list[Correction]) -> None:
        self.save_button.setEnabled(False)
        self._then = made
        self.outgoing.send(corrections)

    def _on_arrived(self) -> None:
        """The screen shows what came of it."""
        study, item, slots, api = self._study, self._item, [side.slot for side in self.sides], self.link.api
        number, self._is_showing, self._made = self._asked, True, self._then

        def done(outlines: dict[str, Outline]) -> None:
            if number == self._asked:
                self._free()
                self.saved.emit(outlines)

        self.link.ask(
            lambda: {slot: api.outline(study_id=study, item_id=item, slot=slot) for slot in slots},
            done,
            lambda error: self._move_on(()) if number == self._asked else None,
            slow=True,
        )

    def _on_refused(self, why: str) -> None:
        """What cannot be stays in its field, to be mended here: nobody else needs to look at it."""
        self._free()
        self.failed.emit(why)

    def _move_on(self, waiting: tuple[Correction, ...]) -> None:
        """Shows what will stand, with what is still on its way."""
        self._made = self._then
        outlines = {side.slot: foreseen(side.outline, waiting) for side in self.sides}
        self._free()
        if waiting:
            self.waits.emit(tuple((one.id, one.rev) for one in waiting))
        self.saved.emit(outlines)

    def _free(self) -> None:
        self._is_showing = False
        self.save_button.setEnabled(True)

    def _refuse(self, error: StudioError) -> None:
        self.failed.emit(str(error))
        self.close_editor()

    def _show(self, sides: tuple[Side, ...]) -> None:
        self.sides = sides
        self.sessions = {side.slot: CorrectingSession(outline=side.outline) for side in sides}
        self.words = {
            side.slot: {"caption": side.outline.caption, "phrase": side.outline.phrase, "category": side.outline.category}
            for side in sides
        }
        self.slot = ""
        clear(self._sides_row)
        row = self._sides_row.layout()
        assert row is not None
        self.side_buttons: dict[str, QPushButton] = {}
        self._sides_row.setVisible(len(sides) > 1)
        for side in sides:
            button = self._segment(side.title)
            button.clicked.connect(lambda _=False, slot=side.slot: self._show_side(slot))
            row.addWidget(button)
            self.side_buttons[side.slot] = button
        self._show_side(sides[0].slot)

    def _show_side(self, slot: str) -> None:
        self._keep_words()
        self.slot = slot
        side = next(side for side in self.sides if side.slot == slot)
        for name, button in self.side_buttons.items():
            button.setChecked(name == slot)
        self.pane.show_frame(side.frame, side.outline.frame)
        self.pane.set_session(self.sessions[slot])
        words = self.words[slot]
        self.caption.setPlainText(words["caption"])
        self.caption.setEnabled(bool(side.outline.caption))
        self.phrase.setText(words["phrase"])
        self.category.setText(words["category"])
        people = ", ".join(_kind_words(kind) for kind in side.outline.corrected)
        self.by_people.setText(text("correct.by_people", what=people) if people else "")
        self.by_people.setVisible(bool(people))
        self.take_back_button.setEnabled(self.can_take_back)
        self.use_tool(self.sessions[slot].tool)

    def _keep_words(self) -> None:
        if self.slot:
            self.words[self.slot] = {
                "caption": self.caption.toPlainText(),
                "phrase": self.phrase.text(),
                "category": self.category.text(),
            }

    def _ask_mask(self) -> None:
        """The service's Segmenter, on points within the box; what comes too late for what is shown is dropped."""
        session = self.session
        if session is None:
            return
        outline, points, box, api = session.outline, session.points, session.box, self.link.api
        self.hint.setText(text("correct.segmenting"))

        def done(found: SegmentedFrame) -> None:
            if session.points == points:
                session.taken(found.counts)
                self.hint.setText(text("correct.segmented", model=found.model))
                self.pane.update()

        def refused(error: StudioError) -> None:
            log.info("no mask of %s: %s", outline.appearance_id, error)
            self.hint.setText(str(error))

        self.link.ask(
            lambda: api.segment(clip_id=outline.clip_id, frame=outline.frame, points=points, box=box),
            done,
            refused,
            slow=True,
        )

    def _segment(self, words: str) -> QPushButton:
        button = QPushButton(words)
        button.setObjectName("segment")
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _build(self) -> None:
        self.side_buttons = {}
        titles = {"box": text("correct.box"), "points": text("correct.points"), "brush": text("correct.brush")}
        self.tools = {tool: self._segment(titles[tool]) for tool in TOOLS}
        head = QHBoxLayout()
        head.setSpacing(8)
        self.title.setText(text("correct.title"))
        head.addWidget(self.title)
        head.addWidget(self.by_people)
        head.addStretch(1)
        head.addWidget(self._sides_row)
        head.addSpacing(12)
        for tool, button in self.tools.items():
            button.clicked.connect(lambda _=False, tool=tool: self.use_tool(tool))
            head.addWidget(button)
        side = QWidget()
        side.setObjectName("scores")
        side.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        side.setFixedWidth(SIDE_PX)
        fields = QVBoxLayout(side)
        fields.setContentsMargins(18, 14, 18, 16)
        fields.setSpacing(8)
        for words, field in (
            (text("correct.phrase"), self.phrase),
            (text("correct.category"), self.category),
            (text("correct.caption"), self.caption),
        ):
            fields.addWidget(label(words, "slot"))
            fields.addWidget(field)
            field.installEventFilter(self)
        self.save_button = self._button(text("correct.save", cap=key_of("save_correction")), "primary", self.save)
        self.take_back_button = self._button(text("correct.take_back"), "worded", self.take_back)
        self.cancel_button = self._button(
            text("correct.cancel", cap=key_of("leave_correction")), "worded", self.close_editor
        )
        fields.addWidget(self.hint)
        row = QHBoxLayout()
        for button in (self.save_button, self.cancel_button):
            row.addWidget(button)
        fields.addLayout(row)
        fields.addWidget(self.take_back_button)
        below = QHBoxLayout()
        below.setSpacing(16)
        below.addWidget(self.pane, 1)
        below.addWidget(side)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 14, 24, 18)
        column.setSpacing(12)
        column.addLayout(head)
        column.addLayout(below, 1)
        self.pane.pointed.connect(self._ask_mask)

    def _button(self, words: str, name: str, act) -> QPushButton:
        button = QPushButton(words)
        button.setObjectName(name)
        button.clicked.connect(lambda _=False: act())
        return button


def read_sides(api: Api, study_id: str, item_id: str, slots: Sequence[tuple[str, str]]) -> tuple[Side, ...]:
    """Outlines and frames of panels, off the GUI thread. Raises ProjectError when none of them is of a clip."""
    found, told = [], ""
    for slot, title in slots:
        try:
            outline = api.outline(study_id=study_id, item_id=item_id, slot=slot)
        except ProjectError as error:
            told = str(error)
            continue
        preview = api.media(media_id=outline.clip_media)
        from backend.media.reader import VideoReader  # not above: PyAV is a tenth of a second of Studio's start

        with VideoReader(preview.path) as reader:
            found.append(Side(slot, title, outline, reader.at([outline.frame - outline.start_frame])[0]))
    if not found:
        raise ProjectError(told or text("correct.nothing"))
    return tuple(found)


def foreseen(outline: Outline, corrections: Sequence[Correction]) -> Outline:
    """An outline as it will stand when the service has these; the cut-out stays as it was until then."""
    for one in corrections:
        if one.withdrawn:
            continue  # what was there before is the service's to know
        if one.item_id == outline.appearance_id and one.box is not None:
            outline = replace(outline, box=one.box)
        elif one.item_id == outline.appearance_id and one.counts:
            outline = replace(outline, counts=one.counts)
        elif one.item_id == outline.clip_id:
            outline = replace(outline, caption=one.text)
        elif one.item_id == outline.subject_id and one.kind == "phrase":
            outline = replace(outline, phrase=one.text)
        elif one.item_id == outline.subject_id:
            outline = replace(outline, category=one.text)
    return outline


def _kind_words(kind: str) -> str:
    names = {
        "box": text("correct.box"),
        "mask": text("correct.mask"),
        "caption": text("correct.caption"),
        "phrase": text("correct.phrase"),
        "category": text("correct.category"),
    }
    return names[kind]
