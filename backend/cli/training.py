"""Training on an export."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from backend.cli.options import AddressOption, EngineOption, JsonOption, SetOption, WorkersOption
from backend.cli.output import emit, say, warn
from backend.domain import SettingsError
from backend.domain.jobs import TrainingSettings
from backend.domain.score_words import stage_title
from backend.engine.context import load
from backend.jobs import CALLS
from backend.jobs.board import JobTicket
from backend.settings import nearest


def train(
    recipe: Annotated[str, typer.Argument(help="A training recipe, as tiny or phantom_1_3b (docs/training.md).")],
    data: Annotated[Path, typer.Option("--data", metavar="FOLDER", help="A folder that `export manifest` wrote.")],
    out: Annotated[Path, typer.Option("--out", metavar="NEW_FOLDER", help="The run's folder.")],
    assignments: SetOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train on an export; `torchrun --no-python ... studio-backend train ...` on several GPUs."""
    is_first = int(os.environ.get("RANK", "0")) == 0
    with reporting(is_first, as_json=as_json) as report:
        ticket = JobTicket(report, threading.Event())
        done = load(CALLS["train"])(  # pyright: ignore[reportCallIssue]
            ticket, recipe=recipe, data=data, out=out.absolute(), assignments=tuple(assignments or ()), resume=resume
        )
    if is_first:
        for remark in done.remarks:
            warn(remark)
        if as_json:
            emit({**asdict(done), "text": done.text})
        else:
            say(done.text)
    if done.state == "stopped":
        raise SystemExit(128 + signal.SIGTERM)
    raise SystemExit(1 if done.failed else 0)


def latents(
    data: Annotated[Path, typer.Option("--data", metavar="FOLDER", help="A folder that `export manifest` wrote.")],
    engine: EngineOption = None,
    workers: WorkersOption = None,
    address: AddressOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Encode what training on an export needs, before any run; --set clips.fps=8 as data.latents.clips.fps of a recipe."""
    named = {"engine": engine, "workers": workers, "ray_address": address}
    given = (*(assignments or ()), *(f"{name}={value}" for name, value in named.items() if value is not None))
    with reporting(True, as_json=as_json) as report:
        ticket = JobTicket(report, threading.Event())
        done = load(CALLS["encode_latents"])(ticket, data=data.absolute(), assignments=given)  # pyright: ignore[reportCallIssue]
    for remark in done.remarks:
        warn(remark)
    if as_json:
        emit({**asdict(done), "text": done.text})
    else:
        say(done.text)
    raise SystemExit(1 if done.failed else 0)


def recipes(
    name: Annotated[str, typer.Argument(help="A training recipe, or latents or generate; all recipes without it.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Training recipes, and what `--set` changes of each, of `latents` and of `generate`: defaults and meanings."""
    told: TrainingSettings = load(CALLS["training_settings"])()  # pyright: ignore[reportAssignmentType]
    if not name:
        if as_json:
            emit(told)
        for recipe, found in told.recipes.items() if not as_json else ():
            say(f"{recipe:<24} {found.words}")
        return
    known = {recipe: found.settings for recipe, found in told.recipes.items()}
    known |= {"latents": told.latents, "generate": told.generate}
    if name not in known:
        raise SettingsError(f"there is no recipe {name[:80]!r}{nearest(name, known)}")
    if as_json:
        emit({name: known[name]})
        return
    for field in known[name]:
        choices = f" ({', '.join(field.choices)})" if field.choices else ""
        say(f"{field.name} = {field.default}{choices}" + (f"\n    {field.words}" if field.words else ""))


class reporting:  # noqa: N801 - it reads as a statement
    """Progress of one stage after another: bars on a terminal, else lines on stderr; other ranks than the first are silent."""

    def __init__(self, is_first: bool, *, as_json: bool) -> None:
        self._is_first, self._as_json = is_first, as_json
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Callable[[str, int, int], None]:
        if self._is_first and not self._as_json and sys.stderr.isatty():
            columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, console=Console(stderr=True))
            self._bars.start()
        return self._report if self._is_first else lambda stage, done, total: None

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def _report(self, stage: str, done: int, total: int) -> None:
        if self._bars is not None:
            task = self._tasks.get(stage)
            if task is None:
                task = self._tasks[stage] = self._bars.add_task(stage_title(stage), total=total)
            self._bars.update(task, completed=done)
        elif self._as_json:
            with suppress(BrokenPipeError):  # whoever followed is gone, and a run is not to be lost with them
                warn(json.dumps({"stage": stage, "done": done, "total": total}))
        elif stage not in self._tasks:
            self._tasks[stage] = TaskID(len(self._tasks))
            warn(f"{stage_title(stage)}: {total} to do")
