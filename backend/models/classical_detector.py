"""Subjects without weights: what moves, stands out or has a face, grown to whole things and linked over frames."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from backend.domain import Box, Detection, Footage
from backend.geometry import boxes
from backend.models.classical_candidates import Candidate, candidates
from backend.models.classical_following import followed
from backend.models.classical_linking import likeness, linked
from backend.models.classical_segmenter import ClassicalSegmenter, Evidence
from backend.models.classical_views import View, Viewer

# Logistic regression over 1,700 candidates of 29 labelled real clips and 40 shots of the sample world (seeds 0 and 1);
# area under the curve .87 on held-out real clips, .88 on held-out shots.
WEIGHTS = {
    "separation": 1.8,
    "motion": 5.6,
    "motion_contrast": 0.7,
    "motion_share": 0.4,
    "saliency_contrast": 3.1,
    "fill": 1.6,
    "border": -2.2,
    "area": 13.7,
    "area_squared": -12.5,
    "edge": 1.0,
    "face_seed": 4.6,
    "saliency_seed": -1.5,
}
INTERCEPT = -9.9

PART_SCORE = 0.85  # a body's own halves score less than this share of the whole

PERSON_FACE = 0.5
"""Least face score that makes a candidate a person."""


@dataclass(frozen=True)
class ClassicalDetector:
    """Candidate boxes by motion against the camera, boundary saliency and faces, refined by GrabCut and by the segmenter."""

    model_id: ClassVar[str] = "embedded-candidates-3"
    min_score: float = 0.2
    max_iou: float = 0.55
    """Two boxes of one frame that overlap more are one candidate."""
    most_per_frame: int = 5
    min_likeness: float = 0.55
    """Least likeness of two candidates on different frames that are one subject."""
    follow_score: float = 0.5
    """Least score of a candidate that is looked for on the frames where it was not found."""
    min_area: float = 0.025
    """Smallest box, as a share of the picture: a little under what curation keeps, to see what lies near its edge."""
    min_content_px: int = 32
    """Shortest side of a picture inside its borders in which anything is looked for."""
    max_aspect: float = 10.0
    """Longest picture, as a ratio of its sides: a banner or a strip shows no whole subject, nor room around one."""
    max_tight_iou: float = 0.8
    """The same for tightened boxes, which are surer: Phantom-Data's own bound for rivals."""
    least_left: float = 0.3
    """Least IoU of a candidate's box with its tightened one; .3 finds more on held-out worlds than .5 to .7."""
    viewer: Viewer = field(default_factory=Viewer)
    segmenter: ClassicalSegmenter = field(default_factory=ClassicalSegmenter)

    def detect(self, footage: Footage, frames: Sequence[int], phrases: Sequence[str]) -> list[Detection]:
        """Detections on the frames, best first on each, linked by `track`. Raises MediaError.

        Phrases are not looked for: no embedded measure tells what a word looks like. Who is a person is known from
        a face; everything else is unlabelled. Nothing is found in pictures too small or too long to show a subject.
        """
        if not self._can_show_subjects(footage.content):
            return []
        views = self.viewer.views(footage, frames)
        found = [candidate for view in views for candidate in candidates(view)]
        found += self._followed([c for view in views for c in self._best(found, view)], views)
        kept = [c for view in views for c in self._tight(self._best(found, view))]
        numbers = linked(kept, [score(c) for c in kept], min_likeness=self.min_likeness)
        return [_detection(candidate, number) for candidate, number in zip(kept, numbers, strict=True)]

    def _can_show_subjects(self, content: Box) -> bool:
        short, long = sorted((content[2] - content[0], content[3] - content[1]))
        return short >= self.min_content_px and long <= self.max_aspect * short

    def _followed(self, kept: list[Candidate], views: Sequence[View]) -> list[Candidate]:
        """What was found on some frames only, on the others."""
        numbers = linked(kept, [score(c) for c in kept], min_likeness=self.min_likeness)
        more: list[Candidate] = []
        for number in sorted(set(numbers)):
            group = [c for c, n in zip(kept, numbers, strict=True) if n == number]
            surest = max(group, key=score)
            if score(surest) < self.follow_score:
                continue
            for view in views:
                if view.frame not in {c.view.frame for c in group}:
                    other = followed(surest, view)
                    if other is not None and likeness(surest, other) >= self.min_likeness:
                        more.append(other)
        return more

    def _best(self, found: list[Candidate], view: View) -> list[Candidate]:
        found = [c for c in found if c.view is view and score(c) >= self.min_score and c.features["area"] >= self.min_area]
        found = [c for c in found if not _is_pair(c, found)]
        return _distinct(found, self.max_iou)[: self.most_per_frame]

    def _tight(self, found: list[Candidate]) -> list[Candidate]:
        return _distinct([self._tightened(candidate) for candidate in found], self.max_tight_iou)

    def _tightened(self, candidate: Candidate) -> Candidate:
        """The candidate with the box of what the segmenter cuts out of its own, unless little is left of it."""
        view = candidate.view
        masks, _ = self.segmenter.segment_given(view.rgb, [candidate.box], Evidence(view.motion, view.bounds))
        mask = masks[0] & ~view.blocked
        box = boxes.of_mask(mask)
        if box is None or boxes.iou(box, candidate.box) < self.least_left:
            return candidate
        return replace(candidate, mask=mask, box=box)


def _distinct(found: list[Candidate], max_iou: float) -> list[Candidate]:
    """Those that no surer one overlaps by more, surest first."""
    return [found[i] for i in boxes.nms([c.box for c in found], [score(c) for c in found], max_iou=max_iou)]


def _is_pair(candidate: Candidate, found: list[Candidate]) -> bool:
    """Whether the candidate is but two others side by side, each about as sure as itself."""
    parts = [
        c
        for c in found
        if c is not candidate
        and boxes.contain(c.box, candidate.box) >= 0.85
        and boxes.area(c.box) < 0.75 * boxes.area(candidate.box)
        and score(c) >= PART_SCORE * score(candidate)
    ]
    return any(
        boxes.iou(a.box, b.box) < 0.1 and boxes.iou(boxes.union(a.box, b.box), candidate.box) >= 0.8
        for n, a in enumerate(parts)
        for b in parts[:n]
    )


def score(candidate: Candidate) -> float:
    """The chance in [0, 1] that the candidate's box is a subject's (IoU of at least one half)."""
    f = candidate.features
    values = f | {"face_seed": candidate.face, "area_squared": f["area"] ** 2}
    values["saliency_seed"] = float(candidate.kind.startswith("saliency"))
    evidence = INTERCEPT + sum(weight * values[name] for name, weight in WEIGHTS.items())
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
