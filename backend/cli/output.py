"""What commands say: text and tables for people, one JSON document on stdout with `--json`, progress on stderr."""

import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from backend.api import Api, Status
from backend.api import Progress as JobProgress
from backend.domain.doctor import Doctor, RoleRow
from backend.domain.model_work import ModelWorkerRow
from backend.domain.score_words import stage_title

POLL_S = 0.1
GIB = 2**30


def say(text: str = "") -> None:
    """A line for people, on stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """A line for people, on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def emit(value: Any) -> None:
    """The one JSON document of a command: dataclasses become objects."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    sys.stdout.write(json.dumps(value, ensure_ascii=True, indent=1, default=_plain) + "\n")
    sys.stdout.flush()


def follow(api: Api, job: JobProgress, *, as_json: bool) -> JobProgress:
    """Waits for a job's end, showing progress on stderr: a bar on a terminal, JSON lines with `--json`, else a line a stage."""
    if as_json or not sys.stderr.isatty():
        return _follow_lines(api, job, as_json=as_json)
    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}
        while job.state in ("queued", "running"):
            if job.stage:
                task = tasks.setdefault(job.stage, None)
                if task is None:
                    task = tasks[job.stage] = bars.add_task(stage_title(job.stage), total=job.total)
                bars.update(task, completed=job.done)
            time.sleep(POLL_S)
            job = api.progress(job_id=job.job_id)
        for task in tasks.values():
            bars.update(task, completed=bars.tasks[task].total)
    return job


def show_status(status: Status) -> None:
    """What was found, kept, held back and why, and what failed."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 110)
    found = Table(title="Found", title_justify="left", box=None, header_style="bold", pad_edge=False)
    found.add_column("what")
    found.add_column("kept", justify="right")
    for name, count in status.counts.items():
        found.add_row(name.replace("_", " "), f"{count:,}")
    console.print(found)
    held = [gate for gate in status.gates if gate.dropped]
    if held:
        table = Table(title="\nHeld back by gates", title_justify="left", box=None, header_style="bold", pad_edge=False)
        for name in ("gate", "entering", "held back", "unmeasured", "why this value"):
            table.add_column(name, justify="right" if name in ("entering", "held back", "unmeasured") else "left")
        for gate in held:
            own = ", ".join(f"{category} {value:g}" for category, value in gate.by_category.items())
            name = f"{gate.record}.{gate.score} {gate.comparison} {gate.value:g}{f' ({own})' if own else ''}"
            table.add_row(name, f"{gate.entering:,}", f"{gate.dropped:,}", f"{gate.unmeasured:,}", gate.source)
        console.print(table)
    show_borrowed_bounds(status)
    say("\nSources: " + (", ".join(f"{count} {state}" for state, count in sorted(status.states.items())) or "none"))
    show_models(status.models)
    show_failures(status)
    show_remarks(status)


def show_doctor(found: Doctor) -> None:
    """What is bound to each role, the size and licence of its weights, and which weights are missing and what to do."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 150)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("role", "bound", "weights", "licence", "model"):
        table.add_column(name, justify="right" if name == "weights" else "left")
    for row in found.roles.values():
        if row.implementation:
            table.add_row(row.role, row.implementation, _size(row), row.licence, row.model_id)
    console.print(table)
    unbound = [row.role for row in found.roles.values() if not row.implementation]
    if unbound:
        say(f"\nnot bound by this profile: {', '.join(unbound)}")
    for name in found.missing:
        say(f"missing, {name} ({_size(found.roles[name])}): {found.roles[name].reason}")
    if not found.missing:
        say("\nmissing: nothing")


def _size(row: RoleRow) -> str:
    """Bytes of weights that are there; about how many where they are not; a dash for an implementation without any."""
    if row.num_bytes:
        return f"{row.num_bytes:,} B"
    return f"about {row.published_bytes / 1e9:.2g} GB" if row.published_bytes else "–"


def show_borrowed_bounds(status: Status) -> None:
    """Gates whose value is not of the model that measures, and what it is instead."""
    borrowed = [gate for gate in status.gates if not gate.is_own]
    if borrowed:
        say("\nNo bound of their own: judge pairs, then `calibrate thresholds --score NAME --apply`, or set them")
    for gate in borrowed:
        say(f"  {gate.record}.{gate.score} {gate.comparison} {gate.value:g}: {gate.source}")


def show_models(workers: Sequence[ModelWorkerRow]) -> None:
    """What model workers hold, one line a device and one a model."""
    for worker in workers:
        taken = sum(model.num_bytes for model in worker.resident)
        budget = f" of {worker.budget_bytes / GIB:.3g} GiB" if worker.budget_bytes else ""
        doing = f", {worker.running} for {worker.running_s:.0f} s" if worker.running else ""
        say(f"\nModels on {worker.device}: {worker.state}{doing}, {taken / GIB:.3g}{budget} taken")
        for model in worker.resident:
            say(f"  {model.model:<24} {model.num_bytes:>15,} bytes  {', '.join(model.roles)}")


def show_failures(status: Status) -> None:
    """Every source that did not end ok, and every failed item, one line each."""
    order = ("failed", "filtered", "ok_with_warning")
    rows = sorted(
        (row for row in status.failures if row.state in order), key=lambda row: (order.index(row.state), row.name)
    )
    if not rows:
        return
    say("\nNot ok:")
    for row in rows:
        state = f"{row.state}({row.kind})" if row.kind else row.state.replace("_", " ")
        message = row.message.strip().splitlines()[-1] if row.message.strip() else row.stage
        say(f"  {state:<22} {row.name}: {message.removeprefix(f'{row.name}: ')}")


def show_remarks(status: Status) -> None:
    """Why stages passed items over, and what they say of those that they did: one line a reason."""
    for state, title in (("filtered", "Passed over, not applicable"), ("warned", "Done, with a remark")):
        rows = [row for row in status.remarks if row.state == state]
        if rows:
            say(f"\n{title}:")
        for row in rows:
            say(f"  {stage_title(row.stage)}, {row.num_items:,} of its {row.over.replace('_', ' ')}s: {row.reason}")


def _follow_lines(api: Api, job: JobProgress, *, as_json: bool) -> JobProgress:
    last = None
    while True:
        shown = (job.stage, job.state, job.done) if as_json else job.stage
        if shown != last and (job.stage or as_json):
            warn(json.dumps(dataclasses.asdict(job)) if as_json else f"{stage_title(job.stage)}: {job.total} to do")
            last = shown
        if job.state not in ("queued", "running"):
            return job
        time.sleep(POLL_S)
        job = api.progress(job_id=job.job_id)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    return str(value)
