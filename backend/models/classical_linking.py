"""Which candidates of different frames are one subject: by colours, size and place."""

from collections.abc import Sequence

import numpy as np

from backend.geometry import boxes
from backend.models.classical_candidates import Candidate


def linked(candidates: Sequence[Candidate], scores: Sequence[float], *, min_likeness: float) -> list[int]:
    """A subject number for each candidate, dense from 0 in order of appearance; one candidate a frame has a number.

    Pairs are joined greedily while no frame occurs twice in a group, the most alike first; doubtful candidates wait,
    so that a loose box around a thing does not take the place of a tight one.
    """
    group = list(range(len(candidates)))
    frames = {i: {c.view.frame} for i, c in enumerate(candidates)}
    pairs = [
        (likeness(a, b), min(scores[i], scores[j]), i, j)
        for i, a in enumerate(candidates)
        for j, b in enumerate(candidates[:i])
        if a.view.frame != b.view.frame
    ]
    alike = [pair for pair in pairs if pair[0] >= min_likeness]
    for _, _, i, j in sorted(alike, key=lambda pair: (-pair[0] * pair[1], pair[2], pair[3])):
        a, b = group[i], group[j]
        if a != b and not frames[a] & frames[b]:
            frames[a] |= frames.pop(b)
            group = [a if g == b else g for g in group]
    order = {g: n for n, g in enumerate(dict.fromkeys(group))}
    return [order[g] for g in group]


def likeness(a: Candidate, b: Candidate) -> float:
    """In [0, 1]: likeness of colours, lowered by a change of size and of place."""
    colours = float(np.sqrt(a.colours * b.colours).sum())
    size = min(boxes.area(a.box), boxes.area(b.box)) / max(boxes.area(a.box), boxes.area(b.box))
    return colours * size**0.25 * (0.7 + 0.3 * np.exp(-(_distance(a, b) ** 2) / 0.18))


def _distance(a: Candidate, b: Candidate) -> float:
    """Between the boxes' centres, in diagonals of the picture."""
    (ax, ay), (bx, by) = _centre(a), _centre(b)
    height, width = a.mask.shape
    return float(np.hypot(ax - bx, ay - by) / np.hypot(width, height))


def _centre(candidate: Candidate) -> tuple[float, float]:
    x0, y0, x1, y1 = candidate.box
    return (x0 + x1) / 2, (y0 + y1) / 2
