"""Pictures from outside become appearances of the banks."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.domain import Appearance, Detection, Embedding, Filtered, Item, Mask, Ok, Score, Source
from backend.geometry import rle
from backend.media.images import encode_png, read_rgba
from backend.models.classical_detector import ClassicalDetector
from backend.models.classical_embedder import ClassicalAppearance, ClassicalBackground
from backend.models.classical_embedder_face import ClassicalFace
from backend.models.classical_segmenter import ClassicalSegmenter
from backend.stages.picture_subjects import FindPictureSubjects
from backend.store.artifacts import Artifacts

ROLES = {
    "Detector": ClassicalDetector,
    "Segmenter": ClassicalSegmenter,
    "AppearanceEmbedder": ClassicalAppearance,
    "BackgroundEmbedder": ClassicalBackground,
    "FaceEmbedder": ClassicalFace,
}


class FindsNothing(ClassicalDetector):
    def detect(self, footage: object, frames: object, phrases: object) -> list:
        return []


class Raving(ClassicalDetector):
    """A box that hangs over the edge, and three that cannot be."""

    def detect(self, footage: object, frames: object, phrases: object) -> list[Detection]:
        nan = float("nan")
        places = [(90.0, 50.0, 400.0, 191.0), (nan, 0.0, 9.0, 9.0), (400.0, 0.0, 500.0, 90.0)]
        return [Detection(frame=0, box=box, score=0.9, kind="object") for box in places] + [
            Detection(frame=0, box=places[0], score=nan, kind="object")
        ]


@dataclasses.dataclass
class PictureContext:
    artifacts: Artifacts
    roles: dict[str, type] = dataclasses.field(default_factory=lambda: dict(ROLES))

    def role(self, name: str) -> object:
        return self.roles[name]()


@pytest.fixture
def context(tmp_path: Path) -> PictureContext:
    return PictureContext(Artifacts(tmp_path / "artifacts"))


def product() -> tuple[np.ndarray, np.ndarray]:
    """A patterned disc on a plain ground, and its mask."""
    picture = np.full((240, 320, 3), 235, np.uint8)
    mask = np.zeros((240, 320), np.uint8)
    cv2.circle(mask, (160, 120), 70, 1, -1)
    pattern = np.random.default_rng(0).integers(0, 200, (24, 32, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)
    picture[mask > 0] = pattern[mask > 0]
    return picture, mask > 0


def found(path: Path, context: PictureContext) -> object:
    source = Source(uri=str(path), num_bytes=1, modified_ns=1, licence="CC0-1.0")
    (result,) = FindPictureSubjects()([Item(source.id, {Source: (source,)})], context)  # type: ignore[arg-type]
    return result


def rows(result: object, kind: type) -> list:
    assert isinstance(result, Ok), result
    return [row for row in result.rows if isinstance(row, kind)]


def test_a_transparent_ground_is_the_mask(tmp_path: Path, context: PictureContext) -> None:
    picture, mask = product()
    path = tmp_path / "cup.png"
    path.write_bytes(encode_png(np.dstack([picture, mask.astype(np.uint8) * 255])))
    result = found(path, context)
    (appearance,), (cut,) = rows(result, Appearance), rows(result, Mask)
    assert (appearance.origin, appearance.subject_id, appearance.frame) == ("external", None, None)
    assert appearance.box == (90.0, 50.0, 231.0, 191.0)
    assert cut.author == "alpha"
    assert np.array_equal(rle.decode(cut.counts, 240, 320), mask)
    assert {row.space for row in rows(result, Embedding)} >= {"appearance", "background", "frame_hash"}
    assert context.artifacts.get(appearance.artifact) == path.read_bytes()


@pytest.mark.parametrize("detector", [ClassicalDetector, FindsNothing])
def test_a_product_on_a_plain_ground_is_cut_out(tmp_path: Path, context: PictureContext, detector: type) -> None:
    context.roles["Detector"] = detector
    picture, mask = product()
    path = tmp_path / "cup.png"
    path.write_bytes(encode_png(picture))
    result = found(path, context)
    cut = rle.decode(rows(result, Mask)[0].counts, 240, 320)
    assert (cut & mask).sum() / (cut | mask).sum() > 0.8
    assert read_rgba(context.artifacts.get(rows(result, Mask)[0].crop)).shape[2] == 4
    assert {row.name for row in rows(result, Score)} >= {"area_fraction", "min_side_px", "max_iou", "completeness"}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [("a.txt", b"words", "not a picture"), ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "the picture cannot be read")],
)
def test_what_is_no_picture_is_not_applicable(
    tmp_path: Path, context: PictureContext, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    result = found(tmp_path / name, context)
    assert isinstance(result, Filtered)
    assert result.reason.startswith(reason)


def test_a_file_that_went_away_is_named(tmp_path: Path, context: PictureContext) -> None:
    assert isinstance(found(tmp_path / "gone.png", context), Filtered)


def test_what_cannot_be_believed_of_a_detector_is_left_out_with_a_remark(tmp_path: Path, context: PictureContext) -> None:
    context.roles["Detector"] = Raving
    path = tmp_path / "cup.png"
    path.write_bytes(encode_png(product()[0]))
    result = found(path, context)
    (appearance,) = rows(result, Appearance)
    assert appearance.box == (90.0, 50.0, 320.0, 191.0)
    assert isinstance(result, Ok)
    assert {"boxes empty or outside of the picture: 1", "boxes with numbers that are not finite: 2"} <= set(result.warnings)
