"""Subjects without weights: what moves, stands out or has a face, grown to whole things and linked over frames."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from backend.domain import Detection, Footage
from backend.geometry import boxes
from backend.models.classical_candidates import Candidate, candidates
from backend.models.classical_linking import linked
from backend.models.classical_views import Viewer

PERSON_FACE = 0.5
"""Least face score that makes a candidate a person."""


@dataclass(frozen=True)
class ClassicalDetector:
    """Candidate boxes by motion against the camera, boundary saliency and faces, refined by GrabCut."""

    model_id: ClassVar[str] = "embedded-candidates-1"
    min_score: float = 0.4
    max_iou: float = 0.55
    """Two boxes of one frame that overlap more are one candidate."""
    most_per_frame: int = 5
    min_likeness: float = 0.55
    """Least likeness of two candidates on different frames that are one subject."""
    min_area: float = 0.025
    """Smallest box, as a share of the picture: a little under what curation keeps, to see what lies near its edge."""
    viewer: Viewer = field(default_factory=Viewer)

    def detect(self, footage: Footage, frames: Sequence[int], phrases: Sequence[str]) -> list[Detection]:
        """Detections on the frames, best first on each, linked by `track`. Raises MediaError.

        Phrases are not looked for: no embedded measure tells what a word looks like. Who is a person is known from
        a face; everything else is unlabelled.
        """
        kept: list[Candidate] = []
        for view in self.viewer.views(footage, frames):
            kept += self._best(candidates(view))
        numbers = linked(kept, min_likeness=self.min_likeness)
        return [_detection(candidate, number) for candidate, number in zip(kept, numbers, strict=True)]

    def _best(self, found: list[Candidate]) -> list[Candidate]:
        found = [c for c in found if score(c) >= self.min_score and c.features["area"] >= self.min_area]
        order = boxes.nms([c.box for c in found], [score(c) for c in found], max_iou=self.max_iou)
        return [found[i] for i in order[: self.most_per_frame]]


def score(candidate: Candidate) -> float:
    """How firmly the evidence speaks for a subject, in [0, 1]."""
    f = candidate.features
    evidence = (
        -2.2
        + 2.0 * f["separation"]
        + 2.5 * f["motion_contrast"]
        + 2.5 * f["saliency_contrast"]
        + 2.0 * candidate.face
        + 1.0 * f["edge"]
        - 2.0 * max(0.0, f["border"] - 0.35)
    )
    return float(1 / (1 + np.exp(-evidence)))


def _detection(candidate: Candidate, number: int) -> Detection:
    x0, y0, x1, y1 = candidate.view.to_source(candidate.box)
    return Detection(
        frame=candidate.view.frame,
        box=(round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)),
        score=round(score(candidate), 4),
        kind="person" if candidate.features["face"] >= PERSON_FACE else "unlabelled",
        track=number,
    )
