"""A study that is closed while people are on its page: they are told, nothing that they answered is lost."""

import json
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.service.study_page.words import strings
from tests.backend.service.study_page.visitor import Visitor, study_project

CODES = ("ended_heading", "ended_text", "closed_note")


@pytest.fixture
def api(tmp_path: Path):
    workspace = study_project(tmp_path)
    yield cast(Api, workspace)
    workspace.close()


def test_who_is_not_in_yet_is_told_and_their_invitation_is_not_used_up(api: Api) -> None:
    first, second = (one.token for one in api.invite(study="taste", num=2))
    waiting = Visitor(api)
    assert waiting.join(first).status_code == 200
    api.close_study(name="taste")
    late = Visitor(api)
    answer = late.join(second)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ended")
    assert waiting.state()["step"] == "ended"
    assert waiting.post("/s/consent", {"agreed": True}).status_code == 409
    assert "system" not in json.dumps(waiting.state())
    api.reopen_study(name="taste")
    assert waiting.state()["step"] == "consent"
    assert late.join(second).status_code == 200


def test_who_is_in_the_middle_answers_what_is_shown_and_gets_a_code(api: Api) -> None:
    visitor = Visitor(api).begin(api.invite(study="taste")[0].token)
    first, second, third = visitor.trials()
    visitor.answer(first, first["questions"][0], "left")
    api.close_study(name="taste")
    state = visitor.state()
    assert (state["step"], state["is_closed"], state["answered"], state["total"]) == ("slider", True, 1, 1)
    assert visitor.answer(second, second["questions"][0], "right").status_code == 200  # it was on the screen
    assert visitor.trials() == []
    assert [one["id"] for one in visitor.trials(0)] == [first["id"], second["id"]]
    assert visitor.post("/s/finish", {}).json()["error"]["code"] == "slider"
    assert visitor.slide()["passed"]
    code = visitor.post("/s/finish", {}).json()["code"]
    assert visitor.state()["code"] == code
    assert visitor.answer(third, third["questions"][0], "left").status_code == 400
    (row,) = api.study_results(name="taste", bootstraps=10).raters
    assert row.removed_by == ""


@pytest.mark.parametrize("language", ["en", "zh"])
def test_both_languages_have_the_sentences(language: str) -> None:
    assert all(strings(language)[code] for code in CODES)
