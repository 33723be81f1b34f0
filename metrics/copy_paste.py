"""How much of a reference returns beyond identity: pose, light, framing and background."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backend.domain import Absent
from metrics.embedded import CHANCE_INLIERS, FULL_BACKGROUND_SHARE, likeness, nan_max, nan_mean
from metrics.embedded_subjects import ReferenceSubjects, SubjectsSeen
from metrics.spec import Arrays, Entry, Feature, Measured, Metric

PARTS = ("pose", "light", "framing", "background")


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPasteIndex(Metric):
    """The mean of four likenesses to the reference, of the subject that is most like it in each frame; lower is better.

    *pose*: overlap of the outlines, raised by the share of details that one mapping of the plane explains (the same
    view of the same thing); *light*: colour and shading of the subject; *framing*: proportions of the subject's box and
    which edges cut it; *background*: its colours, textures and points. A part that a reference cannot give (background
    of a cut-out) is left out of the mean. A reference may return by right: a frame that shows the subject from
    the same side scores higher than one that does not, so the index compares systems on equal cases.
    """

    id: ClassVar[str] = "copy_paste_index"
    version: ClassVar[int] = 1
    is_classical: ClassVar[bool] = True
    title: ClassVar[str] = "Copy-paste index"
    source: ClassVar[str] = "ours: no published S2V metric measures what returns beyond identity"
    higher_is_better: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("references",)

    full_share: float = 0.5
    """Share of a subject's points in one mapping at which the view is the same; copies keep .4 to .8."""
    lab_scale: float = 8.0
    """Difference of mean colour in CIE L* units at which light is half alike: about three just noticeable steps."""
    slope_scale: float = 20.0
    """The same for the slope of lightness across the subject, in L* from edge to edge."""

    @property
    def features(self) -> dict[str, Feature]:
        return {"references": ReferenceSubjects(), "subjects": SubjectsSeen()}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        seen, readable = given["subjects"], given["references"]["readable"]
        if not readable.any():
            return Measured(value=Absent("failed: no reference can be read"), num_units=0)
        parts = self.parts(seen)
        frames, rows = np.unique(seen["frame"]), _likeliest(seen)
        by_frame = {
            name: np.array([nan_max(values[rows[f], range(values.shape[1])]) for f in frames])
            for name, values in parts.items()
        }
        scores = {name: nan_mean(values) for name, values in by_frame.items()}
        value = nan_mean(np.array(list(scores.values())))
        if not np.isfinite(value):
            return Measured(value=Absent("no detection: no subject could be compared"), num_units=0)
        return Measured(
            value=value,
            num_units=len(frames),
            coverage=float(readable.mean() * len(frames) / len(seen["looked_at"])),
            per_frame={"frame": frames, **by_frame},
            evidence={f"{name}_score": np.array(score) for name, score in scores.items()}
            | {"box": seen["box"], "subject_frame": seen["frame"]},
        )

    def parts(self, seen: Arrays) -> dict[str, np.ndarray]:
        """The four likenesses in [0, 1] of each row's subject to each reference, `(N, R)`."""
        details = np.clip(seen["subject_share"] / self.full_share, 0.0, 1.0)
        light = np.exp2(-seen["lab_distance"] / self.lab_scale - seen["slope_distance"] / self.slope_scale)
        framing = np.exp2(-2.0 * seen["aspect_step"]) * (0.5 + 0.5 * seen["edges_alike"])
        cosine = np.clip(np.fmax(seen["background_cosine"], seen["nearby_cosine"]), 0.0, 1.0)
        points = np.clip(seen["background_share"] / FULL_BACKGROUND_SHARE, 0.0, 1.0)
        points = np.where(seen["background_inliers"] >= 2 * CHANCE_INLIERS, points, 0.0)
        background = np.where(np.isfinite(cosine), np.fmax(cosine, points), np.nan)
        pose = 0.5 * (np.clip(seen["shape_iou"], 0.0, 1.0) + details)
        return dict(zip(PARTS, (pose, light, framing, background), strict=True))


def _likeliest(seen: Arrays) -> dict[int, np.ndarray]:
    """By frame, the row of the subject most like each reference, int `(R,)`."""
    alike = np.nan_to_num(likeness(seen), nan=-1.0)
    found = {}
    for frame in np.unique(seen["frame"]):
        rows = np.flatnonzero(seen["frame"] == frame)
        found[int(frame)] = rows[alike[rows].argmax(axis=0)]
    return found
