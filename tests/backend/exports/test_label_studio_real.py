"""A real Label Studio takes our pages, pictures and tasks, where LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY name one (docs/formats.md)."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.domain import ProjectError, Stimulus, Trial
from backend.exports.label_studio import label_config, pushed, read_annotations, tasks_of
from backend.exports.label_studio_server import LabelStudioServer
from backend.media.images import encode_png
from backend.models.outgoing import AllowedEndpoints
from backend.studies.forms import load_form
from tests.backend.exports.label_studio_annotators import URL, invited, owner, with_label_studio
from tests.backend.exports.label_studio_stub import choice

pytestmark = [pytest.mark.slow, with_label_studio]
FORM = load_form("identity")
STIMULI = (Stimulus(slot="target", media="a"), Stimulus(slot="reference", media="b"))


@pytest.fixture
def allowed(tmp_path: Path) -> AllowedEndpoints:
    found = AllowedEndpoints(tmp_path / "endpoints.toml")
    found.allow(URL)
    return found


@pytest.fixture
def server(allowed: AllowedEndpoints) -> LabelStudioServer:
    return LabelStudioServer(URL, allowed=allowed)


@pytest.fixture
def number(server: LabelStudioServer) -> Iterator[int]:
    """A project of Label Studio's, for as long as the test takes."""
    made = server.create_project(title="subject studio, a test", overlap=1)
    yield made
    owner().forget(made)


def test_what_is_pushed_annotated_and_pulled_is_the_vote_that_was_given(
    server: LabelStudioServer, number: int, tmp_path: Path
) -> None:
    trial = pushed(Trial(study_id="verify", item_id="pair_1", form="identity", stimuli=STIMULI))
    picture = tmp_path / "private.png"
    picture.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    place = server.upload(number, picture, name=f"{trial.token}-1.png")
    assert "private" not in place
    server.configure(number, label_config(FORM))
    assert server.import_tasks(number, tasks_of([(trial, {"target": place, "reference": place})])) == 1
    assert owner().client.get(place).content == picture.read_bytes()
    (task,) = owner().tasks(number)
    owner().answer(task["id"], choice("same", "different"), choice("same_reasons", "face"))
    found = read_annotations(server.annotated(number), {trial.token: trial}, {"identity": FORM}, origin="real/1")
    assert found.faults == ()
    assert [(vote.choice, vote.reasons, vote.visible_ms) for vote in found.votes] == [("different", ("face",), 2000)]


@pytest.mark.parametrize("name", ["identity", "ab", "best_of", "rating", "comparative", "opens2v", "gloria", "kaleido"])
def test_the_page_of_a_form_is_taken(server: LabelStudioServer, number: int, name: str) -> None:
    server.configure(number, label_config(load_form(name)))
    assert "<Choices" in owner().call("GET", f"/api/projects/{number}")["label_config"]


def test_more_pictures_than_the_server_takes_in_one_call_arrive(server: LabelStudioServer, number: int) -> None:
    picture = "data:image/png;base64," + base64.b64encode(os.urandom(1 << 20)).decode()
    trials = [pushed(Trial(study_id="verify", item_id=f"pair_{n}", form="identity", stimuli=STIMULI)) for n in range(100)]
    tasks = tasks_of([(trial, {"target": picture, "reference": picture}) for trial in trials])
    server.configure(number, label_config(FORM, shows={"target": "image"}))
    assert server.import_tasks(number, tasks) == 100, "280 MB, of which it takes 250 MiB at once"
    last = owner().call("GET", f"/api/tasks?project={number}&include=id,data&page_size=1&page=100")["tasks"][0]
    owner().answer(last["id"], choice("same", "unsure"))
    known = {trial.token: trial for trial in trials}
    (vote,) = read_annotations(server.annotated(number), known, {"identity": FORM}, origin="real/1").votes
    assert (vote.item_id, vote.choice) == (known[last["data"]["subject_studio"]].item_id, "unsure")


def test_a_personal_token_is_exchanged_and_a_project_that_is_not_there_is_named(allowed: AllowedEndpoints) -> None:
    personal = invited().call("POST", "/api/token/")["token"]
    assert personal.count(".") == 2
    server = LabelStudioServer(URL, allowed=allowed, key=personal)
    gone = server.create_project(title="soon gone", overlap=1)
    assert server.annotated(gone) == []
    owner().forget(gone)
    with pytest.raises(ProjectError, match=r"has nothing at /api/tasks for this token; .* the number right"):
        server.annotated(gone)
