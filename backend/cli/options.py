"""Options that commands share."""

from pathlib import Path
from typing import Annotated

import typer

ProjectOption = Annotated[Path, typer.Option("--project", help="The project's folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
ProfileOption = Annotated[str | None, typer.Option(help="embedded (no weights) or paper.")]
RecipeOption = Annotated[str | None, typer.Option(help="Which stages run, and their gates.")]
EngineOption = Annotated[str | None, typer.Option(help="inline, process or ray.")]
WorkersOption = Annotated[
    int | None, typer.Option(min=0, help="Worker processes; 0 takes every core, or all of a cluster.")
]
AddressOption = Annotated[
    str | None, typer.Option("--address", help="With engine ray: HOST:PORT of the cluster's head, or auto.")
]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="A setting, as stages.split_shots.max_s=30.")]
HERE = Path()
