"""A logistic regression whose coefficients are at least 0, for many weightings of the votes at once."""

import numpy as np

from backend.measures.separation import is_separated

MAX_STEPS = 60
MAX_SWEEPS = 200
MAX_STEP = 2.0  # of a coefficient in one step, in units of 1 / its column's root mean square
TOLERANCE = 1e-9


def fit_nonnegative(differences: np.ndarray, wins: np.ndarray, num: np.ndarray, *, ridge: float) -> np.ndarray:
    """Coefficients `(B, K)` >= 0 of differences `(P, K)` or `(B, P, K)`, from `wins` of `num` votes, each `(B, P)`.

    They maximise `sum(wins z - num log(1 + e^z)) - ridge |b|^2` with z the weighted difference and b the coefficients
    times the root mean square of their columns, so that a metric's unit does not matter. There is no intercept: what is
    called the first video changes nothing. Newton's method; each step solves its bounded square by coordinate descent.
    """
    x = differences if differences.ndim == 3 else differences[None]
    scale = np.sqrt((x**2).mean(axis=1, keepdims=True))
    x = np.divide(x, scale, out=np.zeros_like(x), where=scale > 0)
    found = np.zeros((len(wins), x.shape[2]))
    for _ in range(MAX_STEPS):
        z = (x @ found[:, :, None])[:, :, 0]
        p = 0.5 * (1 + np.tanh(z / 2))
        slope = ((wins - num * p)[:, None, :] @ x)[:, 0] - 2 * ridge * found
        curvature = np.swapaxes(x, 1, 2) @ ((num * p * (1 - p))[:, :, None] * x) + 2 * ridge * np.eye(x.shape[2])
        step = _bounded(curvature, slope + (curvature @ found[:, :, None])[:, :, 0], found) - found
        most = np.abs(step).max(axis=1, keepdims=True, initial=0.0)
        found = found + step * np.minimum(1.0, MAX_STEP / np.maximum(most, MAX_STEP))
        if most.max(initial=0.0) < TOLERANCE:
            break
    return np.divide(found, scale[:, 0], out=np.zeros_like(found), where=scale[:, 0] > 0)


def is_perfect(differences: np.ndarray, wins: np.ndarray, num: np.ndarray) -> bool:
    """Whether some weights >= 0 meet every vote, so that none fit best: of differences `(P, K)`, `wins` of `num` votes `(P,)`."""
    return is_separated(np.concatenate([differences[wins > 0], -differences[wins < num]]), positive=True)


def _bounded(curvature: np.ndarray, target: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The b >= 0 `(B, K)` that minimises `b' curvature b / 2 - target' b`."""
    found = start.copy()
    for _ in range(MAX_SWEEPS):
        before = found.copy()
        for k in range(found.shape[1]):
            rest = (curvature[:, k] * found).sum(axis=1) - curvature[:, k, k] * found[:, k]
            found[:, k] = np.maximum(0.0, (target[:, k] - rest) / curvature[:, k, k])
        if np.abs(found - before).max(initial=0.0) < TOLERANCE / 10:
            break
    return found
