"""What is left out of samples at random in training; without torch, since configs name the plans."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.guidance import CONDITIONS, Dropped
from training.layout import ANCHOR_ROLES


@dataclass(frozen=True, slots=True)
class DropoutPlan:
    """What to leave out of a sample in training, so that guidance has seen every forward it makes.

    Outcomes exclude each other; what remains to 1 leaves nothing out. Raises ValueError for an unknown condition or more than 1.
    """

    outcomes: tuple[tuple[tuple[str, ...], float], ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted({name for names, _ in self.outcomes for name in names} - set(CONDITIONS))
        if unknown:
            raise ValueError(f"no condition {unknown[0]!r}; there are {', '.join(CONDITIONS)}")
        chances = [chance for _, chance in self.outcomes]
        if any(chance < 0 for chance in chances) or sum(chances) > 1 + 1e-9:
            raise ValueError(f"probabilities of {chances} are no shares of 1")

    def draw(self, samples: int, rng: np.random.Generator) -> tuple[Dropped, ...]:
        """For each sample, what is left out."""
        borders = np.cumsum([chance for _, chance in self.outcomes])
        found = np.searchsorted(borders, rng.random(samples), side="right")
        sets = [frozenset(names) for names, _ in self.outcomes] + [Dropped()]
        return tuple(sets[index] for index in found)


DROPOUT: Mapping[str, DropoutPlan] = {
    "none": DropoutPlan(),
    # Phantom trains for three forwards and does not say how; our choice
    "phantom": DropoutPlan(((("text",), 0.1), (("reference",), 0.1), (("text", "reference"), 0.1))),
    "kaleido": DropoutPlan(((("text",), 0.1),)),  # Kaleido's code: ucg_rate 0.1, references always given
    # Gloria, section 4.4: text and audio, probability not legible; our choice. Anchors so that they can be left out
    "gloria": DropoutPlan(((("text",), 0.1), (("audio",), 0.1), (("text", "audio"), 0.1), (ANCHOR_ROLES, 0.1))),
}
