"""The odds that a subject of a frame is a reference's, against a look-alike in the same colours: classical evidence, weighed.

Two logistic regressions, for what lives (it moves, and turns all sides to the camera) and for things (their print is
points that one mapping explains). Fitted on 90 cases of sample worlds 2000 to 2002, cut out by their true masks, against their
look-alikes and other subjects of their kind; docs/accuracy.md says how they do on others.
"""

from dataclasses import dataclass

import numpy as np

from metrics.spec import Arrays

CHANCE_INLIERS = 4  # as `backend.models.classical_embedder` found for cut-outs


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Of the evidence that `embedded_traces.compared` gives, in log-odds."""

    patches_there: float
    patches_back: float
    shift_there: float
    shift_back: float
    tint: float
    inliers: float
    """Of the logarithm of one more than the inliers above chance, with either side turned."""
    bias: float


LIVING = Weights(
    patches_there=-2.63,
    patches_back=-2.67,
    shift_there=-30.05,
    shift_back=-14.72,
    tint=-3.36,
    inliers=0.76,
    bias=6.74,
)
THING = Weights(
    patches_there=-0.53,
    patches_back=-0.86,
    shift_there=-16.86,
    shift_back=-10.63,
    tint=-1.43,
    inliers=0.82,
    bias=0.83,
)


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
    named = ("patches_there", "patches_back", "shift_there", "shift_back", "tint")
    return weights.bias + weights.inliers * shared + sum(getattr(weights, name) * seen[name] for name in named)
