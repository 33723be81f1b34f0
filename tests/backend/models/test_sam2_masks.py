"""SAM 2 gives one mask for each box, as the library does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.models.places import ModelPlace
from backend.models.sam2_masks import Sam2Masks
from tests.backend.models.tiny_grounding import save_sam2

BOXES = [(10.0, 10.0, 60.0, 70.0), (0.0, 0.0, 160.0, 90.0), (100.0, 20.0, 130.0, 60.0)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_sam2(tmp_path_factory.mktemp("sam2"))


@pytest.fixture(scope="module")
def sam2(folder: Path) -> Sam2Masks:
    return Sam2Masks(ModelPlace("Segmenter", str(folder)), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)


def test_masks_are_the_librarys(sam2: Sam2Masks, folder: Path, frame: np.ndarray) -> None:
    import transformers

    masks, qualities = sam2.segment(frame, BOXES[:1])
    processor: Any = transformers.Sam2Processor.from_pretrained(folder)
    model: Any = transformers.Sam2Model.from_pretrained(folder, dtype=torch.float32).eval()
    inputs = processor(images=frame, input_boxes=[[list(BOXES[0])]], return_tensors="pt")
    with torch.inference_mode():
        outputs = model(**inputs, multimask_output=False)
    direct = processor.post_process_masks(outputs.pred_masks, inputs["original_sizes"])[0][0, 0].numpy()
    np.testing.assert_array_equal(masks[0], direct)
    assert 0.05 < direct.mean() < 0.95
    assert qualities[0] == pytest.approx(float(outputs.iou_scores[0, 0, 0]), abs=1e-6)


def test_boxes_together_are_as_boxes_alone(sam2: Sam2Masks, frame: np.ndarray) -> None:
    masks, qualities = sam2.segment(frame, BOXES)
    assert masks.shape == (3, 90, 160) and masks.dtype == bool
    for box, mask, quality in zip(BOXES, masks, qualities, strict=True):
        alone, its_quality = sam2.segment(frame, [box])
        assert (alone[0] != mask).mean() < 1e-3
        assert its_quality[0] == pytest.approx(quality, abs=1e-5)


def test_no_box_gives_no_mask(sam2: Sam2Masks, frame: np.ndarray) -> None:
    masks, qualities = sam2.segment(frame, [])
    assert (masks.shape, qualities.shape) == ((0, 90, 160), (0,))
