"""NexusScore: each reference found again on the frames of a video, and compared with what was found.

Detection is by the reference's picture, comparison by a model that sees pictures and texts. Everything dear is one
feature; OpenS2V-Eval's rule and ours differ in how they put it together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, cast

import numpy as np

from backend.domain import Absent, Case, ReferenceDetector, ReferencePicture, ShownFrame, VideoTextEmbedder
from backend.geometry import boxes
from metrics.framing import FramePlan, Linspace
from metrics.grounding import finite, needed, read_references
from metrics.spec import (
    Arrays,
    CaseFeature,
    Collector,
    Entry,
    Feature,
    Found,
    Measured,
    Metric,
    Roles,
    VideoFacts,
    VideoFeature,
)

PEOPLE = frozenset({"Man", "Woman"})  # get_nexusscore.py: labels that it treats apart
HUMAN = "human"
CHUNK = 8  # frames looked at together
MAX_ASPECT = 200  # of its sides: GME takes no longer picture


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePrompts(CaseFeature):
    """What the detector needs to know of each readable reference: `prompt` `(P, ...)`, `reference` int64 `(P,)`."""

    name: ClassVar[str] = "reference_prompts"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "references"

    @property
    def roles(self) -> tuple[str, ...]:
        return ("ReferenceDetector",)

    def compute(self, case: Case, roles: Roles, given: Mapping[str, Found]) -> Found:
        rows, pictures = _readable(case)
        if not rows:
            return Absent(f"failed: none of {len(case.references)} references can be read")
        detector = cast(ReferenceDetector, roles("ReferenceDetector"))
        shown = [ReferencePicture(picture, case.hashes[row]) for row, picture in zip(rows, pictures, strict=True)]
        return {"reference": np.array(rows, np.int64), "prompt": detector.learn(shown)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceMeanings(CaseFeature):
    """Embeddings of each readable reference, of its label, and of the word human: `image`, `label` `(P, D)`, `human` `(1, D)`."""

    name: ClassVar[str] = "reference_meanings"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "references"

    @property
    def roles(self) -> tuple[str, ...]:
        return ("Gme",)

    def compute(self, case: Case, roles: Roles, given: Mapping[str, Found]) -> Found:
        rows, pictures = _readable(case)
        if not rows:
            return Absent(f"failed: none of {len(case.references)} references can be read")
        if not case.labels or not all(case.labels[row] for row in rows):
            return Absent("not applicable: a reference does not say what class it shows")
        embedder = cast(VideoTextEmbedder, roles("Gme"))
        words = list(dict.fromkeys([HUMAN, *(case.labels[row] for row in rows)]))
        texts = finite(embedder.texts(words), "Gme")
        return {
            "image": finite(embedder.images(pictures), "Gme"),
            "label": texts[[words.index(case.labels[row]) for row in rows]],
            "human": texts[:1],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceCrops(VideoFeature):
    """Where each reference is found, and how like it and its label each crop is.

    Of N boxes: `at` the frame, `reference` the row in the case, `box` `(N, 4)`, `score`, and the cosines `likeness` (to the
    reference), `label_fit` and `human_fit` (to the words). `frame` int64 `(T,)` are the frames of the plan, which may repeat
    some, `readable` int64 `(P,)` the references that could be read.
    """

    name: ClassVar[str] = "reference_crops"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video+references"

    min_score: float = 0.5  # get_nexusscore.py: score_thr
    max_iou: float = 0.7  # get_nexusscore.py: nms_cfg
    most: int = 100  # get_nexusscore.py: max_num_boxes
    frames: FramePlan = field(default_factory=lambda: Linspace(32))

    @property
    def roles(self) -> tuple[str, ...]:
        return ("ReferenceDetector", "Gme")

    @property
    def inputs(self) -> Mapping[str, Feature]:
        return {"prompts": ReferencePrompts(), "meanings": ReferenceMeanings()}

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> Collector:
        meanings = given["meanings"]
        if isinstance(meanings, Absent) and meanings.reason.startswith("not applicable"):
            return _Nowhere(meanings)
        prompts, meanings = needed(given["prompts"]), needed(meanings)
        plan = self.frames.indices(facts.num_frames, facts.fps)
        return _Crops(self, roles, {**prompts, **meanings, "plan": np.array(plan, np.int64)}, entry.generation.content_hash)


class _Nowhere:
    def __init__(self, reason: Absent) -> None:
        self._reason = reason

    def add(self, index: int, frame: np.ndarray) -> None:
        """Nothing is looked for."""

    def finish(self) -> Found:
        return self._reason


class _Crops:
    def __init__(self, feature: ReferenceCrops, roles: Roles, known: Arrays, video_hash: str) -> None:
        self._feature, self._known, self._video = feature, known, video_hash
        self._detector = cast(ReferenceDetector, roles("ReferenceDetector"))
        self._embedder = cast(VideoTextEmbedder, roles("Gme"))
        self._waiting: list[ShownFrame] = []
        self._found: dict[str, list[np.ndarray]] = {
            name: [] for name in ("at", "reference", "box", "score", "likeness", "label_fit", "human_fit")
        }

    def add(self, index: int, frame: np.ndarray) -> None:
        self._waiting.append(ShownFrame(frame, self._video, index))
        if len(self._waiting) == CHUNK:
            self._look()

    def finish(self) -> Found:
        self._look()
        kinds = {"at": np.int64, "reference": np.int64}
        arrays = {name: np.array(rows, kinds.get(name, np.float32)) for name, rows in self._found.items()}
        arrays["box"] = arrays["box"].reshape(-1, 4)
        return {**arrays, "frame": self._known["plan"], "readable": self._known["reference"]}

    def _look(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        limits = {"min_score": self._feature.min_score, "max_iou": self._feature.max_iou, "most": self._feature.most}
        for frame, of_references in zip(
            waiting, self._detector.find(waiting, self._known["prompt"], **limits), strict=True
        ):
            owner = np.repeat(np.arange(len(of_references)), [len(found.boxes) for found in of_references])
            box = np.concatenate([found.boxes for found in of_references])
            score = np.concatenate([found.scores for found in of_references])
            crops = [_crop(frame.pixels, one) for one in box]
            kept = np.flatnonzero([not _is_sliver(crop) for crop in crops])
            if not len(kept):
                continue
            crops, owner, box, score = [crops[n] for n in kept], owner[kept], box[kept], score[kept]
            vectors = finite(self._embedder.images(crops), "Gme")
            rows = {
                "at": np.full(len(crops), frame.index),
                "reference": self._known["reference"][owner],
                "box": box,
                "score": score,
                "likeness": (vectors * self._known["image"][owner]).sum(axis=1),
                "label_fit": (vectors * self._known["label"][owner]).sum(axis=1),
                "human_fit": vectors @ self._known["human"][0],
            }
            for name, values in rows.items():
                self._found[name] += list(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class NexusScoreCompat(Metric):
    """OpenS2V-Eval's rule: the mean likeness over all valid crops, divided by the number of frames with any box.

    The division rewards a subject that is seen on few frames: at equal likeness, 8 of 32 frames score four times what all 32
    do. Kept to reproduce published numbers; `nexus` is the measure to use. Upstream leaves out what it calls Man and Woman
    in cases of faces, and calls them human in cases of people; there it computes in float16, here in float32.
    """

    id: ClassVar[str] = "nexus_compat"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "NexusScore (OpenS2V)"
    source: ClassVar[str] = "OpenS2V-Nexus, eval/get_nexusscore.py"
    needs: ClassVar[tuple[str, ...]] = ("references",)

    alpha: float = 0.6  # get_nexusscore.py: least score of a box that counts
    beta: float = 0.3  # get_nexusscore.py: least fit of its crop to the label
    frames: FramePlan = field(default_factory=lambda: Linspace(32))

    @property
    def features(self) -> dict[str, Feature]:
        return {"crops": ReferenceCrops(frames=self.frames)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        crops, case = given["crops"], entry.case
        eligible = [row for row in range(len(case.references)) if not _is_left_out(case.name, case.labels[row])]
        if not eligible:
            return _nothing(f"not applicable: {case.name} shows faces only, which FaceSim compares")
        rows = np.flatnonzero(np.isin(crops["reference"], eligible))
        # A short video repeats frames, and upstream looks at each repetition.
        times = _repetitions(crops)[rows]
        num_frames = int(np.isin(crops["frame"], crops["at"][rows]).sum())
        if num_frames == 0:
            return _nothing(f"no detection: no reference is found on any of {len(crops['frame'])} frames")
        renamed = np.array([_is_renamed(case.name, case.labels[row]) for row in crops["reference"][rows]], bool)
        fits = np.where(renamed, crops["human_fit"][rows], crops["label_fit"][rows])
        likeness = crops["likeness"][rows].astype(np.float64)
        valid = (crops["score"][rows] > self.alpha) & (fits > self.beta) & (likeness != 0)
        mean = float(np.average(likeness[valid], weights=times[valid])) if valid.any() else 0.0
        return Measured(
            value=mean / num_frames,
            num_units=int(times[valid].sum()),
            coverage=num_frames / len(crops["frame"]),
            per_frame=_per_frame(crops, rows[valid]),
            evidence=_evidence(crops, rows, valid) | {"frames_with_boxes": np.array(num_frames)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NexusScore(Metric):
    """Mean likeness over references and frames, 0 where a reference is not found: what the paper sets out to measure.

    Of several valid crops of one reference on one frame their mean counts, so that a wrong box lowers it. Every readable
    reference takes part, faces too.
    """

    id: ClassVar[str] = "nexus"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "NexusScore, by coverage"
    source: ClassVar[str] = "OpenS2V-Nexus, equation 3, with misses as 0 instead of the division by frames with boxes"
    needs: ClassVar[tuple[str, ...]] = ("references",)

    alpha: float = 0.6  # as upstream
    beta: float = 0.3  # as upstream
    frames: FramePlan = field(default_factory=lambda: Linspace(32))

    @property
    def features(self) -> dict[str, Feature]:
        return {"crops": ReferenceCrops(frames=self.frames)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        crops, case = given["crops"], entry.case
        people = np.array([label in PEOPLE for label in case.labels], bool)
        # "human" fits man and woman alike; in cases of faces the label would be held against a face without a body.
        fits = np.where(people[crops["reference"]], np.fmax(crops["human_fit"], crops["label_fit"]), crops["label_fit"])
        valid = (crops["score"] > self.alpha) & (fits > self.beta)
        frames, readable = crops["frame"], crops["readable"]
        grid = np.zeros((len(frames), len(readable)))
        seen = np.zeros(grid.shape, bool)
        for column, reference in enumerate(readable):
            for at in np.unique(crops["at"][valid & (crops["reference"] == reference)]):
                its = valid & (crops["reference"] == reference) & (crops["at"] == at)
                grid[frames == at, column] = max(0.0, float(crops["likeness"][its].mean()))
                seen[frames == at, column] = True
        everything = np.arange(len(valid))
        return Measured(
            value=float(grid.mean()),
            num_units=int(seen.sum()),
            coverage=float(seen.mean()) * len(readable) / len(case.references),
            per_frame={"frame": frames, "likeness": grid.mean(axis=1), "seen": seen.mean(axis=1)},
            evidence=_evidence(crops, everything, valid)
            | {"frames_with_boxes": np.array(int(np.isin(frames, crops["at"]).sum())), "readable": readable},
        )


def _readable(case: Case) -> tuple[list[int], list[np.ndarray]]:
    pictures = enumerate(read_references(case))
    read = [(row, picture) for row, picture in pictures if picture is not None and not _is_sliver(picture)]
    return [row for row, _ in read], [picture for _, picture in read]


def _is_left_out(name: str, label: str) -> bool:
    return "face" in name and label in PEOPLE


def _is_renamed(name: str, label: str) -> bool:
    return "human" in name and label in PEOPLE


def _crop(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """As Pillow crops, edges rounded to the nearest pixel, at least one pixel."""
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = boxes.to_pixels(cast(tuple[float, float, float, float], tuple(np.round(box).tolist())), width, height)
    return frame[y0:y1, x0:x1]


def _is_sliver(picture: np.ndarray) -> bool:
    short, long = sorted(picture.shape[:2])
    return long > MAX_ASPECT * short


def _repetitions(crops: Arrays) -> np.ndarray:
    """How often the plan looks at the frame of each box."""
    return (crops["frame"][None] == crops["at"][:, None]).sum(axis=1)


def _per_frame(crops: Arrays, valid: np.ndarray) -> dict[str, np.ndarray]:
    likeness = np.full(len(crops["frame"]), np.nan)
    for n, frame in enumerate(crops["frame"]):
        its = valid[crops["at"][valid] == frame]
        if len(its):
            likeness[n] = crops["likeness"][its].mean()
    return {"frame": crops["frame"], "likeness": likeness}


def _evidence(crops: Arrays, rows: Sequence[int] | np.ndarray, valid: np.ndarray) -> dict[str, np.ndarray]:
    names = {
        "box_frame": "at",
        "box_reference": "reference",
        "box": "box",
        "box_score": "score",
        "box_likeness": "likeness",
    }
    return {name: crops[of][rows] for name, of in names.items()} | {"box_is_valid": valid}


def _nothing(reason: str) -> Measured:
    return Measured(value=Absent(reason), num_units=0, coverage=0.0)
