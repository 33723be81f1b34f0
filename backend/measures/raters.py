"""How well a rater works: right on gold, in accord with themselves, not hurried, not stuck on a side or a key."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

import numpy as np

from backend.domain.studies import Estimate
from backend.measures.intervals import half_p, wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """What one rater did. `keys` are answers as they stood on the screen, in the order in which they were given."""

    keys: Sequence[str] = ()
    is_left: Sequence[bool] = ()
    """Of each answer for a side, whether that was the left one."""
    seconds: Sequence[float] = ()
    """Of each trial."""
    is_right: Sequence[bool] = ()
    """Of each answer that was known beforehand."""
    is_alike: Sequence[bool] = ()
    """Of each repeated trial's answer, whether it means what the one before meant."""


@dataclass(frozen=True, slots=True)
class RaterQuality:
    """One rater. What cannot be said has no value; estimates name the reason."""

    gold: Estimate
    """Share of gold trials answered right, with Wilson's interval: judge by its lower end."""
    consistency: Estimate
    """Share of repeated trials on which the answer means the same, with Wilson's interval."""
    median_s: float | None
    left: Estimate
    """Share of the left side among answers for a side, with Wilson's interval."""
    left_p: float | None
    """Of the two-sided binomial test that the share is a half."""
    longest_run: int
    """Most equal answers on the screen one after another."""
    entropy_bits: float
    """Of the answers on the screen: 0 when all are one."""


def rater_quality(sitting: Sitting) -> RaterQuality:
    """Everything that a sitting tells of its rater."""
    left = sitting.is_left
    return RaterQuality(
        gold=_share(sitting.is_right, "no gold trial was answered"),
        consistency=_share(sitting.is_alike, "no repeated trial was answered"),
        median_s=median_s(sitting.seconds),
        left=_share(left, "no answer prefers a side"),
        left_p=half_p(sum(left), len(left)) if left else None,
        longest_run=longest_run(sitting.keys),
        entropy_bits=entropy_bits(sitting.keys),
    )


def median_s(seconds: Sequence[float]) -> float | None:
    """Of a trial; None without one."""
    return float(median(seconds)) if seconds else None


def longest_run(keys: Sequence[str]) -> int:
    """Most equal answers one after another; 0 of none."""
    return max((len(list(run)) for _, run in groupby(keys)), default=0)


def entropy_bits(keys: Sequence[str]) -> float:
    """Shannon's entropy of the shares of answers."""
    _, counts = np.unique(list(keys), return_counts=True)
    shares = counts / max(1, len(keys))
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def _share(said: Sequence[bool], without: str) -> Estimate:
    if not said:
        return Estimate(reason=without)
    share = sum(said) / len(said)
    low, high = wilson(share, len(said))
    return Estimate(value=share, low=low, high=high, n=len(said))
