"""`label-studio` beside a real server, whose people answer as on its page (docs/formats.md tells how to start one)."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from backend.api import Api
from backend.cli.app import app
from backend.domain import VERIFY_STUDY
from backend.exports.label_studio import TOKEN
from backend.service import serving
from backend.service.label_studio import USER
from backend.workspace import Workspace
from tests.backend.exports.label_studio_annotators import URL, Account, invited, owner, with_label_studio
from tests.backend.exports.label_studio_stub import choice
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.study_project import create, write_benchmark
from tests.backend.workspace.toy_project import plan, write_toy_video

pytestmark = [pytest.mark.slow, with_label_studio]


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    run("endpoints", "allow", URL)
    opened = Workspace(tmp_path / "project", create=True)
    opened.plan = plan()
    with serving(cast(Api, opened), opened.layout.root):
        yield opened
    opened.close()


@pytest.fixture
def api(project: Workspace, tmp_path: Path) -> Api:
    project.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),), licence="CC0-1.0")
    curated(cast(Api, project))
    return cast(Api, project)


def push(project: Workspace, *more: object) -> int:
    (made,) = json.loads(run("label-studio", "push", "--url", URL, "--project", project.layout.root, "--json", *more))
    return made["number"]


def pull(project: Workspace, number: int, *, code: int = 0) -> dict[str, Any]:
    where = ("--url", URL, "--project", project.layout.root, "--number", number, "--json")
    return json.loads(run("label-studio", "pull", *where, code=code))


def counted(project: Workspace, number: int) -> tuple[int, int]:
    """How many votes a pull stores, and takes back."""
    told = pull(project, number)
    return told["stored"], told["taken_back"]


def rater_of(who: Account) -> str:
    return f"label-studio:{URL.partition('//')[2].rstrip('/')}:{who.number}"


def test_two_annotators_answer_think_again_and_skip_and_their_last_word_counts(project: Workspace, api: Api) -> None:
    number, ann, bob = push(project, "--overlap", 2), invited(), invited()
    tasks = [task["id"] for task in owner().tasks(number)]
    assert len(tasks) == 2

    def said() -> dict[tuple[str, str], str | None]:
        """By annotator and question, of the first task's pair."""
        votes = [vote for vote in api.votes(study_id=VERIFY_STUDY) if vote.item_id == first]
        return {(vote.rater, vote.question): vote.choice for vote in votes}

    of_ann = ann.answer(tasks[0], choice("same", "same"), choice("same_reasons", "shape"), choice("context", "yes"))
    of_bob = bob.answer(tasks[0], choice("same", "different"))
    bob.skip(tasks[1])
    told = pull(project, number)
    assert (told["votes"], told["stored"], told["taken_back"], told["faults"]) == (3, 3, 0, [])
    first = api.votes(study_id=VERIFY_STUDY)[0].item_id
    assert said() == {
        (rater_of(ann), "same"): "same",
        (rater_of(ann), "context"): "yes",
        (rater_of(bob), "same"): "different",
    }
    assert api.pair(pair_id=first).status == "disputed"
    assert counted(project, number) == (0, 0)

    ann.think_again(of_ann, choice("same", "unsure"))  # within a second of the answer, or little more
    assert counted(project, number) == (1, 1)
    ann.think_again(of_ann, choice("same", "different"))
    assert counted(project, number) == (1, 0)
    assert said() == {(rater_of(ann), "same"): "different", (rater_of(bob), "same"): "different"}
    assert api.pair(pair_id=first).status == "agreed"

    bob.skip_answered(of_bob)
    assert counted(project, number) == (0, 1)
    assert said() == {(rater_of(ann), "same"): "different"}
    assert counted(project, number) == (0, 0)
    bob.think_again(of_bob, choice("same", "same"))
    owner().call("PATCH", f"/api/annotations/{of_bob}/", {"was_cancelled": False})
    assert counted(project, number) == (1, 0)
    assert said()[rater_of(bob), "same"] == "same"
    owner().forget(number)


def test_its_own_export_is_taken_from_a_file_and_a_second_push_takes_what_is_left(
    project: Workspace, api: Api, tmp_path: Path
) -> None:
    numbers = [push(project, "--limit", 1), push(project)]
    items = set[str]()
    for number in numbers:
        (task,) = owner().tasks(number)
        invited().answer(task["id"], choice("same", "near_duplicate"), choice("same_reasons", "same_shot"))
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(owner().call("GET", f"/api/projects/{number}/export?exportType=JSON")))
        where = ("--url", URL, "--project", project.layout.root, "--number", number, "--json")
        told = json.loads(run("label-studio", "take", file, *where))
        assert (told["stored"], told["faults"], counted(project, number)) == (1, [], (0, 0))
        items |= {vote.item_id for vote in api.votes(study_id=VERIFY_STUDY)}
        owner().forget(number)
    assert len(items) == 2


def test_what_its_page_never_offers_is_named_and_the_rest_is_taken(project: Workspace, api: Api) -> None:
    number, ann = push(project), invited()
    tasks = [task["id"] for task in owner().tasks(number)]
    ann.answer(tasks[0], choice("same", "perhaps"))
    ann.answer(tasks[1], choice("same", "unsure"))
    told = pull(project, number, code=1)
    assert told["faults"] == [f"task {tasks[0]}: 'perhaps' is no choice of same"]
    assert [vote.choice for vote in api.votes(study_id=VERIFY_STUDY)] == ["unsure"]
    owner().forget(number)


def test_an_ab_study_of_two_participants_comes_back_as_their_votes(project: Workspace, tmp_path: Path) -> None:
    api = cast(Api, project)
    study = create(api, write_benchmark(tmp_path / "benchmark", cases=4))
    chosen = {"ann": "left", "bob": "tie"}
    people = {login: api.consent(participant=api.take_part(study="taste", login=login).id, text="Yes.") for login in chosen}
    numbers = {login: push(project, "--study", "taste", "--login", login) for login in chosen}
    for login, number in numbers.items():
        annotator, tasks = invited(), owner().tasks(number)
        assert len(tasks) == study.trials
        assert not [name for name in ("good", "fair", "poor") if name in json.dumps([task["data"] for task in tasks])]
        for task in tasks:
            assert annotator.client.get(task["data"]["left"]).content[4:8] == b"ftyp", "an annotator sees the video"
            annotator.answer(task["id"], choice("better", chosen[login], to="left"))
        told = pull(project, number)
        assert (told["stored"], told["faults"]) == (study.trials, [])
        assert pull(project, number)["stored"] == 0
    stranger, task = invited(), owner().tasks(numbers["ann"])[0]
    stranger.answer(task["id"], choice("better", "right", to="left"))
    (fault,) = pull(project, numbers["ann"], code=1)["faults"]
    assert fault.startswith(f"task {task['id']}: a trial of one participant was answered by a second annotator")
    given = {
        login: [v.choice for v in api.votes(study_id=study.study_id) if v.rater == people[login].id] for login in chosen
    }
    assert given == {login: [choice] * study.trials for login, choice in chosen.items()}
    for number in numbers.values():
        owner().forget(number)


def test_the_server_asks_our_ml_backend_and_shows_what_machines_think(
    project: Workspace, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = push(project)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told: list[Any] = []

    def connect_as_its_owner_does() -> None:
        model = {"project": number, "title": "ours", "url": f"http://127.0.0.1:{port}", "auth_method": "BASIC_AUTH"}
        for password in ("x" * 43, project.layout.suggestions_token.read_text().strip()):
            body = {**model, "basic_auth_user": USER, "basic_auth_pass": password}
            told.append(owner().client.post("/api/ml", json=body))
        asked = {"selectedItems": {"all": True, "excluded": []}, "ordering": []}
        owner().call("POST", f"/api/dm/actions?id=retrieve_tasks_predictions&project={number}", asked)
        told.append(owner().call("GET", f"/api/predictions?project={number}"))

    monkeypatch.setattr("backend.cli.label_studio.wait_for_signal", connect_as_its_owner_does)
    run("label-studio", "suggest", "--url", URL, "--project", project.layout.root, "--number", number, "--port", port)
    wrong, right, predictions = told
    assert (wrong.status_code, right.status_code, right.json()["readable_state"]) == (400, 201, "Connected"), right.text
    assert "authentication parameters" in wrong.text
    tokens = {task["id"]: task["data"][TOKEN] for task in owner().tasks(number)}
    assert {one["task"] for one in predictions} == set(tokens)
    assert {one["score"] for one in predictions} == {0.9, 0.6}, "the similarities that were planted"
    assert all(one["result"][0]["value"] == {"choices": ["same"]} for one in predictions)
    owner().forget(number)
