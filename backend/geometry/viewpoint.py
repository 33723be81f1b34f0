"""From which side a camera sees a person: the azimuth of the body, and the name of the side.

Azimuths are degrees in [0, 360): 0 shows the front, 90 the right side (the person faces the image's right edge), 180 the
back, 270 the left side. Camera coordinates are x right, y down, z away from the camera.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SIDES = ("front", "right", "back", "left")
"""Names of the azimuths 0, 90, 180, 270: the side that is seen (Gloria, section 3)."""

BOUNDARY_DEG = 45.0
NOSE, EYES, EARS, SHOULDERS, HIPS = (0,), (1, 2), (3, 4), (5, 6), (11, 12)
"""COCO's 17 key points; of each pair the person's left comes first."""
SHOULDERS_PER_TORSO = 0.72
"""Breadth between the shoulder points over the height between shoulders and hips, seen from the front: .345 m over .48 m
of the SMPL mean body."""
EARS_PER_HEAD = 0.90
"""Breadth between the ears over the height from ears to shoulders, seen from the front: .16 m over .18 m of the same."""


def rotations(vectors: np.ndarray) -> np.ndarray:
    """Rotation matrices `(N, 3, 3)` of axis-angle vectors `(N, 3)` in radians (Rodrigues)."""
    angle = np.linalg.norm(vectors, axis=1)
    axis = vectors / np.maximum(angle, 1e-12)[:, None]
    cross = np.zeros((len(vectors), 3, 3))
    cross[:, [2, 0, 1], [1, 2, 0]] = axis
    cross[:, [1, 2, 0], [2, 0, 1]] = -axis
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.eye(3) + sine * cross + (1 - cosine) * cross @ cross


def azimuths(global_orient: np.ndarray, transl: np.ndarray) -> np.ndarray:
    """Azimuths `(N,)` of SMPL bodies in camera coordinates: root rotations `(N, 3)` and positions `(N, 3)`.

    The body looks along the z axis of its root (Gloria, appendix 7.1). It is compared with the line from the person to
    the camera, not with the optical axis, so that somebody at the picture's edge is judged as seen from there. NaN for
    a body that looks straight up or down, or stands in the camera.
    """
    forward = rotations(np.asarray(global_orient, np.float64))[:, :, 2]
    to_camera = -np.asarray(transl, np.float64)
    cross = to_camera[:, 0] * forward[:, 2] - to_camera[:, 2] * forward[:, 0]
    dot = to_camera[:, 0] * forward[:, 0] + to_camera[:, 2] * forward[:, 2]
    found = np.degrees(np.arctan2(cross, dot)) % 360
    return np.where(np.hypot(cross, dot) > 1e-9, found, np.nan)


@dataclass(frozen=True, slots=True)
class KeypointLimits:
    """Which key points are believed."""

    min_score: float = 0.3  # ViTPose's own for drawing a point


def azimuth_of_keypoints(
    points: np.ndarray, scores: np.ndarray, limits: KeypointLimits | None = None
) -> tuple[float, float] | None:
    """Azimuth and confidence in [0, 1] of one body by its COCO key points `(17, 2)` with scores `(17,)`.

    How broad the shoulders seem beside the height of the torso gives the angle, which of them stands on which side
    tells front from back, and the face's points before the ears or the shoulders tell left from right. Without hips the
    ears stand in for the shoulders. None when too little is seen.
    """
    limits = limits or KeypointLimits()
    seen = scores >= limits.min_score
    facing = _breadth(points, seen)
    if facing is None:
        return None
    cosine, breadth_points = facing
    sine = float(np.sqrt(1 - cosine**2))
    side, side_points = _side(points, seen)
    if not side and sine > np.sin(np.radians(BOUNDARY_DEG)):
        return None
    used = sorted({*breadth_points, *side_points})
    return float(np.degrees(np.arctan2(side * sine, cosine)) % 360), float(np.clip(scores[used].mean(), 0, 1))


@dataclass(frozen=True, slots=True)
class Windows:
    """Which azimuths have a name: those further from a boundary between two sides than the dead zone."""

    dead_zone_deg: float = 15.0  # research default: windows of +-30 degrees; Gloria's own thresholds are not published

    def side(self, azimuth_deg: float) -> str | None:
        """The side that is seen, None in a dead zone or where the azimuth is NaN."""
        return SIDES[round(azimuth_deg / 90) % 4] if self.centring(azimuth_deg) > 0 else None

    def centring(self, azimuth_deg: float) -> float:
        """1 in the middle of a window, 0 at its edge and beyond."""
        if np.isnan(azimuth_deg):
            return 0.0
        off = abs((azimuth_deg + 45) % 90 - 45)
        return max(0.0, 1 - off / (BOUNDARY_DEG - self.dead_zone_deg))


def held(frames: Sequence[int], sides: Sequence[str | None], *, least: int) -> list[str | None]:
    """The sides, less those that hold for fewer than `least` frames.

    Sides are known on some frames, in order; one holds from the first to the last of neighbours that agree, both
    included.
    """
    kept: list[str | None] = []
    for side, group in itertools.groupby(zip(frames, sides, strict=True), key=lambda pair: pair[1]):
        members = [frame for frame, _ in group]
        holds = side is not None and members[-1] - members[0] + 1 >= least
        kept += [side if holds else None] * len(members)
    return kept


def angle_between(a_deg: float, b_deg: float) -> float:
    """The smaller angle between two azimuths, in [0, 180]."""
    return abs((a_deg - b_deg + 180) % 360 - 180)


def _breadth(points: np.ndarray, seen: np.ndarray) -> tuple[float, tuple[int, ...]] | None:
    """Cosine of the azimuth: the signed breadth of a pair over what it is seen from the front; and the points used."""
    left, right = SHOULDERS
    if seen[[left, right]].all() and seen[list(HIPS)].all():
        height = _distance(points[[left, right]].mean(axis=0), points[list(HIPS)].mean(axis=0))
        pair, ratio, used = (left, right), SHOULDERS_PER_TORSO, (*SHOULDERS, *HIPS)
    elif seen[[left, right]].all() and seen[list(EARS)].all():
        height = _distance(points[[left, right]].mean(axis=0), points[list(EARS)].mean(axis=0))
        pair, ratio, used = EARS, EARS_PER_HEAD, (*SHOULDERS, *EARS)
    else:
        return None
    if height <= 0:
        return None
    # Who faces the camera has the left shoulder on the image's right.
    breadth = float(points[pair[0], 0] - points[pair[1], 0])
    return float(np.clip(breadth / (ratio * height), -1, 1)), used


def _side(points: np.ndarray, seen: np.ndarray) -> tuple[int, tuple[int, ...]]:
    """1 when the person faces the image's right, -1 its left, 0 when nothing tells; and the points used."""
    face = [i for i in (*NOSE, *EYES) if seen[i]]
    behind = [i for i in EARS if seen[i]] or [i for i in SHOULDERS if seen[i]]
    if not face and [i for i in EARS if seen[i]]:
        face, behind = [i for i in EARS if seen[i]], [i for i in SHOULDERS if seen[i]]
    if not face or not behind:
        return 0, ()
    offset = float(points[face, 0].mean() - points[behind, 0].mean())
    return (0 if offset == 0 else 1 if offset > 0 else -1), (*face, *behind)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b))
