"""What people's verdicts taught: bounds on a score by category, and a projection of embeddings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryBound:
    """The lowest score from which pairs of a category are right at the precision wanted, or why there is none."""

    category: str
    """Empty for all together."""
    score: float | None
    reason: str
    num: int
    num_right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedThresholds:
    """Bounds by category, the file that keeps them with their curves, and the page that shows these."""

    score_name: str
    producer: str
    precision: float
    bounds: tuple[CategoryBound, ...]
    path: str
    page: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedEmbedder:
    """Whether a projection fitted to verdicts was kept, by its held-out precision before and after."""

    kept: bool
    reason: str
    num_same: int
    num_different: int
    precision_before: float
    precision_after: float
    path: str | None
    """The folder to name under [models] with roles.AppearanceEmbedder = "projected"; None when nothing was kept."""
