"""Technical faults of a picture: blur, blocks, noise, clipping. All take a luma picture uint8 `(H, W)`."""

import cv2
import numpy as np

FOCUS_PX = 640  # longer side at which focus is taken, so that large and small pictures share one scale
BLOCK_PX = 8  # JPEG, MPEG-2 and H.264 transform grid
LOWEST, HIGHEST = 2, 253  # beyond these 8-bit levels detail is lost


def luma(rgb: np.ndarray) -> np.ndarray:
    """Luma (BT.601) uint8 `(H, W)` of an RGB picture `(H, W, 3)`."""
    return cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)


def focus(grey: np.ndarray) -> float:
    """Variance of the Laplacian with the longer side at 640 px (Pech-Pacheco et al., ICPR 2000); higher is sharper."""
    return float(cv2.meanStdDev(cv2.Laplacian(_at_focus_size(grey), cv2.CV_16S))[1][0, 0] ** 2)


def blur(grey: np.ndarray) -> float:
    """How little a picture loses when blurred, in [0, 1]: near .3 for a sharp one, 1 for a flat one.

    Unlike focus it does not grow with contrast (Crete et al., SPIE 2007). Taken with the longer side at 640 px.
    """
    small = _at_focus_size(grey)
    return max(_lost(small, (9, 1)), _lost(small.T, (9, 1)))


def blockiness(grey: np.ndarray) -> float:
    """How much larger steps are across the 8-px grid than beside it, at least 0; 0 without visible blocks.

    The grid starts at the picture's upper left corner; a picture scaled after it was coded has lost it.
    Undefined, and 0, for pictures under two blocks.
    """
    across = _grid_excess(cv2.absdiff(grey[:, 1:], grey[:, :-1]).mean(axis=0)) if grey.shape[1] > 2 * BLOCK_PX else 0.0
    down = _grid_excess(cv2.absdiff(grey[1:], grey[:-1]).mean(axis=1)) if grey.shape[0] > 2 * BLOCK_PX else 0.0
    return max(0.0, (across + down) / 2)


def noise_sigma(grey: np.ndarray) -> float:
    """Standard deviation of the noise in 8-bit levels (Immerkaer, CVIU 1996); fine texture counts as noise too.

    0 for pictures under 3 px, which the estimate does not fit on.
    """
    height, width = grey.shape
    if min(height, width) < 3:
        return 0.0
    laplacians = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = cv2.filter2D(grey, cv2.CV_16S, laplacians)[1:-1, 1:-1]
    return float(np.sqrt(np.pi / 2) / 6 * cv2.norm(response, cv2.NORM_L1) / response.size)


def clipped_fraction(grey: np.ndarray) -> float:
    """Share of pixels so dark or so bright that detail is lost, in [0, 1]."""
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel()
    return float((counts[: LOWEST + 1].sum() + counts[HIGHEST:].sum()) / grey.size)


def _at_focus_size(grey: np.ndarray) -> np.ndarray:
    factor = FOCUS_PX / max(grey.shape)
    if factor >= 1:
        return grey
    size = max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def _lost(grey: np.ndarray, window: tuple[int, int]) -> float:
    """Blur along rows: one less the share of the steps between neighbours that averaging over `window` takes away."""
    if grey.shape[1] < 2:
        return 1.0
    grey = np.ascontiguousarray(grey)
    mean = np.asarray(cv2.blur(grey, window))
    steps, left = (cv2.absdiff(side[:, 1:], side[:, :-1]) for side in (grey, mean))
    all_steps = float(np.sum(steps))
    # Saturated subtraction: where the mean varies more than the picture nothing was taken away.
    return 1.0 - float(np.sum(cv2.subtract(steps, left))) / all_steps if all_steps > 0 else 1.0


def _grid_excess(steps: np.ndarray) -> float:
    """Relative excess of mean steps float64 `(N,)` on the grid over those two and more pixels from it."""
    place = (np.arange(len(steps)) + 1) % BLOCK_PX
    on_grid, between = steps[place == 0].mean(), steps[(place >= 2) & (place <= BLOCK_PX - 2)].mean()
    # A quarter level keeps flat pictures, whose steps are all rounding, from looking blocky.
    return float((on_grid - between) / (between + 0.25))
