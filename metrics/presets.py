"""Total-score presets: which scores a benchmark sums up, their ranges and weights, kept as data with their source.

They are shipped, as papers give them, or calibrated on people's votes (`calibration.json`).
"""

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from backend.domain import SettingsError, resource
from backend.domain.calibration import MetricCalibration, MetricWeight
from backend.settings import nearest
from metrics.calibration_file import read_calibration

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
    raw: tuple[float, ...] = ()
    """Knots of a calibrated map from raw values, rising; `low` and `high` are then 0 and 1, of what it gives."""
    scaled: tuple[float, ...] = ()

    @property
    def ends(self) -> tuple[float, float]:
        """Raw values that are worst and best."""
        if not self.raw:
            return self.low, self.high
        return (self.raw[0], self.raw[-1]) if self.scaled[0] <= self.scaled[-1] else (self.raw[-1], self.raw[0])

    def normalised(self, values: Sequence[float]) -> float | None:
        """The score in 0..1 of raw values of videos; None when none counts."""
        counted = self.limited(values)
        counted = counted[np.isfinite(counted)]
        return float((counted.mean() - self.low) / (self.high - self.low)) if len(counted) else None

    def limited(self, values: Sequence[float] | np.ndarray) -> np.ndarray:
        """Raw values within the range, or what a calibrated map makes of them: float64 of the same shape.

        NaN where a video does not count.
        """
        raw = np.asarray(values, np.float64)
        if self.raw:
            return np.interp(raw, self.raw, self.scaled)
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
    remark: str = ""
    """What a calibrated total rests on; empty for a published one."""


def preset_ids() -> tuple[str, ...]:
    """Every preset's id."""
    return tuple(sorted(path.stem for path in resource(FOLDER).glob("*.toml")))


def preset(preset_id: str, *, domain: str = "") -> Preset:
    """A preset by id, or the one that a calibration's file holds for a domain. Raises SettingsError for an unknown one."""
    if preset_id.endswith(".json"):
        return calibrated(read_calibration(Path(preset_id)), domain)
    return _shipped(preset_id)


def calibrated(found: MetricCalibration, domain: str) -> Preset:
    """The preset of a calibration: its fit to the domain, else to all domains together. Raises SettingsError without weights."""
    fits = {fit.domain: fit for fit in found.fits if fit.weights}
    fit = fits.get(domain) or fits.get("")
    if fit is None:
        reasons = "; ".join(fit.reason for fit in found.fits)
        raise SettingsError(f"calibration {found.id} has no weights ({reasons}); take a published preset")
    held_out = next((one.ratio.value for one in fit.held_out if one.name == "fitted"), None)
    remark = f"the total is by calibration {found.id}, fitted to {fit.votes} votes on {fit.pairs} pairs of {fit.domain or 'all'} domains"
    if held_out is not None and found.ceiling.value is not None:
        remark += f"; it sides with {held_out:.3f} of held-out votes, a rater with {found.ceiling.value:.3f}"
    return Preset(
        id=found.id,
        title=found.name,
        source=f"fitted to the votes of study {found.study}, {found.aspect}",
        domain=fit.domain,
        terms=tuple(_term(one) for one in fit.weights),
        remark=remark,
    )


def _term(one: MetricWeight) -> Term:
    return Term(
        key=one.metric,
        title=one.title,
        metric=one.metric,
        upstream=one.metric,
        weight=one.weight.value or 0.0,
        low=0.0,
        high=1.0,
        raw=one.raw,
        scaled=one.scaled,
    )


@cache
def _shipped(preset_id: str) -> Preset:
    if preset_id not in preset_ids():
        raise SettingsError(f"preset {preset_id!r} does not exist{nearest(preset_id, preset_ids())}")
    raw = tomllib.loads((resource(FOLDER) / f"{preset_id}.toml").read_text(encoding="utf-8"))
    terms = tuple(Term(**term) for term in raw.pop("terms"))
    assert math.isclose(sum(term.weight for term in terms), 1.0), f"weights of {preset_id} do not sum to 1"
    return Preset(id=preset_id, terms=terms, **raw)
