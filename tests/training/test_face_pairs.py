"""Mode `face_cross_pair` from an export of people to the step that learns from it."""

from pathlib import Path

import numpy as np
import pytest

from backend.exports.manifest import artifact_path
from backend.exports.reader import read_manifest
from backend.media.images import read_rgba
from backend.models.classical_faces import ClassicalFaceAnalyzer
from backend.models.pixel_codec import PixelCodec
from bench.experiments.exports import exported
from bench.experiments.worlds import singles
from tests.training.made_run import trained
from training import trainer
from training.conditioning import Conditions
from training.data.shapes import filled
from training.observe import read_batches

SIDE = 16  # of a reference, in pixels


@pytest.mark.slow
def test_a_step_is_shown_the_face_of_another_clip_and_nothing_else_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = singles("faces", identities=1, tested=1, kinds=("woman",), tested_kinds=("woman",))
    export = exported(world, tmp_path / "worlds").train
    seen: list[Conditions] = []
    plain = trainer.batch_loss

    def watched(model, arrangement, config, x, conditions, **named):
        seen.append(conditions)
        return plain(model, arrangement, config, x, conditions, **named)

    monkeypatch.setattr(trainer, "batch_loss", watched)
    trained(
        export,
        tmp_path / "run",
        "run.steps=1",
        'data.modes=["face_cross_pair"]',
        "data.max_samples=1",
        "data.latents.clips.fps=8.0",
        "data.latents.clips.frames=[5]",
        "data.latents.pictures.faces=true",
        f"data.latents.pictures.pixels={SIDE * SIDE}",
    )
    (line,) = read_batches(tmp_path / "run")
    (sample,) = line["samples"]
    (shown,) = sample["shown"]
    assert (sample["mode"], shown["variant"]) == ("face_cross_pair", "face")
    (pair,) = (
        pair
        for pair in read_manifest(export).pairs()
        if pair.target.clip_id == sample["clip"] and artifact_path(pair.reference.crop or "") == shown["file"]
    )
    assert pair.kind == "cross_video"
    assert pair.reference.video_id != pair.target.video_id

    whole = read_rgba(export / shown["file"])
    (face, *_) = ClassicalFaceAnalyzer().faces(np.ascontiguousarray(whole[..., :3]))
    (given,) = (latents[0].numpy() for latents in seen[0].anchor_latents)
    np.testing.assert_array_equal(given, encoded(with_margin(whole, face.box)))
    assert not np.array_equal(given, encoded(whole))


def with_margin(rgba: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """The box with half of its longer side around it, as far as the picture goes."""
    x0, y0, x1, y1 = box
    more = 0.5 * max(x1 - x0, y1 - y0)
    top, left = max(0, int(y0 - more)), max(0, int(x0 - more))
    return np.ascontiguousarray(rgba[top : int(y1 + more) + 1, left : int(x1 + more) + 1])


def encoded(rgba: np.ndarray) -> np.ndarray:
    picture, _ = filled(rgba, (SIDE, SIDE), background="white")
    return PixelCodec().encode(picture[None])
