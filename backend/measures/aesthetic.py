"""What makes a picture pleasant as far as simple vision can tell: colour, contrast, composition, sharpness."""

import numpy as np

from backend.measures.saliency import spectral_residual

EXTREMELY_COLOURFUL = 109.0  # Hasler and Suesstrunk, SPIE 2003, table 2
THIRDS_SIGMA = 0.12  # of each side: how near to a crossing of thirds the eye accepts


def colourfulness(rgb: np.ndarray) -> float:
    """Hasler and Suesstrunk's M (SPIE 2003) of an RGB uint8 picture `(H, W, 3)`: 0 grey, 45 average, 109 extreme."""
    red, green, blue = (rgb[..., c].astype(np.float32) for c in range(3))
    opponents = red - green, 0.5 * (red + green) - blue
    spread = float(np.hypot(*(field.std() for field in opponents)))
    return spread + 0.3 * float(np.hypot(*(field.mean() for field in opponents)))


def contrast(grey: np.ndarray) -> float:
    """Standard deviation of the luma as a share of the most that 8 bits allow, in [0, 1]."""
    return float(grey.std()) / 127.5


def thirds_mass(grey: np.ndarray) -> float:
    """How salient mass lies about the four crossings of thirds, beside evenly spread mass: 1 for even, higher is nearer.

    0 for a picture without any saliency.
    """
    height, width = grey.shape
    saliency = spectral_residual(grey, size=64)
    mass = float(saliency.sum())
    if mass <= 0:
        return 0.0
    rows = _near_thirds(height)[:, None] * _near_thirds(width)[None, :]
    return float((saliency * rows).sum() / mass / rows.mean())


def _near_thirds(num: int) -> np.ndarray:
    """Nearness float64 `(num,)` of each place along a side to one of its thirds, in (0, 1]."""
    place = (np.arange(num) + 0.5) / num
    return np.maximum.reduce([np.exp(-(((place - third) / THIRDS_SIGMA) ** 2) / 2) for third in (1 / 3, 2 / 3)])
