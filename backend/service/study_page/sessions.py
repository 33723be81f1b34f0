"""Who is looking: cookies, and what each session was shown. Everything here can be made again from the Api."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from backend.api import MediaFile
from backend.service.study_page.keys import PageKeys

SESSION, INVITATION = "study_session", "study_invitation"
SESSION_S = 90 * 86_400
INVITATION_S = 3_600  # from the opened link to the first button
MAX_TOKEN = 200
MAX_SESSIONS = 5_000


@dataclass(slots=True)
class Session:
    """One participant's page, as large as their trials are many.

    `positions` by trial id, of those given out; `sources` the Api's media ids by ours, `files` those already asked for.
    """

    participant: str
    study_id: str = ""
    """Found when first needed: a cookie must not hold it, since it is a hash of the study's name and systems."""
    positions: dict[str, int] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    files: dict[str, MediaFile] = field(default_factory=dict)
    passed_slider: bool = False


class Sessions:
    """Sessions by participant; beyond 5,000 the one that was used longest ago is forgotten. For the event loop's thread."""

    def __init__(self, keys: PageKeys, *, is_secure: bool) -> None:
        self._keys, self._is_secure = keys, is_secure
        self._known: OrderedDict[str, Session] = OrderedDict()

    def of(self, request: Request) -> Session | None:
        """The session that a request's cookie proves; None without one or with another's, or a forged one."""
        told = self._told(request)
        if told is None:
            return None
        participant = told[0]
        session = self._known.pop(participant, None) or Session(participant)
        self._known[participant] = session
        if len(self._known) > MAX_SESSIONS:
            self._known.popitem(last=False)
        return session

    def invitation(self, request: Request) -> str:
        """The token of an opened link that is not yet used in this browser; empty when there is none."""
        token = self._keys.opened("invitation", request.cookies.get(INVITATION, "")) or ""
        told = self._told(request)
        return "" if told is not None and told[1] == _short(token) else token

    def open(self, response: Response, *, participant: str, token: str) -> None:
        """Gives the cookie of a session, in place of the invitation's."""
        sealed = self._keys.seal("session", f"{participant}\n{_short(token)}")
        self._set(response, SESSION, sealed, SESSION_S)
        self.close_invitation(response)

    def keep_invitation(self, response: Response, token: str) -> None:
        self._set(response, INVITATION, self._keys.seal("invitation", token), INVITATION_S)

    def close_invitation(self, response: Response) -> None:
        response.delete_cookie(INVITATION, path="/s", httponly=True, samesite="strict", secure=self._is_secure)

    def _told(self, request: Request) -> list[str] | None:
        told = (self._keys.opened("session", request.cookies.get(SESSION, "")) or "").split("\n")
        return told if len(told) == 2 else None

    def _set(self, response: Response, name: str, value: str, age_s: int) -> None:
        response.set_cookie(name, value, max_age=age_s, path="/s", httponly=True, samesite="strict", secure=self._is_secure)


def _short(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "backslashreplace")).hexdigest()[:16]
