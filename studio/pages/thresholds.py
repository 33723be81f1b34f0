"""Thresholds: a histogram of every stored score, with cuts that are tried before anything is changed."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QInputDialog, QLineEdit, QMenu

from backend.api import Status
from backend.domain import StudioError
from backend.domain.figures import CutOutcome, NamedSelection, ScoreSpread, StoredScore
from backend.domain.library import KINDS, Selection
from studio.actions import ActionSet, key_of
from studio.export_dialog import ExportDialog
from studio.pages.page import Page, PageContext
from studio.pages.thresholds_layout import ThresholdsLayout
from studio.sessions.thresholds import FAR, ThresholdSession, moved_by, next_place
from studio.texts import text
from studio.theme import Theme
from studio.thumbnails import ThumbnailStore

CUT_MS, PLAN_MS = 90, 350
"""After the last move: when what one score says is asked for, and when the whole plan is tried."""
BINS, NEAR = 60, 12
EMPTY_POLL_MS = 5000


class ThresholdsPage(Page):
    """The session says where the cuts are; this asks what they come to, and shows it."""

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self.session = ThresholdSession()
        self.spread: ScoreSpread | None = None
        self.outcome: CutOutcome | None = None
        self.thumbnails = ThumbnailStore(context.link)
        self.actions_ = ActionSet("thresholds", self, self._handlers())
        self.layout_of = ThresholdsLayout(self, self.actions_, self.run, self.thumbnails)
        self._closed, self._asking_cuts, self._asking_plan = False, False, False
        self._cuts_soon = QTimer(self, singleShot=True, interval=CUT_MS)
        self._plan_soon = QTimer(self, singleShot=True, interval=PLAN_MS)
        self._poll = QTimer(self, singleShot=True, interval=EMPTY_POLL_MS)
        self._cuts_soon.timeout.connect(self._ask_cuts)
        self._plan_soon.timeout.connect(self._ask_plan)
        self._poll.timeout.connect(self._refresh)
        layout = self.layout_of
        layout.scores.wanted.connect(self.look_at)
        layout.plot.moved.connect(self.move_cut)
        layout.plot.chosen.connect(self._choose_cut)
        layout.field_moved = self.move_cut
        self.link.revived.connect(self._refresh)
        self.set_theme(context.theme)
        layout.rest(text("thresholds.looking"), "")

    def start(self) -> None:
        self._refresh()
        self.take_keyboard()

    def leave(self) -> None:
        self._poll.stop()

    def close_page(self) -> None:
        self._closed = True
        for timer in (self._cuts_soon, self._plan_soon, self._poll):
            timer.stop()
        self.thumbnails.close()

    def set_theme(self, theme: Theme) -> None:
        self.layout_of.set_theme(theme)

    def describe(self) -> str:
        score = self.session.score
        cuts = ", ".join(f"{cut.comparison} {cut.value}" for cut in self.session.cuts)
        return "no score" if score is None else f"{score.kind}.{score.name} {cuts}"

    def look_at(self, score: StoredScore) -> None:
        """Shows another score."""
        self.session.look_at(score)
        self.outcome = None
        self._ask_spread()

    def move_cut(self, place: int, value: float) -> None:
        """Moves a cut of the score that is shown; what it comes to follows."""
        if self.session.move(place, value):
            self._show_cuts()
            self._cuts_soon.start()
            self._plan_soon.start()

    def _handlers(self) -> dict[str, Callable[[], object]]:
        return {
            "refresh": self._refresh,
            "cut_down": lambda: self._step(-1),
            "cut_up": lambda: self._step(1),
            "cut_down_far": lambda: self._step(-FAR),
            "cut_up_far": lambda: self._step(FAR),
            "other_cut": lambda: self._choose_cut(next_place(self.session.cuts, self.session.active)),
            "reset_cuts": self._reset,
            "next_score": lambda: self.layout_of.scores.go(1),
            "previous_score": lambda: self.layout_of.scores.go(-1),
            "save_selection": self._name_selection,
            "take_selection": self._offer_selections,
            "apply_cuts": self._apply,
            "send": self._send,
            "export_items": self._export,
        }

    def _refresh(self) -> None:
        if self._closed:
            return
        api = self.link.api

        def known(found: tuple[tuple[StoredScore, ...], Status]) -> None:
            if self._closed:
                return
            scores, status = found
            self.session.know(scores, status)
            if self.session.score is None:
                self.layout_of.rest(text("thresholds.nothing"), text("thresholds.nothing_words"))
                if self.isVisible():
                    self._poll.start()
                return
            self.layout_of.scores.show_scores(self.session.scores, self.session.score)
            self._ask_spread()
            if self.session.changes:
                self._plan_soon.start()

        self.link.ask(lambda: (api.stored_scores(), api.status()), known, self._on_trouble, slow=True)

    def _on_trouble(self, error: StudioError) -> None:
        if not self._closed:
            self.layout_of.rest(text("thresholds.trouble"), str(error))
            self._poll.start()

    def _ask_spread(self) -> None:
        score = self.session.score
        if score is None:
            return

        def known(found: ScoreSpread) -> None:
            now = self.session.score
            if self._closed or now is None or (now.kind, now.name) != (found.kind, found.score):
                return
            self.spread = found
            self.session.offer_free(found.edges[0])
            self.layout_of.show_score(now, found, self.session.cuts)
            self._show_cuts()
            self.layout_of.show_funnel(self.session, asking=self._asking_plan)
            self._ask_cuts()

        self.link.ask(
            lambda: self.link.api.score_spread(kind=score.kind, score=score.name, bins=BINS), known, self._on_trouble
        )

    def _ask_cuts(self) -> None:
        """What the cuts on this score keep; one question at a time, the last one last."""
        session, score = self.session, self.session.score
        if score is None or self._asking_cuts:
            return
        number, cuts, around = session.number, session.asked_cuts, session.active
        self._asking_cuts = True

        def answered(found: CutOutcome) -> None:
            self._asking_cuts = False
            if self._closed:
                return
            if number == session.number and around == session.active:
                self.outcome = found
                self.layout_of.show_outcome(score, found)
            else:
                self._cuts_soon.start(0)

        def failed(error: StudioError) -> None:
            self._asking_cuts = False
            self._refused(error)

        self.link.ask(
            lambda: self.link.api.try_cuts(
                kind=score.kind, score=score.name, cuts=cuts, around=around, near=NEAR if cuts else 0
            ),
            answered,
            failed,
        )

    def _ask_plan(self) -> None:
        """What the whole plan would be with the gates as they are tried."""
        session, changes = self.session, self.session.changes
        if not changes:
            session.tried = None
            self.layout_of.show_funnel(session, asking=False)
            return
        if self._asking_plan:
            return
        self._asking_plan = True
        self.layout_of.show_funnel(session, asking=True)

        def answered(found: Status) -> None:
            self._asking_plan = False
            if self._closed:
                return
            if changes == session.changes:
                session.tried = found
                self.layout_of.show_funnel(session, asking=False)
            else:
                self._plan_soon.start(0)

        def failed(error: StudioError) -> None:
            self._asking_plan = False
            self._refused(error)

        self.link.ask(lambda: self.link.api.try_gates(changes=changes), answered, failed, slow=True)

    def _show_cuts(self) -> None:
        self.layout_of.show_cuts(self.session.cuts, self.session.active)

    def _step(self, times: int) -> None:
        cuts, spread = self.session.cuts, self.spread
        if cuts and spread is not None:
            step = float(f"{(spread.edges[-1] - spread.edges[0]) / 200:.1g}")
            self.move_cut(self.session.active, moved_by(cuts[self.session.active], step=step, times=times))

    def _choose_cut(self, place: int) -> None:
        if place != self.session.active and self.session.cuts:
            self.session.active = place
            self._show_cuts()
            self._cuts_soon.start()

    def _reset(self) -> None:
        if self.session.reset():
            self.layout_of.say(text("thresholds.was_reset"))
        self._moved_everywhere()

    def _moved_everywhere(self) -> None:
        self._show_cuts()
        self.layout_of.show_funnel(self.session, asking=False)
        self._cuts_soon.start()
        self._plan_soon.start()

    def _name_selection(self) -> None:
        if not self.session.changes:
            self.layout_of.say(text("thresholds.nothing_moved"))
            return
        dialog = QInputDialog(self)
        dialog.setWindowTitle(text("actions.save_selection"))
        dialog.setLabelText(text("thresholds.selection_name"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.textValueSelected.connect(self.save_selection)
        dialog.open()
        field = dialog.findChild(QLineEdit)
        if field is not None:
            field.setFocus()

    def save_selection(self, name: str) -> None:
        """Keeps the moved gates under a name, for exports."""
        gates = {change.gate: change.value for change in self.session.changes}
        self.link.ask(
            lambda: self.link.api.save_selection(name=name.strip(), gates=gates),
            lambda kept: self._done(text("thresholds.selection_kept", name=kept.name)),
            self._refused,
        )

    def _offer_selections(self) -> None:
        def known(found: tuple[NamedSelection, ...]) -> None:
            if self._closed:
                return
            if not found:
                self.layout_of.say(text("thresholds.no_selections", cap=key_of("save_selection")))
                return
            menu = QMenu(self)
            gone = QMenu(text("thresholds.forget"), menu)
            for each in found:
                menu.addAction(each.name, lambda each=each: self._take(each))
                gone.addAction(each.name, lambda each=each: self._forget(each.name))
            menu.addSeparator()
            menu.addMenu(gone)
            menu.popup(self.mapToGlobal(self.rect().center()))
            menu.aboutToHide.connect(lambda: QTimer.singleShot(0, menu.deleteLater))

        self.link.ask(lambda: self.link.api.selections(), known, self._refused)

    def _take(self, selection: NamedSelection) -> None:
        self.session.take(selection)
        self.layout_of.say(text("thresholds.taken", name=selection.name))
        self._moved_everywhere()

    def _forget(self, name: str) -> None:
        self.link.ask(
            lambda: self.link.api.forget_selection(name=name),
            lambda _: self._done(text("thresholds.forgotten", name=name)),
            self._refused,
        )

    def _apply(self) -> None:
        changes = self.session.changes
        if not changes:
            self.layout_of.say(text("thresholds.nothing_moved"))
            return

        def applied(status: Status) -> None:
            if not self._closed:
                self.layout_of.say(text("thresholds.applied", count=len(changes)))
                self.session.reset()
                self._refresh()

        self.link.ask(lambda: self.link.api.set_gates(changes=changes), applied, self._refused, slow=True)

    def _send(self) -> None:
        """The pairs beside the cut first in everybody's queue: where a verdict says most about it."""
        score, layout = self.session.score, self.layout_of
        if score is None or score.kind not in KINDS:
            layout.say(text("thresholds.not_sendable"))
            return
        strips = [strip for strip in (layout.outside, layout.inside) if strip.hasFocus()] or [layout.outside, layout.inside]
        chosen = Selection(kind=score.kind, ids=tuple(name for strip in strips for name in strip.chosen()))
        rater = self.context.rater
        self.link.ask(
            lambda: self.link.api.ask_verification(selection=chosen, rater=rater),
            lambda asked: self._done(text("library.sent", count=asked.pairs)),
            self._refused,
        )

    def _export(self) -> None:
        dialog = ExportDialog(self, self.link, None, out=Path(self.context.project) / "exports")
        dialog.done_with.connect(self._done)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _done(self, sentence: str) -> None:
        if not self._closed:
            self.layout_of.say(sentence)

    def _refused(self, error: StudioError) -> None:
        if not self._closed:
            self.context.notify(str(error))
