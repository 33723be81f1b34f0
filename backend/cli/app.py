"""The command line: `studio-backend COMMAND`. What its exit codes mean stands in `exit_codes`."""

import json
import os
import signal
import sys
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from backend.cli import demo as demonstration
from backend.cli.ablating import ablate
from backend.cli.calibrating import calibrate_app
from backend.cli.calibrating_metrics import metrics as calibrate_metrics
from backend.cli.cases import cases_app
from backend.cli.consenting import consent
from backend.cli.endpoints import endpoints_app
from backend.cli.erasing import erase
from backend.cli.evaluating import evaluate
from backend.cli.exit_codes import BROKE_OFF, DONE, FAILURES, INTERRUPTED
from backend.cli.generating import generate
from backend.cli.importing import SCORE_FORMATS, import_
from backend.cli.jobs import jobs_app
from backend.cli.label_studio import label_studio_app
from backend.cli.opening import Overrides, opened
from backend.cli.options import (
    HERE,
    AddressOption,
    EngineOption,
    JsonOption,
    ProfileOption,
    ProjectOption,
    RecipeOption,
    SetOption,
    WorkersOption,
)
from backend.cli.output import emit, follow, say, show_doctor, show_models, show_status, warn
from backend.cli.provenance import provenance
from backend.cli.ranking import BenchmarkOption, compare, leaderboard, total
from backend.cli.serving import serve
from backend.cli.studying import study_app
from backend.cli.training import latents, recipes, train
from backend.domain import StudioError
from backend.domain.privacy import PURPOSES, TRAINING
from backend.exports import EXPORTS

app = typer.Typer(
    name="studio-backend",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
journal_app = typer.Typer(help="Read the journal of what people said and asked.", no_args_is_help=True)
app.add_typer(journal_app, name="journal")
calibrate_app.command("metrics")(calibrate_metrics)
app.add_typer(calibrate_app, name="calibrate")
app.add_typer(cases_app, name="cases")
app.add_typer(endpoints_app, name="endpoints")
app.add_typer(jobs_app, name="jobs")
app.add_typer(label_studio_app, name="label-studio")
app.add_typer(study_app, name="study")
app.command()(erase)
app.command()(consent)
report_app = typer.Typer(invoke_without_command=True)
report_app.command("compare")(compare)
report_app.command("ablate")(ablate)
app.add_typer(report_app, name="report")
app.command()(evaluate)
app.command("eval", hidden=True)(evaluate)
app.command()(leaderboard)
app.command()(total)
app.command()(latents)
app.command()(recipes)
app.command()(train)
app.command()(generate)
app.command()(provenance)
app.command()(serve)
app.command("import")(import_)


def main() -> None:
    """Entry point: failures that a person can mend are one sentence on stderr."""
    as_json = "--json" in sys.argv[1:]
    signal.signal(signal.SIGTERM, partial(_stop, os.getpid()))
    try:
        app()
    except StudioError as error:
        if as_json:
            emit({"error": {"kind": error.kind, "message": str(error)}})
        else:
            warn(f"studio-backend: {error}")
        raise SystemExit(getattr(error, "exit_code", FAILURES)) from None
    except KeyboardInterrupt:
        warn("studio-backend: stopped; what was done is kept")
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(DONE) from None


def _stop(owner: int, number: int, _: object) -> None:
    """SIGTERM ends a command as Ctrl-C does: what is done is committed, workers are asked to stop.

    A worker that was forked from it has this handler too, and just ends: unwinding, it would wait for its own siblings.
    """
    if os.getpid() != owner:
        os._exit(128 + number)
    warn("studio-backend: stopped; what was done is kept")
    raise SystemExit(128 + number)


def _tell_version(asked: bool) -> None:
    if asked:
        say(metadata.version("subject-studio"))
        raise typer.Exit


@app.callback()
def studio_backend(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Curate, check and judge subject-to-video data."""


@app.command()
def demo(
    videos: Annotated[list[Path] | None, typer.Argument(help="Videos or folders; without any, the sample world.")] = None,
    project: ProjectOption = Path("demo-project"),
    profile: ProfileOption = None,
    recipe: RecipeOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open Studio.")] = False,
) -> None:
    """Curate videos (or the sample world) into ./demo-project, write a report and open Studio."""
    overrides = _overrides(profile, recipe, engine, workers, assignments)
    try:
        failed = demonstration.run(videos or [], project, overrides=overrides, as_json=as_json, may_open=not no_open)
    except StudioError as error:
        error.exit_code = BROKE_OFF  # pyright: ignore[reportAttributeAccessIssue]
        raise
    raise SystemExit(1 if failed else 0)


@app.command()
def init(
    project: ProjectOption = HERE,
    profile: ProfileOption = None,
    recipe: RecipeOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a project folder."""
    with opened(project, create=True, overrides=_overrides(profile, recipe, engine, workers, assignments)) as api:
        about = api.about()
        _give(about, as_json, f"project {about.project}: profile {about.profile}, recipe {about.recipe}")


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Videos, pictures or folders.")],
    project: ProjectOption = HERE,
    licence: Annotated[str | None, typer.Option(help="Licence of these files.")] = None,
    attribution: Annotated[str | None, typer.Option(help="Whom to name.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Take files too that were erased from this project.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List files as sources of a project."""
    with opened(project) as api:
        named = tuple(str(path.absolute()) for path in paths)
        found = api.ingest(paths=named, licence=licence, attribution=attribution, again=again)
        _give(found, as_json, f"{found.taken} files taken, {found.known} known already")
        for remark in found.remarks:
            warn(remark)


@app.command()
def curate(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files to ingest first.")] = None,
    project: ProjectOption = HERE,
    profile: ProfileOption = None,
    recipe: RecipeOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    address: AddressOption = None,
    assignments: SetOption = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed items again.")] = False,
    retry: Annotated[list[str] | None, typer.Option("--retry", help="Try the failed item of this work key again.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Work on everything that is pending; what is done is never done again."""
    overrides = replace(_overrides(profile, recipe, engine, workers, assignments), address=address)
    with opened(project, overrides=overrides) as api:
        if paths:
            for remark in api.ingest(paths=tuple(str(path.absolute()) for path in paths)).remarks:
                warn(remark)
        if retry and not retry_failed:
            asked = api.progress(job_id=api.retry(work_keys=tuple(retry)).job_id)
        else:
            asked = api.curate(retry_failed=retry_failed)
        job = follow(api, asked, as_json=as_json)
        status = api.status()
        if job.state == "done" and any(row.pending for row in status.stages):  # a job of somebody else's was joined
            job = follow(api, api.curate(), as_json=as_json)
            status = api.status()
        if as_json:
            emit(status)
        else:
            show_status(status)
    if job.state == "failed":
        warn(f"studio-backend: curation broke off: {job.message}")
    raise SystemExit(1 if job.state != "done" or any(row.state == "failed" for row in status.failures) else 0)


@app.command()
def status(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Counts, states, failures and gates of the current plan."""
    with opened(project) as api:
        found = api.status()
        if as_json:
            emit(found)
        else:
            show_status(found)


@app.command()
def doctor(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Which roles are bound, and what is missing on this machine."""
    with opened(project) as api:
        found = api.doctor()
        if as_json:
            emit(found)
            return
        show_doctor(found)
        show_models(found.models)


@report_app.callback(invoke_without_command=True)
def report(
    context: typer.Context,
    project: ProjectOption = HERE,
    out: Annotated[Path | None, typer.Option(help="Where to write it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write report.html: the dataset in figures, shots, subjects, pairs, scores, failures. --json gives the figures."""
    if context.invoked_subcommand:
        return
    with opened(project) as api:
        path = api.report(out=str(out.absolute()) if out else None)
        if not as_json:
            say(path)
            return
        status = api.status()
        emit({"report": path, "statistics": api.statistics(), "counts": status.counts, "gates": status.gates})


@app.command()
def export(
    format: Annotated[
        str, typer.Argument(help=f"{', '.join(EXPORTS)}; {' or '.join(SCORE_FORMATS)} for scores of a system.")
    ],
    out: Annotated[Path, typer.Option(metavar="NEW_FOLDER", help="Folder to write.")],
    project: ProjectOption = HERE,
    where: Annotated[str, typer.Option(help="Which pairs, as \"similarity >= .8 and verdict = 'same'\".")] = "",
    split: Annotated[str, typer.Option(help="train=.9,val=.05,test=.05")] = "",
    selection: Annotated[str, typer.Option(help="Gates and condition that Studio saved under this name.")] = "",
    system: Annotated[str, typer.Option("--system", help="Whose scores.")] = "",
    benchmark: BenchmarkOption = "",
    purpose: Annotated[str, typer.Option(help=f"{', '.join(PURPOSES)}: what people agreed to.")] = TRAINING,
    as_json: JsonOption = False,
) -> None:
    """Write pairs for training and other tools, or a system's scores as upstream's scripts do."""
    with opened(project) as api:
        if format in SCORE_FORMATS:
            written = api.export_scores(format=format, out=str(out.resolve()), system=system, benchmark=benchmark)
            for remark in written.remarks:
                warn(remark)
            _give(written, as_json, f"{written.scores} scores in {', '.join(written.files)}: {written.path}")
            return
        if selection and where:
            raise typer.BadParameter("--selection brings its own condition; leave --where out")
        place = str(out.resolve())
        if selection:
            done = api.export_selection(name=selection, format=format, out=place, split=split, purpose=purpose)
        else:
            done = api.export(format=format, out=place, where=where, split=split, purpose=purpose)
        _give(done, as_json, f"{done.pairs} pairs in {done.files} files: {done.out}")
        for reason, number in done.left_out.items():
            warn(f"{number} pairs are left out: {reason}")


@app.command()
def verify(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Check a project: journal chain, catalog, artifacts."""
    with opened(project) as api:
        found = api.verify()
        _give(
            found,
            as_json,
            f"{'ok' if found.ok else 'NOT OK'}: {found.journal_events} events, {found.artifacts} artifacts, catalog {found.catalog_hash}",
        )
        for problem in found.problems:
            warn(problem)
    raise SystemExit(0 if found.ok else 1)


@app.command()
def rebuild(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Make people's part of the catalog again from the journal; a damaged catalog is kept under another name."""
    from backend.workspace.opening import set_damaged_catalog_aside

    if kept := set_damaged_catalog_aside(project):
        warn(f"the catalog was damaged and is kept as {kept}; run `curate` and `evaluate` for what machines found")
    with opened(project) as api:
        found = api.rebuild()
        _give(found, as_json, f"rebuilt from {found.journal_events} events: catalog {found.catalog_hash}")


@app.command()
def backup(
    project: ProjectOption = HERE,
    out: Annotated[Path | None, typer.Option(help="Folder to write; default backups/TIME.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write and check a backup of what people said and machines found."""
    with opened(project) as api:
        path = api.backup(out=str(out.resolve()) if out else None)
        _give({"backup": path}, as_json, path)


@app.command()
def restore(
    backup: Annotated[Path, typer.Argument(help="A backup: its folder, or a .zip, .tar or .tar.gz of it.")],
    project: ProjectOption = HERE,
    artifacts: Annotated[
        Path | None, typer.Option(help="PROJECT/artifacts of the old one, where it is still there.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a project from a backup, in a folder that is empty or new."""
    from backend.store.packed_backups import backup_folder
    from backend.workspace.checks import restore as restore_project

    with backup_folder(backup, beside=project) as folder:
        restore_project(folder, project, artifacts=artifacts)
    with opened(project) as api:
        found = api.verify()
        _give(found, as_json, f"restored {found.journal_events} events to {project}: catalog {found.catalog_hash}")
        for problem in found.problems:
            warn(problem)
    raise SystemExit(0 if found.ok else 1)


@app.command("sample-world")
def sample_world(
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    seed: Annotated[int, typer.Option(help="Equal seeds give equal worlds.")] = 0,
    videos: Annotated[int, typer.Option(min=1, help="Number of videos.")] = 6,
    duration: Annotated[float, typer.Option("--duration", min=1.0, help="Seconds of each video.")] = 15.0,
    cases: Annotated[int, typer.Option(min=0, help="Benchmark cases with three systems.")] = 0,
    takes: Annotated[bool, typer.Option("--takes", help="Long takes of one person who talks, in place of films.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Render procedural videos with exact truth."""
    from backend.sampleworld import render_world

    summary = render_world(out, seed=seed, videos=videos, duration_s=duration, cases=cases, takes=takes)
    _give(summary, as_json, f"{videos} videos in {out}")


@journal_app.command("tail")
def journal_tail(project: ProjectOption = HERE, limit: int = 20, as_json: JsonOption = False) -> None:
    """The newest events."""
    with opened(project) as api:
        events = api.journal_tail(limit=limit)
        if as_json:
            emit(list(events))
            return
        for event in events:
            say(f"{event['seq']:>7} {event['server_time']} {event['kind']:<14} {event['actor']:<12} {event['id']}")


@journal_app.command("audit")
def journal_audit(
    project: ProjectOption = HERE,
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Who opened, exported or erased what, and what was said of consent and licences: ids and counts, no names of people shown."""
    with opened(project) as api:
        rows = api.audit(limit=limit)
        if as_json:
            emit(list(rows))
            return
        for row in rows:
            say(f"{row.seq:>7} {row.at} {row.what:<18} {row.who:<12} {json.dumps(row.about, ensure_ascii=False)}")


@journal_app.command("export")
def journal_export(
    out: Annotated[Path, typer.Argument(help="JSONL file to write.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Every event as JSON lines; reads the journal beside a running owner."""
    from backend.store.journal_reader import JournalReader
    from backend.workspace import Layout

    with JournalReader(Layout(project).journal) as journal:
        count = journal.export(out)
    _give({"events": count, "out": str(out)}, as_json, f"{count} events: {out}")


def _overrides(
    profile: str | None, recipe: str | None, engine: str | None, workers: int | None, assignments: list[str] | None
) -> Overrides:
    return Overrides(profile=profile, recipe=recipe, engine=engine, workers=workers, assignments=tuple(assignments or ()))


def _give(value: object, as_json: bool, text: str) -> None:
    if as_json:
        emit(value)
    else:
        say(text)
