"""Commands that make videos of cases."""

import threading
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.options import JsonOption, SetOption
from backend.cli.output import emit, say, warn
from backend.cli.training import reporting
from backend.domain import SettingsError
from backend.engine.context import load
from backend.jobs import CALLS
from backend.jobs.board import JobTicket


def generate(
    system: Annotated[str, typer.Option("--system", help="run:DIR of a training run, or diffusers:FOLDER of a pipeline.")],
    cases: Annotated[Path, typer.Option("--cases", metavar="FILE", help="Cases in OpenS2V-Eval's JSON.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="NEW_FOLDER", help="Folder of the videos; what is there is not made again.")
    ],
    name: Annotated[str, typer.Option("--name", help="The system's name; its folder's by default.")] = "",
    seeds: Annotated[str, typer.Option("--seeds", help="Several videos a case, as 0,1; one from seed 42 without it.")] = "",
    references: Annotated[
        Path | None, typer.Option("--references", metavar="FOLDER", help="Where image paths start; the cases' folder.")
    ] = None,
    watermark: Annotated[
        str, typer.Option("--watermark", help="none, visible (a label) or invisible (found by `provenance`).")
    ] = "none",
    watermark_key: Annotated[
        Path | None,
        typer.Option(
            "--watermark-key", metavar="FILE", help="File with a secret for an invisible watermark; a public one without."
        ),
    ] = None,
    probe: Annotated[
        str, typer.Option("--probe", help="attention: where generated tokens look, with plots, beside each video.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, help="The first cases only; 0 takes all.")] = 0,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make videos of cases, each signed, and beside the settings that it was made with."""
    try:
        numbers = tuple(int(seed) for seed in seeds.split(",") if seed.strip())
    except ValueError as error:
        raise SettingsError(f"--seeds {seeds!r}; write whole numbers by commas, as 0,1") from error
    told = load(CALLS["read_cases"])(cases, references=references)  # pyright: ignore[reportCallIssue]
    with reporting(True, as_json=as_json) as report:
        done = load(CALLS["generate"])(  # pyright: ignore[reportCallIssue]
            JobTicket(report, threading.Event()),
            system=system,
            cases=told.cases,
            out=out.absolute(),
            name=name,
            seeds=numbers,
            assignments=tuple(assignments or ()),
            limit=limit,
            watermark=watermark,
            watermark_key=watermark_key,
            probe=probe,
        )
    for sentence in done.failures:
        warn(sentence)
    if as_json:
        emit({**asdict(done), "text": done.text})
    else:
        say(done.text)
    raise SystemExit(1 if done.failures else 0)
