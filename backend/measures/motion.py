"""How much a clip moves, and whether it shows anything at all: flow, camera, frozen, flat and random frames."""

from dataclasses import dataclass

import cv2
import numpy as np

FLOW_PX = 320  # longer side at which flow is taken: DIS fast needs 1.2 ms a pair there, 224 ms Farneback at 720p
MIN_SIDE_PX = 32  # DIS refuses pictures under 12 px; smaller ones are continued at their edges
GRID_PX = 4  # flow is read on every fourth pixel; DIS fast gives one vector for about as many
FROZEN_LEVELS = 0.05  # mean |difference|: a still coded again differs by up to .05, the stillest real face by .3
DARK_LEVEL = 40  # a lit pixel of a black frame: limited-range black is 16, compression and noise lift it
BRIGHT_LEVEL = 215
FLAT_STD = 1.0  # grey levels; below this a picture has no texture to correlate
_FIT_ROUNDS = 6
_LEAST_SPREAD_PX = 0.05  # flow nearer to the fit than this is the fit


@dataclass(frozen=True, slots=True)
class PairMotion:
    """Mean magnitudes of motion between two frames, as fractions of the picture's diagonal per second.

    `total` is of the flow itself, `camera` of the one affine motion that fits it best, `local` of the difference; they
    do not add up, since the three point in directions of their own.
    """

    total: float
    camera: float
    local: float


def motion_between(grey: np.ndarray, other: np.ndarray, *, seconds: float) -> PairMotion:
    """Motion from `grey` to `other`, both uint8 `(H, W)`, shown `seconds` apart.

    The unit knows neither resolution nor frame rate; it is its own, not that of a model or of motion vectors.
    """
    if grey.shape != other.shape or seconds <= 0:
        raise ValueError(f"two frames of one size, some time apart: got {grey.shape}, {other.shape} and {seconds} s")
    flow = flow_between(grey, other)[::GRID_PX, ::GRID_PX]
    camera = camera_flow(flow)
    scale = 1.0 / (float(np.hypot(*grey.shape)) * seconds)
    total, global_part, rest = (_mean_length(field) * scale for field in (flow, camera, flow - camera))
    return PairMotion(total, global_part, rest)


def flow_between(grey: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Flow float32 `(H, W, 2)` in pixels (DIS, Kroeger et al., ECCV 2016, fast preset)."""
    height, width = grey.shape
    below, right = max(0, MIN_SIDE_PX - height), max(0, MIN_SIDE_PX - width)
    pair = [cv2.copyMakeBorder(side, 0, below, 0, right, cv2.BORDER_REPLICATE) for side in (grey, other)]
    flow = np.zeros((*pair[0].shape, 2), np.float32)
    # A new estimator each time: a used one starts from what it saw before, so results would depend on the order.
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(pair[0], pair[1], flow)
    return np.asarray(flow, np.float32)[:height, :width]


def camera_flow(flow: np.ndarray) -> np.ndarray:
    """The affine part of a flow `(H, W, 2)`, in its unit: one motion that most of the picture follows.

    Fitted by reweighted least squares with Cauchy weights from the median motion on, so that what moves otherwise,
    up to about half of the picture, has little say.
    """
    height, width = flow.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float64)
    # Places in [-1, 1] keep the normal equations well conditioned.
    design = np.stack([np.ones(x.size), 2 * x.ravel() / max(width - 1, 1) - 1, 2 * y.ravel() / max(height - 1, 1) - 1], 1)
    wanted = flow.reshape(-1, 2).astype(np.float64)
    fitted = np.broadcast_to(np.median(wanted, axis=0), wanted.shape)
    for _ in range(_FIT_ROUNDS):
        off = np.hypot(*(wanted - fitted).T)
        spread = max(1.4826 * float(np.median(off)), _LEAST_SPREAD_PX)
        weighted = design / (1.0 + (off / spread) ** 2)[:, None]
        # A trace of ridge: a picture one pixel wide determines no slope.
        normal = weighted.T @ design + 1e-9 * np.eye(3)
        fitted = design @ np.linalg.solve(normal, weighted.T @ wanted)
    return fitted.reshape(flow.shape).astype(np.float32)


def is_frozen(grey: np.ndarray, other: np.ndarray) -> bool:
    """Whether two frames are one picture, shown again."""
    return float(cv2.absdiff(grey, other).mean()) < FROZEN_LEVELS


def is_black(grey: np.ndarray) -> bool:
    """Whether a frame is dark all over: at most one pixel in a thousand is lit."""
    return float(np.percentile(grey, 99.9)) < DARK_LEVEL


def is_white(grey: np.ndarray) -> bool:
    """Whether a frame is bright all over: at most one pixel in a thousand is not."""
    return float(np.percentile(grey, 0.1)) > BRIGHT_LEVEL


def correlation(grey: np.ndarray, other: np.ndarray) -> float | None:
    """Pearson correlation of two frames, in [-1, 1]: near 0 for random noise. None where one of them is flat."""
    a, b = grey.astype(np.float32), other.astype(np.float32)
    a, b = a - a.mean(), b - b.mean()
    spread = float(a.std()) * float(b.std())
    return None if spread < FLAT_STD**2 else float((a * b).mean()) / spread


def _mean_length(field: np.ndarray) -> float:
    return float(np.hypot(field[..., 0], field[..., 1]).mean())
