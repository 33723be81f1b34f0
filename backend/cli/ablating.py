"""`report ablate`: what each filter is worth."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from backend.cli.opening import opened
from backend.cli.options import HERE, JsonOption, ProjectOption
from backend.cli.output import emit, say
from backend.domain.statistics import AblationRow

WIDTH = 120


def ablate(
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write the page; ablation.html in the project.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """What each filter of pairs is worth: pairs, precision by verdicts and context diversity without it, from stored scores."""
    with opened(project) as api:
        found = api.ablate(out=str(out.absolute()) if out else None)
    if as_json:
        emit(found)
        return
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH)
    table = Table(
        "", "", *(title for title in ("pairs", "not fully measured", "judged", "precision", "diversity")), box=None
    )
    for row in found.rows:
        table.add_row(
            row.group, row.name, f"{row.pairs:,}", f"{row.unmeasured:,}", f"{row.judged:,}", precision(row), _share(row)
        )
    console.print(table)
    say(f"page: {found.path}")


def precision(row: AblationRow) -> str:
    """`.92 (.81 to .97)`, or a dash where nobody judged."""
    if row.precision is None:
        return "–"
    return f"{row.precision:.2f} ({row.precision_low:.2f} to {row.precision_high:.2f})"


def _share(row: AblationRow) -> str:
    return "–" if row.context_diversity is None else f"{row.context_diversity:.2f}"
