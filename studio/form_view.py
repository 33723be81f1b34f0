"""Renders any form: its panels side by side, its open question with the choices and their keys, its reasons."""

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLineEdit, QStackedLayout, QVBoxLayout, QWidget

from backend.domain import Choice, Form, Question, Trial
from studio.panel_view import PanelView, layout_of
from studio.player.pane import Look, Pane
from studio.player.wipe_pane import STEP, WipePane
from studio.prepare import Stills
from studio.texts import text
from studio.theme import Theme
from studio.widgets import ChoiceButton, KeyButton, clear, label

FLICKER_MS = 500  # two changes a second: below the three flashes a second of WCAG 2.2, 2.3.1
MOVIE_STRETCH, STILL_STRETCH = 3, 2  # beside a video, a reference picture needs less room
REASONS_IN_ROW = 6
CHOICES_IN_ROW = 6  # expressions have ten


class FormView(QWidget):
    """Panels above with `beside` at their right, `middle` between, the open question below. Keys work while the focus is inside `keys_of`."""

    chosen = Signal(str)
    reason_toggled = Signal(str)
    comment_changed = Signal(str)

    def __init__(self, keys_of: QWidget, theme: Theme, *, middle: QWidget, beside: QWidget | None) -> None:
        super().__init__()
        self.form: Form | None = None
        self.views: dict[str, PanelView] = {}
        self.buttons: dict[str, ChoiceButton] = {}
        self.reason_buttons: dict[str, KeyButton] = {}
        self.zoom_linked = True
        self._keys_of, self._theme = keys_of, theme
        self._question: Question | None = None
        self._choice_keys: list[QShortcut] = []
        self._reason_keys: list[QShortcut] = []
        self._grid = QWidget()
        QGridLayout(self._grid).setContentsMargins(0, 0, 0, 0)
        self._flick = Pane(text("judge.flicker"))
        self._wipe = WipePane(text("judge.wipe"))
        self._flick_side = 0
        self._flick_timer = QTimer(self, interval=FLICKER_MS)
        self._flick_timer.timeout.connect(self._flick_on)
        top = QWidget()
        self._stack = QStackedLayout(top)
        self._stack.addWidget(self._grid)
        self._stack.addWidget(self._flick)
        self._stack.addWidget(self._wipe)
        self._choices = QWidget()
        QGridLayout(self._choices).setContentsMargins(0, 0, 0, 0)
        self._chips = QWidget()
        QGridLayout(self._chips).setContentsMargins(0, 0, 0, 0)
        self.comment = QLineEdit()
        self.comment.setPlaceholderText(text("judge.note_hint"))
        self.comment.setAccessibleName(text("judge.note"))
        self.comment.setMaxLength(500)
        self.comment.textEdited.connect(self.comment_changed)
        self.comment.returnPressed.connect(keys_of.setFocus)
        self._reasons = QWidget()
        row = QHBoxLayout(self._reasons)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(label(text("judge.reasons"), "slot"))
        row.addWidget(self._chips)
        row.addWidget(self.comment, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        above = QHBoxLayout()
        above.setSpacing(16)
        above.addWidget(top, 1)
        if beside is not None:
            above.addWidget(beside)
        column.addLayout(above, 1)
        column.addWidget(middle)
        column.addWidget(self._choices)
        column.addWidget(self._reasons)
        self._reasons.hide()

    def set_theme(self, theme: Theme) -> None:
        """Takes other colours."""
        self._theme = theme
        for pane in (*self.panes, self._flick, self._wipe):
            pane.set_colours(theme.colour("well"), theme.colour("muted"))
        if self._question is not None:
            self._build_question(self._question)

    @property
    def panes(self) -> tuple[Pane, ...]:
        return tuple(pane for view in self.views.values() for pane in view.panes)

    @property
    def _compared(self) -> list[PanelView]:
        """The sides: the videos where there are two or more, else all that is not words."""
        movies = [view for view in self.views.values() if view.layout_of == "movie"]
        return movies if len(movies) > 1 else [view for view in self.views.values() if view.layout_of != "words"]

    @property
    def num_compared(self) -> int:
        """How many sides flicker and wipe have."""
        return len(self._compared)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that the open question takes for itself."""
        question = self._question
        if question is None:
            return ()
        reasons = question.reasons if self.reasons_open else ()
        return tuple(choice.key for choice in (*question.choices, *reasons))

    def show_trial(self, form: Form, trial: Trial, stills: Stills) -> None:
        """Shows a trial; panels stand in its shown order."""
        panels = {panel.slot: panel for panel in form.panels}
        unknown = {stimulus.slot for stimulus in trial.stimuli} ^ set(panels)
        assert not unknown, f"form {form.name} and trial {trial.id} disagree on slots {sorted(unknown)}"
        shape = [(stimulus.slot, layout_of(panels[stimulus.slot], stimulus)) for stimulus in trial.stimuli]
        if form != self.form or shape != [(slot, view.layout_of) for slot, view in self.views.items()]:
            self.form = form
            self._build_panels([PanelView(panels[stimulus.slot], stimulus) for stimulus in trial.stimuli])
        for stimulus in trial.stimuli:
            self.views[stimulus.slot].show_stimulus(stimulus, stills)
        for pane in self.panes:
            pane.set_look(Look())
        self.refresh_flicker()

    def blank(self, sentence: str) -> None:
        """Takes everything of the last trial away."""
        for view in self.views.values():
            view.words.setText("")
            for pane in view.panes:
                pane.show_sentence(sentence if pane is view.main else "")
        self.refresh_flicker()

    def ask(self, question: Question, *, ticked: tuple[str, ...] = (), comment: str = "") -> None:
        """Shows the open question with what is ticked already."""
        if question != self._question:
            self._build_question(question)
        for value, button in self.reason_buttons.items():
            button.setChecked(value in ticked)
        if self.comment.text() != comment:
            self.comment.setText(comment)
        self.open_reasons(bool(ticked or comment))

    def set_locked(self, locked: bool) -> None:
        """Whether verdicts are refused now, because nothing is shown yet or the last one is being saved."""
        for button in self.buttons.values():
            button.setEnabled(not locked)

    @property
    def reasons_open(self) -> bool:
        return not self._reasons.isHidden()

    def open_reasons(self, opened: bool) -> None:
        """Shows or hides the reasons; their keys work while they are shown."""
        self._reasons.setVisible(opened)
        for key in self._reason_keys:
            key.setEnabled(opened)
        if not opened and self.comment.hasFocus():
            self._keys_of.setFocus()

    @property
    def flickering(self) -> bool:
        return self._stack.currentWidget() is self._flick

    def set_flicker(self, on: bool) -> None:
        """Shows the sides in turn in one place, so that the eye sees what changes."""
        on = on and len(self._compared) > 1
        self._stack.setCurrentWidget(self._flick if on else self._grid)
        if on:
            self._flick_side = 1
            self._flick_on()
            self._flick_timer.start()
        else:
            self._flick_timer.stop()

    @property
    def wiping(self) -> bool:
        return self._stack.currentWidget() is self._wipe

    def set_wipe(self, on: bool) -> None:
        """Shows the first side left of a line and the second right of it."""
        self._flick_timer.stop()
        self._stack.setCurrentWidget(self._wipe if on and len(self._compared) > 1 else self._grid)
        self.refresh_flicker()

    def move_wipe(self, steps: int) -> None:
        """Moves the line of the wipe to the right, or back."""
        self._wipe.move_line(self._wipe.share + STEP * steps)

    def refresh_flicker(self) -> None:
        """Shows the sides of the moment in flicker and wipe as they are now."""
        if self.wiping:
            first, second, *_ = self._compared
            self._wipe.show_pair(first.main.image.copy(), second.main.image.copy())
        if not self.flickering:
            return
        view = self._compared[self._flick_side % len(self._compared)]
        if view.main.image.isNull():
            self._flick.show_sentence(text("judge.no_picture"))
        else:
            self._flick.show_image(view.main.image.copy())
        self._flick.set_badge(view.panel.label)

    def link_zoom(self, linked: bool) -> None:
        """Whether zooming one side zooms the others."""
        self.zoom_linked = linked

    def zoom(self, factor: float) -> None:
        """Zooms what is compared, about the middle; 0 fits everything."""
        for view in self._compared:
            view.main.set_look(Look()) if factor == 0 else view.main.zoom_by(factor)
            if self.zoom_linked:
                self._follow(view.main, view.main.look)
                return
        for pane in (self._flick, self._wipe):  # both sides in one place have a look of their own then
            pane.set_look(Look()) if factor == 0 else pane.zoom_by(factor)

    def _build_panels(self, views: list[PanelView]) -> None:
        """Words above in full width; below them pictures and videos side by side, four or more in two columns.

        Beside four videos or more, pictures stand in a column of their own: in rows with them, all would be small.
        """
        clear(self._grid)
        self.views = {view.panel.slot: view for view in views}
        grid = self._grid.layout()
        assert isinstance(grid, QGridLayout)
        grid.setSpacing(16)
        words = [view for view in views if view.layout_of == "words"]
        seen = [view for view in views if view.layout_of != "words"]
        movies = [view for view in seen if view.layout_of == "movie"]
        apart = [view for view in seen if view not in movies] if len(movies) > 3 else []
        seen = [view for view in seen if view not in apart]
        width, first = max(1, len(seen) if len(seen) < 4 else 2), 1 if apart else 0
        for row, view in enumerate(words):
            grid.addWidget(view, row, 0, 1, first + width)
        for column in range(grid.columnCount()):
            grid.setColumnStretch(column, 0)
        for row in range(grid.rowCount()):  # those of the form before
            grid.setRowStretch(row, 0)
        height = max(len(apart), -(-len(seen) // width))
        spots = [(view, place, 0, 1 if place < len(apart) - 1 else height - place) for place, view in enumerate(apart)]
        spots += [(view, place // width, first + place % width, 1) for place, view in enumerate(seen)]
        for view, row, column, rows in spots:
            grid.addWidget(view, len(words) + row, column, rows, 1)
            grid.setRowStretch(len(words) + row, 1)
            grid.setColumnStretch(column, MOVIE_STRETCH if view.layout_of == "movie" else STILL_STRETCH)
            for pane in view.panes:
                pane.set_colours(self._theme.colour("well"), self._theme.colour("muted"))
                pane.looked.connect(lambda look, source=pane: self._follow(source, look))

    def _build_question(self, question: Question) -> None:
        self._question = question
        clear(self._choices)
        clear(self._chips)
        for key in (*self._choice_keys, *self._reason_keys):
            key.setEnabled(False)  # at once: two keys of one name would cancel each other until the deletion
            key.deleteLater()
        self.buttons = {choice.value: ChoiceButton(choice, self._theme) for choice in question.choices}
        rows = self._choices.layout()
        assert isinstance(rows, QGridLayout)
        rows.setSpacing(12)
        for place, button in enumerate(self.buttons.values()):
            rows.addWidget(button, place // CHOICES_IN_ROW, place % CHOICES_IN_ROW)
            button.clicked.connect(lambda _=False, value=button.choice.value: self.chosen.emit(value))
        self._choice_keys = [self._key(choice, self.chosen.emit) for choice in question.choices]
        grid = self._chips.layout()
        assert isinstance(grid, QGridLayout)
        grid.setSpacing(8)
        self.reason_buttons = {reason.value: self._reason_button(reason) for reason in question.reasons}
        for place, button in enumerate(self.reason_buttons.values()):
            grid.addWidget(button, place // REASONS_IN_ROW, place % REASONS_IN_ROW)
        self._reason_keys = [self._key(reason, self._toggle_reason) for reason in question.reasons]
        self.open_reasons(self.reasons_open)

    def _key(self, choice: Choice, act: Callable[[str], object]) -> QShortcut:
        shortcut = QShortcut(QKeySequence(choice.key), self._keys_of)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.setAutoRepeat(False)
        shortcut.activated.connect(lambda: act(choice.value))
        return shortcut

    def _reason_button(self, reason: Choice) -> KeyButton:
        button = KeyButton(reason.key, reason.label, name="reason")
        button.setCheckable(True)
        button.clicked.connect(lambda: self.reason_toggled.emit(reason.value))
        return button

    def _toggle_reason(self, value: str) -> None:
        self.reason_buttons[value].toggle()
        self.reason_toggled.emit(value)

    def _follow(self, source: Pane, look: Look) -> None:
        """Gives the look of one main pane to the others while zoom is linked."""
        mains = [view.main for view in self._compared]
        if self.zoom_linked and source in mains:
            for pane in mains:
                if pane is not source:
                    pane.set_look(look)
            self._flick.set_look(look)
            self._wipe.set_look(look)

    def _flick_on(self) -> None:
        self._flick_side = (self._flick_side + 1) % len(self._compared)
        self.refresh_flicker()
