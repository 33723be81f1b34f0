"""What a leaderboard says: systems with their scores and intervals, how they compare, what is known of them."""

from dataclasses import dataclass

from backend.domain.evaluations import state_of

TOTAL = "total"
"""The name of a preset's total among metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFacts:
    """What `systems.toml` says of a system; None and empty where it says nothing."""

    name: str
    venue: str = ""
    open: bool | None = None
    """Whether its weights are public."""
    base: str = ""
    """The video model that it is built on."""
    domains: tuple[str, ...] = ()
    """Which cases it can do: open, human, single; all of them without any."""
    references: int | None = None
    """The most references that it takes."""
    size: str = ""
    """Width and height, as 832x480."""
    frames: int | None = None
    fps: float | None = None
    seed: int | None = None
    cost: float | None = None
    """Of one video, in the currency of the file's choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A metric of a leaderboard. `low` and `high` are what its preset scales to 0..1, None where none does."""

    metric: str
    title: str
    higher_is_better: bool
    embedded: bool
    """Whether its values are classical: by what the metric is, or by what they were measured with."""
    low: float | None = None
    high: float | None = None
    range_low: float | None = None
    """What the metric can be at all, as it declares it; None where nothing bounds it."""
    range_high: float | None = None
    of_set: bool = False
    """Whether it is of a system's videos together, and has no value of a single one."""
    embedded_roles: tuple[str, ...] = ()
    """Roles that the embedded profile filled for some of its values."""

    @property
    def label(self) -> str:
        """Its title, which says where it is classical."""
        return f"{self.title} (embedded)" if self.embedded and "(embedded)" not in self.title else self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A system's mean over cases in one metric, and the interval that holds it in 95 of 100 repetitions.

    `kind` and `group` say which cases: both empty for all, else as `category` and `singleobj`. Without a value or a
    rank, `reason` says why. `imported` tells how many of its videos were scored elsewhere.
    """

    system: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    num_cases: int = 0
    num_videos: int = 0
    imported: int = 0
    kind: str = ""
    group: str = ""
    rank: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """How many of a benchmark's cases a system has videos or scores of."""

    system: str
    cases: int
    answered: int
    videos: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`a` minus `b` over the cases that both have, with its interval and the p-value of no difference."""

    metric: str
    a: str
    b: str
    num_cases: int
    difference: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    """Of the two-sided sign-flip test over cases."""
    p_corrected: float | None = None
    """By Holm, for all tests of the same comparison."""
    num_tests: int = 0
    correction: str = "Holm"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDistance:
    """FID or FVD of a system's videos of a benchmark against a set of real ones; without a value, `reason` says why."""

    system: str
    benchmark: str
    metric: str
    """fid or fvd."""
    title: str
    value: float | None
    reason: str | None = None
    real: str = ""
    """The folder of the real videos."""
    extractor: str = ""
    """Model id of what computed the features: distances of two extractors are on no common scale."""
    clip_frames: int = 1
    """Frames that one unit spans."""
    ddof: int = 1
    """Covariances are divided by n - ddof."""
    num_real_videos: int = 0
    num_real_units: int = 0
    num_videos: int = 0
    num_units: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """scored, not_applicable, too_short, unavailable or failed."""
        return state_of(self.value, self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSettings:
    """How a system's videos were made: each distinct value among them. Sizes, frames and rates are those of the files."""

    system: str
    videos: int
    told: int
    """Videos of which `generate` or a settings file says how they were made."""
    models: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    rates: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    guidance: tuple[str, ...] = ()
    watermarks: tuple[str, ...] = ()
    hardware: tuple[str, ...] = ()
    gpu_hours: float | None = None
    """Of all videos that tell, together; so is the energy."""
    energy_wh: float | None = None
    energy_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """Systems over the cases of one benchmark. `standings` hold all cases first, then the groups."""

    benchmark: str
    preset: str
    cases: int
    columns: tuple[Column, ...]
    standings: tuple[Standing, ...]
    answered: tuple[Answered, ...]
    comparisons: tuple[Comparison, ...] = ()
    systems: tuple[SystemFacts, ...] = ()
    settings: tuple[SystemSettings, ...] = ()
    distances: tuple[SetDistance, ...] = ()
    guide: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    seed: int = 0
    """Of the draws that intervals and tests rest on."""

    @property
    def totals_embedded(self) -> bool:
        """Whether the total is of classical scores: a calibration may weigh them, no published preset does."""
        return any(column.embedded and column.low is not None for column in self.columns)
