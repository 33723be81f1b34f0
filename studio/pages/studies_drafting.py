"""The draft of a study on its page: what it would come to is asked as it changes; at the end it is made."""

import dataclasses
from collections.abc import Callable

from PySide6.QtCore import QTimer

from backend.domain import StudioError
from backend.domain.studies import StudySummary
from backend.domain.study_plans import StudyOptions
from studio.pages.page import Page
from studio.pages.studies_layout import StudiesLayout
from studio.sessions.studies import DraftSession, StudiesSession
from studio.texts import language, text

PLAN_MS = 350  # after the last change


class Drafting:
    """`made` is called with the study that the draft became."""

    def __init__(
        self, page: Page, session: StudiesSession, layout: StudiesLayout, *, made: Callable[[StudySummary], object]
    ) -> None:
        self._link, self._session, self._layout, self._made = page.link, session, layout, made
        self._closed, self.planning, self.making = False, False, False
        self._soon = QTimer(page, singleShot=True, interval=PLAN_MS)
        self._soon.timeout.connect(self._ask)
        layout.form.changed.connect(self._changed)

    def begin(self, options: StudyOptions) -> None:
        """A new draft, or the one that was left."""
        session = self._session
        if session.draft is None:
            session.draft = session.left_draft or DraftSession(options=options, language=language())
        self.know(options)

    def know(self, options: StudyOptions) -> None:
        """What it can be made of has been asked for anew."""
        draft = self._session.draft
        if draft is not None:
            draft.options = options
            self._layout.form.show_draft(draft)
            self._changed()

    def leave(self) -> None:
        """It stays, to be gone on with."""
        self._session.left_draft, self._session.draft = self._session.draft, None
        self._soon.stop()

    def close(self) -> None:
        """The page closes."""
        self._closed = True
        self._soon.stop()

    def make(self) -> None:
        """Has the study made as it stands, once."""
        draft = self._session.draft
        if draft is None or self.making:
            return
        if not draft.is_ready:
            self._layout.say(draft.refusal or text("studies.needs_name"))
            self._layout.form.name.setFocus()
            return
        self.making = True
        asked = dataclasses.asdict(draft.asked())

        def made(study: StudySummary) -> None:
            self.making = False
            self._session.left_draft, self._session.draft = None, None
            if not self._closed:
                self._made(study)

        def refused(error: StudioError) -> None:
            self.making = False
            if not self._closed:
                draft.refusal = str(error)
                self._layout.hint.show_plan(draft, asking=False)

        self._link.ask(lambda: self._link.api.create_study(**asked), made, refused, slow=True)

    def _changed(self) -> None:
        draft = self._session.draft
        if draft is None:
            return
        self._layout.hint.show_plan(draft, asking=not draft.lacks)
        if not draft.lacks:
            self._soon.start()

    def _ask(self) -> None:
        """What the draft would come to; one question at a time, the last one last."""
        draft = self._session.draft
        if draft is None or self.planning:
            return
        number, asked = draft.number, draft.asked()
        self.planning = True

        def answered(plan: StudySummary | None, refusal: str) -> None:
            self.planning = False
            if self._closed or self._session.draft is not draft:
                return
            if number != draft.number:
                self._soon.start(0)
                return
            draft.plan, draft.refusal = plan, refusal
            self._layout.hint.show_plan(draft, asking=False)

        self._link.ask(
            lambda: self._link.api.plan_study(draft=asked),
            lambda plan: answered(plan, ""),
            lambda error: answered(None, str(error)),
            slow=True,
        )
