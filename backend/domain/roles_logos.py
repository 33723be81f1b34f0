"""Role that finds the marks of makers: logos, brand names, labels."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from backend.domain.records import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """A mark on a cut-out, in pixels of that cut-out."""

    box: Box
    score: float
    """How sure it is a mark, in [0, 1], on the finder's own scale."""
    text: str | None = None
    """What stands written in it; None where nobody read it, empty where nothing is written."""
    is_uncut: bool
    """Whether it ends inside the thing: neither the picture's edge nor the mask's cuts it."""


class LogoFinder(Protocol):
    """Marks on a cut-out uint8 `(H, W, 4)`, RGB with its mask as alpha; best first."""

    model_id: str

    def find(self, cut_out: np.ndarray) -> list[Logo]: ...
