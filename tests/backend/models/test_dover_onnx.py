"""DOVER's adapter on tiny graphs of the published signature, made here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.domain import Absent, Clip, Footage, ModelUnavailable, Ok, Score, Video
from backend.measures.fragments import DEVIATION, MEAN, clip_frames
from backend.models.dover_onnx import DoverOnnx
from backend.models.places import ModelPlace
from backend.recipes import plan_for
from backend.settings import ProjectSettings
from backend.stages.quality import ScoreQuality
from tests.backend.models.tiny_scores import save_dover
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext, clip_item


def scorer(path: Path) -> DoverOnnx:
    return DoverOnnx(ModelPlace("TechnicalScorer", str(path), DoverOnnx.suggested), device="cpu", dtype="float32")


def grey_film(levels: np.ndarray) -> np.ndarray:
    return np.broadcast_to(levels.astype(np.uint8)[:, None, None, None], (len(levels), 240, 260, 3)).copy()


def footage_of(frames: np.ndarray, content=None) -> Footage:
    item = clip_item(frames)
    whole = content or (0.0, 0.0, float(frames.shape[2]), float(frames.shape[1]))
    return Footage(item.one(Video), item.one(Clip), ArrayReader(frames), whole)


def answer(levels: np.ndarray) -> float:
    """What the tiny graph answers: the mean of grey frames, normalised; every pixel of a frame is one level."""
    return float(((levels[:, None] - MEAN) / DEVIATION).mean())


def expected(levels: np.ndarray) -> float:
    """That in deviations of DOVER's technical branch from its mean, as its authors rescale it."""
    return (answer(levels) - 0.1107) / 0.07355


@pytest.mark.parametrize("batch", [1, 4, "n"])
def test_the_technical_score_is_the_mean_over_the_clips_that_upstream_takes(tmp_path: Path, batch: Any):
    levels = np.arange(210)
    found = scorer(save_dover(tmp_path / "onnx_dover.onnx", batch=batch)).score_footage(footage_of(grey_film(levels)))
    assert found == pytest.approx(expected(levels[clip_frames(210).ravel()].astype(float)), abs=2e-3)


def test_borders_are_left_out(tmp_path: Path):
    frames = np.zeros((70, 260, 300, 3), np.uint8)
    frames[:, 10:250, 20:280] = 90
    found = scorer(save_dover(tmp_path / "onnx_dover.onnx")).score_footage(footage_of(frames, (20.0, 10.0, 280.0, 250.0)))
    assert found == pytest.approx(expected(np.array([90.0])), abs=2e-3)


def test_single_frames_fill_a_clip(tmp_path: Path):
    model = scorer(save_dover(tmp_path / "onnx_dover.onnx"))
    assert model.score(grey_film(np.array([50, 150]))) == pytest.approx(expected(np.array([50.0, 150.0])), abs=2e-3)
    assert model.score(np.zeros((0, 240, 240, 3), np.uint8)) == Absent("no frames")


def test_the_stage_shows_it_the_clip_and_keeps_its_id(tmp_path: Path):
    model = scorer(save_dover(tmp_path / "onnx_dover.onnx"))
    levels = np.arange(70) * 3
    frames = grey_film(levels)
    context = StageContext(ArrayReader(frames), roles={"AestheticScorer": model, "TechnicalScorer": model})
    (result,) = ScoreQuality()([clip_item(frames)], context)
    assert isinstance(result, Ok)
    (score,) = [row for row in result.rows if isinstance(row, Score) and row.name == "technical"]
    assert score.value == pytest.approx(expected(levels[clip_frames(70).ravel()].astype(float)), abs=2e-3)
    assert score.producer.startswith("dover-onnx-2@")
    assert score.num_units == 1


@pytest.mark.parametrize(
    ("of_the_graph", "tech"), [(0.1107, 0.0), (0.18425, 1.0), (0.0, -1.50510), (0.26383, 2.082), (-0.2, -4.22434)]
)
def test_the_scale_is_that_of_opens2vs_tech_and_its_gate(tmp_path: Path, of_the_graph: float, tech: float):
    """2.082 is what OpenS2V-Nexus's example says: more than the graph's own answers and than a logistic function reach."""
    grey = np.array([200.0])
    model = scorer(save_dover(tmp_path / "onnx_dover.onnx", scale=of_the_graph / answer(grey)))
    found = model.score(grey_film(grey))
    assert not isinstance(found, Absent)
    assert found == pytest.approx(tech, abs=2e-3)
    settings = ProjectSettings(recipe="opens2v", roles={"TechnicalScorer": "paper"})
    (gate,) = (gate for gate in plan_for(settings).gates() if gate.name == "clip.technical.min")
    if abs(tech) > 0.01:
        assert gate.passes(found) is (tech > 0), "an answer of 0 lies a deviation and a half under the mean"


def test_an_answer_that_is_no_number_is_absent(tmp_path: Path):
    model = scorer(save_dover(tmp_path / "onnx_dover.onnx", scale=float("inf")))
    assert model.score_footage(footage_of(grey_film(np.arange(70)))) == Absent("DOVER gave no number")


@pytest.mark.parametrize(
    "other",
    [
        {"names": ("aes_view", "frames")},
        {"view": (3, 16, 224, 224)},
        {"view": (32, 3, 224, 224)},
        {"outputs": 1},
    ],
)
def test_a_graph_of_another_signature_is_refused(tmp_path: Path, other: dict[str, Any]):
    with pytest.raises(ModelUnavailable, match=r"convert_to_onnx\.py"):
        scorer(save_dover(tmp_path / "onnx_dover.onnx", **other))


def test_what_is_no_model_and_what_is_missing_is_named(tmp_path: Path):
    (tmp_path / "onnx_dover.onnx").write_bytes(b"\x08\x07 not a graph")
    with pytest.raises(ModelUnavailable, match="get it again"):
        scorer(tmp_path / "onnx_dover.onnx")
    whole = save_dover(tmp_path / "whole.onnx").read_bytes()
    (tmp_path / "onnx_dover.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelUnavailable, match="get it again"):
        scorer(tmp_path)
    (tmp_path / "onnx_dover.onnx").unlink()
    with pytest.raises(ModelUnavailable, match=r"holds no \*dover\*\.onnx"):
        scorer(tmp_path)
    with pytest.raises(ModelUnavailable, match=r"models\.TechnicalScorer"):
        DoverOnnx(ModelPlace("TechnicalScorer", "", DoverOnnx.suggested), device="cpu", dtype="float32")
