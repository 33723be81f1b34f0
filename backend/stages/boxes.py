"""What can be said of a box from the box and its pixels alone: size, wholeness, specificity (S14 to S16)."""

from collections.abc import Mapping, Sequence

import numpy as np

from backend.domain import Appearance, Box
from backend.geometry import boxes
from backend.measures import crops

SPECIFIC_EDGES = 0.12  # edge density of a face at 256 px; a plain wall has less than a tenth of it
SPECIFIC_COLOURS = 0.35  # colour entropy of a clothed person; sky or lawn has about a third of it
MAX_MEASURED_PX = 512  # crops are measured at this size at most, which changes no score by more than noise


def box_scores(appearance: Appearance, frame: np.ndarray, content: Box, *, is_person: bool) -> dict[str, float]:
    """Scores of an appearance on its RGB uint8 frame, by name.

    `area_fraction` and `border_contact` refer to `content`, the picture inside any borders. `completeness` is 1 for a
    box clear of the picture's edge; a person cut by the lower edge is a half-length portrait and loses half as much.
    `specificity` is 1 for a box with as much edge and as many colours as a person, 0 for a plain surface.
    """
    box = appearance.box
    x0, y0, x1, y1 = boxes.to_pixels(box, frame.shape[1], frame.shape[0])
    step = max(1, max(x1 - x0, y1 - y0) // MAX_MEASURED_PX)
    crop = frame[y0:y1:step, x0:x1:step]
    edges, colours = crops.edge_density(crop), crops.colour_entropy(crop)
    return {
        "confidence": appearance.confidence,
        "area_fraction": boxes.area(box) / boxes.area(content),
        "min_side_px": min(box[2] - box[0], box[3] - box[1]),
        "border_contact": boxes.border_contact(box, content, tolerance=_tolerance(content)),
        "completeness": _completeness(box, content, is_person=is_person),
        "edge_density": edges,
        "colour_entropy": colours,
        "specificity": float(np.sqrt(min(1.0, edges / SPECIFIC_EDGES) * min(1.0, colours / SPECIFIC_COLOURS))),
    }


def rival_overlaps(appearances: Sequence[Appearance]) -> Mapping[str, float]:
    """For each appearance's id the largest IoU with a more confident one on its frame, 0 without a rival.

    Equal confidence is decided by the id, so that of two like boxes exactly one has the other for a rival.
    """
    rank = {a.id: (-a.confidence, a.id) for a in appearances}
    return {
        a.id: max(
            (boxes.iou(a.box, b.box) for b in appearances if b.frame == a.frame and rank[b.id] < rank[a.id]), default=0.0
        )
        for a in appearances
    }


def _completeness(box: Box, content: Box, *, is_person: bool) -> float:
    margin = _tolerance(content)
    cut = [box[0] <= content[0] + margin, box[1] <= content[1] + margin, box[2] >= content[2] - margin]
    width, height = box[2] - box[0], box[3] - box[1]
    lost = height * (cut[0] + cut[2]) + width * cut[1]
    lost += width * (box[3] >= content[3] - margin) * (0.5 if is_person else 1.0)
    return 1 - lost / (2 * (width + height))


def _tolerance(content: Box) -> float:
    """Pixels from the edge that still count as touching: half a per cent, at least one."""
    return max(1.0, 0.005 * max(content[2] - content[0], content[3] - content[1]))
