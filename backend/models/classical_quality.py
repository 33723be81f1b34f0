"""Aesthetic and technical scores without weights: heuristics of their own scale, not fitted to anybody's judgement."""

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from backend.domain import Absent
from backend.measures import aesthetic, crops, technical

AESTHETIC_PX = 256  # longer side at which a picture is judged; composition and colour need no more


@dataclass(frozen=True, slots=True)
class HeuristicAesthetic:
    """AestheticScorer in [0, 1]: weighted mean of colourfulness, contrast, salient mass near thirds and sharpness.

    Each part is 1 at what a vivid picture reaches and more. The number orders pictures roughly; it says nothing on
    the scale of a trained predictor (4.75 in OpenS2V-Nexus).
    """

    model_id: ClassVar[str] = "heuristic-aesthetic-1"

    full_contrast: float = 0.6  # standard deviation over 127.5; photographs of full range have .4 to .6
    full_thirds: float = 1.6  # beside evenly spread mass
    full_sharpness: float = 2000.0  # variance of the Laplacian at 256 px, on a logarithmic scale
    weights: tuple[float, float, float, float] = (0.3, 0.3, 0.2, 0.2)

    def score(self, frames: np.ndarray) -> float | Absent:
        """The mean over frames uint8 `(T, H, W, 3)`."""
        if len(frames) == 0:
            return Absent("no frames")
        return float(np.mean([np.dot(self.weights, self._parts(_small(frame))) for frame in frames]))

    def _parts(self, rgb: np.ndarray) -> tuple[float, float, float, float]:
        grey = technical.luma(rgb)
        return (
            min(1.0, aesthetic.colourfulness(rgb) / aesthetic.EXTREMELY_COLOURFUL),
            min(1.0, aesthetic.contrast(grey) / self.full_contrast),
            min(1.0, aesthetic.thirds_mass(grey) / self.full_thirds),
            min(1.0, float(np.log1p(crops.sharpness(rgb)) / np.log1p(self.full_sharpness))),
        )


@dataclass(frozen=True, slots=True)
class HeuristicTechnical:
    """TechnicalScorer in [0, 1]: sharpness times what blocks, noise and clipping leave of it.

    A product, since one fault spoils a picture however well the rest stands. Each factor is one half at its setting.
    """

    model_id: ClassVar[str] = "heuristic-technical-1"

    half_sharpness: float = 0.35  # one less blur, which is .6 to .75 for sharp footage and .2 for defocused
    half_blockiness: float = 1.0  # steps on the grid twice as large as beside it
    half_noise: float = 12.0  # levels; clean footage has 1 to 4
    half_clipped: float = 0.5  # share of the pixels

    def score(self, frames: np.ndarray) -> float | Absent:
        """The mean over frames uint8 `(T, H, W, 3)`, at the size they were coded in if blocks shall be seen."""
        if len(frames) == 0:
            return Absent("no frames")
        return float(np.mean([self._of(technical.luma(frame)) for frame in frames]))

    def _of(self, grey: np.ndarray) -> float:
        sharpness = (1.0 - technical.blur(grey)) ** 2
        faults = (
            technical.blockiness(grey) / self.half_blockiness,
            technical.noise_sigma(grey) / self.half_noise,
            technical.clipped_fraction(grey) / self.half_clipped,
        )
        kept = float(np.prod([1 / (1 + fault**2) for fault in faults]))
        return sharpness / (sharpness + self.half_sharpness**2) * kept


def _small(rgb: np.ndarray) -> np.ndarray:
    factor = AESTHETIC_PX / max(rgb.shape[:2])
    if factor >= 1:
        return rgb
    size = max(1, round(rgb.shape[1] * factor)), max(1, round(rgb.shape[0] * factor))
    if factor <= 0.5:
        # Halves are quick to make: 18 ms instead of 41 for eight frames of 1080p.
        rgb = cv2.resize(rgb, (rgb.shape[1] // 2 or 1, rgb.shape[0] // 2 or 1), interpolation=cv2.INTER_AREA)
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
