"""Maps from a metric's raw values to 0..1: fitted to people's choices, or straight over a range."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

ISOTONIC, LINEAR = "isotonic", "linear"


@dataclass(frozen=True, slots=True)
class Scale:
    """Knots of a map, raw values rising; between them it is straight, outside them level. NaN stays NaN."""

    raw: tuple[float, ...]
    scaled: tuple[float, ...]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return np.interp(values, self.raw, self.scaled)


def isotonic(values: np.ndarray, shares: np.ndarray, weights: np.ndarray, *, rising: bool) -> Scale:
    """The monotone map nearest to the `shares` of votes that videos won, by least squares with `weights`; all `(N,)`.

    NaN values say nothing. Equal values count together. Raises ValueError without any value that weighs.
    """
    there = np.isfinite(values) & (weights > 0)
    if not there.any():
        raise ValueError("no value weighs anything; a map needs one vote")
    raw, place = np.unique(values[there], return_inverse=True)
    weight = np.bincount(place, weights[there])
    mean = np.bincount(place, weights[there] * shares[there]) / weight
    scaled = isotonic_regression(mean, weights=weight, increasing=rising).x
    flat = np.diff(scaled) == 0
    inner = np.concatenate([[False], flat]) & np.concatenate([flat, [False]])
    return Scale(tuple(raw[~inner].tolist()), tuple(scaled[~inner].tolist()))


def straight(low: float, high: float, *, rising: bool) -> Scale:
    """0 to 1 from `low` to `high`, the other way where a lower value is better. Raises ValueError for an empty range."""
    if not low < high:
        raise ValueError(f"a range of {low:g} to {high:g} scales nothing")
    return Scale((low, high), (0.0, 1.0) if rising else (1.0, 0.0))
