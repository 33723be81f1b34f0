"""`calibrate`: what people's verdicts teach."""

from pathlib import Path
from typing import Annotated

import typer

from backend.cli.opening import opened
from backend.cli.options import HERE, JsonOption, ProjectOption
from backend.cli.output import emit, say

calibrate_app = typer.Typer(help="Fit bounds and embedders to people's verdicts.", no_args_is_help=True)


@calibrate_app.command()
def thresholds(
    score: Annotated[str, typer.Option("--score", help="The pairs' score to bound.")] = "similarity",
    precision: Annotated[float, typer.Option("--precision", help="Share of right pairs wanted, by its lower end.")] = 0.95,
    out: Annotated[Path | None, typer.Option("--out", help="File to write; thresholds.json in the project.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Have the gate on the score hold by these bounds.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """For each category the lowest score from which pairs are right, by Wilson's lower end; with the curves as a page."""
    with opened(project) as api:
        found = api.calibrate_thresholds(
            score=score, precision=precision, out=str(out.absolute()) if out else None, apply=apply
        )
    if as_json:
        emit(found)
        return
    for bound in found.bounds:
        value = f"{bound.score:.3f}" if bound.score is not None else f"none ({bound.reason})"
        say(f"{bound.category or 'all together'}: {value}, {bound.num_right} right of {bound.num} judged")
    say(f"{found.path}, {found.page}")
    if apply:
        say(f"pairs are held back by these bounds now: gates and thresholds of project.toml on {found.score_name}")


@calibrate_app.command()
def embedder(
    out: Annotated[Path, typer.Option("--out", help="Folder to write when the projection is kept.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """A projection of the appearance vectors fitted to verdicts, kept only if held-out precision rises."""
    with opened(project) as api:
        found = api.fit_embedder(out=str(out.absolute()))
    if as_json:
        emit(found)
        return
    figures = f"held-out precision {found.precision_before:.3f} before, {found.precision_after:.3f} after"
    say(
        f"{'kept' if found.kept else 'not kept'}: {found.reason or figures} ({found.num_same} same, {found.num_different} not)"
    )
    if found.path:
        say(f'bind it: roles.AppearanceEmbedder = "projected", models.AppearanceEmbedder = "{found.path}"')
