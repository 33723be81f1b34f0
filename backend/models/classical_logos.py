"""LogoFinder without weights: printed patches by their colours (`backend.measures.logos`)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backend.domain.roles_logos import Logo
from backend.measures.logos import find_marks, is_uncut


@dataclass(frozen=True)
class ClassicalLogos:
    """Patches of ink that stand apart inside the thing's mask: emblems, names, labels and any other print.

    It neither reads nor knows brands. Print that reaches the mask's edge, and embossed marks, are not found.
    """

    model_id: ClassVar[str] = "classical-logos-1"

    most: int = 6
    """Patches kept for a cut-out, the surest first."""
    min_visible: int = 128
    """Alpha from which a pixel is the thing's."""

    def find(self, cut_out: np.ndarray) -> list[Logo]:
        """Marks on an RGBA picture uint8 `(H, W, 4)`, best first; their score is how much they look like print."""
        mask = cut_out[..., 3] >= self.min_visible
        found = find_marks(cut_out[..., :3], mask)[: self.most]
        return [Logo(box=mark.box, score=mark.score, is_uncut=is_uncut(mark.box, mask)) for mark in found]
