"""Scorers that look at how a clip moves, not only at frames of it."""

from typing import Protocol, runtime_checkable

from backend.domain.results import Absent
from backend.domain.roles import Footage


@runtime_checkable
class FootageScorer(Protocol):
    """An ImageScorer that chooses its own frames of a clip."""

    model_id: str

    def score_footage(self, footage: Footage) -> float | Absent: ...
