"""The study page's routes: an opened link, a shell, a few JSON calls that are safe to repeat, media by opaque id."""

import dataclasses
import logging
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from backend.api import Api
from backend.domain import MediaError, ProjectError, ServiceError, StoreError, StudioError
from backend.service.calls import BodyRefused
from backend.service.study_page.answering import Conflict, PageStudies
from backend.service.study_page.asked import Answer, BadRequest, Consent, Events, Join, Slid, Trials, asked
from backend.service.study_page.ballot_box import BallotBox
from backend.service.study_page.buckets import SHIPPED, Buckets, PageLimits
from backend.service.study_page.guard import PageGuard
from backend.service.study_page.keys import PageKeys
from backend.service.study_page.place import PagePlace
from backend.service.study_page.sessions import MAX_TOKEN, Session, Sessions
from backend.service.study_page.words import language_of, shell, static_files

log = logging.getLogger(__name__)
Answerer = Callable[[Request, Session], Awaitable[Response]]


def make_page(
    api: Api, *, keys: PageKeys, place: PagePlace, limits: PageLimits = SHIPPED, ask_login: bool = False
) -> PageGuard:
    """The guarded ASGI app of the study page over an Api. With `ask_login` a participant gives a name, one response each."""
    sessions = Sessions(keys, is_secure=place.is_secure)
    page = _Page(PageStudies(api, keys), sessions, limits=limits, ask_login=ask_login)
    app = Starlette(
        routes=[
            Route("/s/", page.shell),
            Route("/s/join/{token}", page.open_link),
            Route("/s/static/{name}", page.static),
            Route("/s/state", page.state),
            Route("/s/media/{media_id}", page.media),
            Route("/s/join", page.join, methods=["POST"]),
            *(Route(f"/s/{name}", page.called(answerer), methods=["POST"]) for name, answerer in page.calls.items()),
        ],
        exception_handlers={
            Refused: _refused,
            BodyRefused: _body_refused,
            BadRequest: _said(422, "bad_request"),
            ProjectError: _said(409, "refused"),
            ServiceError: _said(503, "later"),
            StoreError: _said(503, "later"),
            StudioError: _said(400, "refused"),
            HTTPException: _no_page,
        },
    )
    return PageGuard(app, place=place, limits=limits)


class Refused(Exception):
    """An answer of another kind: `code` chooses the sentence that the page shows."""

    def __init__(self, status: int, code: str, *, wait_s: float = 0.0, **more: Any) -> None:
        super().__init__(code)
        self.status, self.code, self.wait_s, self.more = status, code, wait_s, more


class _Clip(FileResponse):
    """Copies are small: a thread's turn for every 64 KiB of one would cost more than reading it."""

    chunk_size = 1 << 20


class _Page:
    def __init__(self, studies: PageStudies, sessions: Sessions, *, limits: PageLimits, ask_login: bool) -> None:
        self._studies, self._sessions, self._ask_login = studies, sessions, ask_login
        self._ballots = BallotBox(studies.votes)
        self._rates, self._media_rates = Buckets(limits.per_session), Buckets(limits.media_per_session)
        self.calls: dict[str, Answerer] = {
            "consent": self._consent,
            "trials": self._trials,
            "vote": self._vote,
            "events": self._events,
            "slider": self._slider,
            "slid": self._slid,
            "finish": self._finish,
            "withdraw": self._withdraw,
        }

    async def shell(self, request: Request) -> Response:
        return HTMLResponse(shell(language_of(request.headers.get("accept-language", ""))))

    async def open_link(self, request: Request) -> Response:
        """Keeps the token in a cookie and shows a clean address. Mail scanners may open it: nothing is used up yet."""
        response = RedirectResponse("/s/", status_code=303)
        token = request.path_params["token"]
        if len(token) <= MAX_TOKEN and token.isascii():
            self._sessions.keep_invitation(response, token)
        return response

    async def static(self, request: Request) -> Response:
        found = static_files().get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return Response(found[1], media_type=found[0], headers={"cache-control": "no-cache"})

    async def state(self, request: Request) -> Response:
        """Where this browser is: which step, in which language."""
        session, invitation = self._sessions.of(request), self._sessions.invitation(request)
        if session is not None and not invitation:
            self._spend(self._rates, session)
            told = await run_in_threadpool(self._studies.state, session)
            if told is not None:
                return JSONResponse(told)
        step = "join" if invitation else "uninvited"
        language = language_of(request.headers.get("accept-language", ""))
        return JSONResponse({"step": step, "language": language, "ask_login": self._ask_login})

    async def join(self, request: Request) -> Response:
        """Uses the invitation up; the same browser again goes on where it was."""
        body = await asked(request, Join)
        token = self._sessions.invitation(request)
        if not token:
            if self._sessions.of(request) is not None:
                return JSONResponse({"joined": True})
            raise Refused(403, "invitation")
        address = request.scope["study_address"]
        try:
            participant = await run_in_threadpool(
                partial(self._studies.join, token=token, address=address, login=body.login, background=body.background)
            )
        except ProjectError as error:
            raise Refused(403, _why_not(str(error))) from error
        response = JSONResponse({"joined": True})
        self._sessions.open(response, participant=participant.id, token=token)
        return response

    async def media(self, request: Request) -> Response:
        session = self._sessions.of(request)
        if session is None:
            raise HTTPException(404)
        self._spend(self._media_rates, session)
        try:
            found = await run_in_threadpool(self._studies.file, session, request.path_params["media_id"])
        except (MediaError, ProjectError) as error:
            raise HTTPException(410) from error
        if found is None:
            raise HTTPException(404)
        file, facts = found
        headers = {"cache-control": "private, no-store"}
        return _Clip(file.path, media_type=file.mime, headers=headers, stat_result=facts)

    def called(self, answerer: Answerer) -> Callable[[Request], Awaitable[Response]]:
        """A route for somebody whose cookie is good, at a rate that people need."""

        async def call(request: Request) -> Response:
            session = self._sessions.of(request)
            if session is None:
                raise Refused(401, "no_session")
            self._spend(self._rates, session)
            return await answerer(request, session)

        return call

    async def _consent(self, request: Request, session: Session) -> Response:
        body = await asked(request, Consent)
        if not body.agreed:
            raise BadRequest("agreed: must be true to take part")
        await run_in_threadpool(self._studies.consent, session)
        return JSONResponse({"consented": True})

    async def _trials(self, request: Request, session: Session) -> Response:
        body = await asked(request, Trials)
        return JSONResponse(await run_in_threadpool(self._studies.trials, session, body.start))

    async def _vote(self, request: Request, session: Session) -> Response:
        body = await asked(request, Answer)
        try:
            return JSONResponse(await self._ballots.put((session, body)))
        except Conflict as error:
            now = error.current
            told = {"rev": now.rev, "choice": now.choice, "given": list(now.reasons), "comment": now.comment}
            raise Refused(409, "conflict", current={**told, "made_at": now.made_at}) from error

    async def _events(self, request: Request, session: Session) -> Response:
        body = await asked(request, Events)
        return JSONResponse({"new": await run_in_threadpool(self._studies.events, session, body.events)})

    async def _slider(self, request: Request, session: Session) -> Response:
        return JSONResponse(dataclasses.asdict(self._studies.challenge(session)))

    async def _slid(self, request: Request, session: Session) -> Response:
        body = await asked(request, Slid)
        problem = await run_in_threadpool(self._studies.slid, session, body)
        return JSONResponse({"passed": not problem, "problem": problem})

    async def _finish(self, request: Request, session: Session) -> Response:
        state = await run_in_threadpool(self._studies.state, session)
        if state is not None and state["step"] == "slider":
            raise Refused(409, "slider")
        return JSONResponse({"code": await run_in_threadpool(self._studies.finish, session)})

    async def _withdraw(self, request: Request, session: Session) -> Response:
        await run_in_threadpool(self._studies.withdraw, session)
        return JSONResponse({"withdrawn": True})

    def _spend(self, rates: Buckets, session: Session) -> None:
        wait_s = rates.take(session.participant)
        if wait_s:
            raise Refused(429, "slow_down", wait_s=wait_s)


def _why_not(refusal: str) -> str:
    """The sentence that the page shows to somebody who cannot join."""
    known = {"this login": "login", "this study has ended": "ended"}
    return next((code for words, code in known.items() if words in refusal), "invitation")


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    headers = {"retry-after": str(math.ceil(error.wait_s))} if error.wait_s else None
    return JSONResponse({"error": {"code": error.code, **error.more}}, status_code=error.status, headers=headers)


def _said(status: int, code: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        message = "" if status >= 500 else str(error).encode("ascii", "backslashreplace").decode()
        if not message:  # told to whoever serves the page, not to a participant
            log.warning("a participant was answered %d: %s", status, error)
        return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)

    return answer


async def _body_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, BodyRefused)
    return JSONResponse({"error": {"code": error.refusal.word}}, status_code=error.refusal.status)


async def _no_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": {"code": "nothing"}}, status_code=error.status_code)
