"""Pointing something out on a frame of a clip, on both transports, without weights and in the model worker."""

import dataclasses
from pathlib import Path

import pytest

from backend.api import Api
from backend.domain import ModelUnavailable, ProjectError, SettingsError
from backend.domain.model_work import PointPrompt
from backend.geometry import rle
from backend.workspace import Workspace

CENTRE = PointPrompt(x=24.0, y=24.0)


def clip_of(workspace: Workspace) -> str:
    return workspace.catalog.query("SELECT id FROM clip WHERE start_frame = 10")[0][0]


def test_mask_comes_as_run_lengths_of_the_source_frame(curated_api: Api, workspace: Workspace) -> None:
    found = curated_api.segment(clip_id=clip_of(workspace), frame=15, points=(CENTRE,))
    mask = rle.decode(found.counts.encode(), found.height, found.width)
    assert mask.shape == (48, 64)
    assert mask[24, 24]
    assert int(mask.sum()) == found.area_px
    assert 0.0 <= found.quality <= 1.0
    assert found.model == "embedded-grabcut-3"


def test_same_prompt_gives_the_same_mask_and_a_box_is_enough(curated_api: Api, workspace: Workspace) -> None:
    clip_id = clip_of(workspace)
    first, again = (curated_api.segment(clip_id=clip_id, frame=15, box=(8.0, 8.0, 40.0, 40.0)) for _ in range(2))
    assert first == again
    mask = rle.decode(first.counts.encode(), 48, 64)
    assert not mask[:, 40:].any()


def test_what_cannot_be_meant_is_refused_with_the_value(curated_api: Api, workspace: Workspace) -> None:
    clip_id = clip_of(workspace)
    for prompt, words in (
        ({}, "nothing is pointed to"),
        ({"points": (PointPrompt(x=5.0, y=5.0, include=False),)}, "nothing is pointed to"),
        ({"points": (PointPrompt(x=64.0, y=5.0),)}, r"point \(64, 5\) is outside the frame of 64 x 48"),
        ({"points": (PointPrompt(x=float("nan"), y=5.0),)}, "nan|valid number"),
        ({"box": (40.0, 8.0, 8.0, 40.0)}, "is empty or outside"),
        ({"box": (8.0, 8.0, 40.0, 49.0)}, "is empty or outside"),
    ):
        with pytest.raises(Exception, match=words):
            curated_api.segment(clip_id=clip_id, frame=15, **prompt)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"frame 20 is not in clip .* 10 to 19"):
        curated_api.segment(clip_id=clip_id, frame=20, points=(CENTRE,))
    with pytest.raises(ProjectError, match="clip_none is not in this project"):
        curated_api.segment(clip_id="clip_none", frame=0, points=(CENTRE,))


def test_nothing_is_held_before_anything_is_asked(api: Api) -> None:
    assert api.models() == ()
    assert api.model_events() == ()
    assert api.status().models == api.doctor().models == ()


@pytest.mark.slow
@pytest.mark.server
def test_model_with_weights_is_asked_in_its_worker_and_shown(
    curated_api: Api, workspace: Workspace, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    from tests.backend.models.tiny_grounding import save_sam2

    weights = save_sam2(tmp_path / "sam2")
    workspace.settings = dataclasses.replace(
        workspace.settings, roles={"Segmenter": "paper"}, models={"Segmenter": str(weights)}, device="cpu"
    )
    found = curated_api.segment(clip_id=clip_of(workspace), frame=15, points=(CENTRE,))
    assert found.model.startswith("sam2@")
    (worker,) = curated_api.doctor().models
    assert (worker.device, worker.restarts) == ("cpu", 0)
    (held,) = worker.resident
    assert (held.model, held.roles) == ("Sam2Masks", ("Segmenter",))
    assert held.num_bytes > 10_000
    assert curated_api.status().models[0].resident[0].num_bytes == held.num_bytes
    kinds = [event.kind for event in curated_api.model_events()]
    assert kinds[:4] == ["started", "ready", "loading", "loaded"]
    assert next(event.number for event in curated_api.model_events(after=2)) == 3
    workspace.settings = dataclasses.replace(workspace.settings, models={"Segmenter": str(tmp_path / "none")})
    with pytest.raises(ModelUnavailable, match="does not exist"):
        curated_api.segment(clip_id=clip_of(workspace), frame=15, points=(CENTRE,))
