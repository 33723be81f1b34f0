"""Commands that rank systems."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backend.cli.evaluating import show_distances
from backend.cli.opening import opened
from backend.cli.options import HERE, JsonOption, ProjectOption
from backend.cli.output import emit, say, warn
from backend.domain.cells import write_cells
from backend.domain.ranking import TOTAL, Comparison, Leaderboard, Standing
from backend.engine.context import load
from backend.jobs import CALLS

PRESET = "opens2v-v1.1-open"
WIDTH = 130
PresetOption = Annotated[str, typer.Option("--preset", help="Ranges and weights, as opens2v-v1.1-human.")]
BenchmarkOption = Annotated[
    str, typer.Option("--benchmark", help="Which case set, when a project has several: its name, NAME@DIGEST without one.")
]


def total(
    file: Annotated[Path, typer.Argument(help="JSON list of systems with normalised scores in per cent.")],
    preset: PresetOption = PRESET,
    as_json: JsonOption = False,
) -> None:
    """Total scores of systems from their normalised scores."""
    found = load(CALLS["total"])(str(file), preset_id=preset)
    for problem in found.problems:
        warn(problem)
    if as_json:
        # A calibration is given as a file, whose name says neither its version nor its votes
        named = {} if found.preset == preset else {"preset": found.preset}
        emit([{**row, **named} for row in found.systems])
    else:
        title = escape(f"Totals by {found.preset}")
        table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
        table.add_column("system")
        table.add_column("total", justify="right")
        for row in sorted(found.systems, key=lambda row: -(row["total"] or 0)):
            table.add_row(escape(str(row["system"])), "–" if row["total"] is None else f"{row['total']:.2f}")
        Console(width=110).print(table)
    raise SystemExit(1 if found.problems else 0)


def leaderboard(
    project: ProjectOption = HERE,
    benchmark: BenchmarkOption = "",
    preset: Annotated[str, typer.Option("--preset", help="Of the total; OpenS2V-Eval's of the cases' domain.")] = "",
    systems: Annotated[
        Path | None, typer.Option("--systems", help="Facts of systems; systems.toml of the project.")
    ] = None,
    only: Annotated[str, typer.Option("--only", help="Keep systems by their facts, as open=true,references=3.")] = "",
    against: Annotated[
        tuple[str, str] | None, typer.Option("--against", metavar="A B", help="Two systems to compare, with significance.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draws that intervals and tests rest on.")] = 0,
    html: Annotated[Path | None, typer.Option("--html", help="Write an offline page with plots.")] = None,
    csv_out: Annotated[Path | None, typer.Option("--csv", help="Write every standing as CSV.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Rank systems over the cases of a benchmark, with intervals, by group, in total."""
    with opened(project) as api:
        board = api.leaderboard(
            benchmark=benchmark,
            preset=preset,
            facts=str(systems.absolute()) if systems else None,
            only=only,
            against=against or (),
            html=str(html.absolute()) if html else None,
            seed=seed,
        )
    if csv_out:
        write_csv(board, csv_out)
    if as_json:
        emit(board)
        return
    show_board(board)
    for written in (html, csv_out):
        if written:
            say(f"written: {written}")


def compare(
    out: Annotated[Path, typer.Option("--out", help="Folder to write: compare.html, a PNG and an SVG a case.")],
    systems: Annotated[str, typer.Option("--systems", help="Systems by commas; all without it.")] = "",
    cases: Annotated[str, typer.Option("--cases", help="Ids of cases by commas; the first 24 without it.")] = "",
    metrics: Annotated[str, typer.Option("--metrics", help="Metrics by commas; all that were measured.")] = "",
    frames: Annotated[int, typer.Option("--frames", min=1, max=12, help="Frames of each video.")] = 5,
    at: Annotated[
        str, typer.Option("--at", metavar="FRAMES", help="Which frames instead: numbers from 0 or times, as 0,40,1.5s.")
    ] = "",
    project: ProjectOption = HERE,
    benchmark: BenchmarkOption = "",
    as_json: JsonOption = False,
) -> None:
    """Systems side by side: references and prompt, a row of frames a system, scores; how each metric spreads."""
    with opened(project) as api:
        done = api.compare(
            out=str(out.absolute()),
            systems=_listed(systems),
            cases=_listed(cases),
            metrics=_listed(metrics),
            frames=frames,
            at=_listed(at),
            benchmark=benchmark,
        )
    if as_json:
        emit(done)
    else:
        say(f"{len(done.cases)} cases, {len(done.systems)} systems: {Path(done.out) / done.files[0]}")


def write_csv(board: Leaderboard, path: Path) -> None:
    """Every standing as a row. Text that a spreadsheet would run as a formula is quoted by an apostrophe."""
    names = [field.name for field in dataclasses.fields(Standing)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = [[board.benchmark, board.preset, *(getattr(one, name) for name in names)] for one in board.standings]
        write_cells(file, (["benchmark", "preset", *names], *rows))


def show_board(board: Leaderboard) -> None:
    """Standings of all cases: those in the total's terms, then classical scores apart; comparison, guide, remarks."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH)
    ranked = [column for column in board.columns if not column.embedded]
    _show_metrics(console, board, [TOTAL, *(c.metric for c in ranked)], f"{board.benchmark}, {board.preset}")
    embedded = [column.metric for column in board.columns if column.embedded]
    if embedded:
        place = f"in the total as {board.preset} weighs them" if board.totals_embedded else "in no total"
        _show_metrics(console, board, embedded, f"Embedded: classical scores, not ranked, {place}")
    if board.comparisons:
        _show_comparisons(console, board.comparisons)
    show_distances(board.distances)
    say(f"intervals: cases drawn with replacement, and seeds within each case; seed {board.seed}")
    for line in (*board.guide, *(f"note: {remark}" for remark in board.remarks)):
        say(line)
    for line in dict.fromkeys(f"note: {s.system}: {s.reason}" for s in board.standings if _is_unranked(s)):
        say(line)


def _show_metrics(console: Console, board: Leaderboard, metrics: Sequence[str], title: str) -> None:
    table = Table(title=escape(title), title_justify="left", box=None, header_style="bold", pad_edge=False)
    for name in ("metric", "rank", "system", "mean", "95 % interval", "cases", "videos"):
        table.add_column(name, justify="left" if name in ("metric", "system") else "right")
    for metric in metrics:
        for place, s in enumerate(s for s in board.standings if s.metric == metric and not s.kind):
            value = "–" if s.value is None else f"{s.value:.4f}{'*' if s.imported else ''}"
            ends = "" if s.low is None or s.high is None else f"{s.low:.4f} to {s.high:.4f}"
            name = escape(metric) if not place else ""
            rank = str(s.rank) if s.rank else ""
            table.add_row(name, rank, escape(s.system), value, ends, str(s.num_cases), str(s.num_videos))
    console.print(table)
    if any(s.imported for s in board.standings if s.metric in metrics):
        say("* measured elsewhere and imported")


def _show_comparisons(console: Console, comparisons: Sequence[Comparison]) -> None:
    first = comparisons[0]
    title = escape(f"{first.a} minus {first.b}, over common cases")
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for name in ("metric", "difference", "95 % interval", "p", f"p ({first.correction})", "cases"):
        table.add_column(name, justify="left" if name == "metric" else "right")
    for one in comparisons:
        difference = "–" if one.difference is None else f"{one.difference:+.4f}"
        ends = "" if one.low is None or one.high is None else f"{one.low:+.4f} to {one.high:+.4f}"
        ps = ["" if p is None else f"{p:.4f}" for p in (one.p, one.p_corrected)]
        table.add_row(escape(one.metric), difference, ends, *ps, str(one.num_cases))
    console.print(table)
    say(f"p of the sign-flip test; p ({first.correction}) is corrected for {first.num_tests} tests")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _is_unranked(standing: Standing) -> bool:
    return standing.metric == TOTAL and not standing.kind and bool(standing.reason)
