"""Reads the metadata JSON of OpenS2V-Nexus's pipeline (data_process, steps 0 to 6) into typed rows.

A row's `document` is the entry as it was read, unknown keys and spellings of numbers included; `OpenS2VFile.text` writes
the file again. What was written by `json.dump` comes back byte for byte; of other files the values, the order of keys
and the spelling of numbers are equal, and only white space and escapes of strings may differ.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain import Box, ImportRefused
from backend.exports.spelled_json import Layout, read_spelled, write_spelled
from backend.geometry import rle

Span = tuple[int, int]
TAG_GROUPS = ("background", "subject", "object", "pre_define")
_FRAME_NAME = re.compile(r"(\d{1,6})_(.+)\.png")
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
MAIN_IMAGE = "main_image.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamMetadata:
    """Of a clip: `cut` and `face_cut` are `[start, stop)` in frames of the video; `crop` is a box, which upstream writes as x0, x1, y0, y1."""

    path: str
    fps: float
    num_frames: int
    width: int
    height: int
    cut: Span
    crop: Box | None
    face_cut: Span | None
    tech: float | None
    motion: float | None
    aesthetic: float | None
    captions: tuple[str, ...]
    face_caption: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamFace:
    """A sighting of step 1, in pixels of the cropped frame. `track_id` -1 belongs to no track; keypoints are x and y."""

    frame: int
    track_id: int
    box: Box
    keypoints: tuple[tuple[float, float], ...]
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamBox:
    """A box of the annotated frame, in pixels of the cropped frame. Its mask's id is its place in the list + 1."""

    class_name: str
    box: Box
    gme_score: float | None
    aes_score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamMask:
    """COCO compressed run lengths on the cropped frame."""

    mask_id: str
    frame: int
    class_name: str
    height: int
    width: int
    counts: str
    score: float | None

    def pixels(self) -> np.ndarray:
        """bool `(height, width)`."""
        return rle.decode(self.counts.encode("ascii"), self.height, self.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSample:
    """An entry: a clip with as much as its step of the pipeline knows. Empty where that step comes later."""

    key: str
    metadata: UpstreamMetadata
    faces: tuple[UpstreamFace, ...]
    word_tags: tuple[tuple[str, tuple[str, ...]], ...]
    annotated_frame: int | None
    boxes: tuple[UpstreamBox, ...]
    masks: tuple[UpstreamMask, ...]
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamPair:
    """Two subjects of two clips (step 6-2). Upstream's older files name no mask ids."""

    cur_id: str
    aft_id: str
    cur_class_name: str
    aft_class_name: str
    cur_class_id: str | None
    aft_class_id: str | None
    cur_frame: int
    aft_frame: int
    text_similarity: float | None
    image_similarity: float | None
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """An entry that is not as upstream writes them. It gives no row and is written again all the same."""

    file: str
    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, {self.key}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenS2VFile:
    """A file of upstream's: samples (steps 0 to 5), clusters (6-1) or pairs (6-2); and what is wrong in it."""

    path: Path
    samples: tuple[UpstreamSample, ...] = ()
    clusters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    pairs: tuple[UpstreamPair, ...] = ()
    faults: tuple[Fault, ...] = ()
    document: Any
    layout: Layout

    def text(self) -> str:
        """The file again, faulty entries included."""
        return write_spelled(self.document, self.layout)


@dataclass(frozen=True, slots=True)
class MadeFrame:
    """A picture of step 6-4: `main_image.png` (no number, no tag) or `NUMBER_TAG.png`."""

    sample_key: str
    number: int | None
    tag: str | None
    path: Path


def read_opens2v(path: Path, *, with_masks: bool = True) -> OpenS2VFile:
    """A file of upstream's. Without masks rows have none and run lengths are not checked, which is some ten times faster.

    Raises ImportRefused when the file cannot be read, is no JSON, or holds nothing of upstream's."""
    try:
        document, layout = read_spelled(path.read_bytes())
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ImportRefused(f"{path}: {error}") from error
    if document == "None":  # what step 1 writes for a clip without a face
        faults = (Fault(path.name, path.stem, "upstream's step 1 found no face in it"),)
        return OpenS2VFile(path=path, faults=faults, document=document, layout=layout)
    if isinstance(document, list):
        return _of_pairs(path, document, layout)
    if not isinstance(document, dict):
        raise ImportRefused(f"{path}: a {_kind(document)} is none of OpenS2V's files; expected an object or a list")
    if document and all(isinstance(entry, list) for entry in document.values()):
        return _of_clusters(path, document, layout)
    entries = {path.stem: document} if "metadata" in document else document
    samples, faults = [], []
    for key, entry in entries.items():
        try:
            samples.append(_sample(key, entry, with_masks=with_masks))
        except _WrongError as error:
            faults.append(Fault(path.name, key, str(error)))
    return OpenS2VFile(path=path, samples=tuple(samples), faults=tuple(faults), document=document, layout=layout)


def read_made_frames(folder: Path) -> tuple[tuple[MadeFrame, ...], tuple[Fault, ...]]:
    """The pictures of each sample's folder below `folder`, by number; files of other names are faults."""
    frames, faults = [], []
    for path in sorted(folder.glob("*/*"), key=lambda path: (path.parent.name, path.name)):
        named = _FRAME_NAME.fullmatch(path.name)
        if path.name == MAIN_IMAGE:
            frames.append(MadeFrame(path.parent.name, None, None, path))
        elif named:
            frames.append(MadeFrame(path.parent.name, int(named[1]), named[2].replace("_", " "), path))
        else:
            faults.append(Fault(path.name, path.parent.name, f"is neither {MAIN_IMAGE} nor NUMBER_TAG.png"))
    frames.sort(key=lambda frame: (frame.sample_key, -1 if frame.number is None else frame.number))
    return tuple(frames), tuple(faults)


def made_frame_name(number: int, tag: str) -> str:
    """`1_blue_top.png`. What a file name cannot hold becomes `_` as well."""
    return f"{number}_{_NOT_IN_NAMES.sub('_', tag).strip('._')[:60] or 'subject'}.png"


def cluster_of(key: str) -> str:
    """Upstream's rule (step6-1_get_cluster.py): the key up to `_segment`, or else up to `_part`."""
    cluster = key.split("_segment")[0]
    return key.split("_part")[0] if cluster == key else cluster


class _WrongError(Exception):
    """Place and reason, in one clause."""


def _of_pairs(path: Path, document: list[Any], layout: Layout) -> OpenS2VFile:
    pairs, faults = [], []
    for place, entry in enumerate(document):
        try:
            pairs.append(_pair(entry))
        except _WrongError as error:
            faults.append(Fault(path.name, f"pair {place}", str(error)))
    return OpenS2VFile(path=path, pairs=tuple(pairs), faults=tuple(faults), document=document, layout=layout)


def _of_clusters(path: Path, document: dict[str, list[Any]], layout: Layout) -> OpenS2VFile:
    clusters, faults = [], []
    for name, keys in document.items():
        try:
            clusters.append((name, _texts(keys, name)))
        except _WrongError as error:
            faults.append(Fault(path.name, name, str(error)))
    return OpenS2VFile(path=path, clusters=tuple(clusters), faults=tuple(faults), document=document, layout=layout)


def _sample(key: str, entry: Any, *, with_masks: bool) -> UpstreamSample:
    document = _object(entry, "the entry")
    tags = _object(document.get("word_tags", {}), "word_tags")
    annotation = _object(document.get("annotation", {}), "annotation")
    frame, boxes, size = None, (), None
    if annotation:
        data = _object(_of(annotation, "ann_frame_data"), "ann_frame_data")
        if data.get("box_format", "xyxy") != "xyxy":
            raise _WrongError(f"box_format is {data['box_format']!r}, expected 'xyxy'")
        frame = _whole(_of(data, "ann_frame_idx"), "ann_frame_idx")
        size = (
            _whole(_of(data, "img_height"), "img_height", least=1),
            _whole(_of(data, "img_width"), "img_width", least=1),
        )
        listed = _list(_of(data, "annotations"), "annotations")
        boxes = tuple(_box_of(found, f"annotations.{place}") for place, found in enumerate(listed))
    return UpstreamSample(
        key=key,
        metadata=_metadata(_object(_of(document, "metadata"), "metadata")),
        faces=tuple(_faces(_object(document.get("bbox", {}), "bbox"))),
        word_tags=tuple((group, _texts(words, f"word_tags.{group}")) for group, words in tags.items()),
        annotated_frame=frame,
        boxes=boxes,
        masks=tuple(_masks(annotation, size)) if size and with_masks else (),
        document=document,
    )


def _metadata(entry: Mapping[str, Any]) -> UpstreamMetadata:
    resolution = _object(_of(entry, "resolution"), "resolution")
    crop = _numbers(entry["crop"], "crop", 4) if entry.get("crop") is not None else None
    if crop and not (crop[0] < crop[1] and crop[2] < crop[3]):
        raise _WrongError(f"crop is {list(crop)}, expected x0 < x1 and y0 < y1")
    cap = entry.get("cap")
    fps = _number(_of(entry, "fps"), "fps")
    if fps <= 0:
        raise _WrongError(f"fps is {fps:g}, expected more than 0")
    return UpstreamMetadata(
        path=_text(_of(entry, "path"), "path"),
        fps=fps,
        num_frames=_whole(_of(entry, "num_frames"), "num_frames", least=1),
        width=_whole(_of(resolution, "width"), "resolution.width", least=1),
        height=_whole(_of(resolution, "height"), "resolution.height", least=1),
        cut=_span(_of(entry, "cut"), "cut"),
        crop=(crop[0], crop[2], crop[1], crop[3]) if crop else None,
        face_cut=_span(entry["face_cut"], "face_cut") if entry.get("face_cut") is not None else None,
        tech=_optional(entry, "tech"),
        motion=_optional(entry, "motion"),
        aesthetic=_optional(entry, "aesthetic"),
        captions=() if cap is None else (cap,) if isinstance(cap, str) else _texts(cap, "cap"),
        face_caption=_text(entry["face_cap_qwen"], "face_cap_qwen") if entry.get("face_cap_qwen") is not None else None,
    )


def _faces(frames: Mapping[str, Any]) -> Iterator[UpstreamFace]:
    for frame, found in frames.items():
        number = _frame(frame, "bbox")
        for place, face in enumerate(_list(_object(found, f"bbox.{frame}").get("face", []), f"bbox.{frame}.face")):
            where = f"bbox.{frame}.face.{place}"
            face = _object(face, where)
            box = _object(_of(face, "box"), f"{where}.box")
            points = _object(face.get("keypoints", {"x": [], "y": []}), f"{where}.keypoints")
            xs, ys = (_list(_of(points, axis), f"{where}.keypoints.{axis}") for axis in "xy")
            if len(xs) != len(ys):
                raise _WrongError(f"{where}.keypoints has {len(xs)} x and {len(ys)} y")
            yield UpstreamFace(
                frame=number,
                track_id=_whole(_of(face, "track_id"), f"{where}.track_id", least=-1),
                box=_ordered(
                    tuple(_number(_of(box, side), f"{where}.box.{side}") for side in ("x1", "y1", "x2", "y2")), where
                ),
                keypoints=tuple((_number(x, where), _number(y, where)) for x, y in zip(xs, ys, strict=True)),
                confidence=_number(_of(face, "confidence"), f"{where}.confidence"),
            )


def _box_of(entry: Any, where: str) -> UpstreamBox:
    found = _object(entry, where)
    return UpstreamBox(
        class_name=_text(_of(found, "class_name"), f"{where}.class_name"),
        box=_ordered(_numbers(_of(found, "bbox"), f"{where}.bbox", 4), f"{where}.bbox"),
        gme_score=_optional(found, "gme_score"),
        aes_score=_optional(found, "aes_score"),
    )


def _masks(annotation: Mapping[str, Any], size: tuple[int, int]) -> Iterator[UpstreamMask]:
    names = _object(annotation.get("mask_map", {}), "mask_map")
    for frame, masks in _object(annotation.get("mask_annotation", {}), "mask_annotation").items():
        number = _frame(frame, "mask_annotation")
        for mask_id, found in _object(masks, f"mask_annotation.{frame}").items():
            where = f"mask_annotation.{frame}.{mask_id}"
            found = _object(found, where)
            given = _numbers(_of(found, "size"), f"{where}.size", 2)
            if given != size:
                raise _WrongError(f"{where}.size is {[int(side) for side in given]}, the frame's is {list(size)}")
            counts = _text(_of(found, "counts"), f"{where}.counts")
            try:
                rle.decode(counts.encode("ascii"), *size)
            except (ValueError, UnicodeEncodeError) as error:
                raise _WrongError(f"{where}.counts: {error}") from error
            named = _object(_of(names, mask_id), f"mask_map.{mask_id}")
            score = found.get("score")
            yield UpstreamMask(
                mask_id=mask_id,
                frame=number,
                class_name=_text(_of(named, "class_name"), f"mask_map.{mask_id}.class_name"),
                height=size[0],
                width=size[1],
                counts=counts,
                score=None
                if score is None
                else _number(score[0] if isinstance(score, list) and score else score, f"{where}.score"),
            )


def _pair(entry: Any) -> UpstreamPair:
    found = _object(entry, "the pair")
    ids = {name: found.get(name) for name in ("cur_class_id", "aft_class_id")}
    return UpstreamPair(
        cur_id=_text(_of(found, "cur_id"), "cur_id"),
        aft_id=_text(_of(found, "aft_id"), "aft_id"),
        cur_class_name=_text(_of(found, "cur_class_name"), "cur_class_name"),
        aft_class_name=_text(_of(found, "aft_class_name"), "aft_class_name"),
        cur_class_id=None if ids["cur_class_id"] is None else str(ids["cur_class_id"]),
        aft_class_id=None if ids["aft_class_id"] is None else str(ids["aft_class_id"]),
        cur_frame=_frame(_of(found, "cur_frame_idx"), "cur_frame_idx"),
        aft_frame=_frame(_of(found, "aft_frame_idx"), "aft_frame_idx"),
        text_similarity=_optional(found, "text_similarity"),
        image_similarity=_optional(found, "image_similarity"),
        document=found,
    )


def _of(entry: Mapping[str, Any], name: str) -> Any:
    if name not in entry:
        raise _WrongError(f"{name} is missing")
    return entry[name]


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _WrongError(f"{where} is a {_kind(value)}, expected an object")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _WrongError(f"{where} is a {_kind(value)}, expected a list")
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    return tuple(_text(one, f"{where}.{place}") for place, one in enumerate(_list(value, where)))


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _WrongError(f"{where} is a {_kind(value)}, expected text")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _WrongError(f"{where} is a {_kind(value)}, expected a number")
    if not math.isfinite(value):
        raise _WrongError(f"{where} is {value}, expected a finite number")
    return value


def _optional(entry: Mapping[str, Any], name: str) -> float | None:
    return None if entry.get(name) is None else _number(entry[name], name)


def _numbers(value: Any, where: str, count: int) -> tuple[float, ...]:
    numbers = tuple(_number(one, where) for one in _list(value, where))
    if len(numbers) != count:
        raise _WrongError(f"{where} has {len(numbers)} numbers, expected {count}")
    return numbers


def _whole(value: Any, where: str, *, least: int = 0) -> int:
    number = _number(value, where)
    if number != int(number) or number < least:
        raise _WrongError(f"{where} is {number:g}, expected a whole number of at least {least}")
    return int(number)


def _frame(value: Any, where: str) -> int:
    """A frame's index; as a key of an object it is text."""
    if isinstance(value, str):
        if not value.isascii() or not value.isdigit() or len(value) > 12:
            raise _WrongError(f"{where} names frame {value[:40]!r}, expected digits")
        return int(value)
    return _whole(value, where)


def _span(value: Any, where: str) -> Span:
    numbers = _numbers(value, where, 2)
    start, stop = (_whole(number, where) for number in numbers)
    if start >= stop:
        raise _WrongError(f"{where} is [{start}, {stop}), expected a start before its stop")
    return start, stop


def _ordered(box: tuple[float, ...], where: str) -> Box:
    if not (box[0] <= box[2] and box[1] <= box[3]):
        raise _WrongError(f"{where} is {[float(side) for side in box]}, expected x0 <= x1 and y0 <= y1")
    return box[0], box[1], box[2], box[3]


def _kind(value: Any) -> str:
    names = ((bool, "boolean"), ((int, float), "number"), (str, "text"), (list, "list"), (dict, "object"))
    return next((name for kind, name in names if isinstance(value, kind)), "null")
