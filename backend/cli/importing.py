"""Commands that read what others' tools wrote, and write as they do."""

from pathlib import Path
from typing import Annotated

import typer

from backend.cli.opening import opened
from backend.cli.options import HERE, JsonOption, ProjectOption
from backend.cli.output import emit, say, warn

SCORE_FORMATS = ("opens2v-scores", "vbench")


def import_(
    format: Annotated[str, typer.Argument(help="opens2v-scores (a folder) or vbench (an _eval_results.json).")],
    path: Annotated[Path, typer.Argument(help="What to read.")],
    system: Annotated[str, typer.Option("--system", help="Whose scores they are.")],
    cases: Annotated[Path, typer.Option("--cases", help="The cases that they are about, in OpenS2V-Eval's JSON.")],
    references: Annotated[
        Path | None, typer.Option("--references", help="Where image paths start; the cases' folder.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Take scores of a system that were measured elsewhere into a project; the leaderboard marks them."""
    with opened(project, create=True) as api:
        found = api.import_scores(
            format=format,
            path=str(path.absolute()),
            system=system,
            cases=str(cases.absolute()),
            references=str(references.absolute()) if references else None,
        )
    for remark in found.remarks:
        warn(remark)
    if as_json:
        emit(found)
    else:
        say(f"{found.scores} scores of {found.cases} cases from {', '.join(found.files)}")
