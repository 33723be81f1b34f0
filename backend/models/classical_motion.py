"""What moves otherwise than the camera: maps of motion left over after the picture's own is taken away."""

from collections.abc import Sequence

import cv2
import numpy as np

NUM_POINTS = 250
MIN_POINTS = 12  # four determine a homography; three times as many leave room for outliers
EDGE_BAND = 0.22  # share of each side that mostly shows background
INLIER_PX = 1.0  # at 320 px; measured on hand-held clips: compensated background stays below
NOISE_PX = 0.35  # at 320 px: DIS flow on a still camera's compressed picture seldom exceeds it
FULL_MOTION = 4.0  # times the noise: compensated flow of a walking person at 320 px is beyond it
FLOW_PRESET = cv2.DISOPTICAL_FLOW_PRESET_MEDIUM  # the fast one loses a tenth of the sample world's subjects
LEAST_SIDE_PX = 16  # DIS flow matches patches of 8 px on halved pictures, and refuses smaller ones
LEAST_MOTION = 1.5  # times the noise: what a still picture reaches by chance


def corners(gray: np.ndarray) -> np.ndarray:
    """Points float32 `(N, 2)` of a uint8 picture `(H, W)` that can be followed; found once for all its neighbours."""
    found = cv2.goodFeaturesToTrack(gray, NUM_POINTS, 0.005, 5)
    return np.zeros((0, 2), np.float32) if found is None else found.reshape(-1, 2)


def camera_motion(gray: np.ndarray, other: np.ndarray, *, points: np.ndarray | None = None) -> np.ndarray:
    """Homography float64 `(3, 3)` from points of `gray` to those of `other`, both uint8 `(H, W)`.

    Fitted first to the left, right and upper edge bands, where a subject seldom stands, then to all that agrees.
    The identity when too little texture can be followed. `points` are the corners of `gray`, where they are known.
    """
    start, stop = _followed(gray, other, corners(gray) if points is None else points)
    if len(start) < MIN_POINTS:
        return np.eye(3)
    height, width = gray.shape
    in_band = (start[:, 0] < EDGE_BAND * width) | (start[:, 0] > (1 - EDGE_BAND) * width)
    in_band |= start[:, 1] < EDGE_BAND * height
    best: np.ndarray | None = None
    best_support = 0
    for chosen in (in_band, np.ones(len(start), bool)):
        if chosen.sum() < MIN_POINTS:
            continue
        model, _ = cv2.findHomography(start[chosen], stop[chosen], cv2.RANSAC, INLIER_PX, maxIters=250)
        if model is None:
            continue
        agrees = np.linalg.norm(_moved(start, model) - stop, axis=1) < INLIER_PX
        # Agreement in the band counts double: a large subject may own most points, but not those.
        support = int(agrees.sum() + 2 * agrees[in_band].sum())
        if support > best_support and agrees.sum() >= MIN_POINTS:
            best, best_support = model, support
    return np.eye(3) if best is None else _refined(best, start, stop)


def residual_flow(gray: np.ndarray, other: np.ndarray, *, points: np.ndarray | None = None) -> np.ndarray:
    """Flow float32 `(H, W, 2)` in pixels from `gray` to `other` that the camera's motion does not explain.

    None is found in pictures with a side under 16 px.
    """
    height, width = gray.shape
    if min(height, width) < LEAST_SIDE_PX:
        return np.zeros((height, width, 2), np.float32)
    model = camera_motion(gray, other, points=points)
    steady = cv2.warpPerspective(
        other, model, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    flow = np.zeros((height, width, 2), np.float32)
    flow = cv2.DISOpticalFlow_create(FLOW_PRESET).calc(gray, steady, flow)
    inside = cv2.warpPerspective(np.ones_like(gray), model, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return flow * inside[..., None]


def motion_map(
    gray: np.ndarray, before: Sequence[np.ndarray], after: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Motion against the background at the place it has in `gray`: float32 `(H, W)` in multiples of the noise, and
    the flow `(H, W, 2)` in pixels toward the nearest frame after (or away from the nearest before).

    `before` and `after` are neighbouring frames, nearest first. Flow toward both sides must agree that a pixel moves:
    what is only uncovered or hidden moves toward one side alone. A clip's first or last frame has one side.
    """
    points = corners(gray)
    back = [residual_flow(gray, other, points=points) for other in before]
    forth = [residual_flow(gray, other, points=points) for other in after]
    if not back and not forth:
        return np.zeros(gray.shape, np.float32), np.zeros((*gray.shape, 2), np.float32)
    lengths = [np.sqrt(_length(a) * _length(b)) for a, b in zip(back, forth, strict=False)]
    lengths += [_length(flow) for flow in (*back[len(forth) :], *forth[len(back) :])]
    strength = np.max([_over_noise(length) for length in lengths], axis=0)
    longest = min(len(back), len(forth)) - 1
    direction = (forth[longest] - back[longest]) / 2 if longest >= 0 else forth[-1] if forth else -back[-1]
    return strength.astype(np.float32), direction.astype(np.float32)


def unit_motion(motion: np.ndarray) -> np.ndarray:
    """Motion in [0, 1]: full where the picture moves most, if that is well over the noise."""
    return np.clip(motion / min(max(float(np.percentile(motion, 98)), LEAST_MOTION), FULL_MOTION), 0, 1)


def _length(flow: np.ndarray) -> np.ndarray:
    return np.linalg.norm(flow, axis=-1)


def _over_noise(magnitude: np.ndarray) -> np.ndarray:
    """Magnitude in units of the background's own residual, which parallax and compression raise."""
    noise = max(NOISE_PX, 2.0 * float(np.percentile(magnitude, 40)))
    return magnitude / noise


def _followed(gray: np.ndarray, other: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(points) == 0:
        return points, points
    moved, status, _ = cv2.calcOpticalFlowPyrLK(gray, other, points, np.zeros_like(points), winSize=(15, 15), maxLevel=3)
    kept = status.ravel() == 1
    return points[kept], moved[kept]


def _moved(points: np.ndarray, model: np.ndarray) -> np.ndarray:
    return cv2.perspectiveTransform(points[None].astype(np.float64), model)[0]


def _refined(model: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    agrees = np.linalg.norm(_moved(start, model) - stop, axis=1) < INLIER_PX
    refined, _ = cv2.findHomography(start[agrees], stop[agrees], 0)
    return model if refined is None else refined
