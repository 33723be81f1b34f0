"""Reading estimates that must have a value and an interval."""

from collections.abc import Iterable

import numpy as np

from backend.domain.studies import Estimate


def ends(one: Estimate) -> tuple[float, float]:
    assert one.low is not None, one.reason
    assert one.high is not None, one.reason
    return one.low, one.high


def width(one: Estimate) -> float:
    low, high = ends(one)
    return high - low


def values(found: Iterable[Estimate]) -> np.ndarray:
    """float `(N,)`, NaN where there is none."""
    return np.array([np.nan if one.value is None else one.value for one in found])
