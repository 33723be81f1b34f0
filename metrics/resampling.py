"""Intervals and tests over cases, the units that vary: videos of one case are no independent witnesses.

Values come as float64 `(T, N, S)`: T terms, N cases, up to S seeds each, NaN where there is none.
"""

import warnings
from collections.abc import Sequence

import numpy as np

NUM_DRAWS = 1000
NUM_FLIPS = 10_000
CONFIDENCE = 0.95
EXACT_CASES = 13  # 2^13 sign patterns are fewer than NUM_FLIPS
TIE = 1e-12  # of a statistic, by which sums in another order may differ


def case_means(values: np.ndarray) -> np.ndarray:
    """Means over seeds, `(T, N)`; NaN where a case has no value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(values, axis=2) if values.size else np.full(values.shape[:2], np.nan)


def means(values: np.ndarray) -> np.ndarray:
    """Means over cases of means over seeds, `(T,)`; NaN for a term without any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = case_means(values)
        return np.nanmean(found, axis=1) if found.size else np.full(len(values), np.nan)


def drawn_means(values: np.ndarray, rng: np.random.Generator, *, num_draws: int = NUM_DRAWS) -> np.ndarray:
    """Means `(num_draws, T)` over cases drawn with replacement and, within each, seeds drawn with replacement."""
    num_terms, num_cases, num_seeds = values.shape
    if not num_cases:
        return np.full((num_draws, num_terms), np.nan)
    there = np.isfinite(values)
    weights = np.zeros((num_draws, num_cases, num_seeds))
    drawn = rng.multinomial(num_cases, np.full(num_cases, 1 / num_cases), size=num_draws)
    for case, seeded in enumerate(np.asarray(there.any(axis=0))):
        seeds = np.flatnonzero(seeded)
        if len(seeds) == 1:
            weights[:, case, seeds[0]] = drawn[:, case]
        elif len(seeds):
            picked = rng.multinomial(drawn[:, case] * len(seeds), np.full(len(seeds), 1 / len(seeds)))
            weights[:, case, seeds] = picked / len(seeds)
    flat = weights.reshape(num_draws, -1)
    sums = flat @ np.where(there, values, 0.0).reshape(num_terms, -1).T
    counts = flat @ there.reshape(num_terms, -1).T.astype(float)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def interval(drawn: np.ndarray) -> tuple[float, float] | None:
    """The central CONFIDENCE of drawn values `(B,)`; None when too few could be computed."""
    finite = drawn[np.isfinite(drawn)]
    if len(finite) < len(drawn) / 2:
        return None
    low, high = np.quantile(finite, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return float(low), float(high)


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """P-values corrected for being several (Holm 1979), in their order: the chance of one false finding among all.

    The k-th smallest of m counts (m - k + 1)-fold, at least as much as those before it, at most 1. None stays None and
    is no test.
    """
    there = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    found: list[float | None] = [None] * len(ps)
    most = 0.0
    for before, (p, place) in enumerate(there):
        most = max(most, min(1.0, (len(there) - before) * p))
        found[place] = most
    return found


def sign_flip_p(differences: np.ndarray, weights: np.ndarray, rng: np.random.Generator) -> float:
    """The two-sided p-value of no difference: how often swapping the systems within cases at random gives as much.

    `differences` `(T, N)` of paired cases (NaN where a term lacks one) count as the `weights` `(T,)`-weighted sum of
    means. Exact for up to EXACT_CASES cases.
    """
    num_cases = differences.shape[1]
    if num_cases <= EXACT_CASES:
        patterns = (np.arange(2**num_cases)[:, None] >> np.arange(num_cases)) & 1
    else:
        patterns = rng.integers(0, 2, size=(NUM_FLIPS, num_cases))
    signs = 1.0 - 2.0 * patterns
    there = np.isfinite(differences)
    scale = weights / there.sum(axis=1)
    per_case = (np.where(there, differences, 0.0) * scale[:, None]).sum(axis=0)
    as_much = np.abs(signs @ per_case) >= abs(per_case.sum()) - TIE
    if num_cases <= EXACT_CASES:
        return float(as_much.mean())
    return float((1 + as_much.sum()) / (1 + NUM_FLIPS))
