"""How many votes a study needs, and how narrow its intervals will be."""

import math

from scipy.stats import norm

POWER = 0.8
LEVEL = 0.05  # of the two-sided test
ICC = 0.3  # of votes on one item; a guess to plan with until a study's own is known


def votes_needed(rate: float, *, power: float = POWER, level: float = LEVEL) -> int:
    """Independent votes that tell a win rate from a half with this power, by the normal approximation.

    Raises ValueError for a rate of a half, or outside (0, 1).
    """
    if not 0 < rate < 1 or rate == 0.5:
        raise ValueError(f"rate is {rate}; choose one between 0 and 1 other than a half")
    reach = norm.ppf(1 - level / 2) * 0.5 + norm.ppf(power) * math.sqrt(rate * (1 - rate))
    return math.ceil((reach / (rate - 0.5)) ** 2)


def design_effect(raters_per_item: float, icc: float = ICC) -> float:
    """By how much clustering multiplies the votes needed: `1 + (m - 1) icc` (Kish 1965)."""
    return 1 + (raters_per_item - 1) * icc


def half_width(num_items: int, raters_per_item: int, *, icc: float = ICC, rate: float = 0.5) -> float:
    """Half of the 95 % interval of a win rate, with raters alike and every item judged by equally many; inf of no votes."""
    if num_items * raters_per_item == 0:
        return math.inf
    num = num_items * raters_per_item / design_effect(raters_per_item, icc)
    return float(norm.ppf(1 - LEVEL / 2)) * math.sqrt(rate * (1 - rate) / num)
