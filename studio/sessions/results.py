"""Results as sheets: the Api's figures in rows and columns, as a table shows them and a CSV file keeps them. Nothing is computed here."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.calibration import MetricCalibration
from backend.domain.cells import write_cells
from backend.domain.evaluations import EvaluationRow
from backend.domain.ranking import Leaderboard, Standing
from backend.domain.studies import AspectResults, Estimate, StrengthRow, StudyResults

VIEWS = ("leaderboard", "wins", "scatter", "agreement", "calibration", "frames", "raters", "sheets")
BOOTSTRAPS = 200
"""Draws of an interval on the screen, whichever page asks, as in `study status`; `study results` takes 1,000."""
Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table: `head` names columns, by a text of `results.head_…` or, behind `=`, as they are."""

    head: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()


def as_csv(sheet: Sheet) -> str:
    """The sheet as CSV; text that a spreadsheet would compute stands behind an apostrophe."""
    kept = io.StringIO()
    write_cells(kept, ([name.removeprefix("=") for name in sheet.head], *sheet.rows))
    return kept.getvalue()


def groups_of(board: Leaderboard) -> tuple[tuple[str, str], ...]:
    """Kinds and names of the groups of cases; all cases first."""
    return tuple(dict.fromkeys((one.kind, one.group) for one in board.standings))


def board_sheet(board: Leaderboard, group: tuple[str, str]) -> Sheet:
    """Systems in the order of the first column's rank; each metric with its interval."""
    own = [one for one in board.standings if (one.kind, one.group) == group]
    metrics = [name for name in metrics_of(board) if any(one.metric == name for one in own)]
    titles = {column.metric: column.label for column in board.columns}
    found = {(one.system, one.metric): one for one in own}
    systems = list(dict.fromkeys(one.system for one in own))
    if metrics:
        systems.sort(key=lambda name: _rank(found.get((name, metrics[0]))))
    head = ["system", *(f"={titles.get(metric, metric)}" for metric in metrics)]
    return Sheet(
        head=tuple(head),
        rows=tuple((name, *(_standing(found.get((name, metric))) for metric in metrics)) for name in systems),
    )


def standings_of(board: Leaderboard, metric: str, group: tuple[str, str] = ("", "")) -> tuple[Standing, ...]:
    """One metric's standings in the order of rank."""
    own = [one for one in board.standings if one.metric == metric and (one.kind, one.group) == group]
    return tuple(sorted(own, key=_rank))


def metrics_of(board: Leaderboard) -> tuple[str, ...]:
    """Metrics that some system has a value in first."""
    valued = [one.metric for one in board.standings if one.value is not None]
    return tuple(dict.fromkeys([*valued, *(one.metric for one in board.standings)]))


def wins_sheet(aspect: AspectResults) -> Sheet:
    """Strengths, then every pairing."""
    strengths = [
        (
            one.system,
            ranks_of(one),
            "",
            words_of(one.bradley_terry),
            words_of(one.davidson),
            one.elo,
            words_of(one.rate),
            "",
            "",
        )
        for one in aspect.strengths
    ]
    pairs = [
        (
            one.system,
            None,
            one.rival,
            "",
            "",
            None,
            words_of(one.rate),
            f"{one.wins} / {one.ties} / {one.losses}",
            words_of(one.wilson),
        )
        for one in aspect.wins
    ]
    head = ("system", "rank", "rival", "bradley_terry", "davidson", "elo", "win_rate", "wins_ties_losses", "wilson")
    return Sheet(head=head, rows=(*strengths, *pairs))


def points_of(board: Leaderboard, aspect: AspectResults, metric: str) -> tuple[tuple[str, float, float], ...]:
    """System, its mean in a metric, and its rate of wins."""
    means = {one.system: one.value for one in standings_of(board, metric)}
    found = [(one.system, means.get(one.system), one.rate.value) for one in aspect.strengths]
    return tuple((name, x, y) for name, x, y in found if x is not None and y is not None)


def agreement_rows(results: StudyResults) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[Estimate, ...], ...]]:
    """Aspects, measures, and how far raters agree; what has no value says why."""
    aspects = results.groups[0].aspects if results.groups else ()
    measures = tuple(dict.fromkeys(row.measure for one in aspects for row in one.agreement))
    values = tuple(
        tuple(next((r.value for r in one.agreement if r.measure == name), Estimate()) for name in measures)
        for one in aspects
    )
    return tuple(one.aspect for one in aspects), measures, values


def agreement_sheet(results: StudyResults) -> Sheet:
    aspects, measures, values = agreement_rows(results)
    rows = [
        (aspect, measure, one.value, one.low, one.high, one.n, one.reason)
        for aspect, row in zip(aspects, values, strict=True)
        for measure, one in zip(measures, row, strict=True)
    ]
    return Sheet(head=("aspect", "measure", "value", "low", "high", "n", "reason"), rows=tuple(rows))


def calibration_sheet(found: MetricCalibration) -> Sheet:
    """How far each metric sides with votes, by itself."""
    rows = [
        (one.name, one.ratio.value, one.ratio.low, one.ratio.high, one.normalised, one.kendall, one.pairs, one.missing)
        for one in found.metrics
    ]
    return Sheet(head=("metric", "value", "low", "high", "normalised", "kendall", "pairs", "missing"), rows=tuple(rows))


def raters_sheet(results: StudyResults) -> Sheet:
    """Each participant's quality, and the rule that left them out."""
    rows = [
        (
            one.participant,
            one.group,
            one.votes,
            one.median_item_s,
            words_of(one.gold),
            words_of(one.consistency),
            one.left_share,
            one.longest_run,
            one.entropy_bits,
            one.removed_by,
        )
        for one in results.raters
    ]
    head = (
        "rater",
        "group",
        "votes",
        "median_s",
        "gold",
        "consistency",
        "left_share",
        "longest_run",
        "entropy",
        "removed_by",
    )
    return Sheet(head=head, rows=tuple(rows))


def cases_of(rows: Sequence[EvaluationRow], metric: str) -> tuple[str, ...]:
    """Cases of which a metric keeps values by frame."""
    return tuple(dict.fromkeys(row.case_id for row in rows if row.metric == metric and row.evidence))


def told_apart(rows: Sequence[EvaluationRow]) -> tuple[str, ...]:
    """A name for each video: its system's, with the seed where a system made several."""
    made = Counter(row.system for row in rows)
    return tuple(row.system if made[row.system] == 1 else f"{row.system} #{row.seed}" for row in rows)


def cases_sheet(rows: Sequence[EvaluationRow]) -> Sheet:
    """Measured cases with the systems that answered them."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        found.setdefault(row.case_id, {})[row.system] = None
    return Sheet(head=("case", "systems"), rows=tuple((name, ", ".join(systems)) for name, systems in found.items()))


def words_of(one: Estimate) -> Cell:
    """A number with its interval; without one, why there is none."""
    if one.value is None:
        return one.reason or None
    return f"{one.value:.3f}" if one.low is None else f"{one.value:.3f}  [{one.low:.3f}, {one.high:.3f}]"


def ranks_of(one: StrengthRow) -> Cell:
    """A system's rank, with the span that its interval leaves where that holds more than one."""
    if not one.rank:
        return None
    return (
        f"{one.rank}"
        if one.ranks is None or one.ranks[0] == one.ranks[1]
        else f"{one.rank} ({one.ranks[0]}–{one.ranks[1]})"
    )


def _rank(one: Standing | None) -> tuple[bool, int]:
    return (one is None or one.rank is None, 0 if one is None or one.rank is None else one.rank)


def _standing(one: Standing | None) -> Cell:
    if one is None:
        return None
    if one.value is None:
        return one.reason or None
    return f"{one.value:.4g}" if one.low is None else f"{one.value:.4g}  [{one.low:.4g}, {one.high:.4g}]"
