"""A browser as far as HTTP goes: cookies, our origin, JSON; and a study that it can answer."""

import itertools
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import httpx
from starlette.testclient import TestClient

from backend.api import Api
from backend.service.study_page import PageKeys, PagePlace, make_page
from backend.workspace import Workspace
from tests.backend.workspace.study_project import named, write_benchmark

Response = Any  # of the client that Starlette drives

URL = "https://study.example.org"
PLACE = PagePlace(behind_proxy=True, public_url=URL)
KEYS = PageKeys(b"k" * 32)
LENIENT = ("min_seconds=0", "min_item_seconds=0", "min_gold_accuracy=0")
_addresses = (f"198.51.{high}.{low}" for high, low in itertools.product(range(100, 200), range(1, 250)))


class Visitor:
    """Somebody at an address of their own, who comes through the proxy; with `at`, on this machine, over a real connection.

    Only the latter may call several times at once.
    """

    def __init__(
        self, api: Api, *, address: str = "", keys: PageKeys = KEYS, ask_login: bool = False, at: str = ""
    ) -> None:
        self.origin = at or URL
        self.http: Any = httpx.Client(base_url=at) if at else self._in_process(api, address, keys, ask_login)
        self.answers: list[Response] = []

    def get(self, path: str, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
        return self._kept(self.http.get(path, headers=dict(headers)))

    def post(self, path: str, body: Any, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
        sent = {"origin": self.origin, "content-type": "application/json", **headers}
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self._kept(self.http.post(path, headers=sent, content=raw))

    def state(self) -> dict[str, Any]:
        return self.get("/s/state").json()

    def open(self, token: str) -> Response:
        return self.get(f"/s/join/{token}")

    def join(self, token: str, **fields: str) -> Response:
        self.open(token)
        return self.post("/s/join", fields)

    def begin(self, token: str, **fields: str) -> "Visitor":
        """Joined and agreed."""
        assert self.join(token, **fields).status_code == 200
        assert self.post("/s/consent", {"agreed": True}).status_code == 200
        return self

    def say(self, path: str, body: dict[str, Any]) -> Response:
        """Posts; told to slow down it waits and says it again, as the page does."""
        while (answer := self.post(path, body)).status_code == 429:
            time.sleep(0.2)
        return answer

    def trials(self, start: int | None = None) -> list[dict[str, Any]]:
        return self.say("/s/trials", {"start": start}).json()["trials"]

    def answer(self, trial: dict, question: dict, choice: str | None, **changes: Any) -> Response:
        body = {
            "vote": question["vote"],
            "rev": question["rev"] + 1,
            "trial": trial["id"],
            "question": question["name"],
            "choice": choice,
            "made_at": "2026-01-02T03:04:05.678Z",
        }
        return self.say("/s/vote", {**body, **changes})

    def answer_all(self, choose: Callable[[dict, dict], str] = lambda trial, question: "left") -> None:
        while found := self.trials():
            for trial in found:
                for question in trial["questions"]:
                    assert self.answer(trial, question, choose(trial, question)).status_code == 200

    def slide(self, *, after_s: float = 0.4) -> dict[str, Any]:
        """Moves the slider as a hand does; the service's own clock has to agree."""
        asked = self.say("/s/slider", {}).json()
        time.sleep(after_s)
        trace = [[k * 40.0, asked["target"] * (k / 20) ** 2] for k in range(21)]
        return self.say("/s/slid", {"nonce": asked["nonce"], "value": asked["target"], "trace": trace}).json()

    def _in_process(self, api: Api, address: str, keys: PageKeys, ask_login: bool) -> TestClient:
        page: Any = make_page(api, keys=keys, place=PLACE, ask_login=ask_login)
        forwarded = {"x-forwarded-for": address or next(_addresses)}
        return TestClient(page, base_url=URL, headers=forwarded, follow_redirects=False)

    def _kept(self, answer: Response) -> Response:
        self.answers.append(answer)
        return answer


def study_project(folder: Path, *, name: str = "taste", trials: int = 3, **fields: Any) -> Workspace:
    """An open project with a study of three systems over four cases: 3 main trials, 1 practice, 1 gold."""
    benchmark = write_benchmark(folder / "benchmark", cases=4)
    workspace = Workspace(folder / "project", create=True)
    cast(Api, workspace).create_study(
        name=name,
        form="ab",
        trials=trials,
        rules=(*LENIENT, *fields.pop("rules", ())),
        cases=str(benchmark / "cases.json"),
        systems=named(benchmark),
        **fields,
    )
    return workspace
