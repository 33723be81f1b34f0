"""A page with a queue: shows the session's trial, takes verdicts, keeps the next ones ready."""

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from backend.api import PairRow
from backend.domain import Form, ServiceError, StudioError, Vote
from studio.actions import ActionSet, key_of
from studio.flow import HintRow
from studio.form_view import FormView
from studio.loader import TrialLoader
from studio.long_text import ElidedLabel
from studio.pages.judge_sides import SideTools
from studio.pages.page import KeyGroup, Page, PageContext
from studio.player.deck import Deck
from studio.player.transport import Transport, playing
from studio.prepare import Batch, Stills, fetch_batch
from studio.sessions.verify import Held, Phase, VerifySession
from studio.texts import text
from studio.theme import Theme
from studio.widgets import Chip, Rest, label

log = logging.getLogger(__name__)
RETRY_MS = 2000  # how soon a queue that could not be reached is asked again
HINTS = ("reasons", "undo", "play", "step_back", "step_on", "flicker", "wipe", "zoom_link")
"""Actions in the quiet row under the choices; their words are the texts `judge.hint_NAME`."""
READY, HELD = 2, 4
"""Of the trials that come next: how many have their pictures loaded and their clips decoded, and how many are leased, so
that the service makes their previews while the ones before are judged."""
LEAST_GOLD = 5  # known answers after which their share is told: never of a single one
RENEW_MS = 180_000
"""How often the leases of what is held are renewed while the page is on the screen; they end after ten minutes."""
EMPTY_POLL_MS = 10_000  # how often an empty queue is looked at; curation may be adding pairs


class JudgePage(Page):
    """The part that Verify and Compare share. Subclasses name the study and add to `side` and `show_extras`."""

    study_id = ""
    align = "time"
    max_edge_px = 960
    about_stretch = 1
    """What is said of the trial gets so much of the head, of which the question gets three."""
    hints_shown = HINTS
    context_name = "judge"
    """Of the table of actions."""
    watch_first = False
    """Whether verdicts wait until everything was seen once."""

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self.session = self.new_session(self.study_id)
        self.deck = Deck(align=self.align, max_edge_px=self.max_edge_px)
        self.transport = Transport(self.deck, self.run)
        self.form_view = FormView(self, context.theme, middle=self.transport, beside=self.side())
        self.sides = SideTools(self.deck, lambda: self.form_view.views, context.notify)
        self.actions_ = ActionSet(self.context_name, self, self.handlers())
        self.loader = TrialLoader(self.link)
        self._forms: dict[str, Form] = {}
        self._shown: Held | None = None
        self._awaited: tuple[str, int] | None = None
        self._build()
        self._connect()
        self.set_theme(context.theme)

    def new_session(self, study_id: str) -> VerifySession:
        """A rater at a study's queue, with what an earlier run left in the outbox."""
        session = VerifySession(
            study_id=study_id,
            rater=self.context.rater,
            clock=time.monotonic,
            now=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"),
            new_id=lambda: uuid.uuid4().hex,
            prefetch=HELD,
        )
        session.restore(self.link.outbox.unsent(10_000))
        return session

    def start(self) -> None:
        self._renew_leases()
        self._advance()
        self.deck.prepare()
        self.setFocus()

    def leave(self) -> None:
        self.deck.pause()
        self._renew.stop()

    def close_page(self) -> None:
        self._retry.stop()
        self._renew.stop()
        self._look_ahead_soon.stop()
        self.deck.close()

    def describe(self) -> str:
        held = self.session.current
        where = f"trial {held.id}, item {held.trial.item_id}" if held else "no trial"
        return f"study {self.study_id}, {where}, {self.session.phase}"

    def key_groups(self) -> list[KeyGroup]:
        form = self.form_view.form
        if form is None:
            return []
        verdicts = [(c.label, (c.key,)) for question in form.questions for c in question.choices]
        reasons = [(c.label, (c.key,)) for question in form.questions for c in question.reasons]
        return [(text("frame.verdicts"), verdicts), (text("frame.reasons_after"), reasons)]

    def set_theme(self, theme: Theme) -> None:
        self.form_view.set_theme(theme)
        self.transport.set_theme(theme)
        if self._shown is not None:
            self._show_current()

    def header(self) -> QWidget | None:
        """A widget above everything."""
        return None

    def side(self) -> QWidget | None:
        """A widget to the right of the panels."""
        return None

    def show_extras(self, held: Held, pair: PairRow | None) -> None:
        """Shows what this page adds to the form."""

    @property
    def watched(self) -> bool:
        """Whether the clips of the trial on the screen are there, and every frame of them was."""
        return self._shown is not None and self._shown.id in self.loader.clips and self.deck.watched

    def clear_extras(self) -> None:
        """Takes it away while the next trial is loading."""

    def empty_words(self, *, total: int) -> tuple[str, str]:
        """A headline and what to do, for a queue with nothing to judge."""
        if total == 0:
            return text("judge.nothing_yet"), text("judge.nothing_yet_words", study=self.study_id)
        return text("judge.all_done"), text("judge.all_done_words", count=total)

    def gold_words(self, *, right: int, seen: int) -> str:
        """How many of the items whose answer is known were answered so."""
        return text("judge.gold", right=right, seen=seen)

    def trouble_words(self) -> tuple[str, str]:
        """The same for a queue that cannot be had now."""
        return text("judge.trouble"), text("judge.trouble_words", trouble=self.session.trouble)

    def handlers(self) -> dict[str, Callable[[], object]]:
        return {
            "undo": self._undo,
            "reasons": self._toggle_reasons,
            "refresh": self._look_again,
            "rewind": lambda: self.deck.seek(0),
            "flicker": lambda: self.form_view.set_flicker(not self.form_view.flickering),
            "wipe": lambda: self.form_view.set_wipe(not self.form_view.wiping),
            "wipe_back": lambda: self.form_view.move_wipe(-1),
            "wipe_on": lambda: self.form_view.move_wipe(1),
            "zoom_link": self._toggle_zoom_link,
            **self.sides.handlers(),
            **playing(lambda: self.deck, lambda factor: self.form_view.zoom(factor)),
        }

    def _build(self) -> None:
        self.title = label("", "title")
        self.title.setWordWrap(True)
        self.category = Chip(tone="accent")
        self.about = ElidedLabel("", "muted")
        self.hint = label("", "hint")
        self.progress_text = label("", "progress_text")
        self.progress = QProgressBar(textVisible=False)
        self.progress.setFixedWidth(160)
        self.progress.setAccessibleName(text("judge.progress"))
        head = QHBoxLayout()
        head.setSpacing(12)
        self.about.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)  # cut where there is no room
        head.addWidget(self.title, 3)
        head.addWidget(self.category)
        head.addWidget(self.about, self.about_stretch)
        head.addWidget(self.progress_text)
        head.addWidget(self.progress)
        judging = QWidget()
        column = QVBoxLayout(judging)
        column.setContentsMargins(24, 14, 24, 10)
        column.setSpacing(12)
        column.addLayout(head)
        column.addWidget(self.form_view, 1)
        column.addLayout(self._build_hints())
        body = QWidget()
        self._stack = QStackedLayout(body)
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.setSpacing(0)
        if (header := self.header()) is not None:
            page.addWidget(header)
        page.addWidget(body, 1)
        self._stack.addWidget(judging)
        self._stack.addWidget(self._build_rest())
        self._judging = judging
        self._retry = QTimer(self, singleShot=True)
        self._retry.timeout.connect(self._look_again)
        self._look_ahead_soon = QTimer(self, singleShot=True, interval=0)
        self._look_ahead_soon.timeout.connect(self._look_ahead)
        self._renew = QTimer(self, interval=RENEW_MS)
        self._renew.timeout.connect(self._renew_leases)

    def _build_hints(self) -> QHBoxLayout:
        """A quiet row of the keys that help to decide; each works by a click as well."""
        row = QHBoxLayout()
        row.setSpacing(4)
        shown = HintRow(self.actions_, self.hints_shown, "judge.hint_", self.run, to_right=False)
        self.hints = shown.buttons
        row.addWidget(shown, 1)
        row.addWidget(self.hint)
        return row

    def _build_rest(self) -> QWidget:
        """What stands there when there is nothing to judge."""
        self.rest_button = QPushButton(text("judge.look_again", cap=key_of("refresh")))
        self.rest_button.setObjectName("worded")
        self.rest_button.clicked.connect(lambda: self.run("refresh"))
        self.rest = Rest(self.rest_button)
        return self.rest

    def _connect(self) -> None:
        self.form_view.chosen.connect(self._choose)
        self.form_view.reason_toggled.connect(self._toggle_reason)
        self.form_view.comment_changed.connect(self._comment)
        self.link.vote_saved.connect(self._on_saved)
        self.link.vote_not_saved.connect(self._on_not_saved)
        self.link.votes_sent.connect(self.on_sent)
        self.link.votes_dropped.connect(self.on_dropped)
        self.link.revived.connect(self._look_again)
        self.loader.stills_ready.connect(self._advance)
        self.loader.clips_ready.connect(self._on_clips)
        self.loader.failed.connect(self._on_load_failed)
        self.deck.moved.connect(self.form_view.refresh_flicker)

    def on_sent(self, sent: tuple[tuple[str, int], ...]) -> None:
        """The service has these votes, as (id, rev)."""
        self.session.synced(sent)

    def on_dropped(self, dropped: tuple[tuple[str, int], ...]) -> None:
        """These votes, as (id, rev), were refused and removed."""
        if self.session.dropped(dropped):
            self._look_again()

    def _choose(self, choice: str) -> None:
        if self.watch_first and not self.watched:
            self.hint.setText(self.sides.why_unwatched() or text("judge.watch_first"))
            return
        vote = self.session.answer(choice)
        if vote is not None:
            self.form_view.buttons[choice].flash()
            self._write(vote)

    def _undo(self) -> None:
        vote = self.session.undo()
        if vote is not None:
            self._write(vote)

    def _write(self, vote: Vote) -> None:
        self._awaited = (vote.id, vote.rev)
        self.link.write(vote)

    def _on_saved(self, vote: Vote) -> None:
        if self._awaited != (vote.id, vote.rev):
            return
        self._awaited = None
        self.session.saved()
        if self._shown is not None and self._shown is self.session.current:
            self._recall(self._shown)
        self._advance()

    def _on_not_saved(self, vote: Vote, reason: str) -> None:
        if self._awaited != (vote.id, vote.rev):
            return
        self._awaited = None
        self.session.not_saved()
        self._refresh_lock()
        self.context.notify(text("judge.not_saved", reason=reason))

    def _toggle_reasons(self) -> None:
        self.form_view.open_reasons(not self.form_view.reasons_open)
        self.actions_.yield_keys(self.form_view.keys)

    def _toggle_reason(self, value: str) -> None:
        self.session.toggle_reason(value)

    def _comment(self, words: str) -> None:
        self.session.comment = words

    def _toggle_zoom_link(self) -> None:
        self.form_view.link_zoom(not self.form_view.zoom_linked)
        self.hints["zoom_link"].set_words(
            text("judge.hint_zoom_link") if self.form_view.zoom_linked else text("judge.zoom_apart")
        )

    def _look_again(self) -> None:
        self.session.ask_again()
        self._advance()

    def _advance(self) -> None:
        """Brings the screen in line with the session, then (after the paint) asks for what comes next."""
        self._show_current()
        self._look_ahead_soon.start()

    def _look_ahead(self) -> None:
        self.load_held()
        session = self.session
        # Nothing more while somebody waits for the pictures at hand.
        wanted = None if session.phase is Phase.OPENING else session.wanted()
        if wanted is not None:
            waited = not session.held and session.counted
            if not session.held:
                wanted = replace(wanted, limit=1)  # those after it are asked for when it is shown
            study, rater, forms = session.study_id, session.rater, dict(self._forms)
            self.link.ask(
                lambda: fetch_batch(self.link.api, study, rater, wanted=wanted, forms=forms, waited=waited),
                lambda batch: self._on_batch(session, batch),
                lambda error: self._on_unreachable(session, error),
            )
        if session.held and not self._renew.isActive() and self.isVisible():
            self._renew.start()
        self._prefetch_clips()

    def _renew_leases(self) -> None:
        """What is at hand stays this rater's, however long they look at it."""
        session, asked_at_s = self.session, self.session.clock()
        study, rater = session.study_id, session.rater
        items = tuple(held.trial.item_id for held in session.held)
        if not items:
            self._renew.stop()
            return

        def renewed(kept: tuple[str, ...]) -> None:
            session.renewed(kept, asked_at_s=asked_at_s)
            if session is self.session:
                self._advance()

        self._renew.start()
        work = partial(self.link.api.renew_leases, study_id=study, rater=rater, items=items)
        # What fails is asked again at the next turn.
        self.link.ask(work, renewed, lambda error: log.info("%d leases of %s not renewed: %s", len(items), study, error))

    def load_held(self) -> None:
        """Loads what the trials at hand need, first of all what somebody waits for, and forgets those that are over."""
        session, held = self.session, self.session.held
        soon = 1 if session.phase is Phase.OPENING else len(held) - len(session.upcoming) + READY
        later = () if session.phase is Phase.OPENING else held[soon:]
        self.loader.keep(held[:soon], later=later, also=(*held, *session.recent[:1]))

    def _on_batch(self, session: VerifySession, batch: Batch) -> None:
        self._forms.update(batch.forms)
        if batch.state is not None:
            session.count(batch.state)
        session.arrived(batch.trials, batch.forms)
        if session is self.session:
            self._advance()

    def _on_unreachable(self, session: VerifySession, error: StudioError) -> None:
        session.unreachable(str(error))
        if session is not self.session:
            return
        self._show_current()
        self._retry.start(RETRY_MS if isinstance(error, ServiceError) else EMPTY_POLL_MS)

    def _on_load_failed(self, reason: str) -> None:
        self.session.trouble = reason
        self._show_current()
        self._retry.start(RETRY_MS)

    def _on_clips(self, trial_id: str) -> None:
        if self._shown is not None and self._shown.id == trial_id:
            self._play(self._shown)
        self._prefetch_clips()

    def _prefetch_clips(self) -> None:
        ready = [self.loader.clips.get(held.id) for held in [*self.session.upcoming][:READY]]
        self.deck.prefetch([reel for clips in ready if clips for reel in clips.reels.values()])

    def _show_current(self) -> None:
        session, held = self.session, self.session.current
        self._refresh_progress()
        if held is None:
            self._show_rest()
        elif (stills := self.loader.stills.get(held.id)) is None:
            self._show_opening()
        else:
            self._retry.stop()
            self._stack.setCurrentIndex(0)
            if self._shown is not held or session.phase is Phase.OPENING:
                self._show_trial(held, stills)
            question = held.open_question
            if question is not None:
                self.title.setText(question.text)
                self.form_view.ask(question, ticked=session.reasons, comment=session.comment)
                self.actions_.yield_keys(self.form_view.keys)
        self._refresh_lock()

    def _show_trial(self, held: Held, stills: Stills) -> None:
        self.form_view.show_trial(held.form, held.trial, stills)
        self._shown = held
        self._play(held)
        self.show_extras(held, stills.pair)
        self._recall(held)
        self.session.shown()

    def _recall(self, held: Held) -> None:
        """Tells the answer that was taken back; else those that were given before the trial came."""
        taken_back = self.session.taken_back
        earlier = [vote for vote in held.earlier if held.answers.get(vote.question) is vote]
        said = " · ".join(self._choice_label(held, vote) for vote in ([taken_back] if taken_back else earlier))
        self.hint.setText(text("judge.you_said", choice=said) if said else "")

    def _play(self, held: Held) -> None:
        clips = self.loader.clips.get(held.id)
        for slot, view in self.form_view.views.items():
            if clips is None or slot in clips.reels:
                view.movie.show_sentence(text("judge.preparing") if clips is None else text("judge.loading_clip"))
            else:
                view.movie.show_sentence(clips.missing.get(slot, text("judge.no_clip")))
        reels = clips.reels if clips else {}
        self.deck.load([(self.form_view.views[slot].movie, reel) for slot, reel in reels.items()], play=True)

    def _show_opening(self) -> None:
        """Nothing of the last trial may stand under the next one's question."""
        self._shown = None
        self.deck.load((), play=False)
        if self.session.trouble:
            self._rest(*self.trouble_words())
            return
        self._stack.setCurrentIndex(0)
        self.form_view.blank(text("judge.loading"))
        self.title.setText(text("judge.loading_next"))
        self.category.hide()
        self.about.setText("")
        self.hint.setText("")
        self.clear_extras()

    def _choice_label(self, held: Held, vote: Vote) -> str:
        question = next(q for q in held.form.questions if q.name == vote.question)
        return next((c.label for c in question.choices if c.value == vote.choice), "")

    def _show_rest(self) -> None:
        session = self.session
        self._shown = None
        self.deck.load((), play=False)
        if session.phase is Phase.EMPTY:
            self._rest(*self.empty_words(total=session.total))
            if not self._retry.isActive():
                self._retry.start(EMPTY_POLL_MS)
        elif session.trouble:
            self._rest(*self.trouble_words())
        else:
            self._rest(text("judge.loading"), "", is_waiting=True)

    def _rest(self, head: str, words: str, *, is_waiting: bool = False) -> None:
        self.rest.say(head, words)
        self.rest_button.setVisible(not is_waiting)
        self._stack.setCurrentIndex(1)

    def _refresh_progress(self) -> None:
        session = self.session
        self.progress.setMaximum(max(session.total, 1))
        self.progress.setValue(min(session.judged, session.total))
        words = text("judge.position", position=session.position, total=session.total) if session.total else ""
        pace = "" if session.pace is None else text("judge.pace", pace=round(session.pace))
        gold = ""
        if session.gold_seen >= LEAST_GOLD:
            gold = self.gold_words(right=session.gold_right, seen=session.gold_seen)
        self.progress_text.setText(" · ".join(part for part in (words, pace, gold) if part))

    def _refresh_lock(self) -> None:
        self.form_view.set_locked(self.session.phase not in (Phase.JUDGING, Phase.SAVING))
        self.actions_.qt["undo"].setEnabled(self.session.can_undo)

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab goes from the verdicts to the note while the reasons are open, as the note says."""
        if next and self.hasFocus() and self.form_view.reasons_open:
            self.form_view.comment.setFocus(Qt.FocusReason.TabFocusReason)
            return True
        return super().focusNextPrevChild(next)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.ActivationChange:
            if self.isActiveWindow():
                self.session.look_back()
            else:
                self.session.look_away()
