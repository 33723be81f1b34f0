"""How many votes a study needs, and how narrow its intervals will be."""

import math
from statistics import NormalDist

LEVEL = 0.05  # of the two-sided test
ICC = 0.3  # of votes on one item; a guess to plan with until a study's own is known


def design_effect(raters_per_item: float, icc: float = ICC) -> float:
    """By how much clustering multiplies the votes needed: `1 + (m - 1) icc` (Kish 1965)."""
    return 1 + (raters_per_item - 1) * icc


def half_width(num_items: int, raters_per_item: int, *, icc: float = ICC) -> float:
    """Half of the 95 % interval of a win rate near .5, with raters alike and every item judged by equally many; inf of no votes."""
    if num_items * raters_per_item == 0:
        return math.inf
    num = num_items * raters_per_item / design_effect(raters_per_item, icc)
    return NormalDist().inv_cdf(1 - LEVEL / 2) * math.sqrt(0.25 / num)
