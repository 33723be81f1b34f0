"""Simulated raters of a study on the sample world: they know what is behind a trial, and answer with a planted taste."""

import json
import math
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from backend.api import Api
from backend.domain.studies import IDENTICAL, MAIN
from backend.sampleworld.cases import SYSTEMS
from backend.workspace import Workspace

TASTE, TOTAL = "subject_consistency", "naturalness"
"""The question answered by the world's planted qualities, with ties; and the one answered by planted weights of metrics."""
TIES = 0.7  # planted nu: ties are nu / (2 + nu) of the votes between equals, here .26
METRICS = {"motion_amplitude": 0.5, "first_frames_blur": 0.3, "colour_drift": 0.2}
"""Planted weights of metrics without a range of their own, scaled from their worst to their best value."""
LESS_IS_BETTER = ("first_frames_blur", "colour_drift")
TEMPERATURE = 8.0  # log odds of a vote where the weighted metrics differ by one
Scores = Mapping[tuple[str, str, str], float]
"""Scaled values by case, system and metric."""


@dataclass(slots=True)
class PlantedRaters:
    """`truth` is cases_truth.json of a world. Checks are answered rightly; what is shown twice, as it falls.

    Chance hangs on a participant's place in the design, so that it does not matter who of many threads comes first.
    """

    workspace: Workspace
    truth: dict[str, Any]
    scores: Scores

    def choose(self, trial_id: str, question: str) -> str:
        """`left`, `tie` or `right`."""
        shelf = self.workspace._shelf
        _, item, assigned = shelf.trial(trial_id)
        if item.role == IDENTICAL:
            return "tie"
        if item.role != MAIN and any(media.treatment for media in item.media):
            return "left" if not item.media[assigned.order[0]].treatment else "right"
        left, right = (item.systems[k] for k in assigned.order)
        gap = self.utility(question, item.case_id, left) - self.utility(question, item.case_id, right)
        shares = np.array([math.exp(gap / 2), math.exp(-gap / 2), TIES if question == TASTE else 0.0])
        _, participant, position = shelf._trials[trial_id]
        place = shelf.enrolment(participant)[1].place
        assert place is not None
        rng = np.random.default_rng([0, place, position, question == TASTE])
        return ("left", "right", "tie")[int(rng.choice(3, p=shares / shares.sum()))]

    def utility(self, question: str, case: str, system: str) -> float:
        if question == TASTE:
            return float(np.dot(self.truth["weights"], self.truth["samples"][case][system]))
        return TEMPERATURE * sum(weight * self.scores[case, system, name] for name, weight in METRICS.items())

    def strengths(self, question: str) -> dict[str, float]:
        """Mean utility of each system over cases, about a mean of 0."""
        means = {s: float(np.mean([self.utility(question, case, s) for case in self.truth["samples"]])) for s in SYSTEMS}
        middle = sum(means.values()) / len(means)
        return {name: value - middle for name, value in means.items()}


def planted(workspace: Workspace, world: Path) -> PlantedRaters:
    """Raters of a project in which the world's systems were evaluated."""
    rows = workspace.evaluation(metrics=tuple(METRICS))
    values: dict[str, dict[tuple[str, str], float]] = {}
    for row in rows:
        assert row.value is not None, f"{row.metric} of {row.case_id} by {row.system}: {row.reason}"
        values.setdefault(row.metric, {})[row.case_id, row.system] = row.value
    scores = {}
    for name, found in values.items():
        worst, best = sorted((min(found.values()), max(found.values())), reverse=name in LESS_IS_BETTER)
        scores |= {(*of, name): (value - worst) / (best - worst) for of, value in found.items()}
    return PlantedRaters(workspace, json.loads((world / "cases_truth.json").read_text("utf-8")), scores)


Sent = dict[str, tuple[int, str]]
"""Revision and choice by vote id, of every vote that the page answered with a receipt."""


def many_through_the_page(api: Api, url: str, raters: PlantedRaters, *, study: str, num: int) -> Sent:
    """So many people answer over the page's own calls, eight at a time; every fifth vote comes twice at once."""
    sent: Sent = {}
    tokens = [invitation.token for invitation in api.invite(study=study, num=num)]
    with ThreadPoolExecutor(8) as people, ThreadPoolExecutor(8) as doubles:
        for found in people.map(lambda token: _one_through_the_page(url, token, raters, doubles), tokens):
            sent |= found
    return sent


def _one_through_the_page(url: str, token: str, raters: PlantedRaters, doubles: ThreadPoolExecutor) -> Sent:
    sent: Sent = {}
    with closing(_Browser(url)) as first, closing(_Browser(url)) as second:
        first.get(f"/s/join/{token}")
        first.post("join", {})
        first.post("consent", {"agreed": True})
        second.cookies = first.cookies
        while trials := first.post("trials", {})["trials"]:
            for trial in trials:
                for question in trial["questions"]:
                    body = _answer(trial, question, raters.choose(trial["id"], question["name"]))
                    again = doubles.submit(second.post, "vote", body) if len(sent) % 5 == 0 else None
                    receipts = [first.post("vote", body), *([again.result()] if again else [])]
                    assert all(one == {"rev": 1, "applied": True} for one in receipts), receipts
                    sent[body["vote"]] = 1, body["choice"]
        asked = first.post("slider", {})
        time.sleep(0.35)  # a hand needs as long, by the service's clock
        trace = [[k * 40.0, asked["target"] * (k / 20) ** 2] for k in range(21)]
        slid = {"nonce": asked["nonce"], "value": asked["target"], "trace": trace}
        assert first.post("slid", slid) == {"passed": True, "problem": ""}
        assert len({one.post("finish", {})["code"] for one in (first, second)}) == 1, "finishing twice gives one code"
    return sent


class _Browser:
    """A connection that stays open, with its cookies: as little work as may be, since hundreds are made."""

    def __init__(self, url: str) -> None:
        self._origin, self._connection = url, HTTPConnection(urlsplit(url).netloc, timeout=30)
        self.cookies: dict[str, str] = {}

    def get(self, path: str) -> None:
        answer = self._asked("GET", path, None)
        assert answer.status == 303, (path, answer.status)

    def post(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._asked("POST", f"/s/{call}", json.dumps(body).encode())
        assert answer.status == 200, (call, answer.status, self._said)
        return json.loads(self._said)

    def close(self) -> None:
        self._connection.close()

    def _asked(self, method: str, path: str, body: bytes | None) -> HTTPResponse:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"origin": self._origin, "content-type": "application/json", "cookie": cookies}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        self._said = answer.read()
        for told in answer.headers.get_all("set-cookie", []):
            name, _, value = told.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer


def _answer(trial: dict, question: dict, choice: str) -> dict[str, Any]:
    return {
        "vote": question["vote"],
        "rev": 1,
        "trial": trial["id"],
        "question": question["name"],
        "choice": choice,
        "visible_ms": 2_000,
        "made_at": "2026-01-02T03:04:05.678Z",
    }
