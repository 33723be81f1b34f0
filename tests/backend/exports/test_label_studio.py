"""Label Studio: the page that asks, annotations as votes, and a server that is asked no more than it may be."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from backend.domain import ProjectError, SettingsError, Stimulus, Trial
from backend.exports import label_studio_server
from backend.exports.label_studio import TOKEN, Pulled, PushedTrial, label_config, pushed, read_annotations, tasks_of
from backend.exports.label_studio_server import LabelStudioServer
from backend.models.outgoing import AllowedEndpoints
from backend.studies.forms import load_form
from tests.backend.exports.label_studio_stub import KEY, choice, stub

FORM = load_form("identity")
TRIAL = Trial(
    study_id="verify",
    item_id="pair_1",
    form="identity",
    stimuli=(Stimulus(slot="target", media="m1"), Stimulus(slot="reference", media="m2")),
)
ONE = replace(pushed(TRIAL), token="abc")


def annotation(*result: dict[str, Any], **changes: Any) -> dict[str, Any]:
    told = {
        "id": 5,
        "completed_by": {"id": 7, "email": "ann@lab.org"},
        "result": list(result),
        "lead_time": 3.25,
        "created_at": "2026-03-01T10:00:00Z",
        "updated_at": "2026-03-01T10:00:00Z",
    }
    return told | changes


def read(*annotations: Any, known: PushedTrial = ONE) -> Pulled:
    document = [{"id": 1, "data": {TOKEN: "abc"}, "annotations": list(annotations)}]
    return read_annotations(document, {"abc": known}, {"identity": FORM}, origin="127.0.0.1:8080/3")


def test_the_page_offers_every_choice_and_reason_of_the_form_and_no_other() -> None:
    view = ET.fromstring(label_config(FORM))
    offered = {
        tag.get("name"): {one.get("value") for one in tag.findall("Choice")} for tag in view.iter() if tag.tag == "Choices"
    }
    assert offered == {
        "same": {"same", "different", "near_duplicate", "unsure"},
        "same_reasons": {reason.value for reason in FORM.questions[0].reasons},
        "context": {"yes", "no", "unsure"},
    }
    hidden = [tag for tag in view.iter("View") if tag.get("visibleWhen")]
    assert [(tag.get("whenTagName"), tag.get("whenChoiceValue")) for tag in hidden] == [("same", "same")]
    assert [(tag.tag, tag.get("value")) for tag in view.iter() if tag.tag in ("Video", "Image")] == [
        ("Video", "$target"),
        ("Image", "$reference"),
    ]
    stills = ET.fromstring(label_config(FORM, shows={"target": "image"}))
    assert [tag.tag for tag in stills.iter() if tag.tag in ("Video", "Image")] == ["Image", "Image"]


@pytest.mark.parametrize("name", ["identity", "ab", "best_of", "opens2v", "gloria", "kaleido"])
def test_label_studios_own_package_takes_the_page(name: str) -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface(label_config(load_form(name)))
    interface.validate()


def test_a_task_tells_a_token_and_what_is_shown_and_nothing_else() -> None:
    (task,) = tasks_of([(ONE, {"target": "data:image/png;base64,AA", "reference": "/data/upload/1/x.mp4"})])
    assert task == {
        "data": {TOKEN: "abc", "target": "data:image/png;base64,AA", "reference": "/data/upload/1/x.mp4"},
    }


def test_an_annotation_is_a_vote_for_each_question_that_was_asked() -> None:
    found = read(annotation(choice("same", "same"), choice("same_reasons", "face", "shape"), choice("context", "yes")))
    assert found.faults == ()
    same, context = found.votes
    assert (same.choice, same.reasons, context.choice) == ("same", ("face", "shape"), "yes")
    assert (same.item_id, same.study_id, same.trial_id) == ("pair_1", "verify", TRIAL.id)
    assert (same.rater, same.visible_ms, same.shown_order) == (
        "label-studio:127.0.0.1:8080:7",
        3250,
        ("target", "reference"),
    )
    assert (same.rev, same.made_at) == (1, "2026-03-01T10:00:00+00:00")
    assert "ann@lab.org" not in str(found)


def test_pulled_again_it_is_the_same_vote_and_a_changed_one_is_a_later_revision() -> None:
    first = read(annotation(choice("same", "different"))).votes
    assert read(annotation(choice("same", "different"))).votes == first
    (later,) = read(annotation(choice("same", "unsure"), updated_at="2026-03-01T12:05:30+02:00")).votes
    assert (later.id, later.rev, later.choice) == (first[0].id, 3301, "unsure")
    (years,) = read(annotation(choice("same", "same"), updated_at="2126-03-01T10:00:00Z")).votes
    assert years.rev == 2**31 - 1
    (soon,) = read(annotation(choice("same", "same"), updated_at="2026-03-01T10:00:00.25Z")).votes
    assert (soon.id, soon.rev) == (first[0].id, 3), "a second thought within the second"


def test_what_an_annotation_leaves_open_is_taken_back_where_it_was_answered() -> None:
    both = read(annotation(choice("same", "same"), choice("context", "yes"))).votes
    changed = read(annotation(choice("same", "different"), updated_at="2026-03-01T10:00:09Z"))
    assert [(vote.question, vote.choice) for vote in changed.votes] == [("same", "different")]
    assert [(vote.id, vote.rev, vote.choice) for vote in changed.taken_back] == [(both[1].id, 91, None)]
    skipped = read(annotation(choice("same", "same"), was_cancelled=True, updated_at="2026-03-01T10:00:09Z"))
    assert skipped.votes == ()
    assert [(vote.id, vote.choice) for vote in skipped.taken_back] == [(vote.id, None) for vote in both]


def test_what_its_page_never_offers_is_a_fault_and_the_other_tasks_are_read() -> None:
    wrong = {
        "'same' is no choice of context": [choice("same", "same"), choice("context", "same")],
        "'quality' is no question": [choice("quality", "good")],
        "same has 2 answers": [choice("same", "same", "unsure")],
        "same is answered twice": [choice("same", "same"), choice("same", "unsure")],
        "same has 0 answers": [choice("same_reasons", "face")],
        "same is not answered by choices": [choice("same") | {"value": {"text": ["x"]}}],
    }
    for words, result in wrong.items():
        found = read(annotation(*result), annotation(choice("same", "unsure"), id=6))
        assert [vote.choice for vote in found.votes] == ["unsure"], words
        assert words in found.faults[0]
    assert "no number" in read(annotation(choice("same", "same"), id="5")).faults[0]
    assert "is no time" in read(annotation(choice("same", "same"), created_at=3)).faults[0]
    assert read(annotation(choice("quality", "good"), was_cancelled=True)).faults == ()
    alien = [{"id": 9, "data": {TOKEN: "other"}, "annotations": [annotation(choice("same", "same"))]}]
    found = read_annotations(alien, {"abc": ONE}, {"identity": FORM}, origin="o/1")
    assert (found.votes, found.faults) == ((), ("task 9 was not pushed from this project",))


def test_a_participants_trial_takes_one_annotator() -> None:
    own = replace(ONE, rater="participant_1")
    first, second = annotation(choice("same", "same")), annotation(choice("same", "unsure"), id=6, completed_by=8)
    found = read(first, second, known=own)
    assert [(vote.rater, vote.choice) for vote in found.votes] == [("participant_1", "same")]
    assert "answered by a second annotator, 8" in found.faults[0]


@pytest.fixture
def allowed(tmp_path: Path) -> AllowedEndpoints:
    return AllowedEndpoints(tmp_path / "endpoints.toml")


def test_a_server_that_nobody_allowed_is_never_asked(allowed: AllowedEndpoints) -> None:
    with stub() as server:
        with pytest.raises(SettingsError, match=r"is not allowed on this machine; .* studio-backend endpoints allow"):
            LabelStudioServer(server.url, allowed=allowed, key=KEY)
        allowed.allow(server.url)
        with pytest.raises(SettingsError, match="set LABEL_STUDIO_API_KEY"):
            LabelStudioServer(server.url, allowed=allowed, key=" ")
        assert server.seen == []
    with pytest.raises(SettingsError, match="is never asked: http is for this machine alone"):
        LabelStudioServer("http://10.0.0.9:8080", allowed=allowed, key=KEY)


def test_a_project_is_made_filled_and_read_again(allowed: AllowedEndpoints, tmp_path: Path) -> None:
    film = tmp_path / "secret name.mp4"
    film.write_bytes(b"film")
    with stub() as server:
        allowed.allow(server.url)
        there = LabelStudioServer(server.url, allowed=allowed, key=KEY)
        number = there.create_project(title="Do both show the same one?", overlap=2)
        place = there.upload(number, film, name="t0.mp4")
        there.configure(number, label_config(FORM))
        assert there.import_tasks(number, tasks_of([(ONE, {"target": place, "reference": "x"})])) == 1
        assert there.annotated(number) == []
        server.annotate(number, 0, [choice("same", "near_duplicate")])
        found = read_annotations(there.annotated(number), {"abc": ONE}, {"identity": FORM}, origin="o/1")
        assert [vote.choice for vote in found.votes] == ["near_duplicate"]
        assert server.projects[number]["maximum_annotations"] == 2
        assert place == "/data/upload/1/1-clip.mp4"
        assert b"film" in server.files[0] and b"secret" not in server.files[0]


def test_a_refused_token_and_a_server_that_is_gone_are_sentences(allowed: AllowedEndpoints) -> None:
    with stub() as server:
        allowed.allow(server.url)
        wrong = LabelStudioServer(server.url, allowed=allowed, key="wrong")
        with pytest.raises(ProjectError, match=r"refuses the token of LABEL_STUDIO_API_KEY \(HTTP 401\)"):
            wrong.annotated(1)
        there = LabelStudioServer(server.url + "/elsewhere", allowed=allowed, key=KEY)
        with pytest.raises(ProjectError, match=r"has nothing at /api/tasks for this token; .* the number right\?"):
            there.annotated(1)
    with pytest.raises(ProjectError, match=r"cannot be reached: .*; is it running"):
        there.annotated(1)


def test_tasks_go_in_calls_that_a_server_takes_and_all_come_back(
    allowed: AllowedEndpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_studio_server, "IMPORTED_BYTES", 200)
    monkeypatch.setattr(label_studio_server, "LISTED", 3)
    monkeypatch.setattr(label_studio_server, "EXPORTED", 2)
    with stub() as server:
        allowed.allow(server.url)
        studio = LabelStudioServer(server.url, allowed=allowed, key=KEY)
        number = studio.create_project(title="t", overlap=1)
        tasks = [{"data": {TOKEN: f"t{n}", "target": "x" * (300 if n == 2 else 40)}} for n in range(7)]
        assert studio.import_tasks(number, tasks) == 7
        assert [one["data"] for one in server.tasks[number]] == [task["data"] for task in tasks]
        assert server.seen.count(f"POST /api/projects/{number}/import") == 4, "0 1, 2 alone, 3 4, 5 6"
        for task in (0, 1, 6):
            server.annotate(number, task, [choice("same", "same")])
        assert [task["data"][TOKEN] for task in studio.annotated(number)] == ["t0", "t1", "t6"]
        assert sum("/export?" in call for call in server.seen) == 4
        assert studio.annotated(studio.create_project(title="empty", overlap=1)) == []


def test_a_server_that_gives_fewer_tasks_on_a_page_than_asked_loses_none(allowed: AllowedEndpoints) -> None:
    with stub() as server:
        allowed.allow(server.url)
        studio = LabelStudioServer(server.url, allowed=allowed, key=KEY)
        number = studio.create_project(title="t", overlap=1)
        studio.import_tasks(number, [{"data": {TOKEN: f"t{n}"}} for n in range(5)])
        for task in (0, 4):
            server.annotate(number, task, [choice("same", "same")])
        server.most_listed = 2
        assert [task["data"][TOKEN] for task in studio.annotated(number)] == ["t0", "t4"]
        assert sum("/api/tasks?" in call for call in server.seen) == 3, "two, two and one"


def test_tasks_come_back_without_their_pictures_as_many_at_once_as_an_answer_may_hold(
    allowed: AllowedEndpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_studio_server, "MOST_BYTES", 5000)
    with stub() as server:
        allowed.allow(server.url)
        studio = LabelStudioServer(server.url, allowed=allowed, key=KEY)
        number = studio.create_project(title="t", overlap=1)
        studio.import_tasks(number, [{"data": {TOKEN: f"t{n}", "target": "x" * 1000}} for n in range(7)])
        for task in range(7):
            server.annotate(number, task, [choice("same", "same")])
        expected = [
            {"id": task["id"], "data": {TOKEN: f"t{n}"}, "annotations": task["annotations"]}
            for n, task in enumerate(server.tasks[number])
        ]
        assert studio.annotated(number) == expected
        assert sum("/export?" in call for call in server.seen) == 4, "all 7 are too large, then 3, 3 and 1"
        server.tasks[number][6]["data"]["target"] = "x" * 5000
        with pytest.raises(ProjectError, match=rf"answers /api/projects/{number}/export with 0 MiB or more"):
            studio.annotated(number)


def test_half_a_key_and_the_token_it_was_exchanged_for_stand_in_no_message(allowed: AllowedEndpoints) -> None:
    key = ".".join(["k1" * 30, "k2" * 30, "k3" * 30])
    access = ".".join(["a1" * 30, "a2" * 30, "a3" * 30])
    said = "x" * 150 + key + access  # longer than what is shown, which would end inside of the key

    def answers(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/token/refresh":
            return httpx.Response(200, json={"access": access})
        if request.url.path.startswith("/api/import/"):
            return httpx.Response(200, json={"file": None, "said": access})
        if request.url.params.get("commit_to_project"):
            return httpx.Response(
                200, json={"file_upload_ids": [1, said]} if "/9/" in request.url.path else {"file_upload_ids": [1]}
            )
        if request.method == "POST":
            return httpx.Response(200, json={"said": f"{access} {key}"})
        return httpx.Response(500, text=said)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(label_studio_server, "CheckedTransport", lambda *_, **__: httpx.MockTransport(answers))
        allowed.allow("http://127.0.0.1:8080")
        there = LabelStudioServer("http://127.0.0.1:8080", allowed=allowed, key=key)
        file = Path(__file__)
        for call in (
            lambda: there.annotated(3),
            lambda: there.create_project(title="pairs", overlap=1),
            lambda: there.upload(3, file, name="a.mp4"),
            lambda: there.upload(9, file, name="a.mp4"),
        ):
            with pytest.raises(ProjectError) as refused:
                call()
            told = str(refused.value)
            assert "[key]" in told
            assert not [piece for piece in ("k1k1", "k2k2", "k3k3", "a1a1", "a2a2", "a3a3") if piece in told]
