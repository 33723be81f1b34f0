"""A/B trials of a study go to Label Studio as one participant's, and come back as their votes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.api import Api
from backend.cli.app import app
from backend.domain import ProjectError
from backend.domain.studies import StudySummary
from backend.service import serving
from backend.workspace import Workspace
from tests.backend.exports.label_studio_stub import KEY, Stub, choice, stub
from tests.backend.workspace.study_project import SYSTEMS

pytestmark = pytest.mark.slow


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", KEY)
    with stub() as found:
        run("endpoints", "allow", found.url)
        yield found


def test_ab_trials_are_pushed_blind_and_come_back_as_their_participants_votes(
    api: Api, workspace: Workspace, study: StudySummary, server: Stub
) -> None:
    agreed = api.consent(participant=api.take_part(study="taste", login="ann").id, text="I agree.")
    with serving(api, workspace.layout.root):
        where = ("--url", server.url, "--project", workspace.layout.root, "--json")
        (made,) = json.loads(run("label-studio", "push", *where, "--study", "taste", "--login", "ann", "--limit", 3))
        tasks = server.tasks[made["number"]]
        assert len(tasks) == 3
        assert len(server.files) == 6, "two videos a trial"
        told = json.dumps([task["data"] for task in tasks])
        assert not [name for name in (*SYSTEMS, "singleobj") if name in told]
        names = [file.partition(b'filename="')[2].partition(b'"')[0] for file in server.files]
        assert not [name for name in names if any(system.encode() in name for system in SYSTEMS)]
        for task in range(3):
            server.annotate(made["number"], task, [choice("better", "left", to="left")])
        found = json.loads(run("label-studio", "pull", *where, "--number", made["number"]))
        assert (found["votes"], found["stored"], found["faults"]) == (3, 3, [])
        (thought_again,) = tasks[1]["annotations"]
        thought_again |= {"was_cancelled": True, "updated_at": "2026-03-01T10:00:05Z"}
        found = json.loads(run("label-studio", "pull", *where, "--number", made["number"]))
        assert (found["votes"], found["stored"], found["taken_back"]) == (2, 0, 1)
        number = json.loads(run("label-studio", "push", *where, "--study", "taste", "--login", "ann", "--again"))[0][
            "number"
        ]
        assert len(server.tasks[number]) == study.trials - 2, "what was taken back is open"
    (person,) = api.participants(study="taste")
    assert person.id == agreed.id
    shown = api.study_trials(participant=person.id, start=0, limit=3).trials
    assert [[vote.choice for vote in one.votes] for one in shown] == [["left"], [None], ["left"]]


def test_a_second_push_of_a_participant_takes_the_trials_that_are_left(
    api: Api, workspace: Workspace, study: StudySummary, server: Stub
) -> None:
    for login in ("ann", "bob"):
        api.consent(participant=api.take_part(study="taste", login=login).id, text="I agree.")
    push = ("label-studio", "push", "--url", server.url, "--project", workspace.layout.root, "--json", "--study", "taste")
    with serving(api, workspace.layout.root):
        made = [json.loads(run(*push, "--login", who, *more)) for who, *more in (("ann", "--limit", 2), ("ann",), ("bob",))]
    assert [one["tasks"] for (one,) in made] == [2, study.trials - 2, study.trials]


def test_nobody_agrees_by_being_pushed(api: Api, workspace: Workspace, study: StudySummary, server: Stub) -> None:
    where = ("--url", server.url, "--project", workspace.layout.root)
    push = ("label-studio", "push", *where, "--study", "taste", "--login", "ann")
    with serving(api, workspace.layout.root), pytest.raises(ProjectError, match="have them agree under this name first"):
        run(*push)
    assert [person.state for person in api.participants(study="taste")] == ["joined"]
    assert not server.projects
