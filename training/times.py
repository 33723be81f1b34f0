"""Where between clean and noise training looks; without torch, since configs say it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSampling:
    """Where on the paths to train. Raises ValueError for a spread or shift that is not positive.

    Kaleido's code: logit_normal(0, 1), shift "tokens". Phantom and Gloria do not say; a shift of 5 as in Wan's sampling,
    for structure, or 3 at 480p, is our choice.
    """

    density: Literal["uniform", "logit_normal"] = "logit_normal"
    mean: float = 0.0
    spread: float = 1.0
    """Of the logit_normal."""
    shift: float | Literal["tokens"] = 1.0
    """A number, or by the tokens of a frame."""

    def __post_init__(self) -> None:
        if self.spread <= 0 or (self.shift != "tokens" and self.shift <= 0):
            raise ValueError(f"spread ({self.spread}) and shift ({self.shift}) of sampled times must be above 0")
