"""The odds that a subject of a frame is a reference's, against a look-alike in the same colours: classical evidence, weighed.

Two logistic regressions, for what lives (it moves, and turns all sides to the camera) and for things (their print is
points that one mapping explains). Patches and points were weighed against each other on 90 cases of sample worlds 2000 to
2002, cut out by their true masks, against look-alikes and other subjects of their kind; that sum, the points once more and
the rest on 45 cases of worlds 2000 and 2003, cut out as found, against look-alikes, where a worse cut is worth less.
docs/accuracy.md says how they do on others.
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
    colour: float
    texture: float
    shape: float
    """These three of the classical embedder's cosines: blurred, so a bad cut moves them less than it moves patches."""
    outline: float
    """Of the masks' overlap, below 0: where outlines agree nothing excuses the rest; in another pose patches differ by right."""
    light: float
    """Of the distance of the mean colours: patches forgive what another light explains."""
    bias: float


MIDDLE = {"colour": 0.68, "texture": 0.52, "shape": 0.27}
"""Cosines of another embedder's vectors have no blocks: then the medians of those that the weights were fitted on."""
LIVING = Weights(
    patches_there=-0.77,
    patches_back=-0.78,
    shift_there=-8.80,
    shift_back=-4.31,
    tint=-0.98,
    inliers=1.20,
    colour=1.48,
    texture=0.25,
    shape=1.20,
    outline=-1.43,
    light=-0.072,
    bias=2.57,
)
THING = Weights(
    patches_there=-0.20,
    patches_back=-0.32,
    shift_there=-6.29,
    shift_back=-3.96,
    tint=-0.53,
    inliers=0.77,
    colour=0.71,
    texture=0.58,
    shape=3.14,
    outline=-2.07,
    light=0.0,
    bias=-1.13,
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
    odds = weights.bias + weights.inliers * shared
    odds = odds + weights.outline * seen["shape_iou"] + weights.light * seen["lab_distance"]
    for name in ("patches_there", "patches_back", "shift_there", "shift_back", "tint"):
        odds = odds + getattr(weights, name) * seen[name]
    for name, middle in MIDDLE.items():
        cosine = seen[f"{name}_cosine"]
        odds = odds + getattr(weights, name) * np.where(np.isfinite(cosine), cosine, middle)
    return odds
