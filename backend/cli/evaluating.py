"""Commands that judge generated videos."""

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from backend.api import Api, CostForecast, EvaluationJob, EvaluationRow, Progress
from backend.cli.exit_codes import DONE, FAILURES, STOPPED
from backend.cli.opening import Overrides, opened
from backend.cli.options import (
    HERE,
    AddressOption,
    EngineOption,
    JsonOption,
    ProfileOption,
    ProjectOption,
    SetOption,
    WorkersOption,
)
from backend.cli.output import emit, follow, say, warn
from backend.domain.evaluations import OVER_BUDGET, WANTING
from backend.domain.ranking import TOTAL, SetDistance
from backend.engine.context import load
from backend.jobs import CALLS
from backend.workspace import Layout
from backend.workspace.ranking import preset_of

SHOWN_PROBLEMS = 20
COLUMNS = ("not applicable", "no detection", "too short", "unavailable", "over budget", "failed")


def evaluate(
    cases: Annotated[Path, typer.Option("--cases", metavar="FILE", help="Cases in OpenS2V-Eval's JSON.")],
    videos: Annotated[
        Path, typer.Option("--videos", metavar="FOLDER", help="Folder of <case id>.mp4 or <case id>_seed<k>.mp4.")
    ],
    system: Annotated[str, typer.Option("--system", help="Who made the videos.")],
    metrics: Annotated[
        str, typer.Option("--metrics", help="Metrics and sets, by commas; all that can run without it.")
    ] = "",
    references: Annotated[
        Path | None, typer.Option("--references", metavar="FOLDER", help="Where image paths start; the cases' folder.")
    ] = None,
    preset: Annotated[
        str, typer.Option("--preset", help="Of the total: a published one's or a calibration's name; the cases' domain's.")
    ] = "",
    project: ProjectOption = HERE,
    profile: ProfileOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    address: AddressOption = None,
    assignments: SetOption = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try what broke again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what judges would be asked; ask nobody.")] = False,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", help="What judges may spend in this project in all.")
    ] = None,
    prices: Annotated[
        Path | None, typer.Option("--prices", metavar="FILE", help="What the judge charges, as TOML.")
    ] = None,
    real: Annotated[
        Path | None,
        typer.Option(
            "--real", metavar="FOLDER", help="Folder of real videos, which FID and FVD are to; kept until another."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a system's videos of a benchmark, and give its total; what was measured is never measured again."""
    if preset:
        load(CALLS["preset"])(preset_of(Layout(project.resolve()), preset))  # a wrong name is told before hours of work
    overrides = Overrides(
        profile=profile, engine=engine, workers=workers, address=address, assignments=tuple(assignments or ())
    )
    with opened(project, create=True, overrides=overrides) as api:
        about: dict[str, Any] = {
            "cases": str(cases.absolute()),
            "videos": str(videos.absolute()),
            "system": system,
            "references": str(references.absolute()) if references else None,
            "metrics": tuple(name.strip() for name in metrics.split(",") if name.strip()),
            "prices": str(prices.absolute()) if prices else None,
        }
        if dry_run:
            show_forecast(api.forecast(**about), as_json=as_json)
            return
        real_set = str(real.absolute()) if real else None
        asked = api.evaluate(**about, retry_failed=retry_failed, max_cost=max_cost, real=real_set)
        for remark in asked.remarks:
            warn(remark)
        job = follow(api, asked.job, as_json=as_json)
        found = api.evaluation(systems=(system,), metrics=asked.metrics)
        rows = tuple(row for row in found if row.benchmark == asked.benchmark)
        distances = api.set_distances(systems=(system,), benchmark=asked.benchmark)
        total = total_of(api, system, benchmark=asked.benchmark, preset=preset) if rows else None
    tell(asked, system, rows, distances, total, as_json=as_json)
    states = {row.state for row in rows} | {one.state for one in distances if real_set or one.state == "failed"}
    finish(job, states, all_taken=not asked.refused)


def finish(job: Progress, states: Collection[str], *, all_taken: bool) -> NoReturn:
    """Ends the command, with a sentence where it did not come to its end."""
    if job.state == "failed":
        warn(f"studio-backend: evaluation broke off: {job.message}")
    code = exit_code(states, done=job.state == "done", all_taken=all_taken)
    if code == STOPPED:
        warn("studio-backend: stopped at the maximum cost; the same call with a higher --max-cost goes on")
    raise SystemExit(code)


def exit_code(states: Collection[str], *, done: bool, all_taken: bool) -> int:
    """What an evaluation comes to. A spent budget comes before failures: they are told by the run that ends."""
    if not done:
        return FAILURES
    if OVER_BUDGET in states:
        return STOPPED
    return DONE if all_taken and WANTING.isdisjoint(states) else FAILURES


def tell(
    asked: EvaluationJob,
    system: str,
    rows: tuple[EvaluationRow, ...],
    distances: Sequence[SetDistance],
    total: dict[str, Any] | None,
    *,
    as_json: bool,
) -> None:
    """What was measured: metrics, distances of sets, the total."""
    if as_json:
        emit(
            {
                "rows": [
                    *(dataclasses.asdict(row) for row in rows),
                    *map(set_row, distances),
                    *refused_rows(asked, system),
                ],
                "distances": [dataclasses.asdict(one) for one in distances],
                "total": total,
                "benchmark": asked.benchmark,
                "missing": asked.missing,
                "missing_references": asked.missing_references,
                "remarks": asked.remarks,
            }
        )
        return
    show_rows(rows, asked.metrics)
    for one in asked.refused[:SHOWN_PROBLEMS]:
        say(f"  {one.reason}")
    show_distances(distances)
    if total is not None:
        show_total(total)


def total_of(api: Api, system: str, *, benchmark: str, preset: str) -> dict[str, Any]:
    """A system's total over all cases, the preset or the calibration that made it, and why there is none."""
    board = api.leaderboard(benchmark=benchmark, preset=preset)
    (one,) = [s for s in board.standings if s.metric == TOTAL and s.system == system and not s.kind]
    return {
        "system": system,
        "preset": board.preset,
        **{name: getattr(one, name) for name in ("value", "low", "high", "reason", "num_cases")},
    }


def show_total(total: dict[str, Any]) -> None:
    """One line."""
    if total["value"] is None:
        say(f"{total['system']}, total by {total['preset']}: – ({total['reason']})")
        return
    ends = "" if total["low"] is None else f" ({total['low']:.4f} to {total['high']:.4f})"
    say(f"{total['system']}, total by {total['preset']}: {total['value']:.4f}{ends} over {total['num_cases']} cases")


def refused_rows(asked: EvaluationJob, system: str) -> list[dict[str, Any]]:
    """A video that is not measured among the rows: without a value of any metric, and of no case where it has none."""
    return [
        {
            "case_id": one.case_id,
            "benchmark": asked.benchmark,
            "system": system,
            "seed": one.seed,
            "metric": metric,
            "value": None,
            "state": "failed",
            "reason": f"failed: {one.reason}",
            "num_units": 0,
            "coverage": 0.0,
        }
        for one in asked.refused
        for metric in asked.metrics
    ]


def set_row(one: SetDistance) -> dict[str, Any]:
    """A distance among the rows: of no case and no seed, since it is of all videos together."""
    return {
        "case_id": None,
        "benchmark": one.benchmark,
        "system": one.system,
        "seed": None,
        "metric": one.metric,
        "value": one.value,
        "state": one.state,
        "reason": one.reason,
        "num_units": one.num_units,
        "coverage": 0.0 if one.value is None else 1.0,
    }


def show_distances(distances: Iterable[SetDistance]) -> None:
    """A line a distance, with what it rests on, and what is odd below."""
    for one in distances:
        if one.value is None:
            say(f"{one.system}, {one.title}: – ({one.reason})")
            continue
        units = "frames" if one.clip_frames == 1 else f"clips of {one.clip_frames} frames"
        say(
            f"{one.system}, {one.title}: {one.value:.4f}, {one.num_units:,} {units} of {one.num_videos} videos against {one.num_real_units:,} "
            f"of {one.num_real_videos} real ones in {one.real}, by {one.extractor}"
        )
        for remark in one.remarks:
            say(f"  {remark}")


def show_forecast(found: CostForecast, *, as_json: bool) -> None:
    """Calls, pictures, tokens and cost of judges."""
    if as_json:
        emit(found)
        return
    for metric, calls in found.calls.items():
        say(f"{metric}: {calls:,} calls")
    say(f"{sum(found.calls.values()):,} calls with {found.pictures:,} pictures for {found.videos} videos")
    cost = "no price is known: give --prices" if found.cost is None else f"cost {found.cost:.2f}"
    say(f"about {found.tokens_in:,} tokens in, {found.tokens_out:,} out; {cost}")


def show_rows(rows: tuple[EvaluationRow, ...], metrics: tuple[str, ...]) -> None:
    """A line a metric: mean over the videos that have a value, and how many ended in which other state; then why, a line a video and reason."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    shown = [name for name in COLUMNS if any(row.state == name.replace(" ", "_") for row in rows)]
    for name in ("metric", "mean", "scored", *shown):
        table.add_column(name, justify="left" if name == "metric" else "right")
    for metric in metrics:
        own = [row for row in rows if row.metric == metric]
        values = [row.value for row in own if row.value is not None]
        states = [sum(row.state == name.replace(" ", "_") for row in own) for name in shown]
        mean = f"{sum(values) / len(values):.4f}" if values else "–"
        table.add_row(metric, mean, str(len(values)), *(str(count) if count else "" for count in states))
    Console(width=110).print(table)
    problems: dict[tuple[str, int, str | None], list[str]] = {}
    for row in rows:
        if row.state in WANTING:
            problems.setdefault((row.case_id, row.seed, row.reason), []).append(row.metric)
    for (case_id, seed, reason), lacking in [*problems.items()][:SHOWN_PROBLEMS]:
        say(f"  {case_id} (seed {seed}), {', '.join(lacking)}: {reason}")
    if len(problems) > SHOWN_PROBLEMS:
        say(f"  … and {len(problems) - SHOWN_PROBLEMS} more; --json gives them all")
