"""What people's verdicts and votes taught: bounds on a score by category, a projection of embeddings, weights of metrics."""

from dataclasses import dataclass, field

from backend.domain.studies import Estimate


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


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricAgreement:
    """How far one score (a metric, a weighted sum, a rater) sides with votes between two videos."""

    name: str
    pairs: int
    """Pairs of videos on which both have a value."""
    missing: int
    """Pairs that were left out because one has none."""
    ratio: Estimate
    """Share of the votes for a side that the score's difference sides with; a difference of 0 sides by half."""
    normalised: float | None
    """Where the ratio stands between chance (0) and one rater against the others (1); a score can do better than a rater."""
    majority: Estimate
    """The same of each pair's majority."""
    with_ties: float | None = None
    """Share of all votes that are met when differences up to `epsilon` count as ties, at the best epsilon."""
    epsilon: float | None = None
    """None when it is best to call nothing a tie."""
    auc: Estimate = field(default_factory=Estimate)
    """Chance that the difference is larger where the vote went to that side than where it went to the other."""
    kendall: float | None = None
    """Tau-b between mean scores and win rates of systems; of three systems or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricWeight:
    """What a fit makes of one metric. The map, if any, replaces a hand-set range: raw knots and what they become."""

    metric: str
    title: str
    version: int
    weight: Estimate
    raw: tuple[float, ...]
    scaled: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFit:
    """Weights of metrics, fitted to votes of one domain (of all together when empty). Without weights, `reason` says why."""

    domain: str
    pairs: int
    prompts: int
    votes: int
    incomplete: int
    """Pairs that were left out because a metric of the fit has no value on a side."""
    weights: tuple[MetricWeight, ...] = ()
    temperature: Estimate = field(default_factory=Estimate)
    """Log odds of a vote for a side per unit of the weighted difference."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Metrics that are not in the fit, with the reason."""
    held_out: tuple[MetricAgreement, ...] = ()
    """Agreement on prompts that the fit had not seen: fitted, equal, best single metric, published."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricCalibration:
    """What `calibration.json` holds: a named preset of a total, and what it rests on."""

    name: str
    version: int
    made_at: str
    study: str
    aspect: str
    data_hash: str
    """Of the votes and metric values that it was fitted to."""
    scaling: str
    """isotonic or linear."""
    folds: int
    ridge: float
    draws: int
    seed: int
    chance_with_ties: float | None
    ceiling: Estimate
    """How often one rater sides with the majority of the others."""
    majority: Estimate
    """And with the majority of all, their own vote in it: no score can side with more of these votes."""
    metrics: tuple[MetricAgreement, ...]
    """Every metric by itself."""
    fits: tuple[MetricFit, ...]
    """All domains together first."""
    remarks: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """How a total names it."""
        return f"{self.name} v{self.version} ({self.study}, {self.aspect}; data {self.data_hash[:12]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedMetrics:
    """A calibration and the file that keeps it."""

    calibration: MetricCalibration
    path: str
