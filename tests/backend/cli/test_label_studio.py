"""`label-studio`: pairs go to a server, what is annotated there comes into the journal, once."""

import json
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from backend.api import Api
from backend.cli import label_studio
from backend.cli.app import app
from backend.cli.label_studio import _remember, _remembered, _trials
from backend.domain import VERIFY_STUDY, ProjectError, SettingsError
from backend.exports.label_studio import TOKEN, pushed
from backend.service import serving
from backend.service.label_studio import suggestions_app
from backend.workspace import Workspace
from tests.backend.exports.label_studio_stub import KEY, Stub, choice, stub
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.study_project import LENIENT, create, vote_on, write_benchmark
from tests.backend.workspace.toy_project import plan, write_toy_video

pytestmark = pytest.mark.slow
RULES = (*LENIENT, "min_gold_accuracy=0")


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", KEY)
    with stub() as found:
        run("endpoints", "allow", found.url)
        yield found


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace(tmp_path / "project", create=True)
    opened.plan = plan()
    opened.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),), licence="CC0-1.0")
    curated(cast(Api, opened))
    with serving(cast(Api, opened), opened.layout.root):
        yield opened
    opened.close()


def test_pairs_go_there_and_answers_come_back_once(project: Workspace, server: Stub) -> None:
    where = ("--url", server.url, "--project", project.layout.root)
    (made,) = json.loads(run("label-studio", "push", *where, "--json"))
    tasks = server.tasks[made["number"]]
    assert made["tasks"] == len(tasks) > 0
    assert all(set(task["data"]) == {TOKEN, "target", "reference"} for task in tasks)
    page = server.projects[made["number"]]["label_config"]
    kinds = {slot: "Image" if "data:image/" in tasks[0]["data"][slot] else "Video" for slot in ("target", "reference")}
    assert all(f'<{kind} name="{slot}"' in page for slot, kind in kinds.items())
    told = json.dumps(tasks)
    assert "pair_" not in told and "mug" not in told
    server.annotate(made["number"], 0, [choice("same", "different"), choice("same_reasons", "shape")])
    pull = ("label-studio", "pull", *where, "--number", made["number"], "--json")
    found = json.loads(run(*pull))
    assert (found["votes"], found["stored"], found["faults"]) == (1, 1, [])
    assert json.loads(run(*pull))["stored"] == 0
    (vote,) = project.votes(study_id=VERIFY_STUDY)
    assert (vote.choice, vote.reasons, vote.rater_kind) == ("different", ("shape",), "person")
    server.annotate(made["number"], 0, [choice("verdict", "different")], by=8)
    assert "no question" in json.loads(run(*pull, code=1))["faults"][0]
    assert len(project.votes(study_id=VERIFY_STUDY)) == 1
    assert _suggestion(project, server, made["number"]) in ("same", "different")


def test_an_answer_that_was_skipped_since_is_taken_back_and_one_that_never_was_is_not(
    project: Workspace, server: Stub
) -> None:
    where = ("--url", server.url, "--project", project.layout.root, "--json")
    (made,) = json.loads(run("label-studio", "push", *where))
    server.annotate(made["number"], 0, [choice("same", "same"), choice("context", "no")])
    server.annotate(made["number"], 1, [], was_cancelled=True)
    pull = ("label-studio", "pull", *where, "--number", made["number"])
    found = json.loads(run(*pull))
    assert (found["votes"], found["stored"], found["taken_back"]) == (2, 2, 0)
    (answer,) = server.tasks[made["number"]][0]["annotations"]
    answer |= {"was_cancelled": True, "updated_at": "2026-03-01T10:00:05Z"}
    events = project.journal.head().seq
    found = json.loads(run(*pull))
    assert (found["votes"], found["stored"], found["taken_back"]) == (0, 0, 2)
    assert project.votes(study_id=VERIFY_STUDY) == ()
    assert json.loads(run(*pull))["taken_back"] == 0
    assert project.journal.head().seq == events + 2


def test_a_second_push_takes_what_is_left_and_one_that_broke_off_goes_again(project: Workspace, server: Stub) -> None:
    push = ("label-studio", "push", "--url", server.url, "--project", project.layout.root, "--json")

    def pairs_of(*more: object) -> set[str]:
        (made,) = json.loads(run(*push, *more))
        return {one.item_id for one in _remembered(project.layout.root, server.url, made["number"]).values()}

    server.is_full = True
    with pytest.raises(ProjectError, match="disk is full"):
        run(*push)
    server.is_full = False
    first = pairs_of("--limit", 1)
    second = pairs_of()
    assert (len(first), len(second), first & second) == (1, 1, set())
    with pytest.raises(ProjectError, match=r"no trial left to push; what was pushed there before is passed over, --again"):
        run(*push)
    assert pairs_of("--again") == first | second


def test_another_push_of_a_study_shows_its_participant_what_it_pushes_and_no_more(
    project: Workspace, server: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_studio, "AT_ONCE", 2)
    api = cast(Api, project)
    study = create(api, write_benchmark(tmp_path / "benchmark", cases=4), sequential=True, rules=RULES)
    api.consent(participant=api.take_part(study="taste", login="ann").id, text="Yes.")
    where = ("--url", server.url, "--project", project.layout.root, "--json")
    push = ("label-studio", "push", *where, "--study", "taste", "--login", "ann")

    def shown() -> int:
        return sum(event.kind == "study_shown" for event in project.journal.events(0, 10_000))

    (first,) = json.loads(run(*push, "--limit", 3))
    assert first["tasks"] == shown() == 3
    for task in range(3):
        server.annotate(first["number"], task, [choice("better", "left", to="left")])
    assert json.loads(run("label-studio", "pull", *where, "--number", first["number"]))["stored"] == 3
    (second,) = json.loads(run(*push, "--limit", 3))
    assert (second["tasks"], shown()) == (3, 6)
    (rest,) = json.loads(run(*push))
    assert 3 + 3 + rest["tasks"] == shown() == study.trials
    with pytest.raises(ProjectError, match="no trial left to push"):
        run(*push)


def test_a_trial_that_was_begun_here_is_not_pushed(project: Workspace, server: Stub, tmp_path: Path) -> None:
    api = cast(Api, project)
    study = create(api, write_benchmark(tmp_path / "benchmark", cases=4), form="opens2v")
    person = api.consent(participant=api.take_part(study="taste", login="ann").id, text="Yes.")
    (begun,) = api.next_trials(study_id=person.study_id, rater=person.id, limit=1)
    api.submit_votes(votes=(replace(vote_on(person, begun, "left"), question="naturalness"),))
    where = ("--url", server.url, "--project", project.layout.root, "--json")
    (made,) = json.loads(run("label-studio", "push", *where, "--study", "taste", "--login", "ann"))
    there = {one.item_id for one in _remembered(project.layout.root, server.url, made["number"]).values()}
    assert len(there) == made["tasks"] == study.trials - 1, "no other is passed over"
    assert begun.item_id not in there


def test_more_than_a_service_can_be_told_to_pass_over_is_named_and_goes_without_one(
    project: Workspace, server: Stub
) -> None:
    push = ("label-studio", "push", "--url", server.url, "--project", project.layout.root)
    (pair,) = project.next_trials(study_id=VERIFY_STUDY, rater="somebody", limit=1)
    many = [replace(pushed(pair), item_id=f"{n:0{len(pair.item_id)}}") for n in range(40_000)]
    _remember(project.layout.root, server.url, 9, many[:30_000], is_whole=True)
    run(*push, "--limit", 1)
    _remember(project.layout.root, server.url, 9, many, is_whole=True)
    with pytest.raises(ProjectError, match=r"4000\d trials are pushed there .* close Studio"):
        run(*push)
    found, _ = _trials(cast(Api, project), VERIFY_STUDY, "", 1, many)
    assert len(found) == 1


def test_suggestions_are_told_with_the_password_of_their_file(
    project: Workspace, server: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("--url", server.url, "--project", project.layout.root)
    (made,) = json.loads(run("label-studio", "push", *where, "--json"))
    place, passwords, statuses = f"http://127.0.0.1:{_free_port()}", list[str](), list[int]()

    def ask_as_label_studio_does() -> None:
        passwords.append(project.layout.suggestions_token.read_text().strip())
        for password in (passwords[-1], "x" * 43):
            auth = ("subject-studio", password)
            statuses.append(httpx.get(f"{place}/health", auth=auth, trust_env=False).status_code)

    monkeypatch.setattr("backend.cli.label_studio.wait_for_signal", ask_as_label_studio_does)
    suggest = ("label-studio", "suggest", *where, "--number", made["number"], "--port", place.rpartition(":")[2])
    for _ in range(2):  # Label Studio keeps the password from one start to the next
        told = run(*suggest)
    assert statuses == [200, 401] * 2
    assert passwords[0] == passwords[1] and passwords[0] not in told
    assert stat.S_IMODE(project.layout.suggestions_token.stat().st_mode) == 0o600
    project.layout.suggestions_token.chmod(0o640)
    with pytest.raises(SettingsError, match="can be read by others"):
        run(*suggest)


def test_footage_goes_to_no_other_machine_unless_the_project_says_so(project: Workspace, server: Stub) -> None:
    far = "https://8.8.8.8:8080"  # allowed, and never asked
    run("endpoints", "allow", far)
    where = ("--url", far, "--project", project.layout.root)
    with pytest.raises(SettingsError, match="footage_may_leave = true"):
        run("label-studio", "push", *where)
    assert not server.projects


def test_what_was_not_pushed_from_here_is_not_pulled(project: Workspace, server: Stub) -> None:
    with pytest.raises(ProjectError, match="was not pushed from here"):
        run("label-studio", "pull", "--url", server.url, "--project", project.layout.root, "--number", 4)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def _suggestion(project: Workspace, server: Stub, number: int) -> Any:
    known = _remembered(project.layout.root, server.url, number)
    client = TestClient(suggestions_app(cast(Api, project), known))
    assert client.get("/health").json() == {"status": "UP", "model_class": "subject-studio"}
    assert client.post("/setup", json={"project": "1"}).json() == {"model_version": "subject-studio"}
    assert client.post("/predict", json={"tasks": 3}).status_code == 400
    assert client.post("/predict", content=b"{").status_code == 400
    tasks = [server.tasks[number][0], {"data": {TOKEN: "alien"}}, None]
    results = client.post("/predict", json={"tasks": tasks, "label_config": ""}).json()["results"]
    assert [one["result"] for one in results[1:]] == [[], []]
    (answer,) = results[0]["result"]
    assert (answer["from_name"], answer["to_name"], answer["type"]) == ("same", "target", "choices")
    (chosen,) = answer["value"]["choices"]
    return chosen
