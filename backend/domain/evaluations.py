"""What an evaluation gives: rows, forecasts of cost, files. Results of operations of the Api."""

from dataclasses import dataclass

STATES = ("not applicable", "no detection", "too short", "unavailable", "over budget")
"""How reasons begin that say why there is no value; any other says that measuring failed."""
WANTING = frozenset({"too_short", "unavailable", "over_budget", "failed"})
"""States that leave what was asked for undone; the others are answers."""
OVER_BUDGET = "over_budget"


def state_of(value: float | None, reason: str | None) -> str:
    """scored, or a state of STATES with `_` for spaces, or failed."""
    if value is not None:
        return "scored"
    start = (reason or "").partition(":")[0]
    return start.replace(" ", "_") if start in STATES else "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostForecast:
    """What judges would be asked in an evaluation, before retries and without regard to kept answers."""

    metrics: tuple[str, ...]
    videos: int
    calls: dict[str, int]
    """By metric id."""
    pictures: int
    tokens_in: int
    tokens_out: int
    """As the prices say that tokens are counted; without prices as OpenAI counts those of pictures in high detail."""
    cost: float | None
    """None without prices; in the currency of the prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRow:
    """One metric of one video. `state`: scored, not_applicable, no_detection, too_short, unavailable, over_budget or failed."""

    case_id: str
    benchmark: str
    category: str
    system: str
    seed: int
    metric: str
    value: float | None
    state: str
    reason: str | None
    num_units: int
    coverage: float
    generation_id: str
    evidence: str | None = None
    """Artifact of arrays: per-frame values, boxes, answers."""
    imported: bool = False
    """Whether it was measured elsewhere and read from files."""
    embedded: tuple[str, ...] = ()
    """Roles that the embedded profile filled when it was measured: a classical score, whatever else stood behind it."""
    earlier_evidence: tuple[str, ...] = ()
    """Artifacts, as `evidence`, of tries that failed before this one, the first of them first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedVideo:
    """A file of a system's folder that is not measured, and why; of a known case and seed, or of none."""

    file: str
    reason: str
    case_id: str | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFiles:
    """Scores of a system that were read from files, or written to them: how many, of how many cases, what is odd."""

    path: str
    scores: int
    cases: int
    files: tuple[str, ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonFiles:
    """Sheets of systems side by side: the page, then a PNG and an SVG a case, in the folder `out`."""

    out: str
    cases: tuple[str, ...]
    systems: tuple[str, ...]
    files: tuple[str, ...]
