"""Masks of what somebody points out: on drawn pictures without weights, and as the library gives them with SAM 2."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backend.domain.model_work import PointPrompt, PromptedSegmenter
from backend.models.classical_segmenter import ClassicalSegmenter
from backend.models.places import ModelPlace

pytestmark = pytest.mark.slow  # together they take too long for the fast run


def two_discs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A frame with a red and a blue disc on noisy green, and the mask of each."""
    rng = np.random.default_rng(3)
    frame = (rng.normal(0, 6, (360, 640, 3)) + (60, 130, 70)).clip(0, 255).astype(np.uint8)
    masks = []
    for centre, colour in (((180, 180), (200, 40, 40)), ((460, 180), (40, 60, 200))):
        mask = cv2.circle(np.zeros((360, 640), np.uint8), centre, 80, 1, -1).astype(bool)
        frame[mask] = (rng.normal(0, 6, (int(mask.sum()), 3)) + colour).clip(0, 255).astype(np.uint8)
        masks.append(mask)
    return frame, masks[0], masks[1]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def point(x: float, y: float, include: bool = True) -> PointPrompt:
    return PointPrompt(x=x, y=y, include=include)


def test_point_gives_what_it_lies_on() -> None:
    frame, red, blue = two_discs()
    for centre, truth in (((180, 180), red), ((460, 180), blue)):
        mask, quality = ClassicalSegmenter().segment_prompted(frame, [point(*centre)], None)
        assert (mask.shape, mask.dtype) == ((360, 640), bool)
        assert iou(mask, truth) > 0.95
        assert quality > 0.5


def test_box_gives_what_it_holds() -> None:
    frame, red, _ = two_discs()
    mask, _ = ClassicalSegmenter().segment_prompted(frame, [], (90.0, 90.0, 270.0, 270.0))
    assert iou(mask, red) > 0.95


def test_two_points_give_both_and_a_point_to_leave_out_takes_one_away() -> None:
    frame, red, blue = two_discs()
    segmenter = ClassicalSegmenter()
    both, _ = segmenter.segment_prompted(frame, [point(180, 180), point(460, 180)], None)
    assert iou(both, red | blue) > 0.95
    box = (90.0, 90.0, 550.0, 270.0)
    one, _ = segmenter.segment_prompted(frame, [point(180, 180), point(460, 180, False)], box)
    assert iou(one, red) > 0.9


def test_points_on_the_frames_edge_are_points() -> None:
    frame, _, _ = two_discs()
    mask, quality = ClassicalSegmenter().segment_prompted(frame, [point(639.9, 359.9)], None)
    assert mask.shape == (360, 640)
    assert 0.0 <= quality <= 1.0


def test_equal_prompts_give_equal_masks() -> None:
    frame, _, _ = two_discs()
    first, again = (ClassicalSegmenter().segment_prompted(frame, [point(180, 180)], None)[0] for _ in range(2))
    assert (first == again).all()


@pytest.fixture(scope="module")
def sam2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch")
    from tests.backend.models.tiny_grounding import save_sam2

    torch.set_num_threads(1)
    return save_sam2(tmp_path_factory.mktemp("sam2"))


@pytest.mark.parametrize(
    ("points", "box", "several"),
    [
        ([point(40, 30)], None, True),
        ([point(40, 30), point(90, 60, False)], None, False),
        ([], (10.0, 10.0, 60.0, 70.0), False),
        ([point(40, 30)], (10.0, 10.0, 60.0, 70.0), False),
    ],
)
def test_sam2_masks_are_the_librarys(
    sam2_folder: Path, points: list[PointPrompt], box: tuple[float, float, float, float] | None, several: bool
) -> None:
    import torch
    import transformers

    from backend.models.sam2_masks import Sam2Masks

    sam2 = Sam2Masks(ModelPlace("Segmenter", str(sam2_folder)), device="cpu", dtype="float32")
    assert isinstance(sam2, PromptedSegmenter)
    frame = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    mask, quality = sam2.segment_prompted(frame, points, box)
    processor: Any = transformers.Sam2Processor.from_pretrained(sam2_folder)
    model: Any = transformers.Sam2Model.from_pretrained(sam2_folder, dtype=torch.float32).eval()
    prompts: dict[str, Any] = {}
    if points:
        prompts["input_points"] = [[[[p.x, p.y] for p in points]]]
        prompts["input_labels"] = [[[1 if p.include else 0 for p in points]]]
    if box is not None:
        prompts["input_boxes"] = [[list(box)]]
    inputs = processor(images=frame, return_tensors="pt", **prompts)
    sizes = inputs.pop("original_sizes")
    with torch.inference_mode():
        outputs = model(**inputs, multimask_output=several)
    assert outputs.iou_scores.shape[-1] == (3 if several else 1)
    best = int(outputs.iou_scores[0, 0].argmax())
    direct = processor.post_process_masks(outputs.pred_masks, sizes)[0][0, best].numpy()
    np.testing.assert_array_equal(mask, direct)
    assert quality == pytest.approx(float(outputs.iou_scores[0, 0, best].clamp(0, 1)), abs=1e-6)
