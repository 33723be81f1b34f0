"""What the embedded metrics share: subjects cut out of references and of a few frames, and how alike they are.

Everything dear happens here, once a video: one search for subjects on eight frames, their cut-outs, and their
comparison with each reference. The roles are asked by name, so that a profile with larger models serves as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, cast

import cv2
import numpy as np

from backend.domain import (
    Absent,
    Box,
    Case,
    Clip,
    Detection,
    Detector,
    Embedder,
    Footage,
    MediaError,
    MovingSegmenter,
    Segmenter,
    Video,
)
from backend.geometry import boxes
from backend.measures import keypoints
from backend.media.images import read_rgba
from backend.models.classical_central import central_cut
from backend.models.classical_embedder import BLOCKS, appearance_parts
from backend.models.classical_segmenter import ClassicalSegmenter
from backend.models.taxonomy import load_taxonomy
from metrics.embedded_traces import Cut, compared, placed, salient
from metrics.framing import FramePlan, Linspace
from metrics.spec import Arrays, CaseFeature, Entry, Feature, Found, Roles, VideoFacts, VideoFeature

SUBJECT_ROLES = ("AppearanceEmbedder", "BackgroundEmbedder", "Detector", "FaceEmbedder", "Segmenter")
SPACES = {"appearance": "AppearanceEmbedder", "face": "FaceEmbedder", "background": "BackgroundEmbedder"}
MAX_SIDE_PX = 832  # frames are kept at this longer side while a video is looked at
INSET = 0.1  # a reference in which nothing is found is its own subject, but for this share of each side
LEAST_SHARE = 0.2  # of a reference's picture: its subject is what the picture was taken or cropped for
LEAST_AGREED = 0.3  # IoU of two cut-outs that are of one subject
PLAIN_LEVELS = 6.0  # deviation of a border of one colour: JPEG leaves 1 to 3
PLAIN_STEP = 18.0  # difference from the border's colour that belongs to the subject
SAME_BOX = 0.6  # IoU
ROOM = 0.08  # around a found box where motion helps to cut: boxes miss feet and ears, and motion keeps the ground out
ORIGINS = ("detector", "reference", "saliency")
CLASSICAL_LENGTH = sum(length for _, length, _ in BLOCKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """The frames of `Linspace(num)` with those before and after in which motion is looked for."""

    num: int = 6
    offsets_s: tuple[float, ...] = (0.12, 0.4)

    def indices(self, num_frames: int, fps: float) -> list[int]:
        wanted = set(self.keys(num_frames, fps))
        for offset in self.offsets_s:
            step = max(1, round(offset * fps))
            wanted |= {i + s for i in self.keys(num_frames, fps) for s in (-step, step)}
        return sorted(i for i in wanted if 0 <= i < num_frames)

    def keys(self, num_frames: int, fps: float) -> list[int]:
        """The frames that are judged, each once."""
        return sorted(set(Linspace(self.num).indices(num_frames, fps)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceSubjects(CaseFeature):
    """Each reference's subject cut out: `picture_i` uint8, `mask_i` bool, `box` `(R, 4)`, vectors `(R, D)` by space.

    `living` `(R,)` is 1 where the label names something alive, 0 for a thing, NaN where it is not known.
    A reference with transparency or one plain colour around its subject is a cut-out: `has_background` is false. One
    that cannot be read, or a vector that does not exist, is a row of NaN. Absent when no reference can be read.
    """

    name: ClassVar[str] = "embedded_reference_subjects"
    version: ClassVar[int] = 3
    of: ClassVar[str] = "references"

    @property
    def roles(self) -> tuple[str, ...]:
        return SUBJECT_ROLES

    def compute(self, case: Case, roles: Roles, given: Mapping[str, Found]) -> Found:
        cuts: list[Cut | None] = []
        reasons = []
        labels = [*case.labels, *[""] * len(case.references)][: len(case.references)]
        for path, label in zip(case.references, labels, strict=True):
            try:
                cuts.append(_reference_cut(read_rgba(path), label, roles))
                reasons.append("")
            except MediaError as error:
                cuts.append(None)
                reasons.append(str(error))
        if not any(cuts):
            return Absent(f"failed: no reference can be read: {'; '.join(reasons) or 'none is named'}")
        found: Arrays = {
            "readable": np.array([cut is not None for cut in cuts]),
            "reason": np.array(reasons),
            "living": np.array([_living(label) for label in labels]),
            "has_background": np.array([cut is not None and cut.has_background for cut in cuts]),
            "box": np.array([cut.box if cut else (np.nan,) * 4 for cut in cuts], np.float64),
        }
        for i, cut in enumerate(cuts):
            if cut is not None:
                found |= {f"picture_{i}": cut.picture, f"mask_{i}": cut.mask}
        for space, role in SPACES.items():
            embedder = cast(Embedder, roles(role))
            found[space] = _rows([None if cut is None else _vector(embedder, cut, space) for cut in cuts])
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectsSeen(VideoFeature):
    """Possible subjects on a few frames and what returns of each reference, one row a subject and frame.

    `frame`, `origin` (of ORIGINS), `track`, `score` `(N,)`, `box` `(N, 4)`; per reference `(N, R)`: cosines by space and what
    `embedded_traces.compared` tells; `appearance` `(N, D)`, `face` for the comparison of frames with each other;
    `looked_at`: the frames that were searched; `found_frame`, `found_box`, `found_appearance`: all that was found on them, also what was
    compared with no reference. Without a readable reference the columns per reference are empty.
    """

    name: ClassVar[str] = "embedded_subjects_seen"
    version: ClassVar[int] = 4
    of: ClassVar[str] = "video+references"

    frames: FramePlan = field(default_factory=Around)
    most: int = 2
    """Subjects of a frame that are compared with references, surest first."""
    most_found: int = 5
    """Subjects of a frame in all: the surest two are often one with its part, or with a box around two."""

    @property
    def roles(self) -> tuple[str, ...]:
        return SUBJECT_ROLES

    @property
    def inputs(self) -> Mapping[str, Feature]:
        return {"references": ReferenceSubjects()}

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_SubjectCollector":
        for role in self.roles:
            roles(role)  # a missing model is told before frames are held for it
        references = given["references"]
        return _SubjectCollector(self, facts, entry, roles, references if isinstance(references, dict) else {})


class _SubjectCollector:
    def __init__(self, feature: SubjectsSeen, facts: VideoFacts, entry: Entry, roles: Roles, references: Arrays) -> None:
        self._most, self._most_found, self._facts, self._roles = feature.most, feature.most_found, facts, roles
        self._labels = entry.case.labels
        plan = feature.frames
        wanted = plan.keys if isinstance(plan, Around) else plan.indices
        self._keys = sorted(set(wanted(facts.num_frames, facts.fps)))
        self._references = reference_cuts(references)
        self._vectors = {space: references.get(space, np.zeros((0, 1), np.float32)) for space in SPACES}
        self._held: dict[int, np.ndarray] = {}

    def add(self, index: int, frame: np.ndarray) -> None:
        self._held[index] = _fitted(frame, MAX_SIDE_PX)

    def finish(self) -> Found:
        reader = _Held(self._held, self._facts)
        detector = cast(Detector, self._roles("Detector"))
        footage = _footage(reader, self._facts.num_frames, self._facts.fps)
        found = detector.detect(footage, self._keys, self._labels)
        rows: list[Mapping[str, object]] = []
        described: list[Mapping[str, object]] = []
        for key in self._keys:
            for vector, cut, row in self._rows(key, [d for d in found if d.frame == key], footage):
                described.append({"found_frame": key, "found_box": np.array(cut.box), "found_appearance": vector})
                rows += [row] if row else []
        if not rows:
            return Absent(f"no detection: no subject is found on any of {len(self._keys)} frames")
        return (
            _stacked(rows)
            | _stacked(described)
            | {"looked_at": np.array(self._keys), "size": np.array([reader.width, reader.height])}
        )

    def _rows(
        self, key: int, found: Sequence[Detection], footage: Footage
    ) -> Iterator[tuple[np.ndarray | None, Cut, dict[str, object]]]:
        """Each subject of a frame with its appearance, and its row where it is compared with the references."""
        points, left = keypoints.describe(self._held[key]), self._most
        for cut, origin, score, track in self._cuts(key, points, found, footage):
            if origin == "detector" and not left:
                yield _vector(cast(Embedder, self._roles(SPACES["appearance"])), cut, "appearance"), cut, {}
                continue
            left -= origin == "detector"
            row = self._row(cut) | {"frame": key, "origin": ORIGINS.index(origin), "score": score, "track": track}
            yield cast("np.ndarray | None", row["appearance"]), cut, row

    def _cuts(
        self, key: int, points: keypoints.Keypoints, found: Sequence[Detection], footage: Footage
    ) -> Iterator[tuple[Cut, str, float, int]]:
        """Subjects of a frame: those that the detector finds, those that share points with a reference, else what is salient."""
        frame = self._held[key]
        taken: list[Box] = []
        for mapped in (placed(reference, frame, points) for reference in self._references if reference):
            if mapped is not None and mapped[0].any():
                taken.append(mapped[1])
                yield Cut(frame, *mapped, points=points), "reference", 1.0, -1
        new = [d for d in found if all(boxes.iou(d.box, box) < SAME_BOX for box in taken)][: self._most_found]
        boxes_left = [d.box for d in new]
        if not taken and not new and (box := salient(frame)) is not None:
            boxes_left = [box]
        for i, mask in enumerate(self._masks(key, boxes_left, footage)):
            if (tight := boxes.of_mask(mask)) is not None:
                score, track = (new[i].score, new[i].track) if new else (0.0, None)
                cut = Cut(frame, mask, tight, points=points)
                yield cut, "detector" if new else "saliency", score, -1 if track is None else track

    def _masks(self, key: int, found: Sequence[Box], footage: Footage) -> np.ndarray:
        segmenter, frame = cast(Segmenter, self._roles("Segmenter")), self._held[key]
        if not isinstance(segmenter, MovingSegmenter):
            return segmenter.segment(frame, found)[0]
        within = [boxes.clip(boxes.expand(box, ROOM), footage.content) for box in found]
        return segmenter.segment_moving(footage, key, within)[0]

    def _row(self, cut: Cut) -> dict[str, object]:
        vectors = {space: _vector(cast(Embedder, self._roles(role)), cut, space) for space, role in SPACES.items()}
        row: dict[str, object] = {"box": np.array(cut.box), "appearance": vectors["appearance"], "face": vectors["face"]}
        for space, vector in vectors.items():
            row[f"{space}_cosine"] = _cosines(vector, self._vectors[space])
        for name, _, _ in BLOCKS:
            row[f"{name}_cosine"] = _block_cosines(name, vectors["appearance"], self._vectors["appearance"])
        traces = [compared(reference, cut) if reference else None for reference in self._references]
        names = sorted({name for trace in traces if trace for name in trace})
        background = cast(Embedder, self._roles("BackgroundEmbedder"))
        row["nearby_cosine"] = np.array([self._nearby(background, i, cut) for i in range(len(self._references))])
        return row | {name: np.array([trace[name] if trace else np.nan for trace in traces]) for name in names}

    def _nearby(self, embedder: Embedder, number: int, cut: Cut) -> float:
        """Cosine of a reference's background with that of the frame, cropped around the subject as the reference is."""
        reference, vectors = self._references[number], self._vectors["background"]
        if reference is None or np.isnan(vectors[number]).any():
            return np.nan
        part = cut.framed_as(reference)
        vector = embedder.embed(part.picture, part.mask, part.box)
        return np.nan if isinstance(vector, Absent) else float(vector @ vectors[number])


class _Held:
    """The frames that a collector was given, as a reader; one that it was not given is answered by the nearest."""

    def __init__(self, frames: Mapping[int, np.ndarray], facts: VideoFacts) -> None:
        self._frames, self._indices = frames, np.array(sorted(frames))
        self.num_frames = facts.num_frames
        self.height, self.width = next(iter(frames.values())).shape[:2]
        self.times_s = np.arange(facts.num_frames) / facts.fps

    def at(self, indices: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
        frames = [self._frames[int(self._indices[np.abs(self._indices - i).argmin()])] for i in indices]
        if size is not None:
            frames = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
        return np.stack(frames)

    def stream(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        step: int = 1,
        size: tuple[int, int] | None = None,
        chunk: int = 32,
    ):
        wanted = list(range(start, self.num_frames if stop is None else stop, step))
        for first in range(0, len(wanted), chunk):
            yield wanted[first], self.at(wanted[first : first + chunk], size=size)


def reference_cuts(references: Arrays) -> list[Cut | None]:
    """The cut-outs that `ReferenceSubjects` keeps, None for one that cannot be read."""
    return [
        Cut(references[f"picture_{i}"], references[f"mask_{i}"], _box(references["box"][i]), bool(whole))
        if readable
        else None
        for i, (readable, whole) in enumerate(
            zip(references.get("readable", ()), references.get("has_background", ()), strict=True)
        )
    ]


def _living(label: str) -> float:
    category = load_taxonomy().lookup(label)
    return np.nan if category is None else float(category.living)


def _reference_cut(rgba: np.ndarray, label: str, roles: Roles) -> Cut:
    rgba = _fitted(rgba, MAX_SIDE_PX)
    picture = np.ascontiguousarray(rgba[..., :3])
    opaque = rgba[..., 3] > 127
    if opaque.any() and not opaque.all():
        return Cut(picture, opaque, boxes.of_mask(opaque) or _inset(picture), has_background=False)
    plain = _plain_surround(picture)
    if plain is not None:
        return Cut(picture, plain, boxes.of_mask(plain) or _inset(picture), has_background=False)
    facts = VideoFacts("reference", 1, 1.0, picture.shape[1], picture.shape[0], (0,))
    detector, segmenter = cast(Detector, roles("Detector")), cast(Segmenter, roles("Segmenter"))
    found = detector.detect(_footage(_Held({0: picture}, facts), 1, 1.0), [0], (label,) if label else ())
    large = [d.box for d in found if boxes.area(d.box) >= LEAST_SHARE * picture.shape[0] * picture.shape[1]]
    x, y = picture.shape[1] / 2, picture.shape[0] / 2
    central = [b for b in large if b[0] <= x <= b[2] and b[1] <= y <= b[3]]
    tried = [*central[:2], _inset(picture)]
    masks, qualities = segmenter.segment(picture, tried)
    # Found boxes are tried first: of equal qualities the surer box wins.
    best = int(np.argmax(qualities))
    mask = masks[best]
    if segmenter.model_id == ClassicalSegmenter.model_id:
        middle = central_cut(picture)
        # Each loses parts that the other keeps; two that hardly overlap are two things.
        mask = mask | middle if (mask & middle).sum() >= LEAST_AGREED * (mask | middle).sum() else mask
    mask = mask if mask.any() else np.ones(picture.shape[:2], bool)
    return Cut(picture, mask, boxes.of_mask(mask) or tried[best])


def _plain_surround(picture: np.ndarray) -> np.ndarray | None:
    """The mask of what stands before one plain colour; None where the border shows more than one."""
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]]).astype(np.float32)
    colour = np.median(border, axis=0)
    if np.percentile(np.abs(border - colour).max(axis=1), 75) > PLAIN_LEVELS:
        return None
    differs = np.abs(picture.astype(np.float32) - colour).max(axis=-1) > PLAIN_STEP
    closed = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)).astype(bool)
    return closed if 0.02 < closed.mean() < 0.98 else None


def _inset(picture: np.ndarray) -> Box:
    return boxes.expand((0.0, 0.0, float(picture.shape[1]), float(picture.shape[0])), -INSET)


def _footage(reader: _Held, num_frames: int, fps: float) -> Footage:
    video = Video(
        content_hash="",
        source_id="",
        num_frames=num_frames,
        fps=fps,
        duration_s=num_frames / fps,
        width=reader.width,
        height=reader.height,
        rotation=0,
        codec="",
        has_audio=False,
        index="",
    )
    clip = Clip(
        video_id=video.id,
        start_frame=0,
        stop_frame=num_frames,
        start_s=0.0,
        stop_s=num_frames / fps,
        opens_with="start",
    )
    return Footage(video, clip, reader, (0.0, 0.0, float(reader.width), float(reader.height)))


def _vector(embedder: Embedder, cut: Cut, space: str) -> np.ndarray | None:
    if space == "background" and not cut.has_background:
        return None
    vector = embedder.embed(cut.picture, cut.mask, cut.box)
    return None if isinstance(vector, Absent) else vector


def _rows(vectors: Sequence[np.ndarray | None]) -> np.ndarray:
    """Vectors as rows, NaN for those that do not exist; `(R, 1)` of NaN when none does."""
    length = next((len(vector) for vector in vectors if vector is not None), 1)
    return np.stack([np.full(length, np.nan, np.float32) if v is None else v.astype(np.float32) for v in vectors])


def _cosines(vector: np.ndarray | None, references: np.ndarray) -> np.ndarray:
    if vector is None or references.shape[1] != len(vector):
        return np.full(len(references), np.nan)
    return (references @ vector).astype(np.float64)


def _block_cosines(name: str, vector: np.ndarray | None, references: np.ndarray) -> np.ndarray:
    """Cosines of one block of classical appearance vectors; NaN for those of another embedder."""
    if vector is None or len(vector) != CLASSICAL_LENGTH or references.shape[1] != CLASSICAL_LENGTH:
        return np.full(len(references), np.nan)
    return appearance_parts(vector[None], references)[name][0].astype(np.float64)


def _stacked(rows: Sequence[Mapping[str, object]]) -> Arrays:
    found: Arrays = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        vectors = name in ("appearance", "face", "found_appearance")
        found[name] = _rows(cast(list, values)) if vectors else np.stack([np.asarray(value) for value in values])
    return found


def _fitted(picture: np.ndarray, long_side_px: int) -> np.ndarray:
    factor = long_side_px / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _box(row: np.ndarray) -> Box:
    x0, y0, x1, y1 = (float(edge) for edge in row)
    return x0, y0, x1, y1
