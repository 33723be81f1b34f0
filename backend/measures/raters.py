"""How well each rater works: right on gold, in accord with themselves, not hurried, not stuck on a side."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from backend.domain.studies import Estimate
from backend.measures.intervals import wilson


@dataclass(frozen=True, slots=True)
class Sittings:
    """Answers as they were given, one a row, all `(N,)`; a rater's rows are in the order of answering.

    `rater`, `item` int. `shown` int: what was chosen as it stood on the screen (a key), `said` int: what that means
    whichever side stood where. `left` float: 1 for the left side, 0 for the right, NaN for neither. `seconds` float, NaN
    where nobody measured. `gold` float: 1 right, 0 wrong, NaN where the answer was not known.
    """

    rater: np.ndarray
    item: np.ndarray
    shown: np.ndarray
    said: np.ndarray
    left: np.ndarray
    seconds: np.ndarray
    gold: np.ndarray


@dataclass(frozen=True, slots=True)
class RaterQuality:
    """One rater. What cannot be said has no value; estimates name the reason."""

    rater: int
    num: int
    gold: Estimate
    """Share of gold trials answered right, with Wilson's interval: judge by its lower end."""
    consistency: Estimate
    """Share of repeated items on which the next answer means the same, with Wilson's interval."""
    median_s: float | None
    left: Estimate
    """Share of the left side among answers for a side, with Wilson's interval."""
    left_p: float | None
    """Of the two-sided binomial test that the share is a half."""
    longest_run: int
    """Most equal answers on the screen one after another."""
    entropy_bits: float
    """Of the answers on the screen: 0 when all are one."""


def rater_quality(sittings: Sittings) -> tuple[RaterQuality, ...]:
    """Every rater that answered, by number."""
    found = []
    for rater in np.unique(sittings.rater).tolist():
        rows = np.flatnonzero(sittings.rater == rater)
        shown = sittings.shown[rows]
        seconds, left = sittings.seconds[rows], sittings.left[rows]
        timed, sided = seconds[np.isfinite(seconds)], left[np.isfinite(left)]
        gold = sittings.gold[rows]
        found.append(
            RaterQuality(
                rater=rater,
                num=len(rows),
                gold=_share(gold[np.isfinite(gold)], "no gold trial was answered"),
                consistency=_share(_repeats(sittings.item[rows], sittings.said[rows]), "no item was shown twice"),
                median_s=float(np.median(timed)) if len(timed) else None,
                left=_share(sided, "no answer prefers a side"),
                left_p=float(binomtest(int(sided.sum()), len(sided)).pvalue) if len(sided) else None,
                longest_run=longest_run(shown),
                entropy_bits=entropy_bits(shown),
            )
        )
    return tuple(found)


def longest_run(values: np.ndarray) -> int:
    """Most equal values one after another; 0 of none."""
    if not len(values):
        return 0
    ends = np.flatnonzero(np.append(values[1:] != values[:-1], True))
    return int(np.diff(ends, prepend=-1).max())


def entropy_bits(values: np.ndarray) -> float:
    """Shannon's entropy of the shares of values."""
    _, counts = np.unique(values, return_counts=True)
    shares = counts / max(1, len(values))
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def _repeats(items: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Of each item that came again: whether the answer means what the one before meant, float."""
    order = np.argsort(items, kind="stable")
    again = items[order][1:] == items[order][:-1]
    return (said[order][1:] == said[order][:-1])[again].astype(float)


def _share(values: np.ndarray, without: str) -> Estimate:
    if not len(values):
        return Estimate(reason=without)
    share = float(values.mean())
    low, high = wilson(share, len(values))
    return Estimate(value=share, low=low, high=high, n=len(values))
