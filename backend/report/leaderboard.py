"""A leaderboard as a page: standings with intervals, what the systems are, comparisons, groups, values along videos."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from backend.domain.ranking import TOTAL, Column, Leaderboard, Standing, SystemFacts
from backend.report.board_plots import Timeline, group_bars, radar, timeline
from backend.report.comparison import MetricSpread, spread_blocks
from backend.report.page import Figure, Note, Plot, Report, Section, Table, Tile, Tiles

Timelines = Mapping[str, Timeline]
MIN_AXES = 3  # of a radar
MAX_PLOTTED = 16  # groups of one plot; more of them, as labels, stand in the table
MAX_ROWS = 1500  # of one table
OPEN_ROWS = 12  # longer tables of groups open on request
MAX_MISSING = 12  # names of missing cases in one cell


def leaderboard_report(board: Leaderboard, timelines: Timelines, spreads: Sequence[MetricSpread] = ()) -> Report:
    """The page of a leaderboard; `timelines` are by metric, `spreads` how each spreads."""
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
            *_spreads(spreads),
            *_distances(board),
            _systems(board),
            *_settings(board),
        ],
        footer="Intervals hold 95 of 100 repetitions: cases are drawn with replacement, and seeds within each case; "
        f"seed of the draws: {board.seed}.",
    )


def _standings(board: Leaderboard) -> Section:
    columns = [column for column in board.columns if not column.embedded]
    names = [TOTAL, *(column.metric for column in columns)]
    placed = {(s.system, s.metric): s for s in board.standings if not s.kind}
    order = [s.system for s in board.standings if not s.kind and s.metric == TOTAL]
    best = [s for s in board.standings if not s.kind and s.rank == 1 and s.metric == TOTAL]
    blocks = []
    if best:
        blocks.append(Tiles((Tile(f"{best[0].value:.3f}", f"best total: {best[0].system}", _range(best[0])),)))
    titles = ["total", *(_titled(c.title, c.higher_is_better) for c in columns)]
    note = "Mean over cases (interval), rank. Raw values; the total is of scores scaled to 0..1."
    blocks.append(_matrix(order, names, titles, placed, note))
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
    titles = [_titled(c.title, c.higher_is_better) for c in columns]
    place = f"in the total as {board.preset} weighs them" if board.totals_embedded else "in no total"
    note = f"Classical scores without weights: a first impression, not ranked, {place}."
    table = _matrix([one.system for one in board.answered], [c.metric for c in columns], titles, placed, note)
    return [Section(anchor="embedded", title="Embedded scores", blocks=[table])]


def _matrix(
    systems: Sequence[str],
    metrics: Sequence[str],
    titles: Sequence[str],
    placed: Mapping[tuple[str, str], Standing],
    note: str,
) -> Table:
    """Systems by metrics, the more numerous of them down the page."""
    cells = {(system, metric): _cell(placed.get((system, metric))) for system in systems for metric in metrics}
    if len(metrics) > len(systems):
        rows = tuple(
            (title, *(cells[system, metric] for system in systems)) for metric, title in zip(metrics, titles, strict=True)
        )
        return Table(head=("metric", *systems), rows=rows, numeric=frozenset(range(1, len(systems) + 1)), note=note)
    rows = tuple((system, *(cells[system, metric] for metric in metrics)) for system in systems)
    return Table(head=("system", *titles), rows=rows, numeric=frozenset(range(1, len(metrics) + 1)), note=note)


def _radar(board: Leaderboard) -> list[Section]:
    """One of what the preset scales, and one of the classical scores, which stand beside no others."""
    scaled = {c: (c.low, c.high) for c in board.columns if c.low is not None and c.high is not None}
    classical = {
        c: (c.range_low, c.range_high) if c.higher_is_better else (c.range_high, c.range_low)
        for c in board.columns
        if c.embedded and c.range_low is not None and c.range_high is not None
    }
    found = (
        (scaled, board.preset, "Each axis runs over the range that the preset scales to 0..1"),
        (classical, "embedded", "Each axis runs over what the score can be, the best outside; classical scores"),
    )
    plots = tuple(
        Plot(svg=_radar_of(board, axes, title), title=title, remark=f"{remark}; a missing score is drawn as 0.")
        for axes, title, remark in found
        if len(axes) >= MIN_AXES
    )
    return [Section(anchor="radar", title="Radar", blocks=[Figure(plots)])] if plots else []


def _radar_of(board: Leaderboard, axes: Mapping[Column, tuple[float | None, float | None]], label: str) -> Markup:
    placed = {(s.system, s.metric): s.value for s in board.standings if not s.kind}
    values: dict[str, list[float | None]] = {}
    for one in board.answered:
        values[one.system] = []
        for column, (worst, best) in axes.items():
            value = placed.get((one.system, column.metric))
            low, high = worst or 0.0, best or 0.0
            values[one.system].append(None if value is None else (value - low) / (high - low))
    return radar([column.title for column in axes], values, label=f"radar {label}")


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
        if len(groups) <= MAX_PLOTTED:
            blocks.append(Figure(tuple(_group_plots(board, kind, groups))))
        blocks.append(_group_table(board, kind, groups))
        sections.append(Section(anchor=f"by-{kind}", title=f"By {kind}", blocks=blocks))
    return sections


def _group_table(board: Leaderboard, kind: str, groups: Sequence[str]) -> Table:
    """A row a group and metric, a column a system."""
    systems = [one.system for one in board.answered]
    own = {(s.group, s.metric, s.system): s for s in board.standings if s.kind == kind}
    rows = []
    for group in groups:
        for metric in (TOTAL, *(column.metric for column in board.columns)):
            found = [own.get((group, metric, system)) for system in systems]
            num = max((s.num_cases for s in found if s is not None and s.value is not None), default=0)
            if num:
                rows.append((group, metric, str(num), *(_cell(s) for s in found)))
    more = f"{len(rows) - MAX_ROWS:,} more rows are in the CSV." if len(rows) > MAX_ROWS else ""
    return Table(
        head=(kind, "metric", "cases", *systems),
        rows=tuple(rows[:MAX_ROWS]),
        numeric=frozenset(range(2, 3 + len(systems))),
        note=more,
        folded=f"{len(rows):,} rows" if len(rows) > OPEN_ROWS else "",
    )


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
    titles = {column.metric: column.label for column in board.columns}
    plots = tuple(
        Plot(svg=timeline(drawn, label=metric), title=titles.get(metric, metric)) for metric, drawn in timelines.items()
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
    head = (
        "system",
        "cases",
        "videos",
        "venue",
        "weights",
        "base",
        "domains",
        "references",
        "format",
        "seed",
        "cost",
        "missing",
    )
    return Section(
        anchor="systems", title="Systems", blocks=[Table(head=head, rows=rows, numeric=frozenset({1, 2, 7, 9, 10}))]
    )


def _settings(board: Leaderboard) -> list[Section]:
    """How the videos were made, so that a score can be read beside what it cost."""
    if not board.settings:
        return []
    rows = tuple(
        (
            one.system,
            f"{one.told} of {one.videos}",
            *(", ".join(values) for values in (one.models, one.sizes, one.frames, one.rates, one.steps, one.guidance)),
            ", ".join(one.watermarks),
            ", ".join(one.hardware),
            "" if one.gpu_hours is None else f"{one.gpu_hours:.3g}",
            "" if one.energy_wh is None else f"{one.energy_wh:.3g} ({', '.join(one.energy_by)})",
        )
        for one in board.settings
    )
    head = (
        "system",
        "told",
        "model",
        "size",
        "frames",
        "fps",
        "steps",
        "guidance",
        "watermark",
        "hardware",
        "GPU hours",
        "energy, Wh",
    )
    note = "Size, frames and rate are those of the files; the rest is what `generate` or a settings file says. GPU hours and energy are of all videos."
    return [Section(anchor="settings", title="How the videos were made", blocks=[Table(head=head, rows=rows, note=note)])]


def _facts(one: SystemFacts | None) -> tuple[str, ...]:
    if one is None:
        return ("",) * 8
    shape = [one.size, f"{one.frames} frames" if one.frames else "", f"{one.fps:g} fps" if one.fps else ""]
    return (
        one.venue,
        "" if one.open is None else "open" if one.open else "closed",
        one.base,
        ", ".join(one.domains),
        "" if one.references is None else str(one.references),
        ", ".join(part for part in shape if part),
        "" if one.seed is None else str(one.seed),
        "" if one.cost is None else f"{one.cost:g}",
    )


def _spreads(spreads: Sequence[MetricSpread]) -> list[Section]:
    """How each metric spreads over videos, with examples, so that a number can be seen."""
    if not spreads:
        return []
    blocks = [block for one in spreads for block in spread_blocks(one)]
    lead = "Each metric over the videos of all systems, and what its low, middle and high values look like."
    return [Section(anchor="spread", title="What the numbers look like", lead=lead, blocks=blocks)]


def _distances(board: Leaderboard) -> list[Section]:
    if not board.distances:
        return []
    rows = tuple(
        (
            one.title,
            one.system,
            "–" if one.value is None else f"{one.value:.4f}",
            f"{one.num_units:,} ({one.num_videos} videos)",
            f"{one.num_real_units:,} ({one.num_real_videos} videos)",
            str(one.clip_frames),
            one.extractor,
            "; ".join((*filter(None, [one.reason]), *one.remarks)),
        )
        for one in board.distances
    )
    head = ("distance", "system", "value ↓", "units", "real units", "frames a unit", "extractor", "remarks")
    where = next((one.real for one in board.distances if one.real), "")
    note = f"Against the real videos in {where}." if where else "There is no set of real videos."
    table = Table(head=head, rows=rows, numeric=frozenset({2, 3, 4, 5}), note=note)
    return [Section(anchor="distances", title="Distance from real videos", blocks=[table])]


def _cell(standing: Standing | None) -> str:
    if standing is None or standing.value is None:
        return "–"
    rank = f" #{standing.rank}" if standing.rank else ""
    star = "*" if standing.imported else ""
    return f"{standing.value:.4f}{star} {_range(standing)}{rank}"


def _range(standing: Standing) -> str:
    return "" if standing.low is None or standing.high is None else f"({standing.low:.3f} to {standing.high:.3f})"


def _titled(title: str, higher_is_better: bool) -> str:
    return f"{title} {'↑' if higher_is_better else '↓'}"
