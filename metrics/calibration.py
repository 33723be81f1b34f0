"""Weights of metrics fitted to people's votes, and how well such a total does on prompts that it has not seen."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.stats import t as student

from backend.domain.calibration import MetricAgreement, MetricCalibration, MetricFit, MetricWeight
from backend.domain.studies import Estimate
from backend.measures.cluster_bootstrap import drawn_weights
from backend.measures.noise_ceiling import majority_ceiling, noise_ceiling
from metrics.agreement import agreement, chance_with_ties, metric_agreements
from metrics.judged import Judged
from metrics.nonnegative import fit_nonnegative, is_perfect
from metrics.presets import Preset
from metrics.resampling import CONFIDENCE
from metrics.scaling import ISOTONIC, LINEAR, Scale, isotonic, straight

VERSION = 1
DRAWS_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFacts:
    """What a fit must know of a metric."""

    title: str
    version: int = 0
    higher_is_better: bool = True
    range: tuple[float, float] | None = None
    """Scaled to 0..1 by `linear`; the values' own range without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrate:
    """How weights are fitted."""

    scaling: str = ISOTONIC
    folds: int = 5
    ridge: float = 1e-3  # on coefficients per root mean square: a thousandth of a vote
    num_draws: int = 1000
    seed: int = 0
    least_coverage: float = (
        0.5  # of pairs: a metric with values on fewer is left out, rather than most pairs with it (ours)
    )
    facts: Mapping[str, MetricFacts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.scaling not in (ISOTONIC, LINEAR):
            raise ValueError(f"scaling {self.scaling!r} is neither {ISOTONIC} nor {LINEAR}")
        if self.folds < 2:
            raise ValueError(f"{self.folds} folds hold nothing out; give 2 or more")

    def __call__(
        self, found: Judged, *, name: str, study: str, aspect: str, made_at: str, published: Preset | None = None
    ) -> MetricCalibration:
        """The calibration of all pairs together, and of each domain that they name when there are several."""
        rng = np.random.default_rng(self.seed)
        domains = sorted(set(found.domain) - {""})
        rows = np.array(found.domain, object)
        fits = [self.fit(found, "", published)]
        if len(domains) > 1:
            fits += [self.fit(found.only(np.asarray(rows == domain)), domain, published) for domain in domains]
        return MetricCalibration(
            name=name,
            version=VERSION,
            made_at=made_at,
            study=study,
            aspect=aspect,
            data_hash=found.data_hash,
            scaling=self.scaling,
            folds=self.folds,
            ridge=self.ridge,
            draws=self.num_draws,
            seed=self.seed,
            chance_with_ties=chance_with_ties(found),
            ceiling=noise_ceiling(found.votes, rng=rng, num_draws=self.num_draws),
            majority=majority_ceiling(found.votes, rng=rng, num_draws=self.num_draws),
            metrics=metric_agreements(
                found, [self.fact(one).higher_is_better for one in found.metrics], rng=rng, num_draws=self.num_draws
            ),
            fits=tuple(fits),
        )

    def weights(self, found: Judged) -> list[Estimate]:
        """Weights of all metrics of pairs where none is missing, and their intervals, without the rest of a calibration."""
        used = np.arange(len(found.metrics))
        scales = self._scales(found, used, found.num)
        coefficients = fit_nonnegative(
            _differences(found, used, scales), found.wins[None], found.num[None], ridge=self.ridge
        )[0]
        return self._intervals(found, used, scales, coefficients, np.random.default_rng(self.seed))[0]

    def fact(self, metric: str) -> MetricFacts:
        return self.facts.get(metric) or MetricFacts(title=metric)

    def fit(self, found: Judged, domain: str, published: Preset | None) -> MetricFit:
        """Weights of these pairs, or the reason why there are none. Pairs that lack a metric of the fit are left out."""
        used, left_out = self._used(found)
        complete = np.isfinite(found.first[:, used]).all(axis=1) & np.isfinite(found.second[:, used]).all(axis=1)
        kept = found.only(np.asarray(complete))
        prompts = len(np.unique(kept.prompt))
        about = {
            "domain": domain,
            "pairs": len(kept.pairs),
            "prompts": prompts,
            "votes": len(kept.votes),
            "incomplete": int((~complete).sum()),
            "left_out": left_out,
        }
        if not len(used):
            return MetricFit(**about, reason="no metric has values on enough pairs")
        if prompts < 2 * self.folds:
            return MetricFit(
                **about, reason=f"{prompts} prompts are too few for {self.folds} folds; {2 * self.folds} are needed"
            )
        scales = self._scales(kept, used, kept.num)
        differences = _differences(kept, used, scales)
        if is_perfect(differences, kept.wins, kept.num):
            return MetricFit(**about, reason="the metrics meet every vote, so that no weights fit best; gather more pairs")
        coefficients = fit_nonnegative(differences, kept.wins[None], kept.num[None], ridge=self.ridge)[0]
        if not coefficients.any():
            return MetricFit(**about, reason="no metric sides with the votes more than a coin does")
        rng = np.random.default_rng(self.seed)
        weights, temperature = self._intervals(kept, used, scales, coefficients, rng)
        rows = tuple(
            MetricWeight(
                metric=found.metrics[k],
                title=self.fact(found.metrics[k]).title,
                version=self.fact(found.metrics[k]).version,
                weight=weight,
                raw=scale.raw,
                scaled=scale.scaled,
            )
            for k, scale, weight in zip(used.tolist(), scales, weights, strict=True)
        )
        held_out = self._held_out(kept, used, published, rng)
        return MetricFit(**about, weights=rows, temperature=temperature, held_out=held_out)

    def _used(self, found: Judged) -> tuple[np.ndarray, tuple[tuple[str, str], ...]]:
        """Columns of metrics that can be fitted, and why the others cannot."""
        both = np.isfinite(found.first) & np.isfinite(found.second)
        left_out = {}
        for k, name in enumerate(found.metrics):
            share = both[:, k].mean()
            if share < self.least_coverage:
                left_out[k] = (
                    name,
                    f"values of both videos on {share:.0%} of the pairs, {self.least_coverage:.0%} are needed",
                )
            elif (found.first[both[:, k], k] == found.second[both[:, k], k]).all():
                left_out[k] = (name, "the same value for both videos of every pair")
        used = np.array([k for k in range(len(found.metrics)) if k not in left_out], int)
        return used, tuple(left_out.values())

    def _scales(self, found: Judged, used: np.ndarray, num: np.ndarray) -> list[Scale]:
        """A map for each used metric, of pairs that weigh `num` votes `(P,)`."""
        shares = found.wins / np.maximum(found.num, 1)
        scales = []
        for k in used.tolist():
            fact = self.fact(found.metrics[k])
            raw = np.concatenate([found.first[:, k], found.second[:, k]])
            if self.scaling == ISOTONIC:
                won, weights = np.concatenate([shares, 1 - shares]), np.concatenate([num, num])
                scales.append(isotonic(raw, won, weights, rising=fact.higher_is_better))
            else:
                low, high = fact.range or (float(raw.min()), float(raw.max()))
                scales.append(straight(low, high, rising=fact.higher_is_better))
        return scales

    def _intervals(
        self, found: Judged, used: np.ndarray, scales: list[Scale], coefficients: np.ndarray, rng: np.random.Generator
    ) -> tuple[list[Estimate], Estimate]:
        """Weights and temperature with intervals by fits to prompts drawn with replacement, maps fitted anew in each."""
        _, prompts = np.unique(found.prompt, return_inverse=True)
        drawn = np.concatenate(list(drawn_weights(int(prompts.max()) + 1, self.num_draws, rng)))[:, prompts]
        fixed = _differences(found, used, scales) if self.scaling == LINEAR else None
        fits = []
        for start in range(0, len(drawn), DRAWS_AT_ONCE if fixed is None else len(drawn)):
            weights = drawn[start : start + (DRAWS_AT_ONCE if fixed is None else len(drawn))]
            differences = fixed
            if differences is None:
                maps = (self._scales(found, used, one * found.num) for one in weights)
                differences = np.stack([_differences(found, used, one) for one in maps])
            fits.append(fit_nonnegative(differences, weights * found.wins, weights * found.num, ridge=self.ridge))
        sums = np.concatenate(fits).sum(axis=1)
        shares = np.concatenate(fits) / np.where(sums > 0, sums, np.nan)[:, None]
        total = float(coefficients.sum())
        estimates = [_estimate(float(coefficients[k]) / total, shares[:, k], found, most=1.0) for k in range(len(used))]
        return estimates, _on_log_scale(total, sums, found)

    def _held_out(
        self, found: Judged, used: np.ndarray, published: Preset | None, rng: np.random.Generator
    ) -> tuple[MetricAgreement, ...]:
        """Agreement of totals on prompts that they had not seen: every pair is scored by the fit to the other folds."""
        scores = {name: np.full((2, len(found.pairs)), np.nan) for name in ("fitted", "equal", "best single")}
        for test in _folds(found.prompt, self.folds, rng):
            seen = found.only(~test)
            scales = self._scales(seen, used, seen.num)
            differences = _differences(seen, used, scales)
            coefficients = fit_nonnegative(differences, seen.wins[None], seen.num[None], ridge=self.ridge)[0]
            alone = _sides_with(differences, seen)
            for side, raw in enumerate((found.first[test], found.second[test])):
                scaled = _scaled(raw, used, scales)
                scores["fitted"][side, test] = scaled @ coefficients
                scores["equal"][side, test] = scaled.mean(axis=1)
                scores["best single"][side, test] = scaled[:, int(np.argmax(alone))]
        if published is not None:
            scores[f"published: {published.id}"] = _published(found, published)
        ceiling = noise_ceiling(found.votes, rng=rng, num_draws=self.num_draws)
        return tuple(
            agreement(name, first, second, found, ceiling, rng=rng, num_draws=self.num_draws)
            for name, (first, second) in scores.items()
        )


def _differences(found: Judged, used: np.ndarray, scales: Sequence[Scale]) -> np.ndarray:
    return _scaled(found.first, used, scales) - _scaled(found.second, used, scales)


def _scaled(raw: np.ndarray, used: np.ndarray, scales: Sequence[Scale]) -> np.ndarray:
    return np.stack([scale(raw[:, k]) for k, scale in zip(used.tolist(), scales, strict=True)], axis=1)


def _sides_with(differences: np.ndarray, found: Judged) -> np.ndarray:
    """How far each column `(P, K)` sides with votes, beyond a coin, on any scale: `(K,)`."""
    return (np.sign(differences) * (2 * found.wins - found.num)[:, None]).sum(axis=0)


def _published(found: Judged, preset: Preset) -> np.ndarray:
    """Totals `(2, P)` by a preset's own weights and ranges; NaN where one of its metrics has no value."""
    total = np.zeros((2, len(found.pairs)))
    for term in preset.terms:
        if term.metric not in found.metrics:
            return np.full_like(total, np.nan)
        k = found.metrics.index(term.metric)
        raw = np.stack([found.first[:, k], found.second[:, k]])
        total += term.weight * (term.limited(raw) - term.low) / (term.high - term.low)
    return total


def _folds(prompt: np.ndarray, num: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Which pairs `(P,)` each fold holds out, bool: all pairs of a prompt together, prompts dealt at random."""
    prompts, place = np.unique(prompt, return_inverse=True)
    fold = np.empty(len(prompts), int)
    fold[rng.permutation(len(prompts))] = np.arange(len(prompts)) % num
    return [fold[place] == k for k in range(num)]


def _estimate(value: float, drawn: np.ndarray, found: Judged, *, most: float = math.inf) -> Estimate:
    """A value with Student's interval by the standard deviation of its draws over prompts, cut at 0 and `most`."""
    num = len(np.unique(found.prompt))
    kept = drawn[np.isfinite(drawn)]
    if len(kept) < len(drawn) / 2:
        return Estimate(value=value, n=len(found.pairs), reason="most draws of prompts have no weights")
    reach = float(student.ppf((1 + CONFIDENCE) / 2, num - 1) * kept.std(ddof=1) * math.sqrt(num / (num - 1)))
    return Estimate(value=value, low=max(0.0, value - reach), high=min(most, value + reach), n=len(found.pairs))


def _on_log_scale(value: float, drawn: np.ndarray, found: Judged) -> Estimate:
    """A positive value, whose logarithm has Student's interval."""
    with np.errstate(divide="ignore"):
        spread = _estimate(0.0, np.where(drawn > 0, np.log(drawn), np.nan), found)
    if spread.high is None:
        return replace(spread, value=value)
    return replace(spread, value=value, low=value * math.exp(-spread.high), high=value * math.exp(spread.high))
