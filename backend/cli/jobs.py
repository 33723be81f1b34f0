"""Commands that look after a project's long work."""

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from backend.api import Api
from backend.cli.opening import opened
from backend.cli.options import HERE, JsonOption, ProjectOption
from backend.cli.output import emit, say
from backend.domain import ProjectError
from backend.domain.jobs import JobRow, QuarantinePage

jobs_app = typer.Typer(help="Look after a project's long work, whoever started it.", no_args_is_help=True)
JobArgument = Annotated[str, typer.Argument(help="A job's id, or how it begins; the newest job without it.")]
RUNNING = ("queued", "running")
SHOWN_LETTERS = 8  # of an id, enough to name it
PAGE = 1000
FOLLOW_S = 0.3


@jobs_app.command("list")
def list_(
    project: ProjectOption = HERE,
    limit: Annotated[int, typer.Option(min=1, max=PAGE, help="How many, newest first.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Jobs of the project, newest first, those of earlier owners too."""
    with opened(project) as api:
        rows = api.jobs(limit=limit)
    if as_json:
        emit(list(rows))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("job", "kind", "state", "started", "by", "what came of it"):
        table.add_column(name)
    for row in rows:
        at = f"{row.stage} {row.done} of {row.total}" if row.state in RUNNING else (row.message.splitlines() or [""])[0]
        table.add_row(row.job_id[:SHOWN_LETTERS], row.kind, row.state, row.started_at[:19], row.actor, at)
    Console(soft_wrap=True).print(table)


@jobs_app.command()
def log(
    job: JobArgument = "",
    project: ProjectOption = HERE,
    follow: Annotated[bool, typer.Option("--follow", help="Until the job has ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What a job said."""
    with opened(project) as api:
        job_id, after, lines = _named(api, job).job_id, 0, []
        while True:
            ended = (
                not follow or _named(api, job_id).state not in RUNNING
            )  # looked at before the lines that may be the last
            while (found := api.job_log(job_id=job_id, after=after, limit=PAGE)).lines:
                after = found.next_after
                lines += found.lines
                for line in () if as_json else found.lines:
                    say(line)
            if ended:
                break
            time.sleep(FOLLOW_S)
    if as_json:
        emit({"job_id": job_id, "lines": lines})


@jobs_app.command()
def cancel(job: JobArgument = "", project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Ask a running job to stop; what it has done is kept."""
    with opened(project) as api:
        row = _named(api, job)
        if row.state not in RUNNING:
            raise ProjectError(f"job {row.job_id[:SHOWN_LETTERS]} ({row.kind}) is {row.state} already")
        found = api.cancel(job_id=row.job_id)
    if as_json:
        emit(found)
    else:
        say(f"{found.kind} is asked to stop: studio-backend jobs log {row.job_id[:SHOWN_LETTERS]} --follow")


@jobs_app.command()
def quarantine(
    project: ProjectOption = HERE,
    stage: Annotated[str, typer.Option(help="Of this stage only.")] = "",
    search: Annotated[str, typer.Option(help="Words that occur in name, failure or message.")] = "",
    as_json: JsonOption = False,
) -> None:
    """What stages failed on, with the work keys that `curate --retry` takes."""
    rows, after = [], None
    with opened(project) as api:
        while True:
            page: QuarantinePage = api.quarantine(stage=stage, search=search, limit=PAGE, after=after)
            rows += page.rows
            after = page.next_after
            if after is None:
                break
    if as_json:
        emit({"rows": rows, "total": page.total, "by_stage": page.by_stage})
        return
    for row in rows:
        tries = f", {row.attempts} times" if row.attempts > 1 else ""
        say(
            f"{row.work_key}\n    {row.stage} failed({row.failure}{tries}) on {row.name}: {(row.message.splitlines() or [''])[-1]}"
        )
    say(f"{page.total} items in quarantine")


def _named(api: Api, name: str) -> JobRow:
    """The one job whose id begins so; the newest for an empty name."""
    rows = api.jobs(limit=PAGE)
    found = [row for row in rows if row.job_id.startswith(name)]
    if not found:
        raise ProjectError(f"no job {name[:40]!r} is known; `studio-backend jobs list` names them")
    if name and len(found) > 1:
        raise ProjectError(f"{len(found)} jobs begin with {name[:40]!r}; give more of the id")
    return found[0]
