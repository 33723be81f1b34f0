"""Votes between two systems as columns: all that the statistics of a study ever see."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

WIN, TIE, LOSS, BAD = 0, 1, 2, 3
"""Columns of a table of outcomes, seen from the pair's first system. A vote for "both are bad" is a tie apart."""


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Votes, one a row: which of two systems a rater preferred on an item. All arrays `(N,)`.

    `outcome` float: 1 for a, 0 for b, .5 for a tie, NaN where the rater skipped. `a`, `b`, `item`, `rater` int: numbers
    of systems, items and raters. `left_is_a` bool: which side a stood on. `both_bad` bool: ties that say so; none
    without it. Raises ValueError for columns of different lengths, other outcomes, or a system against itself.
    """

    outcome: np.ndarray
    a: np.ndarray
    b: np.ndarray
    item: np.ndarray
    rater: np.ndarray
    left_is_a: np.ndarray
    both_bad: np.ndarray | None = None

    def __post_init__(self) -> None:
        kinds = {"outcome": float, "a": np.int64, "b": np.int64, "item": np.int64, "rater": np.int64}
        for name, kind in (kinds | {"left_is_a": bool}).items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), kind))
        bad = np.zeros(len(self.outcome), bool) if self.both_bad is None else np.asarray(self.both_bad, bool)
        object.__setattr__(self, "both_bad", bad)
        lengths = {len(getattr(self, name)) for name in (*kinds, "left_is_a", "both_bad")}
        if len(lengths) > 1:
            raise ValueError(f"columns have {sorted(lengths)} rows; give them all one length")
        wrong = ~np.isin(self.outcome, (0.0, 0.5, 1.0)) & ~np.isnan(self.outcome)
        if wrong.any():
            raise ValueError(f"outcome {self.outcome[wrong][0]} is none of 1, .5, 0, NaN")
        if (self.a == self.b).any():
            raise ValueError(f"system {self.a[self.a == self.b][0]} stands against itself")
        if (bad & (self.outcome != 0.5)).any():
            raise ValueError("a vote for both_bad has an outcome other than .5")

    def __len__(self) -> int:
        return len(self.outcome)

    def only(self, rows: np.ndarray) -> "Comparisons":
        """The rows that a bool or int array names."""
        assert self.both_bad is not None, "set when made"
        return Comparisons(
            self.outcome[rows],
            self.a[rows],
            self.b[rows],
            self.item[rows],
            self.rater[rows],
            self.left_is_a[rows],
            self.both_bad[rows],
        )

    def canonical(self) -> "Comparisons":
        """The same votes without skipped ones, the system of the lower number as a: what A and B are called is gone."""
        kept = self.only(~np.isnan(self.outcome))
        turned = kept.a > kept.b
        return Comparisons(
            np.where(turned, 1 - kept.outcome, kept.outcome),
            np.where(turned, kept.b, kept.a),
            np.where(turned, kept.a, kept.b),
            kept.item,
            kept.rater,
            kept.left_is_a ^ turned,
            kept.both_bad,
        )


class Contests(NamedTuple):
    """Which pairs were compared, and what each vote said."""

    pairs: np.ndarray
    """int `(P, 2)`, the lower number first, in order."""
    pair: np.ndarray
    """int `(N,)`: each vote's row of `pairs`."""
    outcome: np.ndarray
    """int `(N,)`: WIN, TIE, LOSS or BAD of the pair's first system."""


def contests(votes: Comparisons) -> Contests:
    """Of canonical votes."""
    assert votes.both_bad is not None, "set when made"
    pairs, pair = np.unique(np.stack([votes.a, votes.b], axis=1), axis=0, return_inverse=True)
    outcome = np.where(votes.both_bad, BAD, np.rint(2 - 2 * votes.outcome).astype(np.int64))
    return Contests(pairs.reshape(-1, 2), pair.reshape(-1), outcome)


def one_hot(codes: np.ndarray, num: int) -> np.ndarray:
    """Codes int `(N,)` of 0 to num - 1 as float64 `(N, num)`, a 1 in each row."""
    found = np.zeros((len(codes), num))
    found[np.arange(len(codes)), codes] = 1.0
    return found
