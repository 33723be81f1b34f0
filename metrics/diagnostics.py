"""Failures that subject-to-video papers show, one metric each, with a value per frame to look at: higher is worse."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backend.domain import Absent
from metrics.diagnostics_traces import NUM_ANCHORS, FirstFrame, SmallTraces
from metrics.embedded import nan_max
from metrics.embedded_odds import chance, identity_odds
from metrics.embedded_subjects import ReferenceSubjects, SubjectsSeen
from metrics.spec import Arrays, Entry, Feature, Measured, Metric

SOURCE = "ours: a failure that the papers show"
MIN_FRAMES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFrameCopy(Metric):
    """How much of a reference's picture stands in the first frames, laid over them: 0 none, 1 the same pixels.

    The largest over the references and the first two frames. A video that copies the reference throughout
    has its first frames copied too; `per_frame` shows whether later frames differ.
    """

    id: ClassVar[str] = "first_frame_copy"
    version: ClassVar[int] = 1
    is_classical: ClassVar[bool] = True
    title: ClassVar[str] = "First frame copied"
    source: ClassVar[str] = SOURCE
    higher_is_better: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("references",)

    @property
    def features(self) -> dict[str, Feature]:
        return {"first": FirstFrame()}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        first = given["first"]
        alike = np.array([nan_max(row) for row in first["alike"]])
        early = first["frame"] < first["num_first"]
        if not np.isfinite(alike[early]).any():
            return Measured(value=Absent("failed: no reference can be laid over the first frames"), num_units=0)
        return Measured(
            value=float(np.clip(nan_max(alike[early]), 0.0, 1.0)),
            num_units=int(early.sum()),
            per_frame={"frame": first["frame"], "alike": alike},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFramesBlur(Metric):
    """How much less fine detail the first frames have than the rest: log2 of the ratio of sharpness, at least 0."""

    id: ClassVar[str] = "first_frames_blur"
    version: ClassVar[int] = 1
    is_classical: ClassVar[bool] = True
    title: ClassVar[str] = "First frames blurred"
    source: ClassVar[str] = SOURCE
    higher_is_better: ClassVar[bool] = False
    range: ClassVar[tuple[float | None, float | None]] = (0.0, None)

    num_first: int = 3
    """Latent video models code the first frame apart and the next four together: what is spoilt is spoilt there."""

    @property
    def features(self) -> dict[str, Feature]:
        return {"traces": SmallTraces()}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        sharpness = given["traces"]["sharpness"]
        if len(sharpness) < self.num_first + MIN_FRAMES:
            return Measured(value=Absent(f"too short: {len(sharpness)} frames have no first ones"), num_units=0)
        log = np.log2(sharpness + 1e-3)
        # Against the sharpest quarter of the next frames, which the camera has not left yet.
        after = log[self.num_first : max(2 * self.num_first + MIN_FRAMES, len(log) // 3)]
        value = float(np.percentile(after, 75) - log[: self.num_first].min())
        return Measured(value=max(0.0, value), num_units=len(log), per_frame=_per_frame(sharpness=sharpness))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyFade(Metric):
    """The chance that the subject of the second half of the frames is no longer that of the first.

    Two signs are weighed: how much of `embedded_identity`'s chance is lost from one half to the other, and how much less
    alike the subject's looks are across the halves than within them. A video of somebody else throughout does not fade; a
    subject that turns its back for the rest of the video may. The weights were fitted on cuts from a subject to its
    look-alike, in 45 cases of sample worlds 2000 and 2003. The evidence holds the mean chance of identity of each of
    `num_chunks` parts of the video, and its slope: the change from the first frame to the last of the straight line through it. Not applicable when the subject is seen on too few frames.
    """

    id: ClassVar[str] = "consistency_fade"
    version: ClassVar[int] = 6
    is_classical: ClassVar[bool] = True
    title: ClassVar[str] = "Identity fades"
    source: ClassVar[str] = SOURCE
    higher_is_better: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("references",)

    lost_weight: float = 6.2
    unlike_weight: float = 7.6
    bias: float = -2.1
    num_chunks: int = 4
    """Quarters: chunks of two seconds, as VBench-Long takes, in the usual five to ten."""

    @property
    def features(self) -> dict[str, Feature]:
        return {"references": ReferenceSubjects(), "subjects": SubjectsSeen()}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        seen = given["subjects"]
        of_row = np.array([nan_max(row) for row in identity_odds(seen, given["references"]["living"])])
        rows = _best_rows(seen["frame"], of_row)
        frames, alike = seen["frame"][rows], chance(of_row[rows])
        if len(alike) < MIN_FRAMES:
            return Measured(value=Absent(f"no detection: the subject is seen on {len(alike)} frames, needs {MIN_FRAMES}"))
        length = max(1, int(seen["looked_at"].max() - seen["looked_at"].min()))
        slope = np.polynomial.Polynomial.fit(frames / length, alike, 1).deriv()(0.0)
        lost, unlike = _halves(alike, np.nan_to_num(seen["appearance"][rows].astype(np.float64)))
        parts = np.minimum((frames - seen["looked_at"].min()) * self.num_chunks // (length + 1), self.num_chunks - 1)
        chunks = np.array([alike[parts == k].mean() if (parts == k).any() else np.nan for k in range(self.num_chunks)])
        return Measured(
            value=float(chance(np.array(self.lost_weight * lost + self.unlike_weight * unlike + self.bias))),
            num_units=len(frames),
            coverage=len(frames) / len(seen["looked_at"]),
            per_frame={"frame": frames, "likeness": alike},
            evidence={
                "chunk_likeness": chunks,
                "slope": np.array(slope),
                "lost": np.array(lost),
                "unlike": np.array(unlike),
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourDrift(Metric):
    """How far red, green and blue move steadily from the first to the last frame, in stops (doublings), as one length.

    Gains between nine frames, each the median over the picture that both show, so that what moves or comes into view
    hardly counts. The summed gains are fitted by a straight line, and count as far as it explains them: light that
    swings is no drift. Exposure counts for less than colour casts: suns set and cameras turn into the shade by right.
    """

    id: ClassVar[str] = "colour_drift"
    version: ClassVar[int] = 1
    is_classical: ClassVar[bool] = True
    title: ClassVar[str] = "Colours drift"
    source: ClassVar[str] = SOURCE
    higher_is_better: ClassVar[bool] = False
    range: ClassVar[tuple[float | None, float | None]] = (0.0, None)

    exposure_weight: float = 0.25
    """Light of the sample world swings by up to .4 stops in two seconds, its balance by none."""

    @property
    def features(self) -> dict[str, Feature]:
        return {"traces": SmallTraces()}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        steps, frames = given["traces"]["gain_step"], given["traces"]["gain_frame"]
        if len(steps) == 0:
            num = len(given["traces"]["small"])
            return Measured(
                value=Absent(f"too short: drift is told from {NUM_ANCHORS} frames, this has {num}"), num_units=0
            )
        if not np.isfinite(steps).all():
            return Measured(value=Absent("not applicable: frames share too little to compare their colours"), num_units=0)
        path = np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])
        time = np.linspace(-0.5, 0.5, len(path))
        centred = path - path.mean(axis=0)
        slopes = time @ centred / (time**2).sum()
        left = centred - time[:, None] * slopes
        explained = 1 - (left**2).sum(axis=0) / np.maximum((centred**2).sum(axis=0), 1e-6)
        drift = slopes * np.clip(explained, 0.0, 1.0)
        return Measured(
            value=float(np.linalg.norm(drift - drift.mean()) + self.exposure_weight * abs(drift.mean())),
            num_units=len(path),
            per_frame={"frame": frames, "red": path[:, 0], "green": path[:, 1], "blue": path[:, 2]},
            evidence={"drift_stops": drift},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRepetition(Metric):
    """The share of frames that repeat an earlier one to the grain, though the video moves in between.

    A frame repeats its neighbour (the video stalls), or one further back with others in between (it loops). A pause
    is told from a stall by grain and coding noise, which change when frames are drawn anew.
    """

    id: ClassVar[str] = "frame_repetition"
    version: ClassVar[int] = 1
    is_classical: ClassVar[bool] = True
    title: ClassVar[str] = "Frames repeat"
    source: ClassVar[str] = SOURCE
    higher_is_better: ClassVar[bool] = False

    stall: float = 0.25
    """Of the upper quartile of steps: a frame shown again at once is coded as no change, a slow pan still moves."""
    loop: float = 0.6
    """Of the smaller step beside either frame: an earlier frame coded again differs by .25 to .5 of one, while other
    frames that lie apart differ by a step of grain at least."""
    loop_gap: int = 3
    """Frames between a frame and the one that it repeats, so that a slow motion is no loop."""
    still_levels: float = 0.05
    """Median steps below this say that the video stands still as a whole, where nothing can be told."""

    @property
    def features(self) -> dict[str, Feature]:
        return {"traces": SmallTraces()}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        small = given["traces"]["small"].astype(np.float32)
        if len(small) < MIN_FRAMES:
            return Measured(value=Absent(f"too short: {len(small)} frames are too few to repeat"), num_units=0)
        distance = np.stack([np.abs(small - frame).mean(axis=(1, 2, 3)) for frame in small])
        steps = np.diag(distance, 1)
        usual = float(np.percentile(steps, 75))
        if usual < self.still_levels:
            return Measured(value=Absent("not applicable: the video stands still"), num_units=0)
        nearby = np.minimum(np.r_[np.inf, steps], np.r_[steps, np.inf])
        ratio = distance / np.maximum(np.minimum(nearby[:, None], nearby[None]), self.still_levels)
        far = np.where(np.tri(len(small), k=-self.loop_gap, dtype=bool), ratio, np.inf).min(axis=1)
        repeats = (far < self.loop) | (np.r_[np.inf, steps] < self.stall * usual)
        return Measured(
            value=float(repeats.mean()),
            num_units=len(small),
            per_frame=_per_frame(step_levels=np.r_[np.nan, steps], repeats=repeats),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectDuplication(Metric):
    """How alike the two most alike separate subjects of a frame are, by appearance, on average over the frames.

    A frame with fewer than two subjects counts 0. Two things that really look alike (twins, a row of equal chairs)
    score high too: the value is a reason to look, not a verdict.
    """

    id: ClassVar[str] = "subject_duplication"
    version: ClassVar[int] = 2
    is_classical: ClassVar[bool] = True
    title: ClassVar[str] = "Subject appears twice"
    source: ClassVar[str] = SOURCE
    higher_is_better: ClassVar[bool] = False

    max_iou: float = 0.1
    """Two boxes that overlap more may be parts of one subject."""
    max_area_ratio: float = 4.0
    """Duplicates stand about as near; a much smaller thing is a part or a detail."""

    @property
    def features(self) -> dict[str, Feature]:
        return {"subjects": SubjectsSeen()}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        seen = given["subjects"]
        vectors, box = np.nan_to_num(seen["found_appearance"]), seen["found_box"]
        alike = np.zeros(len(seen["looked_at"]))
        for k, frame in enumerate(seen["looked_at"]):
            rows = np.flatnonzero(seen["found_frame"] == frame)
            for n, a in enumerate(rows):
                for b in rows[:n]:
                    if _apart(box[a], box[b], max_iou=self.max_iou, max_ratio=self.max_area_ratio):
                        alike[k] = max(alike[k], float(vectors[a] @ vectors[b]))
        return Measured(
            value=float(np.clip(alike.mean(), 0.0, 1.0)),
            num_units=len(alike),
            per_frame={"frame": seen["looked_at"], "likeness": alike},
            evidence={"box": box, "subject_frame": seen["found_frame"]},
        )


def _best_rows(frame: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The row with the largest value of each frame that has a finite one, frames rising."""
    ordered = np.lexsort((-np.nan_to_num(values, nan=-np.inf), frame))
    ordered = ordered[np.isfinite(values[ordered])]
    return ordered[np.unique(frame[ordered], return_index=True)[1]]


def _halves(alike: np.ndarray, vectors: np.ndarray) -> tuple[float, float]:
    """By how much the mean of values `(N,)` falls from the first half to the second, and by how much less alike unit
    vectors `(N, D)` are across the halves than within them; the middle one of an odd number belongs to neither. N >= 4.
    """
    num = len(alike) // 2
    cosine = vectors @ vectors.T
    first, second = np.arange(num), np.arange(len(alike) - num, len(alike))
    pairs = [cosine[np.ix_(half, half)][np.triu_indices(num, 1)] for half in (first, second)]
    unlike = np.concatenate(pairs).mean() - cosine[np.ix_(first, second)].mean()
    return float(alike[first].mean() - alike[second].mean()), float(unlike)


def _apart(a: np.ndarray, b: np.ndarray, *, max_iou: float, max_ratio: float) -> bool:
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = max(0.0, width) * max(0.0, height)
    areas = sorted((float(np.prod(a[2:] - a[:2])), float(np.prod(b[2:] - b[:2]))))
    return shared <= max_iou * (sum(areas) - shared) and areas[1] <= max_ratio * max(areas[0], 1.0)


def _per_frame(**values: np.ndarray) -> dict[str, np.ndarray]:
    return {"frame": np.arange(len(next(iter(values.values())))), **values}
