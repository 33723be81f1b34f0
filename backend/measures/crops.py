"""What a cut-out picture is like by itself: light, clipping, sharpness, detail and colours."""

import cv2
import numpy as np

SHARPNESS_PX = 256  # longer side at which sharpness is taken, so that large and small crops share one scale
EDGE_LEVEL = 24.0  # gradient (Sobel / 4) that the eye takes for an edge; film grain stays below
COLOUR_BINS = 8


def brightness(rgb: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean luma in [0, 255] of an RGB uint8 picture `(H, W, 3)`, over the mask when one is given."""
    return float(_luma(rgb)[_chosen(rgb, mask)].mean())


def clipped_fraction(rgb: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Share of pixels whose luma is at most 2 or at least 253, where detail is lost."""
    luma = _luma(rgb)[_chosen(rgb, mask)]
    return float(((luma <= 2) | (luma >= 253)).mean())


def sharpness(rgb: np.ndarray) -> float:
    """Variance of the Laplacian of the luma with the longer side at 256 px; smaller pictures are left as they are."""
    luma = _luma(rgb)
    factor = SHARPNESS_PX / max(luma.shape)
    if factor < 1:
        luma = cv2.resize(luma, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(luma, cv2.CV_64F).var())


def edge_density(rgb: np.ndarray) -> float:
    """Share of pixels on an edge, with the longer side at 256 px, in [0, 1]."""
    luma = _luma(rgb)
    factor = min(1.0, SHARPNESS_PX / max(luma.shape))
    small = cv2.resize(luma, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else luma
    across, down = cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)
    return float((cv2.magnitude(across, down) / 4 >= EDGE_LEVEL).mean())


def colour_entropy(rgb: np.ndarray) -> float:
    """Entropy in [0, 1] of the colours in 8 x 8 x 8 bins of RGB: 0 for one colour, 1 when all are as frequent."""
    bins = (rgb.reshape(-1, 3) // (256 // COLOUR_BINS)).astype(np.int64)
    codes = (bins[:, 0] * COLOUR_BINS + bins[:, 1]) * COLOUR_BINS + bins[:, 2]
    shares = np.bincount(codes, minlength=COLOUR_BINS**3) / max(len(codes), 1)
    used = shares[shares > 0]
    return float(-(used * np.log(used)).sum() / np.log(COLOUR_BINS**3))


def _luma(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)


def _chosen(rgb: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The pixels to measure: all when there is no mask, or an empty one."""
    return np.ones(rgb.shape[:2], bool) if mask is None or not mask.any() else mask
