"""Total-score presets: which scores a benchmark sums up, their ranges and weights, kept as data with their source."""

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from backend.domain import SettingsError, resource
from backend.settings import nearest

FOLDER = "presets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One score of a total. Raw values are limited to `low` and `high`, averaged over videos, then scaled to 0..1."""

    key: str
    """Its name in lists of normalised scores."""
    title: str
    metric: str
    """The metric whose rows feed it."""
    upstream: str
    """Its name in upstream's summary."""
    weight: float
    low: float
    high: float
    floor: bool = True
    """Whether `low` limits raw values too; upstream's merge limits some scores from above only."""
    magnitude: bool = False
    """Whether a raw value's sign is dropped first."""
    skip_zero: bool = False
    """Whether videos of exactly 0 are left out of the mean, as upstream's merge does."""

    def normalised(self, values: Sequence[float]) -> float | None:
        """The score in 0..1 of raw values of videos; None when none counts."""
        counted = self.limited(values)
        counted = counted[np.isfinite(counted)]
        return float((counted.mean() - self.low) / (self.high - self.low)) if len(counted) else None

    def limited(self, values: Sequence[float] | np.ndarray) -> np.ndarray:
        """Raw values within the range, float64 of the same shape; NaN where a video does not count."""
        raw = np.asarray(values, np.float64)
        limited = np.clip(np.abs(raw) if self.magnitude else raw, self.low if self.floor else -math.inf, self.high)
        return np.where(raw == 0, math.nan, limited) if self.skip_zero else limited


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A benchmark's total: the weighted sum of its terms."""

    id: str
    title: str
    source: str
    domain: str
    """Which cases it is about: open, human or single."""
    terms: tuple[Term, ...]


def preset_ids() -> tuple[str, ...]:
    """Every preset's id."""
    return tuple(sorted(path.stem for path in resource(FOLDER).glob("*.toml")))


@cache
def preset(preset_id: str) -> Preset:
    """A preset by id. Raises SettingsError for an unknown one."""
    if preset_id not in preset_ids():
        raise SettingsError(f"preset {preset_id!r} does not exist{nearest(preset_id, preset_ids())}")
    raw = tomllib.loads((resource(FOLDER) / f"{preset_id}.toml").read_text(encoding="utf-8"))
    terms = tuple(Term(**term) for term in raw.pop("terms"))
    assert math.isclose(sum(term.weight for term in terms), 1.0), f"weights of {preset_id} do not sum to 1"
    return Preset(id=preset_id, terms=terms, **raw)
