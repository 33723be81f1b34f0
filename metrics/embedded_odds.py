"""The odds that a subject of a frame is a reference's, against a look-alike in the same colours: classical evidence, weighed.

Two logistic regressions, for what lives (it moves, and turns all sides to the camera) and for things (their print is
points that one mapping explains), fitted on the cases of sample worlds 2000 to 2003, cut out as found, against
look-alikes; docs/accuracy.md says how they do on others.
"""

from dataclasses import dataclass

import numpy as np

from metrics.spec import Arrays

CHANCE_INLIERS = 4  # as `backend.models.classical_embedder` found for cut-outs


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Of the evidence that `embedded_traces.compared` gives, in log-odds."""

    there: float = 0.0
    back: float = 0.0
    """Of the medians of what patches leave unexplained: half of a subject may be turned away, hidden or cut badly."""
    shift_there: float = 0.0
    shift_back: float = 0.0
    """Of how far in height matches lie: print has its place on a thing."""
    busyness: float = 0.0
    """Of the plainer side's texture: the busier, the more stays unexplained of the same subject as well."""
    light: float = 0.0
    """Of the change in brightness: patches forgive what another light explains."""
    inliers: float
    """Of the logarithm of one more than the inliers above chance, with either side turned."""
    colour: float = 0.0
    shape: float = 0.0
    """These two of the classical embedder's cosines: blurred, so a bad cut moves them less than it moves patches."""
    bias: float


MIDDLE = {"colour": 0.68, "shape": 0.27}
"""Cosines of another embedder's vectors have no blocks: then the medians of those that the weights were fitted on."""
LIVING = Weights(there=-7.39, back=-6.86, busyness=2.37, light=-1.65, inliers=2.40, colour=1.89, bias=1.35)
THING = Weights(shift_there=-44.3, shift_back=-12.3, inliers=1.00, shape=4.09, bias=-1.05)


def identity_odds(seen: Arrays, living: np.ndarray) -> np.ndarray:
    """Log-odds of each row's subject for each reference, `(N, R)`; NaN where either is too small to be compared.

    `living` `(R,)` is 1, 0, or NaN for a reference of which it is not known: then the mean of both is taken.
    """
    alive = np.where(np.isfinite(living), living, 0.5)
    return alive * _log_odds(seen, LIVING) + (1 - alive) * _log_odds(seen, THING)


def chance(log_odds: np.ndarray) -> np.ndarray:
    """Chances in [0, 1] of log-odds; NaN stays."""
    return 1.0 / (1.0 + np.exp(-np.clip(log_odds, -50.0, 50.0)))


def _log_odds(seen: Arrays, weights: Weights) -> np.ndarray:
    shared = np.log1p(np.maximum(seen["turned_inliers"] - CHANCE_INLIERS, 0.0))
    odds = weights.bias + weights.inliers * shared
    for name in ("there", "back", "shift_there", "shift_back", "busyness", "light"):
        odds = odds + getattr(weights, name) * seen[f"patches_{name}"]
    for name, middle in MIDDLE.items():
        cosine = seen[f"{name}_cosine"]
        odds = odds + getattr(weights, name) * np.where(np.isfinite(cosine), cosine, middle)
    return odds
