"""Boxes that were found elsewhere are read as if they were found here, and what was not looked at is told."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.domain import ModelUnavailable, ReferencePicture, ShownFrame
from backend.models.places import ModelPlace
from backend.models.yolo_world_results import YoloWorldResults

VIDEO, CUP, MAN = "aa" * 16, "01" * 16, "02" * 16
DATA: dict[str, Any] = {
    "format": "reference-boxes/1",
    "detector": "yolo_world_v2_l",
    "min_score": 0.5,
    "max_iou": 0.7,
    "videos": {VIDEO: {"3": {CUP: [[0, 0, 10, 10, 0.55], [20, 5, 90, 40, 0.9]], MAN: []}}},
}
LIMITS = {"min_score": 0.5, "max_iou": 0.7, "most": 100}
PIXELS = np.zeros((32, 64, 3), np.uint8)


def results(folder: Path, data: object) -> YoloWorldResults:
    path = folder / "boxes.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return YoloWorldResults(ModelPlace("ReferenceDetector", str(path)), device="cpu", dtype="float32")


def test_boxes_come_back_surest_first_and_inside_the_frame(tmp_path: Path) -> None:
    detector = results(tmp_path, DATA)
    prompts = detector.learn([ReferencePicture(PIXELS, CUP), ReferencePicture(PIXELS, MAN)])
    ((cup, man),) = detector.find([ShownFrame(PIXELS, VIDEO, 3)], prompts, **LIMITS)
    assert cup.boxes.tolist() == [[20, 5, 64, 32], [0, 0, 10, 10]]
    assert cup.scores.tolist() == pytest.approx([0.9, 0.55])
    assert len(man.boxes) == 0


@pytest.mark.parametrize(("video", "frame"), [(VIDEO, 4), ("bb" * 16, 3)])
def test_what_was_not_looked_at_is_told(tmp_path: Path, video: str, frame: int) -> None:
    detector = results(tmp_path, DATA)
    prompts = detector.learn([ReferencePicture(PIXELS, CUP)])
    with pytest.raises(ModelUnavailable, match=f"frame {frame} of video {video}"):
        detector.find([ShownFrame(PIXELS, video, frame)], prompts, **LIMITS)


def test_boxes_left_out_by_the_tool_cannot_be_asked_for(tmp_path: Path) -> None:
    detector = results(tmp_path, DATA)
    prompts = detector.learn([ReferencePicture(PIXELS, CUP)])
    with pytest.raises(ModelUnavailable, match="make it again"):
        detector.find([ShownFrame(PIXELS, VIDEO, 3)], prompts, min_score=0.1, max_iou=0.7, most=100)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("not JSON", "cannot be read as JSON"),
        ({"videos": {}}, "format"),
        (DATA | {"min_score": "high"}, "min_score is 'high'"),
        (DATA | {"videos": {VIDEO: {"3": [1, 2]}}}, f"videos.{VIDEO}.3 is not an object"),
        (DATA | {"videos": {VIDEO: {"3": {CUP: [[0, 0, 1, 1]]}}}}, "is not a list of"),
    ],
)
def test_wrong_files_are_refused_where_they_are_wrong(tmp_path: Path, data: object, reason: str) -> None:
    with pytest.raises(ModelUnavailable, match=reason):
        results(tmp_path, data)


def test_unset_file_says_what_to_set() -> None:
    with pytest.raises(ModelUnavailable, match=r'roles.ReferenceDetector = "owlv2"'):
        YoloWorldResults(ModelPlace("ReferenceDetector", ""), device="cpu", dtype="float32")


def test_the_documented_file_is_read(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "reference-boxes.md").read_text(encoding="utf-8")
    data = json.loads(text.split("```json")[1].split("```")[0])
    detector = results(tmp_path, data)
    ((video, frames),) = data["videos"].items()
    (reference,) = frames["0"]
    prompts = detector.learn([ReferencePicture(PIXELS, reference)])
    shown = [ShownFrame(np.zeros((400, 400, 3), np.uint8), video, int(index)) for index in frames]
    found = detector.find(shown, prompts, **LIMITS)
    assert [len(boxes.boxes) for (boxes,) in found] == [1, 0]
    assert found[0][0].boxes[0].tolist() == [12.0, 30.5, 208.0, 310.0]
