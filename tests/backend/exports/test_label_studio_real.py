"""A real Label Studio on this machine, where LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY name one (docs/formats.md)."""

import os
from pathlib import Path

import httpx
import numpy as np
import pytest

from backend.domain import Stimulus, Trial
from backend.exports.label_studio import label_config, pushed, read_annotations, tasks_of
from backend.exports.label_studio_server import KEY, LabelStudioServer
from backend.media.images import encode_png
from backend.models.outgoing import AllowedEndpoints
from backend.studies.forms import load_form
from tests.backend.exports.label_studio_stub import choice

URL, TOKEN = os.environ.get("LABEL_STUDIO_URL", ""), os.environ.get(KEY, "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (URL and TOKEN), reason="no LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY"),
]


def test_what_is_pushed_annotated_and_pulled_is_the_vote_that_was_given(tmp_path: Path) -> None:
    allowed = AllowedEndpoints(tmp_path / "endpoints.toml")
    allowed.allow(URL)
    server = LabelStudioServer(URL, allowed=allowed)
    form = load_form("identity")
    stimuli = (Stimulus(slot="target", media="a"), Stimulus(slot="reference", media="b"))
    trial = pushed(Trial(study_id="verify", item_id="pair_1", form="identity", stimuli=stimuli))
    number = server.create_project(title="subject studio, a test", overlap=1)
    picture = tmp_path / "private.png"
    picture.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    place = server.upload(number, picture, name=f"{trial.token}-1.png")
    assert "private" not in place
    server.configure(number, label_config(form))
    assert server.import_tasks(number, tasks_of([(trial, {"target": place, "reference": place})])) == 1
    headers = {"Authorization": f"Token {TOKEN}"}
    with httpx.Client(base_url=URL, headers=headers, trust_env=False, timeout=60) as client:
        assert client.get(place).status_code == 200
        (task,) = client.get(f"/api/projects/{number}/tasks/").json()
        body = {"result": [choice("same", "different"), choice("same_reasons", "face")], "lead_time": 2.0}
        client.post(f"/api/tasks/{task['id']}/annotations/", json=body).raise_for_status()
        found = read_annotations(server.annotated(number), {trial.token: trial}, {"identity": form}, origin="real/1")
        client.delete(f"/api/projects/{number}/").raise_for_status()
    assert found.faults == ()
    assert [(vote.choice, vote.reasons) for vote in found.votes] == [("different", ("face",))]
