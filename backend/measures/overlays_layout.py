"""What overlays leave of a picture: the part they cover, and the largest rectangle without them."""

import itertools
from collections.abc import Sequence

from backend.domain import Box
from backend.geometry import boxes


def covered_fraction(content: Box, overlays: Sequence[Box]) -> float:
    """The part of `content` under at least one overlay, in [0, 1]. Raises ValueError when `content` is empty."""
    if not boxes.area(content):
        raise ValueError(f"the picture {content} is empty")
    inside = _inside(content, overlays)
    rows = sorted({edge for box in inside for edge in (box[1], box[3])})
    covered = 0.0
    for top, bottom in itertools.pairwise(rows):
        reached = content[0]
        for x0, _, x1, _ in sorted(_between(inside, top, bottom)):
            covered += (bottom - top) * max(0.0, x1 - max(x0, reached))
            reached = max(reached, x1)
    return covered / boxes.area(content)


def clean_rectangle(content: Box, overlays: Sequence[Box]) -> Box | None:
    """The largest rectangle inside `content` that no overlay touches; None when they cover it all.

    Exact: its sides lie on those of the picture and of overlays, and between any two rows the widest gap is known.
    The upper, then the left one of equal rectangles is given.
    """
    inside = _inside(content, overlays)
    rows = sorted({content[1], content[3], *(edge for box in inside for edge in (box[1], box[3]))})
    best: Box | None = None
    for i, top in enumerate(rows):
        for bottom in rows[i + 1 :]:
            left = content[0]
            for x0, _, x1, _ in [*sorted(_between(inside, top, bottom)), (content[2], top, content[2], bottom)]:
                gap = (left, top, x0, bottom)
                if boxes.area(gap) > (boxes.area(best) if best else 0.0):
                    best = gap
                left = max(left, x1)
    return best


def _inside(content: Box, overlays: Sequence[Box]) -> list[Box]:
    return [shared for box in overlays if (shared := boxes.intersection(box, content)) is not None]


def _between(overlays: Sequence[Box], top: float, bottom: float) -> list[Box]:
    """Overlays that reach into the rows from `top` to `bottom`."""
    return [box for box in overlays if box[1] < bottom and box[3] > top]
