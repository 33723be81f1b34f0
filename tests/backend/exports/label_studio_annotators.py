"""A real Label Studio as its own people use it: they come by invitation, answer, think again, skip.

LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY name one to throw away (docs/formats.md): accounts stay on it.
"""

import os
import secrets
from typing import Any

import httpx
import pytest

from backend.exports.label_studio_server import KEY

URL, TOKEN = os.environ.get("LABEL_STUDIO_URL", ""), os.environ.get(KEY, "")
with_label_studio = pytest.mark.skipif(not (URL and TOKEN), reason="no LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY")
CALL_S = 60.0


class Account:
    """Somebody's calls. Those of `owner()` may do all; those of `invited()` are an annotator's."""

    def __init__(self, token: str, *, number: int = 0) -> None:
        self.number = number
        headers = {"Authorization": f"Token {token}"}
        self.client = httpx.Client(base_url=URL, headers=headers, trust_env=False, timeout=CALL_S)

    def call(self, method: str, place: str, body: Any = None) -> Any:
        answer = self.client.request(method, place, json=body)
        assert answer.is_success, f"{method} {place}: {answer.status_code} {answer.text[:300]}"
        return answer.json() if answer.content else None

    def tasks(self, project: int) -> list[dict[str, Any]]:
        return sorted(self.call("GET", f"/api/projects/{project}/tasks/?page_size=1000"), key=lambda task: task["id"])

    def answer(self, task: int, *result: dict[str, Any]) -> int:
        """The number of the new annotation."""
        return self.call("POST", f"/api/tasks/{task}/annotations/", {"result": result, "lead_time": 2.0})["id"]

    def think_again(self, annotation: int, *result: dict[str, Any]) -> None:
        self.call("PATCH", f"/api/annotations/{annotation}/", {"result": result})

    def skip(self, task: int) -> None:
        self.call("POST", f"/api/tasks/{task}/annotations/?was_cancelled=1", {"result": []})

    def skip_answered(self, annotation: int) -> None:
        self.call("PATCH", f"/api/annotations/{annotation}/", {"was_cancelled": True})

    def forget(self, project: int) -> None:
        self.call("DELETE", f"/api/projects/{project}/")


def owner() -> Account:
    """Whose token the environment has."""
    return Account(TOKEN)


def invited() -> Account:
    """A new account, made on the page of invitations as a browser makes it."""
    invitation = owner().call("GET", "/api/invite")["invite_url"]
    with httpx.Client(base_url=URL, trust_env=False, timeout=CALL_S, follow_redirects=True) as browser:
        browser.get(invitation).raise_for_status()
        form = {"email": f"{secrets.token_hex(6)}@example.org", "password": secrets.token_urlsafe(16)}
        form["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
        browser.post(invitation, data=form, headers={"Referer": URL}).raise_for_status()
        token = browser.get("/api/current-user/token").raise_for_status().json()["token"]
        number = browser.get("/api/current-user/whoami").raise_for_status().json()["id"]
    return Account(token, number=number)
