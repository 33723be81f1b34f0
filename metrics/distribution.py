"""FID and FVD: the Fréchet distance of two sets from sums that can be merged, with what makes two sets comparable."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backend.domain import Absent

Ddof = Literal[0, 1]
"""1 divides by n - 1, as torchmetrics; 0 by n, as cd-fvd."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """n, the sum of x `(D,)` and the sum of x xᵀ `(D, D)`, in float64."""

    num: int
    total: np.ndarray
    outer: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> "Moments":
        """Of features `(N, D)`."""
        x_ND = np.asarray(features, np.float64)
        return cls(len(x_ND), x_ND.sum(axis=0), x_ND.T @ x_ND)

    @classmethod
    def merged(cls, parts: "Iterable[Moments]") -> "Moments":
        """Of all parts together. Raises ValueError for none, or for parts of unequal D."""
        first, *rest = parts
        total, outer, num = first.total.copy(), first.outer.copy(), first.num
        for part in rest:
            if part.total.shape != total.shape:
                raise ValueError(f"features of {len(part.total)} and of {len(total)} numbers cannot be merged")
            total += part.total
            outer += part.outer
            num += part.num
        return cls(num, total, outer)

    @property
    def mean(self) -> np.ndarray:
        return self.total / self.num

    def covariance(self, ddof: Ddof = 1) -> np.ndarray:
        """float64 `(D, D)`. Raises ValueError for n not above ddof."""
        if self.num <= ddof:
            raise ValueError(f"a covariance with ddof {ddof} needs more than {ddof} units, not {self.num}")
        return (self.outer - self.num * np.outer(self.mean, self.mean)) / (self.num - ddof)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FeatureSet:
    """A set of videos as one distribution of features."""

    moments: Moments
    extractor: str
    """The model id: features of two models have nothing in common."""
    clip_frames: int
    """Frames that one unit spans; 1 for single frames."""
    num_videos: int

    def to_arrays(self) -> dict[str, np.ndarray]:
        return {
            "num": np.array([self.moments.num, self.clip_frames, self.num_videos], np.int64),
            "total": self.moments.total,
            "outer": self.moments.outer,
            "extractor": np.array(self.extractor),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "FeatureSet":
        num, clip_frames, num_videos = (int(value) for value in arrays["num"])
        return cls(
            moments=Moments(num, arrays["total"], arrays["outer"]),
            extractor=str(arrays["extractor"]),
            clip_frames=clip_frames,
            num_videos=num_videos,
        )


def frechet_distance(one: Moments, other: Moments, *, ddof: Ddof = 1) -> float:
    """`|μ₁ - μ₂|² + Tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½)`, 0 at least up to rounding.

    The last trace is that of the root of `Σ₁^½ Σ₂ Σ₁^½`, which is symmetric: its eigenvalues are real whatever the rank.
    """
    first, second = one.covariance(ddof), other.covariance(ddof)
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    shared = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    return float(np.square(one.mean - other.mean).sum() + np.trace(first) + np.trace(second) - 2 * shared)


def set_distance(real: FeatureSet, generated: FeatureSet, *, ddof: Ddof = 1) -> float | Absent:
    """FID or FVD of two sets, or why they cannot be compared."""
    if real.extractor != generated.extractor:
        return Absent(f"not applicable: features of {real.extractor} and of {generated.extractor} are on no common scale")
    if real.moments.total.shape != generated.moments.total.shape:
        return Absent("failed: the sets' features differ in length; encode both anew")
    if real.clip_frames != generated.clip_frames:
        return Absent(f"not applicable: units of {real.clip_frames} and of {generated.clip_frames} frames are not alike")
    fewest = min(real.moments.num, generated.moments.num)
    if fewest < 2:
        return Absent(f"not applicable: a set of {fewest} units has no spread")
    if not all(np.isfinite(each.moments.outer).all() for each in (real, generated)):
        return Absent("failed: a feature is not finite; the model gave numbers that are none")
    return frechet_distance(real.moments, generated.moments, ddof=ddof)
