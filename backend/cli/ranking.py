"""Commands that rank systems."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backend.cli.options import JsonOption
from backend.cli.output import emit, warn
from backend.engine.context import load
from backend.jobs import CALLS

PRESET = "opens2v-v1.1-open"
PresetOption = Annotated[str, typer.Option("--preset", help="Ranges and weights, as opens2v-v1.1-human.")]


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
        emit(list(found.systems))
    else:
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column("system")
        table.add_column("total", justify="right")
        for row in sorted(found.systems, key=lambda row: -(row["total"] or 0)):
            table.add_row(escape(str(row["system"])), "–" if row["total"] is None else f"{row['total']:.2f}")
        Console(width=110).print(table)
    raise SystemExit(1 if found.problems else 0)
