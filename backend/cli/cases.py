"""Commands that make and look at benchmarks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.opening import opened
from backend.cli.options import HERE, JsonOption, ProjectOption
from backend.cli.output import emit, say, warn
from backend.engine.context import load
from backend.jobs import CALLS

SHOWN = 20  # labels of one list
cases_app = typer.Typer(help="Make, check and count a benchmark's cases.", no_args_is_help=True)
FileArgument = Annotated[Path, typer.Argument(help="Cases in OpenS2V-Eval's JSON.")]
ReferencesOption = Annotated[Path | None, typer.Option("--references", help="Where image paths start; the file's folder.")]


@cases_app.command()
def create(
    out: Annotated[Path, typer.Option("--out", help="Folder to write: cases.json and Images.")],
    count: Annotated[int, typer.Option("--count", min=1, help="The most cases.")] = 60,
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds draw equal cases.")] = 0,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Draw a balanced case set from a project's accepted pairs; each case waits for a person's approval."""
    with opened(project) as api:
        made = api.make_cases(out=str(out.absolute()), count=count, seed=seed)
    for remark in made.remarks:
        warn(remark)
    if as_json:
        emit(made)
    else:
        say(f"{made.cases} cases ({_counted(made.categories)}): {made.path}")


@cases_app.command()
def check(file: FileArgument, references: ReferencesOption = None, as_json: JsonOption = False) -> None:
    """Missing images, labels outside the taxonomy, prompts given twice, balance. Exit code 1 with missing images."""
    found = load(CALLS["check_cases"])(str(file), str(references) if references else None)
    if as_json:
        emit(found)
    else:
        for line in found.problems:
            say(f"problem: {line}")
        for line in found.notes:
            say(f"note: {line}")
        say(f"{found.cases} cases, {len(found.problems)} problems, {len(found.notes)} notes")
    raise SystemExit(1 if found.problems else 0)


@cases_app.command()
def stats(file: FileArgument, references: ReferencesOption = None, as_json: JsonOption = False) -> None:
    """Categories, references, prompt lengths, labels, real or synthetic, as OpenS2V-Nexus's Fig. 3 counts them."""
    found = load(CALLS["case_stats"])(str(file), str(references) if references else None)
    if as_json:
        emit(found)
        return
    say(f"cases       {found.cases}, of which {found.approved} approved by a person")
    for name in ("categories", "references", "subjects", "sources", "languages"):
        say(f"{name:<11} {_counted(getattr(found, name))}")
    words = found.prompt_words
    say(f"words       {words['least']:g} to {words['most']:g}, mean {words['mean']:.1f}, median {words['median']:g}")
    labels = dict(list(found.labels.items())[:SHOWN])
    more = len(found.labels) - len(labels)
    say(f"labels      {len(found.labels)}: {_counted(labels)}" + (f" and {more} more" if more else ""))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
