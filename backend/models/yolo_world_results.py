"""Boxes that YOLO-World found elsewhere, read from a JSON file: its own libraries want another Python environment.

The format stands in docs/reference-boxes.md. A frame or reference that was looked at and shows nothing has an empty list;
one that is not listed was not looked at.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from backend.domain import FoundBoxes, ModelUnavailable, ReferencePicture, ShownFrame
from backend.models.owl import chosen
from backend.models.places import ModelPlace

FORMAT = "reference-boxes/1"
HASH_BYTES = 16


class YoloWorldResults:
    """YOLO-World's boxes of reference pictures, from a file of its results."""

    model_id: str = "yolo-world-results"
    suggested: ClassVar[str] = ""
    published_gb: ClassVar[float] = 0.0
    licence: ClassVar[str] = "GPL-3.0 (YOLO-World, which made the boxes)"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when the file is missing or not of this format. Device and dtype do not matter."""
        if not place.location:
            raise ModelUnavailable(
                f"role {place.role} reads boxes found by YOLO-World: set models.{place.role} in project.toml to a JSON"
                f' file as docs/reference-boxes.md describes it, or roles.{place.role} = "owlv2" to find them here'
            )
        path = place.path()
        self._file = path.name
        data = _loaded(path)
        self._min_score, self._max_iou = float(data["min_score"]), float(data["max_iou"])
        self._videos: Mapping[str, Any] = data["videos"]
        self.model_id = place.model_id(type(self).model_id)

    def learn(self, references: Sequence[ReferencePicture]) -> np.ndarray:
        """The references' hashes, uint8 `(R, 16)`."""
        hashes = [bytes.fromhex(reference.content_hash) for reference in references]
        return np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), HASH_BYTES)

    def find(
        self, frames: Sequence[ShownFrame], prompts: np.ndarray, *, min_score: float, max_iou: float, most: int
    ) -> list[list[FoundBoxes]]:
        """Raises ModelUnavailable for a frame or reference that the file does not speak of."""
        if min_score < self._min_score or max_iou > self._max_iou:
            raise ModelUnavailable(
                f"{self._file} was made with min_score {self._min_score} and max_iou {self._max_iou}, asked for are"
                f" {min_score} and {max_iou}; make it again with these"
            )
        limits = {"min_score": min_score, "max_iou": max_iou, "most": most}
        return [[self._boxes(frame, row.tobytes().hex(), limits) for row in prompts] for frame in frames]

    def _boxes(self, frame: ShownFrame, reference: str, limits: dict[str, Any]) -> FoundBoxes:
        try:
            rows = self._videos[frame.video_hash][str(frame.index)][reference]
        except KeyError as error:
            raise ModelUnavailable(
                f"{self._file} has no boxes of reference {reference} on frame {frame.index} of video"
                f" {frame.video_hash}; run the detector on it and add them"
            ) from error
        height, width = frame.pixels.shape[:2]
        table = np.asarray(rows, np.float32).reshape(len(rows), 5)
        corners = np.clip(table[:, :4], 0, np.array([width, height, width, height], np.float32))
        return chosen(corners, table[:, 4], **limits)


def _loaded(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ModelUnavailable(f'{path} is no file of found boxes: its "format" must be "{FORMAT}"')
    for name in ("min_score", "max_iou"):
        if not _is_number(data.get(name)):
            raise ModelUnavailable(f"{path}: {name} is {data.get(name)!r} and must be a number")
    for place, rows in _lists(data.get("videos"), path):
        if not (isinstance(rows, list) and all(_is_box(row) for row in rows)):
            raise ModelUnavailable(f"{path}: {place} is not a list of [x0, y0, x1, y1, score]")
    return data


def _lists(videos: object, path: Path) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = [("videos", videos)]
    for _ in range(3):  # video, frame, reference
        deeper: list[tuple[str, object]] = []
        for place, value in found:
            if not isinstance(value, dict):
                raise ModelUnavailable(f"{path}: {place} is not an object of videos, frames, references")
            deeper += [(f"{place}.{key}", inner) for key, inner in value.items()]
        found = deeper
    return found


def _is_box(row: object) -> bool:
    return isinstance(row, list) and len(row) == 5 and all(_is_number(value) for value in row)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
