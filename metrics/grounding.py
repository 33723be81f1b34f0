"""Subjects found by their class name, cut out of references and frames: computed once, read by several metrics."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, cast

import cv2
import numpy as np

from backend.domain import (
    CLIP_PREP,
    Absent,
    Case,
    Clip,
    Detection,
    Detector,
    Footage,
    ImageEncoder,
    MediaError,
    ModelUnavailable,
    Prep,
    Segmenter,
    StudioError,
    Video,
)
from backend.geometry import boxes
from backend.media.images import read_image
from metrics.framing import FramePlan, Linspace
from metrics.spec import Arrays, CaseFeature, Collector, Entry, Found, Roles, VideoFacts, VideoFeature

Fill = Literal["clip_mean", "own_mean", "white", "black"]
CLIP_MEAN = (123, 117, 104)  # CLIP's normalisation takes this colour to zero
ANY_LABEL = -1
"""Stands for the label of a box by a detector that knows no words: it may be any of those asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How subjects are found and cut out; what Kaleido's paper leaves open."""

    encoder: str = "ClipL14"
    """A role that gives unit vectors of pictures; the paper says CLIP, and no size."""
    prep: Prep = CLIP_PREP
    subject_fill: Fill = "clip_mean"
    """What stands around the subject in its crop."""
    background_fill: Fill = "own_mean"
    """What stands in place of the subjects; one common colour would make any two backgrounds with a large hole alike."""
    is_squared: bool = True
    """Crops are filled up to squares, since CLIP's own crop would cut the head and feet off a standing person."""
    most_per_label: int = 5
    """Boxes of one label on one picture, surest first."""
    max_subject: float = 0.9
    """Masks that cover more of the picture are no subject: a park asked for as reference covers its frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundedReferences(CaseFeature):
    """The subject and the background of each reference; R rows in the order of the case.

    `is_read`, `is_found` bool `(R,)`; `subject`, `background` float32 `(R, D)`, zero where not found; `background_share`
    and `background_spread` float64 `(R,)`, the share of the picture that is left and the deviation of its 8-bit levels;
    `box` float32 `(R, 4)`.
    """

    name: ClassVar[str] = "grounded_references"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "references"

    cutting: Cutting = field(default_factory=Cutting)

    @property
    def roles(self) -> tuple[str, ...]:
        return ("Detector", "Segmenter", self.cutting.encoder)

    def compute(self, case: Case, roles: Roles, given: Mapping[str, Found]) -> Found:
        if not any(case.labels):
            return Absent("not applicable: no reference says what class it shows")
        pictures = read_references(case)
        if not any(picture is not None for picture in pictures):
            return Absent(f"failed: none of {len(pictures)} references can be read")
        cutter = Cutter(self.cutting, roles)
        parts = []
        for picture, label in zip(pictures, case.labels, strict=True):
            cut = None
            if picture is not None and label:
                cut = next(iter(cutter.cut([picture], [label])))
            # A reference shows one subject of its class: the surest.
            parts.append(cut if cut is not None and cut.boxes else None)
        found = [part for part in parts if part is not None]
        subject = cutter.encode([part.subjects[0] for part in found])
        background = cutter.encode([part.background for part in found])
        rows = np.flatnonzero([part is not None for part in parts])
        return {
            "is_read": np.array([picture is not None for picture in pictures]),
            "is_found": np.array([part is not None for part in parts]),
            "subject": _spread(subject, rows, len(parts)),
            "background": _spread(background, rows, len(parts)),
            "background_share": np.array([part.background_share if part else 0.0 for part in parts]),
            "background_spread": np.array([part.background_spread if part else 0.0 for part in parts]),
            "box": np.array([part.boxes[0].box if part else (0, 0, 0, 0) for part in parts], np.float32),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundedFrames(VideoFeature):
    """Every subject of the classes of the references on the frames of a video, and what is left without them.

    Of U frames: `seen` int64 `(U,)` their indices, `is_found`, `background` float32 `(U, D)`, `background_share`,
    `background_spread` as of references. Of N subjects: `at` int64 `(N,)` rows of `seen`, `label` int64 `(N,)` the place
    among `phrases_of` the case (or ANY_LABEL), `box`, `score`, `subject` float32 `(N, D)`. `frame` int64 `(T,)` are the
    frames of the plan, which may repeat some.
    """

    name: ClassVar[str] = "grounded_frames"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video+references"

    cutting: Cutting = field(default_factory=Cutting)
    frames: FramePlan = field(default_factory=lambda: Linspace(32))

    @property
    def roles(self) -> tuple[str, ...]:
        return ("Detector", "Segmenter", self.cutting.encoder)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> Collector:
        plan = self.frames.indices(facts.num_frames, facts.fps)
        return _Subjects(Cutter(self.cutting, roles), phrases_of(entry.case), plan, facts)


class _Subjects:
    def __init__(self, cutter: "Cutter", phrases: Sequence[str], plan: Sequence[int], facts: VideoFacts) -> None:
        self._cutter, self._phrases, self._plan, self._fps = cutter, phrases, plan, facts.fps
        self._indices: list[int] = []
        self._frames: list[np.ndarray] = []

    def add(self, index: int, frame: np.ndarray) -> None:
        self._indices.append(index)
        self._frames.append(frame)

    def finish(self) -> Found:
        if not self._phrases:
            return Absent("not applicable: no reference says what class it shows")
        subjects: list[np.ndarray] = []
        backgrounds: list[np.ndarray] = []
        shares, at, labels, found, rows = [], [], [], [], []
        times_s = np.array(self._indices) / self._fps
        for row, cut in enumerate(self._cutter.cut(self._frames, self._phrases, times_s)):
            # Encoded frame by frame: the pictures of all frames together would be larger than the video.
            encoded = self._cutter.encode([*cut.subjects, cut.background])
            subjects += list(encoded[:-1])
            backgrounds.append(encoded[-1])
            shares.append((cut.background_share, cut.background_spread, bool(cut.boxes)))
            at += [row] * len(cut.boxes)
            labels += [_place(detection, self._phrases) for detection in cut.boxes]
            found += [detection.score for detection in cut.boxes]
            rows += [detection.box for detection in cut.boxes]
        wide = backgrounds[0].shape[0]
        return {
            "frame": np.array(self._plan, np.int64),
            "seen": np.array(self._indices, np.int64),
            "is_found": np.array([is_found for _, _, is_found in shares]),
            "background": np.stack(backgrounds).astype(np.float32),
            "background_share": np.array([share for share, _, _ in shares]),
            "background_spread": np.array([spread for _, spread, _ in shares]),
            "at": np.array(at, np.int64),
            "label": np.array(labels, np.int64),
            "score": np.array(found, np.float32),
            "box": np.array(rows, np.float32).reshape(-1, 4),
            "subject": np.array(subjects, np.float32).reshape(-1, wide),
        }


@dataclass(frozen=True, slots=True)
class Cut:
    """One picture taken apart."""

    boxes: tuple[Detection, ...]
    """What has a mask, surest first."""
    subjects: tuple[np.ndarray, ...]
    """Crops uint8 `(H, W, 3)` in which only the subject is left, in the order of `boxes`."""
    background: np.ndarray
    """The picture without them."""
    background_share: float
    background_spread: float


class Cutter:
    """Finds, masks and cuts out subjects of given classes, by the roles Detector, Segmenter and an image encoder."""

    def __init__(self, cutting: Cutting, roles: Roles) -> None:
        """Raises ModelUnavailable when a role has no model."""
        self._cutting = cutting
        self._detector = cast(Detector, roles("Detector"))
        self._segmenter = cast(Segmenter, roles("Segmenter"))
        self._encoder = cast(ImageEncoder, roles(cutting.encoder))

    def cut(
        self, pictures: Sequence[np.ndarray], phrases: Sequence[str], times_s: np.ndarray | None = None
    ) -> Iterator[Cut]:
        """Takes apart pictures uint8 `(H, W, 3)` of one size, in order; `times_s` are theirs in the video."""
        times_s = np.arange(len(pictures), dtype=np.float64) if times_s is None else times_s
        indices = range(len(pictures))
        detections = self._detector.detect(_footage(pictures, times_s), indices, phrases)
        by_frame = {i: [d for d in detections if d.frame == i] for i in indices}
        for index, picture in enumerate(pictures):
            yield self._cut(picture, self._best(by_frame[index], phrases))

    def encode(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors float32 `(N, D)`; `(0, 0)` of no pictures. Raises StudioError when the model gives no numbers."""
        if not pictures:
            return np.zeros((0, 0), np.float32)
        return finite(self._encoder.images(pictures, self._cutting.prep), self._cutting.encoder)

    def _best(self, detections: Sequence[Detection], phrases: Sequence[str]) -> list[Detection]:
        groups = {label: [d for d in detections if d.label == label] for label in (*phrases, None)}
        ordered = [sorted(group, key=lambda d: -d.score)[: self._cutting.most_per_label] for group in groups.values()]
        return sorted(itertools.chain(*ordered), key=lambda d: -d.score)

    def _cut(self, picture: np.ndarray, detections: Sequence[Detection]) -> Cut:
        masks, _ = self._segmenter.segment(picture, [d.box for d in detections])
        kept = [(d, mask) for d, mask in zip(detections, masks, strict=True) if mask.any()]
        subjects = [self._subject(picture, mask) for _, mask in kept]
        small = [mask for _, mask in kept if mask.mean() <= self._cutting.max_subject]
        left = ~np.any(small, axis=0) if small else np.ones(picture.shape[:2], bool)
        background = _filled(picture, left, self._cutting.background_fill)
        pixels = picture[left]
        return Cut(
            boxes=tuple(d for d, _ in kept),
            subjects=tuple(subjects),
            background=_squared(background, left, self._cutting.background_fill)
            if self._cutting.is_squared
            else background,
            background_share=float(left.mean()),
            background_spread=float(pixels.std(axis=0).mean()) if len(pixels) else 0.0,
        )

    def _subject(self, picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
        box = boxes.of_mask(mask)
        assert box is not None, "only masks with pixels are cut out"
        x0, y0, x1, y1 = (int(edge) for edge in box)
        inside = mask[y0:y1, x0:x1]
        crop = _filled(picture[y0:y1, x0:x1], inside, self._cutting.subject_fill)
        return _squared(crop, inside, self._cutting.subject_fill) if self._cutting.is_squared else crop


def read_references(case: Case) -> list[np.ndarray | None]:
    """Each reference uint8 `(H, W, 3)`, None where it is missing or broken."""

    def read(path: str, content_hash: str) -> np.ndarray | None:
        if not content_hash:  # a file that came after the case was read belongs to another case
            return None
        try:
            return read_image(path)
        except MediaError:
            return None

    return [read(path, content) for path, content in zip(case.references, case.hashes, strict=True)]


def phrases_of(case: Case) -> list[str]:
    """The classes that the references show, each once, in order."""
    return list(dict.fromkeys(label for label in case.labels if label))


def finite(vectors: np.ndarray, role: str) -> np.ndarray:
    """The vectors. Raises StudioError when a model gave numbers that are none: they would pass for misses."""
    if not np.isfinite(vectors).all():
        raise StudioError(f"role {role} gave embeddings that are not finite; check its weights and dtype")
    return vectors


def needed(found: Found) -> Arrays:
    """What a feature is given, or its absence raised, so that it is told but not kept as the feature's own.

    Raises ModelUnavailable or StudioError with the reason.
    """
    if not isinstance(found, Absent):
        return found
    state, _, reason = found.reason.partition(": ")
    raise (ModelUnavailable if state == "unavailable" else StudioError)(reason or found.reason)


def _place(detection: Detection, phrases: Sequence[str]) -> int:
    return phrases.index(detection.label) if detection.label in phrases else ANY_LABEL


def _spread(rows: np.ndarray, at: np.ndarray, num: int) -> np.ndarray:
    whole = np.zeros((num, rows.shape[1]), np.float32)
    whole[at] = rows
    return whole


def _colour(picture: np.ndarray, kept: np.ndarray, fill: Fill) -> np.ndarray:
    if fill == "own_mean" and kept.any():
        return np.round(picture[kept].mean(axis=0)).astype(np.uint8)
    return np.array({"white": (255, 255, 255), "black": (0, 0, 0)}.get(fill, CLIP_MEAN), np.uint8)


def _filled(picture: np.ndarray, kept: np.ndarray, fill: Fill) -> np.ndarray:
    return np.where(kept[..., None], picture, _colour(picture, kept, fill))


def _squared(picture: np.ndarray, kept: np.ndarray, fill: Fill) -> np.ndarray:
    height, width = picture.shape[:2]
    across, down = max(0, height - width), max(0, width - height)
    colour = _colour(picture, kept, fill).tolist()
    edges = (down // 2, down - down // 2, across // 2, across - across // 2)
    return cv2.copyMakeBorder(picture, *edges, cv2.BORDER_CONSTANT, value=colour)


class _FramesInMemory:
    """Frames of one video that are there already, as a FrameReader."""

    def __init__(self, frames: Sequence[np.ndarray], times_s: np.ndarray) -> None:
        self._frames, self.times_s = frames, times_s
        self.num_frames, (self.height, self.width) = len(frames), frames[0].shape[:2]

    def at(self, indices: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
        chosen = [self._frames[i] for i in indices]
        return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) if size else f for f in chosen])

    def stream(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        step: int = 1,
        size: tuple[int, int] | None = None,
        chunk: int = 32,
    ) -> Iterator[tuple[int, np.ndarray]]:
        wanted = range(start, self.num_frames if stop is None else stop, step)
        for first in range(0, len(wanted), chunk):
            yield wanted[first], self.at(wanted[first : first + chunk], size=size)


def _footage(frames: Sequence[np.ndarray], times_s: np.ndarray) -> Footage:
    """Frames as a clip of their own, at the mean rate at which they were taken."""
    num, (height, width) = len(frames), frames[0].shape[:2]
    span_s = float(times_s[-1] - times_s[0])
    fps = (num - 1) / span_s if span_s > 0 else 1.0
    video = Video(
        content_hash="",
        source_id="",
        num_frames=num,
        fps=fps,
        duration_s=num / fps,
        width=width,
        height=height,
        rotation=0,
        codec="",
        has_audio=False,
        index="",
    )
    clip = Clip(video_id=video.id, start_frame=0, stop_frame=num, start_s=0.0, stop_s=num / fps, opens_with="start")
    return Footage(video, clip, _FramesInMemory(frames, times_s), (0.0, 0.0, float(width), float(height)))
