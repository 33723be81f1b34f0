"""`calibrate metrics`: what people's votes on pairs of videos say of metrics."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backend.cli.opening import opened
from backend.cli.options import HERE, JsonOption, ProjectOption
from backend.cli.output import emit, say
from backend.domain.calibration import MetricAgreement, MetricCalibration, MetricFit
from backend.domain.studies import Estimate

WIDTH = 130


def metrics(
    study: Annotated[str, typer.Option("--study", help="Study of pairs whose votes count.")],
    aspect: Annotated[str, typer.Option("--aspect", help="Its question, where it asks several.")] = "",
    name: Annotated[str, typer.Option("--name", help="Of the calibration; the study's.")] = "",
    names: Annotated[str, typer.Option("--metrics", help="Metrics and sets by commas; all that were measured.")] = "",
    preset: Annotated[str, typer.Option("--preset", help="Published total to compare with, as opens2v-v1.1-open.")] = "",
    by: Annotated[str, typer.Option("--by", help="Cases with fits of their own: domain, category or none.")] = "domain",
    scaling: Annotated[
        str, typer.Option("--scaling", help="isotonic (maps fitted to votes) or linear (ranges).")
    ] = "isotonic",
    folds: Annotated[int, typer.Option("--folds", min=2, help="Parts of the prompts, each held out once.")] = 5,
    bootstraps: Annotated[int, typer.Option("--bootstraps", help="Draws of prompts behind intervals.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Of draws and folds.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", help="File; calibrations/NAME.json of the project.")] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Fit weights of metrics to votes, and see how far metrics, totals and raters agree; a preset for `leaderboard`."""
    with opened(project) as api:
        found = api.calibrate_metrics(
            study=study,
            aspect=aspect,
            name=name,
            metrics=tuple(one.strip() for one in names.split(",") if one.strip()),
            preset=preset,
            by=by,
            scaling=scaling,
            folds=folds,
            bootstraps=bootstraps,
            seed=seed,
            out=str(out.absolute()) if out else None,
        )
    if as_json:
        emit(found)
        return
    show(found.calibration)
    say(f"{found.path}: studio-backend leaderboard --preset {name or found.calibration.name}")


def show(found: MetricCalibration) -> None:
    """Metrics beside chance and raters, then each fit with its weights and held-out agreement."""
    say(found.id)
    _agreements("Agreement with votes", found.metrics)
    chance = "" if found.chance_with_ties is None else f"; with ties {found.chance_with_ties:.3f}"
    say(f"chance .5{chance}; a rater with the others {_value(found.ceiling)}; the majority of all {_value(found.majority)}")
    for fit in found.fits:
        _show_fit(fit)


def _show_fit(fit: MetricFit) -> None:
    about = f"{fit.domain or 'all domains'}: {fit.votes} votes on {fit.pairs} pairs of {fit.prompts} prompts"
    say(f"{about}, {fit.incomplete} left out for a missing value" if fit.incomplete else about)
    for name, reason in fit.left_out:
        say(f"  without {name}: {reason}")
    if not fit.weights:
        say(f"  no weights: {fit.reason}")
        return
    for one in sorted(fit.weights, key=lambda one: -(one.weight.value or 0.0)):
        say(f"  {one.metric} {_value(one.weight)}")
    _agreements("On held-out prompts", fit.held_out)


def _agreements(title: str, rows: tuple[MetricAgreement, ...]) -> None:
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in ("score", "agreement", "of majorities", "with ties", "AUC", "systems' tau-b", "pairs"):
        table.add_column(column, justify="left" if column == "score" else "right")
    for one in rows:
        ties = "–" if one.with_ties is None else f"{one.with_ties:.3f}"
        tau = "–" if one.kendall is None else f"{one.kendall:+.2f}"
        table.add_row(escape(one.name), _value(one.ratio), _value(one.majority), ties, _value(one.auc), tau, str(one.pairs))
    Console(width=WIDTH).print(table)


def _value(one: Estimate) -> str:
    if one.value is None:
        return f"– ({one.reason})"
    return (
        f"{one.value:.3f}" if one.low is None or one.high is None else f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
    )
