"""A linear map of embeddings, fitted to people's verdicts on pairs, and whether it is worth having.

The map starts at the identity and moves only along the main directions of the vectors, so that few verdicts change
little. It is kept when it ranks held-out pairs better: verdicts about one identity are never on both sides of a split.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_EACH = 20
"""Pairs of each verdict below which nothing is fitted."""
PENALTIES = (0.01, 0.1, 1.0)
"""How strongly the map is held at the identity; chosen inside each training part."""


@dataclass(frozen=True, slots=True)
class FittedProjection:
    """What a fit came to. `matrix` float32 `(D, D)` maps vectors, which are then made unit again."""

    matrix: np.ndarray
    kept: bool
    reason: str
    num_same: int
    num_different: int
    num_components: int
    precision_before: float
    """Of held-out pairs, as many of the likest as are same: the share of them that are."""
    precision_after: float
    rise_low: float
    """Lower end of the middle 80 % of the rise when identities are drawn anew."""


def fit_projection(
    vectors: np.ndarray,
    pairs: Sequence[tuple[int, int]],
    is_same: Sequence[bool],
    *,
    subjects: Sequence[int] | None = None,
    rank: int = 24,
    num_folds: int = 5,
    seed: int = 0,
) -> FittedProjection:
    """Fits a map of unit vectors `(N, D)` to verdicts on pairs of rows, by logistic regression on their cosine.

    `subjects` numbers the subject of each row (each its own by default); subjects that were judged the same are one
    identity, and folds are made of identities. Raises ValueError for pairs and verdicts of different number.
    """
    if len(pairs) != len(is_same):
        raise ValueError(f"{len(pairs)} pairs and {len(is_same)} verdicts; give one verdict for each pair")
    rows, same = np.asarray(pairs, np.int64).reshape(-1, 2), np.asarray(is_same, bool)
    identity = np.eye(vectors.shape[1], dtype=np.float32)
    component = _components(rows, same, np.arange(len(vectors)) if subjects is None else np.asarray(subjects))
    used = np.unique(component[rows]) if len(rows) else np.zeros(0, np.int64)
    num_same, num_different = int(same.sum()), int((~same).sum())
    if min(num_same, num_different) < LEAST_EACH or len(used) < num_folds:
        reason = f"{num_same} same and {num_different} different of {len(used)} identities; {LEAST_EACH} each of {num_folds} are needed"
        return FittedProjection(identity, False, reason, num_same, num_different, len(used), np.nan, np.nan, np.nan)
    basis = _basis(vectors, rows, rank)
    before, after = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    folds = np.random.default_rng(seed).permutation(len(used)) % num_folds
    for fold in range(num_folds):
        held = np.isin(component[rows], used[folds == fold]).any(axis=1)
        if len(np.unique(same[~held])) < 2 or not held.any():
            continue
        fitted = _fitted(vectors, rows[~held], same[~held], component, basis, seed)
        before[held] = _scores(vectors, rows, np.eye(len(basis)), basis, _line(vectors, rows[~held], same[~held]))[held]
        after[held] = _scores(
            vectors, rows, fitted, basis, _line(_mapped(vectors, fitted, basis), rows[~held], same[~held])
        )[held]
    seen = ~np.isnan(before)
    old, new = _precision(before[seen], same[seen]), _precision(after[seen], same[seen])
    low = _rise_low(before[seen], after[seen], same[seen], component[rows[seen]], seed)
    kept = new > old and low >= 0.0
    figures = f"precision {old:.3f} before, {new:.3f} after, rise at least {low:+.3f} in nine of ten draws of identities"
    matrix = _matrix(_fitted(vectors, rows, same, component, basis, seed), basis) if kept else identity
    reason = f"kept: {figures}" if kept else f"refused: {figures}"
    return FittedProjection(matrix, kept, reason, num_same, num_different, len(used), old, new, low)


def project(vectors: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Unit vectors float32 `(..., D)` after a map `(D, D)`."""
    moved = vectors @ matrix.T
    lengths = np.linalg.norm(moved, axis=-1, keepdims=True)
    return np.divide(moved, lengths, out=np.zeros_like(moved), where=lengths > 0).astype(np.float32)


def _components(rows: np.ndarray, same: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    """The identity of each vector: subjects joined by verdicts of `same`."""
    names, member = np.unique(subjects, return_inverse=True)
    parent = list(range(len(names)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    for a, b in member[rows[same]].tolist():
        parent[root(a)] = root(b)
    return np.array([root(k) for k in range(len(names))], np.int64)[member]


def _basis(vectors: np.ndarray, rows: np.ndarray, rank: int) -> np.ndarray:
    """Main directions `(r, D)` of the judged vectors; no verdict enters."""
    chosen = vectors[np.unique(rows)].astype(np.float64)
    return np.linalg.svd(chosen - chosen.mean(axis=0), full_matrices=False)[2][: min(rank, len(chosen) - 1)]


def _fitted(
    vectors: np.ndarray, rows: np.ndarray, same: np.ndarray, component: np.ndarray, basis: np.ndarray, seed: int
) -> np.ndarray:
    """The map along the basis `(r, r)` with the penalty that serves identities it has not seen best."""
    used = np.unique(component[rows])
    halves = np.random.default_rng(seed + 1).permutation(len(used)) % 3
    best, chosen = -np.inf, PENALTIES[-1]
    for penalty in PENALTIES:
        scores = np.full(len(rows), np.nan)
        for part in range(3):
            held = np.isin(component[rows], used[halves == part]).any(axis=1)
            if len(np.unique(same[~held])) == 2 and held.any():
                map_rr = _minimised(vectors, rows[~held], same[~held], basis, penalty)
                line = _line(_mapped(vectors, map_rr, basis), rows[~held], same[~held])
                scores[held] = _scores(vectors, rows, map_rr, basis, line)[held]
        seen = ~np.isnan(scores)
        value = _precision(scores[seen], same[seen]) if seen.any() else -np.inf
        if value >= best:  # of equal ones the stronger penalty
            best, chosen = value, penalty
    return _minimised(vectors, rows, same, basis, chosen)


def _minimised(vectors: np.ndarray, rows: np.ndarray, same: np.ndarray, basis: np.ndarray, penalty: float) -> np.ndarray:
    size, sign = len(basis), np.where(same, 1.0, -1.0)
    inside = vectors @ basis.T
    rest = vectors - inside @ basis  # what lies outside the basis stays as it is
    a, b = inside[rows[:, 0]].astype(np.float64), inside[rows[:, 1]].astype(np.float64)
    outer = np.einsum("nd,nd->n", rest[rows[:, 0]], rest[rows[:, 1]])
    left, right = (np.einsum("nd,nd->n", rest[rows[:, k]], rest[rows[:, k]]) for k in (0, 1))
    start = _line(vectors, rows, same)
    balance = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        map_rr, slope, offset = flat[:-2].reshape(size, size), flat[-2], flat[-1]
        u, v = a @ map_rr.T, b @ map_rr.T
        nu, nv = np.sqrt((u * u).sum(1) + left + 1e-12), np.sqrt((v * v).sum(1) + right + 1e-12)
        cosines = ((u * v).sum(1) + outer) / (nu * nv)
        margin = sign * (slope * cosines + offset)
        value = float(balance @ np.logaddexp(0.0, -margin))
        pull = -balance * sign / (1.0 + np.exp(np.clip(margin, -500, 500)))
        towards = (pull * slope)[:, None]
        du = towards * (v / (nu * nv)[:, None] - (cosines / nu**2)[:, None] * u)
        dv = towards * (u / (nu * nv)[:, None] - (cosines / nv**2)[:, None] * v)
        moved = map_rr - np.eye(size)
        gradient = du.T @ a + dv.T @ b + 2 * penalty * moved / size
        value += penalty * float((moved * moved).sum()) / size
        return value, np.concatenate([gradient.ravel(), [pull @ cosines, pull.sum()]])

    first = np.concatenate([np.eye(size).ravel(), start])
    from scipy.optimize import minimize  # not above: a third of a second of every command's start

    found = minimize(loss, first, jac=True, method="L-BFGS-B", options={"maxiter": 60})
    return found.x[:-2].reshape(size, size)


def _line(vectors: np.ndarray, rows: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Slope and offset that put the two kinds' mean cosines at +2 and -2, so that folds share one scale."""
    cosines = np.einsum("nd,nd->n", vectors[rows[:, 0]], vectors[rows[:, 1]])
    high, low = float(cosines[same].mean()), float(cosines[~same].mean())
    slope = 4.0 / max(high - low, 1e-3)
    return np.array([slope, -slope * (high + low) / 2])


def _scores(vectors: np.ndarray, rows: np.ndarray, map_rr: np.ndarray, basis: np.ndarray, line: np.ndarray) -> np.ndarray:
    mapped = _mapped(vectors, map_rr, basis)
    return line[0] * np.einsum("nd,nd->n", mapped[rows[:, 0]], mapped[rows[:, 1]]) + line[1]


def _mapped(vectors: np.ndarray, map_rr: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return project(vectors, _matrix(map_rr, basis))


def _matrix(map_rr: np.ndarray, basis: np.ndarray) -> np.ndarray:
    moved = basis.T @ (map_rr - np.eye(len(basis))) @ basis
    return (np.eye(basis.shape[1]) + moved).astype(np.float32)


def _precision(scores: np.ndarray, same: np.ndarray) -> float:
    """Share of same ones among as many of the highest scores as there are same ones."""
    num = int(same.sum())
    return float(same[np.argsort(-scores, kind="stable")[:num]].mean()) if num else float("nan")


def _rise_low(before: np.ndarray, after: np.ndarray, same: np.ndarray, component: np.ndarray, seed: int) -> float:
    """The tenth percentile of the rise over identities drawn with replacement."""
    names, rng, rises = np.unique(component), np.random.default_rng(seed + 2), []
    for _ in range(200):
        times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        weight = times[np.searchsorted(names, component)].min(axis=1)
        drawn = np.repeat(np.arange(len(same)), weight)
        if same[drawn].any() and not same[drawn].all():
            rises.append(_precision(after[drawn], same[drawn]) - _precision(before[drawn], same[drawn]))
    return float(np.quantile(rises, 0.1)) if rises else float("-inf")
