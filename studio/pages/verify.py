"""Verify: pairs, subjects, anchors and cases, one key an answer; and what machines got wrong put right on the spot."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QButtonGroup, QFrame, QGridLayout, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from backend.api import PairRow
from backend.domain import ANCHORS_STUDY, CASES_STUDY, SUBJECTS_STUDY, VERIFY_STUDY, StudioError
from backend.domain.corrections import OF_CASE, Correction, Outline
from backend.domain.score_words import score_title
from studio.actions import key_of
from studio.correction_editor import CorrectionEditor
from studio.outbox import Said
from studio.pages.judge import HINTS, JudgePage
from studio.pages.page import PageContext
from studio.pages.verify_marks import ClipMarks
from studio.prepare import clip_of
from studio.prompt_editor import PromptEditor
from studio.sessions.verify import Held, Phase, VerifySession
from studio.texts import language, text
from studio.theme import Theme
from studio.widgets import clear, label

MODES = {"pairs": VERIFY_STUDY, "subjects": SUBJECTS_STUDY, "anchors": ANCHORS_STUDY, "cases": CASES_STUDY}
"""The standing studies, in the order of their keys."""
KINDS = {
    "cross_video": "verify.cross_video",
    "cross_frame": "verify.cross_frame",
    "in_pair": "verify.in_pair",
    "generated": "verify.generated",
}


PLAYING = ("play", "step_back", "step_on", "rewind", "slower", "faster", "loop", "stretch")
"""Actions that need a clip."""


class VerifyPage(JudgePage):
    """Each mode has its own queue and session, which goes on where it was left."""

    study_id = VERIFY_STUDY
    context_name = "verify"
    hints_shown = (*HINTS, "overlay", "to_frame", "correct", "scores")

    def __init__(self, context: PageContext) -> None:
        self.mode = "pairs"
        self._sessions: dict[str, VerifySession] = {}
        self._categories: tuple[str, ...] = ()
        self._waiting: dict[tuple[str, int], str] = {}
        """Corrections that are safe here and not with the service yet, and the trials that they were made on."""
        self._edited: set[tuple[str, int]] = set()
        """Prompts of cases of which the same holds."""
        self.editor = CorrectionEditor(context.link, context.rater)
        self.prompt = PromptEditor(context.link, context.rater)
        super().__init__(context)
        self.marks = ClipMarks(self.link, self.deck, lambda: self.form_view.views, context.notify)
        self._sessions["pairs"] = self.session
        for widget in (self.editor, self.prompt):
            self._stack.addWidget(widget)
        self.editor.saved.connect(self._on_corrected)
        self.editor.waits.connect(self._on_waiting)
        self.editor.left.connect(self._leave)
        self.editor.failed.connect(context.notify)
        self.prompt.saved.connect(self._on_prompt)
        self.prompt.waits.connect(self._on_prompt_waits)
        self.prompt.left.connect(self._leave)
        self.prompt.failed.connect(context.notify)
        self.link.vote_refused.connect(self._on_refused_vote)

    def handlers(self) -> dict[str, Callable[[], object]]:
        shared = super().handlers()
        shared |= {name: self._needing_clip(shared[name]) for name in PLAYING}
        shared |= {name: self._needing_sides(shared[name]) for name in ("flicker", "wipe")}

        def either(editing: Callable[[], object], name: str) -> Callable[[], object]:
            return lambda: editing() if self._stack.currentWidget() is self.editor else shared[name]()

        return {
            **shared,
            **{f"mode_{mode}": lambda mode=mode: self.use_mode(mode) for mode in MODES},
            "correct": self._correct,
            "save_correction": self._save,
            "leave_correction": self._leave_editing,
            "tool_box": lambda: self._use_tool("box"),
            "tool_points": lambda: self._use_tool("points"),
            "tool_brush": lambda: self._use_tool("brush"),
            "other_side": self._other_side,
            "take_back": self._take_back,
            "overlay": lambda: None if self.is_editing else self.marks.toggle(),
            "to_frame": lambda: None if self.is_editing else self.marks.go_to_frame(),
            "scores": lambda: self.scores.setVisible(self.scores.isHidden()),
            "undo": either(lambda: self.editor.undo(), "undo"),
            "slower": either(lambda: self.editor.resize_brush(0.8), "slower"),
            "faster": either(lambda: self.editor.resize_brush(1.25), "faster"),
            "zoom_in": either(lambda: self.editor.pane.zoom_by(1.25), "zoom_in"),
            "zoom_out": either(lambda: self.editor.pane.zoom_by(0.8), "zoom_out"),
        }

    def new_session(self, study_id: str) -> VerifySession:
        session = super().new_session(study_id)
        if study_id == CASES_STUDY:
            for one in self.link.outbox.unsent(10_000, of=Correction):
                if one.kind in OF_CASE:
                    self._put_aside(session, one)
        return session

    def header(self) -> QWidget:
        """The modes, as segments that a click or Ctrl and a digit chooses."""
        bar = QWidget()
        bar.setAccessibleName(text("verify.modes"))
        row = QHBoxLayout(bar)
        row.setContentsMargins(24, 12, 24, 0)
        row.setSpacing(4)
        group = QButtonGroup(bar)
        self.modes: dict[str, QPushButton] = {}
        for mode in MODES:
            words, key = text(f"verify.mode_{mode}"), self.actions_.rows[f"mode_{mode}"].keys[0]
            button = QPushButton(words)
            button.setObjectName("segment")
            button.setCheckable(True)
            button.setChecked(mode == self.mode)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setToolTip(f"{words} ({key})")
            button.setAccessibleName(f"{words}, {key}")
            button.clicked.connect(lambda _=False, mode=mode: self.use_mode(mode))
            group.addButton(button)
            row.addWidget(button)
            self.modes[mode] = button
        row.addStretch(1)
        return bar

    def use_mode(self, mode: str) -> None:
        """Another queue; each keeps its place and what can be undone in it."""
        if mode != self.mode and self.is_editing:
            self.context.notify(
                text("verify.leave_first", save=key_of("save_correction"), leave=key_of("leave_correction"))
            )
        elif mode != self.mode and self.session.phase is Phase.SAVING:
            self.context.notify(text("verify.busy"))
        elif mode != self.mode:
            self.mode, self.study_id = mode, MODES[mode]
            if mode not in self._sessions:
                self._sessions[mode] = self.new_session(self.study_id)
            self._retry.stop()
            self.session = self._sessions[mode]
            self._shown = None
            self._look_again()
        for name, button in self.modes.items():
            button.setChecked(name == self.mode)
        if not self.is_editing:
            self.setFocus()

    @property
    def is_editing(self) -> bool:
        """Whether something is being put right, so that keys are not verdicts."""
        return self._stack.currentWidget() in (self.editor, self.prompt)

    def set_theme(self, theme: Theme) -> None:
        super().set_theme(theme)
        self.editor.set_theme(theme)

    def on_sent(self, sent: tuple[tuple[str, int], ...]) -> None:
        for session in self._sessions.values():
            session.synced(sent)
        self._on_prompt_known(self._edited & set(sent))
        came = self._waiting.keys() & set(sent)
        held = self._shown
        trials = {self._waiting.pop(key) for key in came}
        if held is not None and held.id in trials - set(self._waiting.values()) and not self.is_editing:
            self.marks.show(held)
            self.marks.ask(self._on_corrected)  # the cut-out follows

    def on_dropped(self, dropped: tuple[tuple[str, int], ...]) -> None:
        concerned = [session for session in self._sessions.values() if session.dropped(dropped)]
        if self.session in concerned and not self.is_editing:
            self._look_again()

    def _on_refused_vote(self, said: Said, why: str) -> None:
        self._on_prompt_known(self._edited & {(said.id, said.rev)})

    def side(self) -> QWidget:
        self.scores = QFrame()
        self.scores.setObjectName("scores")
        self.scores.setFixedWidth(232)
        self.suggestion = label("", "caption")
        self.suggestion.setWordWrap(True)
        self._rows = QWidget()
        self._grid = QGridLayout(self._rows)
        self._grid.setContentsMargins(0, 0, 8, 0)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(0, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(self._rows)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self.scores)
        column.setContentsMargins(16, 10, 8, 14)
        column.setSpacing(10)
        column.addWidget(label(text("verify.scores"), "slot"))
        column.addWidget(self.suggestion)
        column.addWidget(area, 1)
        return self.scores

    def show_extras(self, held: Held, pair: PairRow | None) -> None:
        self.category.setText((pair.category if pair else None) or "")
        self.category.setVisible(bool(pair and pair.category))
        kind = text(KINDS[pair.kind]) if pair and pair.kind in KINDS else ""
        if pair is not None and pair.kind == "cross_video" and pair.reference.clip_media is None:
            kind = text("verify.from_picture")
        words = [pair.phrase or "", kind] if pair else []
        self.about.setText(" · ".join(word for word in words if word))
        self._show_scores(held.trial.scores, held.trial.failed)
        self.transport.setVisible(has_clip(held))
        for one in held.trial.stimuli:
            alone = held.trial.study_id == VERIFY_STUDY and one.clip_media is None
            self.form_view.views[one.slot].note.setText(text("verify.picture_alone") if alone else "")
        self.marks.show(held)

    def clear_extras(self) -> None:
        clear(self._rows)
        self.marks.show(None)

    def empty_words(self, *, total: int) -> tuple[str, str]:
        if total == 0:
            return text(f"verify.empty_{self.mode}"), text(f"verify.empty_{self.mode}_words")
        left = max(0, total - self.session.judged)
        if left:
            return text("verify.with_others"), text("verify.with_others_words", left=left, total=total)
        return text(f"verify.done_{self.mode}"), text("verify.done_words", total=total)

    def gold_words(self, *, right: int, seen: int) -> str:
        if self.mode == "cases":
            return text("verify.gold_cases", right=right, seen=seen)
        return super().gold_words(right=right, seen=seen)

    def _show_current(self) -> None:
        if not self.is_editing:  # what comes in meanwhile is shown when the editor is left
            super()._show_current()
            if self._shown is not None:
                stills = self.loader.stills.get(self._shown.id)
                self._show_suggestion(self._shown, stills.pair if stills else None)

    def _choose(self, choice: str) -> None:
        if not self.is_editing:
            super()._choose(choice)

    def _undo(self) -> None:
        if not self.is_editing:
            super()._undo()

    def _show_suggestion(self, held: Held, pair: PairRow | None) -> None:
        """What machines answer to the open question: of a pair, what the recipe's gates make of it. Hidden with the scores."""
        question = held.open_question
        likely = dict(held.trial.suggested) | ({"same": "same"} if pair and pair.accepted else {})
        choice = likely.get(question.name) if question is not None else None
        words = next((one.label for one in question.choices if one.value == choice), "") if question is not None else ""
        self.suggestion.setText(text("verify.suggestion", words=words) if words else "")
        self.suggestion.setVisible(bool(words))

    def _show_scores(self, scores: tuple[tuple[str, float | None], ...], failed: tuple[str, ...]) -> None:
        clear(self._rows)
        measured = [(name, value) for name, value in scores if value is not None]
        for row, (name, value) in enumerate(measured):
            title = score_title(name, language())
            words = label(text("verify.score_fails", score=title) if name in failed else title, "score_name")
            words.setWordWrap(True)
            number = label(f"{value:.3g}", "score_value")
            number.setAlignment(Qt.AlignmentFlag.AlignRight)
            self._grid.addWidget(words, row, 0)
            self._grid.addWidget(number, row, 1)
        if not measured:
            self._grid.addWidget(label(text("verify.no_scores"), "score_name"), 0, 0)
        for row in range(self._grid.rowCount()):  # rows of the trial before keep theirs
            self._grid.setRowStretch(row, 0)
        self._grid.setRowStretch(max(len(measured), 1), 1)

    def _correct(self) -> None:
        held = self._shown
        if held is None or self.session.phase is not Phase.JUDGING or self.is_editing:
            if not self.is_editing:
                self.context.notify(text("verify.nothing_shown"))
            return
        self.deck.pause()
        if self.mode == "cases":
            prompt = next((one.text for one in held.trial.stimuli if one.slot == "prompt"), "")
            self._stack.setCurrentWidget(self.prompt)
            self.prompt.open(held.trial.item_id, prompt)
            return
        titles = {panel.slot: panel.label for panel in held.form.panels}
        slots = [(one.slot, titles[one.slot]) for one in held.trial.stimuli]
        self._stack.setCurrentWidget(self.editor)
        self.actions_.qt["undo"].setEnabled(True)  # of what is done in the editor

        def opened(categories: tuple[str, ...]) -> None:
            self._categories = categories
            if self._stack.currentWidget() is self.editor:
                self.editor.open(held.trial.study_id, held.trial.item_id, slots, categories)

        if self._categories:
            opened(self._categories)
        else:
            self.link.ask(lambda: self.link.api.categories(), opened, self._on_refused)
        self.editor.pane.setFocus()

    def _needing_clip(self, act: Callable[[], object]) -> Callable[[], object]:
        """What plays, or why nothing does."""

        def do() -> None:
            held = self._shown
            if not self.is_editing and held is not None and not has_clip(held):
                self.context.notify(text("verify.no_clip_here"))
            else:
                act()

        return do

    def _needing_sides(self, act: Callable[[], object]) -> Callable[[], object]:
        """What shows two sides in one place, or why there are no two."""

        def do() -> None:
            if self.form_view.num_compared < 2 and self._shown is not None and not self.is_editing:
                self.context.notify(text("verify.one_side"))
            elif not self.is_editing:
                act()

        return do

    def _other_side(self) -> None:
        if self._stack.currentWidget() is self.editor and not self.editor.other_side():
            self.context.notify(text("correct.one_side"))

    def _save(self) -> None:
        if self._stack.currentWidget() is self.editor:
            self.editor.save()
        elif self._stack.currentWidget() is self.prompt:
            self.prompt.save()

    def _use_tool(self, tool: str) -> None:
        if self._stack.currentWidget() is self.editor:
            self.editor.use_tool(tool)

    def _leave_editing(self) -> None:
        if self._stack.currentWidget() is self.editor:
            self.editor.close_editor()
        elif self._stack.currentWidget() is self.prompt:
            self.prompt.close_editor()

    def _take_back(self) -> None:
        """The last correction of this mode: in cases also without its editor, whose field has Ctrl+Backspace for itself."""
        if self._stack.currentWidget() is self.editor:
            self.editor.take_back()
        elif self.mode == "cases" and self.prompt.can_take_back:
            self.prompt.take_back()
        else:
            self.context.notify(text("verify.nothing_taken_back"))

    def _leave(self) -> None:
        self._stack.setCurrentIndex(0)
        self._show_current()
        self.setFocus()

    def _on_refused(self, error: StudioError) -> None:
        self.context.notify(str(error))
        self._leave()

    def _on_corrected(self, outlines: dict[str, Outline]) -> None:
        """Shows the trial as it is now; the verdict is still open."""
        held = self._shown
        if held is not None:
            stimuli = []
            for one in held.trial.stimuli:
                outline = outlines.get(one.slot)
                if outline is not None:
                    words = {"pairs": outline.caption, "subjects": outline.phrase}
                    one = replace(one, media=outline.picture_media or one.media, text=words.get(self.mode, one.text))
                stimuli.append(one)
            before = [one.media for one in held.trial.stimuli]
            held.trial = replace(held.trial, stimuli=tuple(stimuli))
            self._refresh_pair(held)
            if [one.media for one in stimuli] != before:  # else the pictures are those at hand
                self.loader.stills.pop(held.id, None)
                self.load_held()
            self._shown = None
            self.session.look_again()
        self.editor.close_editor()

    def _on_waiting(self, keys: tuple[tuple[str, int], ...]) -> None:
        if self._shown is not None:
            self._waiting |= dict.fromkeys(keys, self._shown.id)
        self.context.notify(text("correct.waits"))

    def _refresh_pair(self, held: Held) -> None:
        if held.trial.study_id != VERIFY_STUDY:
            return

        def known(row: PairRow) -> None:
            if (stills := self.loader.stills.get(held.id)) is not None:
                self.loader.stills[held.id] = replace(stills, pair=row)
            if self._shown is held and not self.is_editing:
                self.show_extras(held, row)

        self.link.ask(lambda: self.link.api.pair(pair_id=held.trial.item_id), known, lambda error: None)

    def _on_prompt(self, taken_back: bool) -> None:
        """The journal has another prompt, or took one back: the cases are others than those at hand."""
        self.context.notify(text("verify.prompt_taken_back") if taken_back else text("verify.prompt_saved"))
        self._sessions["cases"].ask_anew()
        self._go_on()

    def _on_prompt_waits(self, waiting: tuple[Correction, ...]) -> None:
        """The case comes back when the service has its prompt; until then the next ones are judged."""
        session = self._sessions["cases"]
        for one in waiting:
            self._put_aside(session, one)
        self.context.notify(text("verify.prompt_waits"))
        self._go_on()

    def _put_aside(self, session: VerifySession, prompt: Correction) -> None:
        self._edited.add((prompt.id, prompt.rev))
        session.put_aside(prompt.item_id, (prompt.id, prompt.rev))

    def _on_prompt_known(self, keys: set[tuple[str, int]]) -> None:
        """The service has prompts that waited, or refuses them: the cases come as they are there."""
        self._edited -= keys
        if keys and "cases" in self._sessions:
            self._sessions["cases"].synced(keys)
            self._sessions["cases"].ask_anew()
            if self.mode == "cases" and not self.is_editing:
                self._look_again()

    def _go_on(self) -> None:
        """Leaves the editor for what is to be judged now."""
        if self._stack.currentWidget() is self.prompt:
            self._stack.setCurrentIndex(0)
            self.setFocus()
        if self.mode == "cases":
            self._shown = None
            self._look_again()


def has_clip(held: Held) -> bool:
    """Whether something of a trial plays."""
    panels = {panel.slot: panel for panel in held.form.panels}
    return any(clip_of(panels[one.slot], one) is not None for one in held.trial.stimuli)
