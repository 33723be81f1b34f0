"""A study's votes at a glance, as they came in: no rule is applied yet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTally:
    """Votes of one question between two systems."""

    question: str
    a: str
    b: str
    wins: int
    ties: int
    losses: int
    both_bad: int
    skipped: int
    num_left: int
    """Decided votes that went to the left side, whoever stood there."""

    @property
    def rate(self) -> float | None:
        """Wins of a and half the ties; both bad is a tie. None without a vote."""
        num = self.wins + self.ties + self.losses + self.both_bad
        return (self.wins + (self.ties + self.both_bad) / 2) / num if num else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterTally:
    """What one rater gave. `median_s` is of the time that a trial was visible."""

    rater: str
    votes: int
    left: int
    right: int
    median_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """Counts of a study. Gold, identical and repeated trials are among them."""

    pairs: tuple[PairTally, ...]
    busiest: tuple[RaterTally, ...]
    num_raters: int
    coverage: dict[int, int]
    """How many items (each question apart) have so many votes."""
