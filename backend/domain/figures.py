"""What is drawn of a project's stored numbers: spreads of scores, what a cut keeps, named selections, maps of embeddings."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredScore:
    """A score that items of a kind have, and the gates of the recipe that look at it."""

    kind: str
    name: str
    measured: int
    """Items with a value, those that gates hold back among them."""
    gates: tuple[str, ...] = ()
    """Names of bounds that can be moved, as `pair.similarity.min`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSpread:
    """A score over items that the plan keeps or its gates hold back: `counts[i]` lie in `[edges[i], edges[i + 1])`, the last bin is closed."""

    kind: str
    score: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    kept: tuple[int, ...]
    """Those of `counts` that the current plan keeps."""
    right: tuple[int, ...]
    """Those that people called the same; pairs only, as is `wrong`."""
    wrong: tuple[int, ...]
    measured: int
    unmeasured: int
    producers: tuple[str, ...]
    """Values of several producers are on no common scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A bound on a score: what holds `comparison value` is kept. `comparison` is one of >=, >, <=, <."""

    comparison: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NearItem:
    """An item beside a cut."""

    item_id: str
    value: float
    verdict: str | None = None
    """What people say of a pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOutcome:
    """What bounds on one score keep of the measured items, and what people said of these."""

    passing: int
    measured: int
    judged: int = 0
    """Of the passing: pairs with a sure verdict."""
    right: int = 0
    precision: float | None = None
    precision_low: float | None = None
    """Wilson's interval at 95 %."""
    precision_high: float | None = None
    inside: tuple[NearItem, ...] = ()
    """Nearest to the cut that was asked about and kept, nearest first; without `near` none."""
    outside: tuple[NearItem, ...] = ()
    """The same of what that cut does not keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSelection:
    """Values of gates, and a condition on pairs, under a name that exports take."""

    name: str
    gates: dict[str, float] = field(default_factory=dict)
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportForecast:
    """What an export would hold, before anything is written."""

    pairs: int
    videos: int
    parts: dict[str, int] = field(default_factory=dict)
    """Pairs by part of the split; empty without one."""
    groups: int = 0
    """Groups of pairs that share no source, copy, subject or identity: what a split can tell apart."""
    largest: int = 0
    """Pairs of the largest group."""
    leaks: int = 0
    """Sources, copies, subjects and identities that lie in two parts."""
    licences: dict[str, int] = field(default_factory=dict)
    """Videos by licence; "" where none is stated."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Pairs that may not go, by reason. They count in nothing else."""
    refused: str = ""
    """Why nothing would be written; the other figures are then of all that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameValues:
    """One metric of one video, frame by frame. Empty where its evidence holds no number for each frame."""

    generation_id: str
    metric: str
    frames: tuple[int, ...] = ()
    values: tuple[float | None, ...] = ()
    part: str = ""
    """What the values are: a name in the metric's evidence, as it may be of a part of the metric."""
    media_id: str = ""
    """The whole video, to be looked at beside its values; frame i of it is frame i of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingMap:
    """Vectors of one space and model on a plane; entry i of every tuple is of one appearance."""

    space: str
    model: str
    method: str
    total: int
    """Vectors that there are; more than the entries where they were sampled."""
    explained: tuple[float, ...]
    """Share of the variance along each axis; empty for a method without axes."""
    appearance_ids: tuple[str, ...] = ()
    subject_ids: tuple[str, ...] = ()
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    identities: tuple[int, ...] = ()
    """Number of the identity component, those of most appearances first: subjects that accepted pairs join are one."""
