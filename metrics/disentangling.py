"""Kaleido's pair of measures: the subject of the references should return in the video, their backgrounds should not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from backend.domain import Absent, Case
from metrics.framing import FramePlan, Linspace
from metrics.grounding import ANY_LABEL, Cutting, GroundedFrames, GroundedReferences, phrases_of
from metrics.spec import Arrays, Entry, Feature, Measured, Metric

Policy = Literal["strict", "paper"]
Grouping = Literal["kinds", "labels", "each"]
OPENING_KINDS = ("", "global")


@dataclass(frozen=True, slots=True, kw_only=True)
class S2VConsistency(Metric):
    """How much each subject cut out of the frames looks like it does in its references.

    Of a subject on a frame: the highest similarity of any crop of its class to any of its references. Then the mean over
    subjects and frames.
    """

    id: ClassVar[str] = "s2v_consistency"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "S2V consistency (Kaleido)"
    source: ClassVar[str] = "Kaleido, section 4: GroundingDINO, SAM and CLIP; no code published"
    needs: ClassVar[tuple[str, ...]] = ("references",)

    policy: Policy = "strict"
    """A subject that is not found on a frame: `strict` counts 0, `paper` leaves the frame out, as its silence suggests.
    Only `strict` cannot be raised by showing the subject less."""
    grouping: Grouping = "kinds"
    """Which references show one subject: see `subjects_of`."""
    cutting: Cutting = field(default_factory=Cutting)
    frames: FramePlan = field(default_factory=lambda: Linspace(32))  # the paper names none; as OpenS2V-Eval

    @property
    def features(self) -> dict[str, Feature]:
        return {
            "references": GroundedReferences(cutting=self.cutting),
            "video": GroundedFrames(cutting=self.cutting, frames=self.frames),
        }

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        references, video = given["references"], given["video"]
        groups = subjects_of(entry.case, self.grouping)
        similar = np.stack([_best_similarity(entry.case, rows, references, video) for rows in groups], axis=1)
        known = [bool(references["is_found"][rows].any()) for rows in groups]
        if not any(known):
            return _nothing("no detection: no reference shows its class to the detector")
        seen = np.isfinite(similar)
        if self.policy == "strict":
            similar = np.where(np.isnan(similar), 0.0, similar)
        similar = similar[:, known]
        if np.isnan(similar).all():
            return _nothing(f"no detection: no subject is found on any of {len(similar)} frames")
        per_frame = np.array([row[~np.isnan(row)].mean() if (~np.isnan(row)).any() else np.nan for row in similar])
        return Measured(
            value=float(np.nanmean(per_frame)),
            num_units=int(seen.sum()),
            coverage=float(seen.mean()),
            per_frame={"frame": video["frame"], "similarity": per_frame},
            evidence=_evidence(video) | {"reference_box": references["box"]},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class S2VDecoupling(Metric):
    """1 less the similarity of the references' backgrounds to those of the frames, subjects removed from both."""

    id: ClassVar[str] = "s2v_decoupling"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "S2V decoupling (Kaleido)"
    source: ClassVar[str] = "Kaleido, section 4: 1 - sim of backgrounds; no code published"
    needs: ClassVar[tuple[str, ...]] = ("references",)

    min_background: float = 0.15
    """Least share of a picture outside its subjects; less shows no place."""
    min_spread: float = 8.0
    """Least deviation of a background's 8-bit levels: white cut-outs compressed as JPEG have 1 to 3."""
    cutting: Cutting = field(default_factory=Cutting)
    frames: FramePlan = field(default_factory=lambda: Linspace(32))

    @property
    def features(self) -> dict[str, Feature]:
        return {
            "references": GroundedReferences(cutting=self.cutting),
            "video": GroundedFrames(cutting=self.cutting, frames=self.frames),
        }

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        references, video = given["references"], given["video"]
        usable, shown = self._shows_place(references), self._shows_place(video)
        if not references["is_found"].any():
            return _nothing("no detection: no reference shows its class to the detector")
        if not usable.any():
            return _nothing("not applicable: no reference has a background; they are cut out or fill their pictures")
        if not video["is_found"].any():
            return _nothing("no detection: no subject is found on any frame, so none can be taken out of it")
        if not shown.any():
            return _nothing("not applicable: no frame has a background; subjects fill them")
        alike = video["background"] @ references["background"][usable].T
        per_frame = np.where(shown, 1.0 - alike.mean(axis=1), np.nan)[_rows_of_plan(video)]
        return Measured(
            value=float(np.nanmean(per_frame)),
            num_units=int(np.isfinite(per_frame).sum()) * int(usable.sum()),
            coverage=float(np.isfinite(per_frame).mean() * usable.mean()),
            per_frame={"frame": video["frame"], "decoupling": per_frame},
            evidence=_evidence(video) | {"reference_box": references["box"], "reference_used": usable},
        )

    def _shows_place(self, found: Arrays) -> np.ndarray:
        wide = found["background_share"] >= self.min_background
        return found["is_found"] & wide & (found["background_spread"] >= self.min_spread)


def subjects_of(case: Case, grouping: Grouping) -> list[list[int]]:
    """Rows of the references of each subject, in order of first appearance.

    `kinds`: a reference opens a subject of its own, unless its kind is a view or an expression and one of its label
    stands before it. `labels`: equal labels are one subject. `each`: every reference is a subject.
    """
    groups: list[list[int]] = []
    for row in range(len(case.references)):
        kind = case.kinds[row] if case.kinds else ""
        joins = grouping == "labels" or (grouping == "kinds" and kind not in OPENING_KINDS)
        alike = [group for group in groups if case.labels[group[0]] == case.labels[row]]
        if joins and alike:
            alike[-1].append(row)
        else:
            groups.append([row])
    return groups


def _best_similarity(case: Case, rows: list[int], references: Arrays, video: Arrays) -> np.ndarray:
    """Float64 `(T,)` over the frames of the plan, NaN where the subject is not found."""
    rows = [row for row in rows if references["is_found"][row]]
    best = np.full(len(video["seen"]), np.nan)
    if not rows:
        return best[_rows_of_plan(video)]
    label = phrases_of(case).index(case.labels[rows[0]])
    its = np.flatnonzero((video["label"] == label) | (video["label"] == ANY_LABEL))
    similar = (video["subject"][its] @ references["subject"][rows].T).max(axis=1) if len(its) else np.zeros(0)
    for row, value in zip(video["at"][its], similar, strict=True):
        best[row] = np.fmax(best[row], value)
    return best[_rows_of_plan(video)]


def _rows_of_plan(video: Arrays) -> np.ndarray:
    return np.searchsorted(video["seen"], video["frame"])


def _evidence(video: Arrays) -> dict[str, np.ndarray]:
    return {
        "box_frame": video["seen"][video["at"]],
        **{f"box_{n}": video[n] for n in ("label", "score")},
        "box": video["box"],
    }


def _nothing(reason: str) -> Measured:
    return Measured(value=Absent(reason), num_units=0, coverage=0.0)
