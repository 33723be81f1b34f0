"""Wilson's interval of a share, and the exact test of a half."""

import math

CONFIDENCE = 0.95
Z95 = 1.959964  # of two sides


def wilson(share: float, num: float, *, z: float = Z95) -> tuple[float, float]:
    """Wilson's interval (1927) of a share of `num` independent trials; (0, 1) of none.

    `num` may be an effective number: with trials that come in clusters, their number divided by the design effect.
    """
    if num <= 0:
        return 0.0, 1.0
    square = z * z
    middle = share + square / (2 * num)
    spread = z * math.sqrt(share * (1 - share) / num + square / (4 * num * num))
    scale = 1 + square / num
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def half_p(num: int, num_trials: int) -> float:
    """Two-sided p of the exact binomial test that `num` of `num_trials` come of even chances."""
    from scipy.special import bdtr  # not above: a fifth of a second of every command's start

    return min(1.0, 2 * float(bdtr(min(num, num_trials - num), num_trials, 0.5)))
