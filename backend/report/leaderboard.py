"""A leaderboard as a page: standings with intervals, what the systems are, comparisons, groups, values along videos."""

from collections.abc import Mapping, Sequence

import numpy as np

from backend.domain.ranking import TOTAL, Leaderboard, Standing, SystemFacts
from backend.report.board_plots import group_bars, radar, timeline
from backend.report.page import Figure, Note, Plot, Report, Section, Table, Tile, Tiles

Timelines = Mapping[str, Sequence[tuple[str, np.ndarray, np.ndarray]]]
PLOTTED_GROUPS = ("category", "references", "subjects")
MAX_ROWS = 1500  # of one table
MAX_MISSING = 12  # names of missing cases in one cell


def leaderboard_report(board: Leaderboard, timelines: Timelines) -> Report:
    """The page of a leaderboard; `timelines` hold `(name, frames, values)` by metric."""
    return Report(
        title=f"Leaderboard: {board.benchmark}",
        kicker="Subject Studio",
        facts=(("preset", board.preset), ("cases", str(board.cases)), ("systems", str(len(board.answered)))),
        sections=[
            _standings(board),
            *_embedded(board),
            *_radar(board),
            *_comparisons(board),
            *_groups(board),
            *_timelines(board, timelines),
            _systems(board),
        ],
        footer="Intervals hold 95 of 100 repetitions: cases are drawn with replacement, and seeds within each case.",
    )


def _standings(board: Leaderboard) -> Section:
    columns = [column for column in board.columns if not column.embedded]
    names = [TOTAL, *(column.metric for column in columns)]
    placed = {(s.system, s.metric): s for s in board.standings if not s.kind}
    order = [s.system for s in board.standings if not s.kind and s.metric == TOTAL]
    rows = tuple((system, *(_cell(placed[system, name]) for name in names)) for system in order)
    best = [s for s in board.standings if not s.kind and s.rank == 1 and s.metric == TOTAL]
    blocks = []
    if best:
        blocks.append(Tiles((Tile(f"{best[0].value:.3f}", f"best total: {best[0].system}", _range(best[0])),)))
    blocks.append(
        Table(
            head=("system", "total", *(_titled(c.title, c.higher_is_better) for c in columns)),
            rows=rows,
            numeric=frozenset(range(1, len(names) + 1)),
            note="Mean over cases (interval), rank. Raw values; the total is of scores scaled to 0..1.",
        )
    )
    unranked = sorted({f"{s.system}: {s.reason}" for s in board.standings if not s.kind and s.reason and s.metric == TOTAL})
    blocks += [Note(line) for line in (*unranked, *board.remarks)]
    if board.guide:
        blocks.append(Table(head=("which to take",), rows=tuple((line,) for line in board.guide)))
    return Section(anchor="standings", title="Standings", blocks=blocks)


def _embedded(board: Leaderboard) -> list[Section]:
    columns = [column for column in board.columns if column.embedded]
    if not columns:
        return []
    placed = {(s.system, s.metric): s for s in board.standings if not s.kind}
    rows = tuple((one.system, *(_cell(placed[one.system, c.metric]) for c in columns)) for one in board.answered)
    table = Table(
        head=("system", *(_titled(c.title, c.higher_is_better) for c in columns)),
        rows=rows,
        numeric=frozenset(range(1, len(columns) + 1)),
        note="Classical scores without weights: a first impression, not ranked and in no total.",
    )
    return [Section(anchor="embedded", title="Embedded scores", blocks=[table])]


def _radar(board: Leaderboard) -> list[Section]:
    scaled = [column for column in board.columns if column.low is not None and column.high is not None]
    if len(scaled) < 3:
        return []
    placed = {(s.system, s.metric): s.value for s in board.standings if not s.kind}
    values: dict[str, list[float | None]] = {}
    for one in board.answered:
        raw = [placed.get((one.system, column.metric)) for column in scaled]
        values[one.system] = [
            None if value is None else (value - (c.low or 0.0)) / ((c.high or 1.0) - (c.low or 0.0))
            for value, c in zip(raw, scaled, strict=True)
        ]
    svg = radar([column.title for column in scaled], values, label="radar")
    remark = "Each axis runs over the range that the preset scales to 0..1; a missing score is drawn as 0."
    return [Section(anchor="radar", title="Radar", blocks=[Figure((Plot(svg=svg, title=board.preset, remark=remark),))])]


def _comparisons(board: Leaderboard) -> list[Section]:
    if not board.comparisons:
        return []
    first = board.comparisons[0]
    rows = tuple(
        (
            one.metric,
            str(one.num_cases),
            "–" if one.difference is None else f"{one.difference:+.4f}",
            "–" if one.low is None or one.high is None else f"{one.low:+.4f} to {one.high:+.4f}",
            "–" if one.p is None else f"{one.p:.4f}",
            "–" if one.p_corrected is None else f"{one.p_corrected:.4f}",
        )
        for one in board.comparisons
    )
    table = Table(
        head=("metric", "common cases", "difference", "interval", "p", f"p ({first.correction})"),
        rows=rows,
        numeric=frozenset({1, 2, 3, 4, 5}),
        note=f"Paired over common cases; p of the two-sided sign-flip test, then corrected by {first.correction} for "
        f"{first.num_tests} tests: take the last column.",
    )
    return [Section(anchor="comparison", title=f"{first.a} minus {first.b}", blocks=[table])]


def _groups(board: Leaderboard) -> list[Section]:
    sections = []
    for kind in dict.fromkeys(s.kind for s in board.standings if s.kind):
        groups = list(dict.fromkeys(s.group for s in board.standings if s.kind == kind))
        if len(groups) < 2:
            continue
        blocks: list = []
        if kind in PLOTTED_GROUPS:
            blocks.append(Figure(tuple(_group_plots(board, kind, groups))))
        names = [TOTAL, *(column.metric for column in board.columns)]
        rows = tuple(
            (s.group, s.system, s.metric, _cell(s), str(s.num_cases))
            for s in board.standings
            if s.kind == kind and s.metric in names and s.value is not None
        )
        more = f"{len(rows) - MAX_ROWS:,} more rows are in the CSV." if len(rows) > MAX_ROWS else ""
        head = (kind, "system", "metric", "mean", "cases")
        blocks.append(Table(head=head, rows=rows[:MAX_ROWS], numeric=frozenset({3, 4}), note=more))
        sections.append(Section(anchor=f"by-{kind}", title=f"By {kind}", blocks=blocks))
    return sections


def _group_plots(board: Leaderboard, kind: str, groups: Sequence[str]) -> list[Plot]:
    plots = []
    for metric in (TOTAL, *(column.metric for column in board.columns)):
        own = {(s.system, s.group): s for s in board.standings if s.kind == kind and s.metric == metric}
        bars = {one.system: [_bar(own.get((one.system, group))) for group in groups] for one in board.answered}
        if any(bar for of_system in bars.values() for bar in of_system):
            plots.append(Plot(svg=group_bars(groups, bars, label=metric), title=f"{metric} by {kind}"))
    return plots


def _bar(standing: Standing | None) -> tuple[float, float, float] | None:
    if standing is None or standing.value is None:
        return None
    low = standing.value if standing.low is None else standing.low
    high = standing.value if standing.high is None else standing.high
    return standing.value, low, high


def _timelines(board: Leaderboard, timelines: Timelines) -> list[Section]:
    titles = {column.metric: column.title for column in board.columns}
    plots = tuple(
        Plot(svg=timeline(lines, label=metric), title=titles.get(metric, metric))
        for metric, lines in timelines.items()
        if lines
    )
    return [Section(anchor="timelines", title="Along the video", blocks=[Figure(plots)])] if plots else []


def _systems(board: Leaderboard) -> Section:
    facts = {one.name: one for one in board.systems}
    rows = tuple(
        (
            one.system,
            f"{one.answered} of {one.cases}",
            str(one.videos),
            *_facts(facts.get(one.system)),
            ", ".join(one.missing[:MAX_MISSING]) + (" …" if len(one.missing) > MAX_MISSING else ""),
        )
        for one in board.answered
    )
    head = ("system", "cases", "videos", "venue", "weights", "base", "domains", "references", "format", "cost", "missing")
    return Section(anchor="systems", title="Systems", blocks=[Table(head=head, rows=rows, numeric=frozenset({1, 2, 7, 9}))])


def _facts(one: SystemFacts | None) -> tuple[str, ...]:
    if one is None:
        return ("",) * 7
    shape = [one.size, f"{one.frames} frames" if one.frames else "", f"{one.fps:g} fps" if one.fps else ""]
    return (
        one.venue,
        "" if one.open is None else "open" if one.open else "closed",
        one.base,
        ", ".join(one.domains),
        "" if one.references is None else str(one.references),
        ", ".join(part for part in shape if part),
        "" if one.cost is None else f"{one.cost:g}",
    )


def _cell(standing: Standing) -> str:
    if standing.value is None:
        return "–"
    rank = f" #{standing.rank}" if standing.rank else ""
    star = "*" if standing.imported else ""
    return f"{standing.value:.4f}{star} {_range(standing)}{rank}"


def _range(standing: Standing) -> str:
    return "" if standing.low is None or standing.high is None else f"({standing.low:.3f} to {standing.high:.3f})"


def _titled(title: str, higher_is_better: bool) -> str:
    return f"{title} {'↑' if higher_is_better else '↓'}"
