"""Roles that answer from the colours of drawn frames, and cases whose references are drawn pictures."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Absent, Box, Detection, Footage, FoundBoxes, ReferencePicture, ShownFrame
from backend.geometry import boxes
from backend.media.images import encode_png
from metrics.planner import Planner
from metrics.spec import Entry, Measured, Metric
from metrics.store import FeatureStore

COLOURS = {"Cup": (220, 30, 30), "Man": (30, 200, 40), "Woman": (200, 190, 20)}
SIZE = (96, 160)


def drawn(background: np.ndarray, **at: tuple[int, int, int, int]) -> np.ndarray:
    """The background with a rectangle in the colour of each label."""
    frame = background.copy()
    for label, (x0, y0, x1, y1) in at.items():
        frame[y0:y1, x0:x1] = COLOURS[label]
    return frame


def scenery(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A smooth bluish picture uint8 `(H, W, 3)` without any of the colours of subjects."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 6), np.uint8)
    grey = cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return np.clip(np.stack([grey * 0.3, grey * 0.3, 100 + grey * 0.6], axis=-1), 0, 255).astype(np.uint8)


def near(picture: np.ndarray, colour: Sequence[float]) -> np.ndarray:
    return np.abs(picture.astype(np.float32) - np.asarray(colour, np.float32)).max(axis=-1) < 40


class ColourDetector:
    """Finds the colour of a phrase; labels are withheld with `knows_words=False`."""

    model_id: ClassVar[str] = "planted"

    def __init__(self, *, knows_words: bool = True) -> None:
        self.knows_words = knows_words
        self.num_frames = 0

    def detect(self, footage: Footage, frames: Sequence[int], phrases: Sequence[str]) -> list[Detection]:
        found = []
        for index, frame in zip(frames, footage.reader.at(frames), strict=True):
            self.num_frames += 1
            for phrase in phrases:
                box = boxes.of_mask(near(frame, COLOURS[phrase]))
                if box is not None and boxes.area(box) > 16:
                    label = phrase if self.knows_words else None
                    found.append(Detection(frame=index, box=box, score=0.9, kind="object", label=label))
        return found


class ColourSegmenter:
    model_id: ClassVar[str] = "planted"

    def segment(self, frame: np.ndarray, boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]:
        masks = np.zeros((len(boxes), *frame.shape[:2]), bool)
        for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
            middle = frame[int(y0 + y1) // 2, int(x0 + x1) // 2]
            area = (slice(int(y0), int(y1)), slice(int(x0), int(x1)))
            mask[area] = near(frame[area], middle)
        return masks, np.ones(len(boxes), np.float32)


class Thumbnails:
    """Embeds a picture as its 6 x 6 thumbnail, less `level`."""

    model_id = "planted"

    def __init__(self, level: float = 0.0) -> None:
        self.level = level
        self.num_pictures = 0

    def images(self, frames: Sequence[np.ndarray], prep: object) -> np.ndarray:
        self.num_pictures += len(frames)
        small = [cv2.resize(frame, (6, 6), interpolation=cv2.INTER_AREA).astype(np.float32).ravel() for frame in frames]
        rows = np.stack(small) - self.level
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class ColourFinder:
    """A ReferenceDetector that finds the mean colour of a reference, with a score by the frame's index."""

    model_id: ClassVar[str] = "planted"

    def __init__(self, score: float = 0.9) -> None:
        self.score = score
        self.num_learned = 0

    def learn(self, references: Sequence[ReferencePicture]) -> np.ndarray:
        self.num_learned += len(references)
        return np.stack([reference.pixels.mean(axis=(0, 1)) for reference in references]).astype(np.float32)

    def find(
        self, frames: Sequence[ShownFrame], prompts: np.ndarray, *, min_score: float, max_iou: float, most: int
    ) -> list[list[FoundBoxes]]:
        return [[self._find(frame.pixels, colour, min_score) for colour in prompts] for frame in frames]

    def _find(self, frame: np.ndarray, colour: np.ndarray, min_score: float) -> FoundBoxes:
        box = boxes.of_mask(near(frame, colour.tolist()))
        if box is None or boxes.area(box) < 16 or self.score <= min_score:
            return FoundBoxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        return FoundBoxes(np.array([box], np.float32), np.array([self.score], np.float32))


class ColourMeaning:
    """Pictures are their mean colour; `Cup` is red, `human` green, any other word grey."""

    model_id = "planted"
    WORDS: ClassVar[dict[str, tuple[float, float, float]]] = {"Cup": (1, 0, 0), "human": (0, 1, 0)}

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.array([self.WORDS.get(text, (1, 1, 1)) for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        rows = np.stack([image.reshape(-1, 3).mean(axis=0) for image in images]).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def planted() -> dict[str, object]:
    return {
        "Detector": ColourDetector(),
        "Segmenter": ColourSegmenter(),
        "ClipL14": Thumbnails(),
        "ReferenceDetector": ColourFinder(),
        "Gme": ColourMeaning(),
    }


def with_references(folder: Path, pictures: Sequence[np.ndarray | None], labels: Sequence[str], **more: object) -> dict:
    """Fields of a case whose references are these pictures; None is a missing file."""
    paths, hashes = [], []
    for number, picture in enumerate(pictures):
        path = folder / f"reference_{number}.png"
        data = encode_png(picture) if picture is not None else b""
        if data:
            path.write_bytes(data)
        paths.append(str(path))
        hashes.append(hashlib.blake2b(data, digest_size=16).hexdigest() if data else "")
    return {"references": tuple(paths), "hashes": tuple(hashes), "labels": tuple(labels), **more}


def measured(metric: Metric, entry: Entry, folder: Path, roles: dict[str, object]) -> Measured:
    """The metric's value by the roles, through planner and store."""
    planner = Planner(
        store=FeatureStore(folder / "features"), roles=lambda name: roles[name], model_id=lambda name: "planted"
    )
    features = metric.features
    found = planner.features(entry, list(features.values()))
    for given in found:
        if isinstance(given, Absent):
            return Measured(value=given)
    return metric.combine(entry, dict(zip(features, found, strict=True)))  # pyright: ignore[reportArgumentType]
