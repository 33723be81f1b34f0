"""OWL models say where references are, with scores that mean the same on every picture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.domain import ModelUnavailable, ReferencePicture, ShownFrame
from backend.models.owl import Owlv2, OwlVit, chosen
from backend.models.places import ModelPlace
from tests.backend.models.tiny_grounding import save_owl

ALL = {"min_score": 0.0, "max_iou": 1.0, "most": 100}
KINDS = {"owlv2": Owlv2, "owlvit": OwlVit}


@pytest.fixture(scope="module", params=sorted(KINDS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_owl(tmp_path_factory.mktemp("owl") / request.param, request.param)


@pytest.fixture(scope="module")
def owl(folder: Path) -> Owlv2:
    return KINDS[folder.name](ModelPlace("ReferenceDetector", str(folder)), device="cpu", dtype="float32")


def picture(seed: int, width: int = 96, height: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def shown(pixels: np.ndarray, index: int = 0) -> ShownFrame:
    return ShownFrame(pixels, "video", index)


def test_equals_the_library_before_it_stretches_scores(owl: Owlv2, folder: Path) -> None:
    import transformers

    frame, reference = picture(0), picture(1, 50, 70)
    prompts = owl.learn([ReferencePicture(reference, "a")])
    found = owl.find([shown(frame)], prompts, **ALL)[0][0]
    model: Any = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(folder, dtype=torch.float32).eval()
    process = transformers.AutoImageProcessor.from_pretrained(folder)
    with torch.inference_mode():
        direct = model.image_guided_detection(
            pixel_values=process(frame, return_tensors="pt")["pixel_values"],
            query_pixel_values=process(reference, return_tensors="pt")["pixel_values"],
        )
    scores = direct.logits[0, :, 0].sigmoid().numpy()
    side = np.array([96, 96] if folder.name == "owlv2" else [96, 64])
    places = direct.target_pred_boxes[0].numpy()
    corners = np.concatenate([places[:, :2] - places[:, 2:] / 2, places[:, :2] + places[:, 2:] / 2], axis=1)
    corners = np.clip(corners * np.tile(side, 2), 0, [96, 64, 96, 64])
    inside = (corners[:, 2:] - corners[:, :2] >= 1).all(axis=1)
    order = np.argsort(-scores[inside])
    assert len(order) >= 8
    np.testing.assert_allclose(found.scores, scores[inside][order], atol=1e-6)
    np.testing.assert_allclose(found.boxes, corners[inside][order], atol=1e-3)


def test_scores_do_not_depend_on_what_else_is_looked_for(owl: Owlv2) -> None:
    frames = [shown(picture(n), n) for n in range(5)]
    prompts = owl.learn([ReferencePicture(picture(10 + n, 40 + n, 64), str(n)) for n in range(3)])
    together = owl.find(frames, prompts, **ALL)
    for n, frame in enumerate(frames):
        for r in range(3):
            alone = owl.find([frame], prompts[r : r + 1], **ALL)[0][0]
            np.testing.assert_allclose(together[n][r].scores, alone.scores, atol=1e-6)
            np.testing.assert_allclose(together[n][r].boxes, alone.boxes, atol=1e-3)


def test_best_box_is_not_stretched_to_one(owl: Owlv2) -> None:
    prompts = owl.learn([ReferencePicture(picture(1), "a")])
    best = [owl.find([shown(picture(n))], prompts, **ALL)[0][0].scores[0] for n in range(3)]
    assert len({round(float(score), 5) for score in best}) == 3
    assert max(best) < 0.98


def test_weights_of_another_kind_are_refused(folder: Path) -> None:
    other = KINDS[next(name for name in KINDS if name != folder.name)]
    with pytest.raises(ModelUnavailable, match=f"holds a {folder.name} model"):
        other(ModelPlace("ReferenceDetector", str(folder)), device="cpu", dtype="float32")


def test_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        Owlv2(ModelPlace("ReferenceDetector", str(tmp_path)), device="cpu", dtype="float32")


def test_overlapping_weak_and_empty_boxes_are_left_out() -> None:
    corners = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10], [5, 5, 5, 9], [40, 0, 50, 10]], np.float32)
    scores = np.array([0.8, 0.9, 0.5, 0.99, 0.51], np.float32)
    found = chosen(corners, scores, min_score=0.5, max_iou=0.7, most=100)
    assert found.boxes.tolist() == [[0, 0, 10, 9], [40, 0, 50, 10]]
    assert chosen(corners, scores, min_score=0.5, max_iou=0.95, most=2).scores.tolist() == pytest.approx([0.9, 0.8])
    assert len(chosen(corners, scores, min_score=0.99, max_iou=0.7, most=9).boxes) == 0
