"""A sequential study on the page: trials are chosen as they are given out, and nothing tells which or of whom."""

from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from tests.backend.service.study_page.visitor import Visitor, study_project
from tests.backend.workspace.study_project import SYSTEMS


@pytest.mark.slow
def test_chosen_trials_are_answered_gone_back_to_and_tell_nothing(tmp_path: Path) -> None:
    workspace = study_project(tmp_path, trials=6, sequential=True)
    api = cast(Api, workspace)
    visitor = Visitor(api).begin(api.invite(study="taste")[0].token)
    first = visitor.trials()
    assert [one["id"] for one in visitor.trials()] == [one["id"] for one in first]
    for panel in first[-1]["panels"]:
        if panel["media"]:
            assert visitor.get(panel["media"]).status_code == 200
    visitor.answer_all()
    back = visitor.trials(2)
    assert [one["questions"][0]["choice"] for one in back] == ["left"] * 3
    assert visitor.answer(back[0], back[0]["questions"][0], "right").status_code == 200
    assert visitor.slide()["passed"]
    assert visitor.say("/s/finish", {}).status_code == 200
    told = b"".join(
        answer.content for answer in visitor.answers if "json" in answer.headers.get("content-type", "")
    ).decode()
    assert not [name for name in (*SYSTEMS, "chosen", "held_out", "sequential") if f'"{name}"' in told]
    (row,) = api.study_results(name="taste", bootstraps=10).raters
    assert (row.votes, row.removed_by) == (api.studies()[0].trials - 2, "")
    chosen = [event.body for event in workspace.journal.events(0, 10_000) if event.kind == "study_chosen"]
    assert len({body["position"] for body in chosen}) == len(chosen) >= 5
    workspace.close()
