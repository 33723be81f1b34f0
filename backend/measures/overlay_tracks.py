"""Which texts on a clip were laid over it, of boxes that a reader found on some of its frames (cosmos-curate's rules)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from backend.domain import Box
from backend.geometry import boxes

Found = Mapping[int, Sequence[tuple[Box, float]]]
"""Boxes with their scores by the number of each frame that was looked at; empty where nothing was found."""


@dataclass(frozen=True, slots=True)
class OverlayRules:
    """When text is artificial."""

    same_iou: float = 0.9
    """cosmos-curate, paddle_ocr.py: a box stays where it is."""
    stable_frames: int = 10
    """cosmos-curate, paddle_ocr.py: for as many frames and more, counted from the first to the last sight of it."""
    corner_margin: float = 0.1
    """cosmos-curate, paddle_ocr.py: of the sides; text that reaches into two of these margins is in a corner."""
    corner_share: float = 0.1
    """cosmos-curate, paddle_ocr.py: of the frames that were looked at."""
    least_looks: int = 2
    """A single sight is no track, however few frames there are."""
    missed_looks: int = 1
    """Looks in a row at which a reader may miss a text that stays."""


@dataclass
class _Track:
    box: Box
    frames: list[int] = field(default_factory=list)
    seen: list[Box] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    last_look: int = 0


def artificial_text(found: Found, picture: Box, rules: OverlayRules = OverlayRules()) -> list[tuple[Box, float]]:
    """Boxes around stable and corner texts with the mean of their scores, best first, each in `picture`.

    A box is compared with the first of its track, so that text that drifts with the scene is not stable.
    """
    tracks = _tracks(found, rules)
    stable = [
        track
        for track in tracks
        if track.frames[-1] - track.frames[0] + 1 >= rules.stable_frames and len(track.frames) >= rules.least_looks
    ]
    kept = [_around(track.seen, track.scores) for track in stable] + _corner_texts(found, picture, rules)
    inside = [(boxes.clip(box, picture), score) for box, score in kept]
    ordered = sorted((row for row in inside if boxes.area(row[0]) > 0), key=lambda row: (-boxes.area(row[0]), row[0]))
    alone: list[tuple[Box, float]] = []
    for box, score in ordered:  # a stable text in a corner is found by both rules
        if all(boxes.contain(box, other) < rules.same_iou for other, _ in alone):
            alone.append((box, score))
    return sorted(alone, key=lambda row: (-row[1], row[0]))


def _tracks(found: Found, rules: OverlayRules) -> list[_Track]:
    tracks: list[_Track] = []
    for look, frame in enumerate(sorted(found)):
        for box, score in sorted(found[frame], key=lambda row: (-row[1], row[0])):
            alive = [t for t in tracks if t.frames[-1] != frame and look - t.last_look <= rules.missed_looks + 1]
            track = max(alive, key=lambda t: boxes.iou(t.box, box), default=None)
            if track is None or boxes.iou(track.box, box) < rules.same_iou:
                track = _Track(box)
                tracks.append(track)
            track.frames.append(frame)
            track.seen.append(box)
            track.scores.append(score)
            track.last_look = look
    return tracks


def _corner_texts(found: Found, picture: Box, rules: OverlayRules) -> list[tuple[Box, float]]:
    """One box for each corner with text on enough frames."""
    held: dict[tuple[bool, bool], dict[int, list[tuple[Box, float]]]] = {}
    for frame, rows in found.items():
        for box, score in rows:
            corner = _corner(box, picture, rules.corner_margin)
            if corner is not None:
                held.setdefault(corner, {}).setdefault(frame, []).append((box, score))
    least = max(rules.least_looks, rules.corner_share * len(found))
    enough = [[row for rows in frames.values() for row in rows] for frames in held.values() if len(frames) >= least]
    return [_around([box for box, _ in rows], [score for _, score in rows]) for rows in enough]


def _corner(box: Box, picture: Box, margin: float) -> tuple[bool, bool] | None:
    """Whether a box is in a right and a lower corner; None outside of corners, and for what spans the picture."""
    width, height = picture[2] - picture[0], picture[3] - picture[1]
    left, right = box[0] < picture[0] + margin * width, box[2] > picture[2] - margin * width
    upper, lower = box[1] < picture[1] + margin * height, box[3] > picture[3] - margin * height
    return (right, lower) if left != right and upper != lower else None


def _around(seen: Sequence[Box], scores: Sequence[float]) -> tuple[Box, float]:
    edges = np.array(seen)
    low, high = edges[:, :2].min(axis=0).tolist(), edges[:, 2:].max(axis=0).tolist()
    return (low[0], low[1], high[0], high[1]), float(np.mean(scores))
