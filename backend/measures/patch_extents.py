"""Which part of one cut-out the other shows: patches lie at heights, and cut-outs seldom begin and end alike.

A nearer camera leaves out legs, a bad cut loses a head or keeps the ground below the feet. So one side is shortened,
above or below, by what leaves least unexplained; to shorten costs a little, since shorter sides are explained more easily.
"""

import numpy as np

from backend.measures.patches import Patches, Residue, describe, match

BELOW = (0.0, 0.1, 0.23, 0.39, 0.52, 0.63)
"""Shares of the height: from feet to the chest, in steps of a quarter of what is left."""
ABOVE = (0.0, 0.1, 0.2)
PRICE = 0.4  # of each whole height left out, as a mean residue: a tenth costs what noise makes

Extent = tuple[float, float]
"""The shares that are left out above and below."""


class Extents:
    """Patches of one cut-out by extent, each described once."""

    def __init__(self, picture: np.ndarray, mask: np.ndarray) -> None:
        self._picture, self._mask = picture, mask
        self._found: dict[Extent, Patches] = {}

    def patches(self, extent: Extent) -> Patches:
        if extent not in self._found:
            self._found[extent] = describe(self._picture, self._mask, above=extent[0], below=extent[1])
        return self._found[extent]


def best_match(a: Extents, b: Extents) -> Residue | None:
    """The residue where the two show the same part; None where one is too small to be compared."""
    tried: dict[tuple[Extent, Extent], Residue | None] = {}

    def price(sides: tuple[Extent, Extent]) -> float:
        if sides not in tried:
            first, second = a.patches(sides[0]), b.patches(sides[1])
            tried[sides] = match(first, second) if first.enough and second.enough else None
        found = tried[sides]
        return np.inf if found is None else found.mean + PRICE * (sum(sides[0]) + sum(sides[1]))

    whole = (0.0, 0.0)
    sides = [((0.0, share), whole) for share in BELOW] + [(whole, (0.0, share)) for share in BELOW[1:]]
    first, second = min(sides, key=price)
    sides = [((share, first[1]), second) for share in ABOVE] + [(first, (share, second[1])) for share in ABOVE[1:]]
    return tried[min(sides, key=price)]
