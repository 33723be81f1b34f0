"""Fits of Bradley-Terry and Davidson models to tables of outcomes, many tables at once.

Bradley and Terry (1952): P(i beats j) = e^(x_i - x_j) / (1 + e^(x_i - x_j)). Davidson (1970) adds the tie:
P(i), P(tie), P(j) are as e^(d/2), nu, e^(-d/2) with d = x_i - x_j. Both log-likelihoods are concave; a small ridge makes
the best strengths unique (mean 0) and finite in every draw of a bootstrap.
"""

from collections.abc import Callable

import numpy as np

RIDGE = 1e-4  # of the sum of squares / 2: a ten-thousandth of what one vote weighs
MAX_STEPS = 60
MAX_STEP = 2.0  # of a parameter in one step, so that Newton's method does not overshoot
TOLERANCE = 1e-10

Slopes = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def fit_bradley_terry(wins: np.ndarray, losses: np.ndarray, design: np.ndarray, *, ridge: float = RIDGE) -> np.ndarray:
    """Parameters `(B, Q)` of `wins` and `losses` float `(B, C)` in contests whose difference is `design (C, Q) @ x`."""
    num = wins + losses

    def slopes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first = 0.5 * (1 + np.tanh(x @ design.T / 2))
        gradient = (wins - num * first) @ design - ridge * x
        return gradient, _curvature(num * first * (1 - first), design) + ridge * np.eye(design.shape[1])

    return _newton(slopes, np.zeros((len(wins), design.shape[1])))


def fit_davidson(
    wins: np.ndarray, ties: np.ndarray, losses: np.ndarray, design: np.ndarray, *, ridge: float = RIDGE
) -> np.ndarray:
    """Parameters `(B, Q + 1)`, the last of them log nu, of outcomes float `(B, C)` as in `fit_bradley_terry`."""
    num = wins + ties + losses
    num_columns = design.shape[1]

    def slopes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first, tie, second = davidson_shares(x[:, :-1] @ design.T, x[:, -1:])
        lead = first - second
        gradient = np.concatenate(
            [((wins - losses) - num * lead) @ design / 2, (ties - num * tie).sum(axis=1, keepdims=True)], axis=1
        )
        curvature = np.empty((len(x), num_columns + 1, num_columns + 1))
        curvature[:, :-1, :-1] = _curvature(num * (first + second - lead**2) / 4, design)
        curvature[:, :-1, -1] = curvature[:, -1, :-1] = -(num * lead * tie) @ design / 2
        curvature[:, -1, -1] = (num * tie * (1 - tie)).sum(axis=1)
        return gradient - ridge * x, curvature + ridge * np.eye(num_columns + 1)

    return _newton(slopes, np.zeros((len(wins), num_columns + 1)))


def davidson_shares(difference: np.ndarray, log_nu: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chances that the first wins, that both tie, and that the second wins."""
    most = np.maximum(np.abs(difference) / 2, log_nu)
    first, tie, second = (np.exp(score - most) for score in (difference / 2, log_nu, -difference / 2))
    total = first + tie + second
    return first / total, tie / total, second / total


def pair_design(pairs: np.ndarray, num_systems: int) -> np.ndarray:
    """Design `(P, num_systems)` of pairs int `(P, 2)`: 1 for the first, -1 for the second."""
    design = np.zeros((len(pairs), num_systems))
    rows = np.arange(len(pairs))
    design[rows, pairs[:, 0]], design[rows, pairs[:, 1]] = 1.0, -1.0
    return design


def outcome_margins(seen: np.ndarray, design: np.ndarray, *, with_ties: bool) -> np.ndarray:
    """By how much what was seen outscores what might have been, per parameter: float `(M, Q + 1)` for `is_separated`.

    `seen` `(C, 3)` counts wins, ties and losses. Without ties as outcomes of their own, each is half a win for both.
    """
    halves = np.pad(design / 2, ((0, 0), (0, 1)))
    tie = np.zeros_like(halves)
    tie[:, -1] = 1.0
    won, tied, lost = (seen[:, k] > 0 for k in range(3))
    if with_ties:
        found = ((won, halves), (tied, tie), (lost, -halves))
    else:
        found = ((won | tied, halves), (lost | tied, -halves))
    return np.concatenate([one[rows] - other[rows] for rows, one in found for _, other in found if one is not other])


def _curvature(weights: np.ndarray, design: np.ndarray) -> np.ndarray:
    """`design.T @ diag(weights) @ design` of each row of weights `(B, C)`: `(B, Q, Q)`."""
    num = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), num * num)
    return (weights @ products).reshape(-1, num, num)


def _newton(slopes: Slopes, x: np.ndarray) -> np.ndarray:
    for _ in range(MAX_STEPS):
        gradient, curvature = slopes(x)
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        most = np.abs(step).max(axis=1, keepdims=True, initial=0.0)
        x = x + step * np.minimum(1.0, MAX_STEP / np.maximum(most, MAX_STEP))
        if most.max(initial=0.0) < TOLERANCE:
            break
    return x
