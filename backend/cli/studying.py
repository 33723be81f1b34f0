"""Commands that ask people about systems' videos, and say what they answered."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.opening import opened
from backend.cli.options import HERE, JsonOption, ProjectOption
from backend.cli.output import emit, say, warn
from backend.cli.study_serving import serve
from backend.domain.dashboards import Dashboard
from backend.domain.studies import AspectResults, Estimate, StopState, StudyResults, StudySummary
from backend.domain.study_plans import StudyDraft

study_app = typer.Typer(help="Make studies, invite people, and see what they answered.", no_args_is_help=True)
study_app.command()(serve)
STATUS_DRAWS = 200  # behind the intervals of `study status`
NameArgument = Annotated[str, typer.Argument(help="The study's name.")]
FormatOption = Annotated[str, typer.Option("--format", help="jsonl, parquet, csv, or vbench2: human_anno JSON.")]


@study_app.command()
def create(
    name: NameArgument,
    kind: Annotated[
        str, typer.Option("--kind", help="preference, comparative, best_of, rating or identity.")
    ] = "preference",
    form: Annotated[
        str, typer.Option("--form", help="opens2v, gloria, kaleido or ab for preference; else the kind's.")
    ] = "",
    aspects: Annotated[str, typer.Option("--aspects", help="Some of the form's questions, by commas.")] = "",
    systems: Annotated[
        list[str] | None, typer.Option("--system", help="NAME of an evaluated one, or NAME=FOLDER; again for each.")
    ] = None,
    cases: Annotated[Path | None, typer.Option("--cases", help="Cases in OpenS2V-Eval's JSON, for folders.")] = None,
    references: Annotated[Path | None, typer.Option("--references", help="Where image paths start.")] = None,
    benchmark: Annotated[str, typer.Option("--benchmark", help="Which of the project's.")] = "",
    preset: Annotated[str, typer.Option("--preset", help="opens2v: 30 samples of two videos.")] = "",
    pairs: Annotated[int | None, typer.Option("--pairs", help="The most items; 200.")] = None,
    raters: Annotated[int | None, typer.Option("--raters", help="People who answer each item; 5.")] = None,
    trials: Annotated[int | None, typer.Option("--trials", help="Items that one person answers; 30.")] = None,
    rules: Annotated[list[str] | None, typer.Option("--rule", help="As min_seconds=60; again for each.")] = None,
    sequential: Annotated[
        bool, typer.Option("--sequential", help="Ask about the pairs of systems whose votes tell most.")
    ] = False,
    hold_out: Annotated[
        float, typer.Option("--hold-out", help="Share of trials that then come evenly, fit to calibrate metrics on.")
    ] = 0.1,
    stop_at: Annotated[
        float, typer.Option("--stop-at", help="Close when every main figure's interval is +- this; 0 never.")
    ] = 0.0,
    language: Annotated[str, typer.Option("--language", help="en or zh.")] = "en",
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds draw equal items.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would be, and decide nothing.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Decide a study and print what it can tell."""
    draft = StudyDraft(
        name=name,
        kind=kind,
        form=form,
        aspects=tuple(part.strip() for part in aspects.split(",") if part.strip()),
        systems=tuple(_absolute(system) for system in systems or ()),
        cases=str(cases.absolute()) if cases else None,
        references=str(references.absolute()) if references else None,
        benchmark=benchmark,
        preset=preset,
        pairs=pairs,
        raters=raters,
        trials=trials,
        rules=tuple(rules or ()),
        sequential=sequential,
        hold_out=hold_out,
        stop_half_width=stop_at,
        language=language,
        seed=seed,
    )
    with opened(project) as api:
        made = api.plan_study(draft=draft) if dry_run else api.create_study(**dataclasses.asdict(draft))
    _told(made, dry_run=dry_run, as_json=as_json)


@study_app.command("list")
def list_(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Every study, and how far it is."""
    with opened(project) as api:
        found = api.studies()
    if as_json:
        emit(list(found))
        return
    for one in found:
        say(
            f"{one.name:<24} {one.kind:<12} {one.items:>5} items  {one.invited:>4} invited  {one.joined:>4} joined  "
            f"{one.finished:>4} of {one.participants_needed} finished  {one.votes:>7} votes"
            + (f"  closed {one.closed_at[:10]}" if one.closed_at else "")
        )
    if not found:
        say("no study yet; make one with `studio-backend study create NAME`")


@study_app.command()
def status(name: NameArgument, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """How far a study is: who answered, how near its own rule is to closing it, whether it is closed."""
    with opened(project) as api:
        found = api.study_results(name=name, bootstraps=STATUS_DRAWS)
        came_in = api.study_dashboard(name=name)
    study = found.study
    if as_json:
        emit({"study": study, "stop": found.stop, "is_open": not study.closed_at, "came_in": came_in})
        return
    say(
        f"{study.name}: {study.invited} invited, {study.joined} joined, {study.finished} finished "
        f"({study.participants_needed} needed), {study.withdrawn} withdrew, {study.votes} votes"
    )
    say(f"{found.groups[0].participants} responses count after the study's rules")
    _show_course(study, found.stop)
    _show_came_in(came_in)


@study_app.command()
def close(
    name: NameArgument,
    because: Annotated[str, typer.Option("--because", help="Why, for the journal and the report.")] = "",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """End a study: nothing more is given out, and who has begun hands in what they answered."""
    with opened(project) as api:
        done = api.close_study(name=name, because=because)
    emit(done) if as_json else say(f"study {done.name} is closed: {done.closed_because}")


@study_app.command()
def reopen(name: NameArgument, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Let a closed study go on; its own rule does not close it again."""
    with opened(project) as api:
        done = api.reopen_study(name=name)
    emit(done) if as_json else say(f"study {done.name} takes answers again")


@study_app.command()
def invite(
    name: NameArgument,
    num: Annotated[int, typer.Option("--num", help="How many.")] = 1,
    group: Annotated[str, typer.Option("--group", help="expert or public: results are given by group.")] = "public",
    days: Annotated[float, typer.Option("--days", help="How long they hold.")] = 30.0,
    base: Annotated[str, typer.Option("--url", help="Where the page is reached; writes whole links.")] = "",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Make invitations, each for one person. Their tokens are printed now and kept nowhere."""
    with opened(project) as api:
        made = api.invite(study=name, num=num, group=group, days=days)
    if as_json:
        emit(list(made))
        return
    for one in made:
        say(one.link(base) if base else one.token)


@study_app.command()
def results(
    name: NameArgument,
    bootstraps: Annotated[int, typer.Option("--bootstraps", help="Draws behind each interval.")] = 1000,
    html: Annotated[Path | None, typer.Option("--html", help="Write the report as one offline page.")] = None,
    figures: Annotated[Path | None, typer.Option("--figures", help="Folder for each figure as SVG and CSV.")] = None,
    calibrations: Annotated[
        list[Path] | None,
        typer.Option("--calibration", help="File of metrics beside these votes; all of the project that are."),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Rankings, rates, agreement and raters after the study's rules, with what each rule left out."""
    with opened(project) as api:
        if html or figures:
            report = api.write_study_report(
                name=name,
                html=str(html.absolute()) if html else "",
                figures=str(figures.absolute()) if figures else "",
                calibrations=tuple(str(path.absolute()) for path in calibrations or ()),
                bootstraps=bootstraps,
            )
            found, written = report.results, report.files
        else:
            found, written = api.study_results(name=name, bootstraps=bootstraps), ()
    if as_json:
        emit(found)
        return
    _show(found)
    for path in written:
        say(f"written: {path}")


@study_app.command("export")
def export_(
    name: NameArgument,
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    format: FormatOption = "jsonl",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write a study's votes in canonical terms, checks and repeats among them."""
    with opened(project) as api:
        done = api.export_votes(study=name, out=str(out.absolute()), format=format)
    emit(done) if as_json else say(f"{done.votes} votes: {done.path}")


@study_app.command("import")
def import_(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help="Votes that were given elsewhere.")],
    format: FormatOption = "jsonl",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Read votes on a study's items; the same file again changes nothing."""
    with opened(project) as api:
        done = api.import_votes(study=name, path=str(file.absolute()), format=format)
    for remark in done.remarks:
        warn(remark)
    emit(done) if as_json else say(f"{done.votes} votes of {done.path}")


def erase(
    participant: Annotated[str, typer.Option("--participant", help="The id, as in `study results --json`.")],
    delete_backups: Annotated[bool, typer.Option("--delete-backups", help="Delete older backups too.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Remove every byte that a participant left in a project. It cannot be undone; the journal still verifies."""
    with opened(project) as api:
        done = api.erase_participant(participant=participant, delete_backups=delete_backups)
    if as_json:
        emit(done)
        return
    say(f"erased {done.events} events, {done.votes} votes among them")
    for path in done.deleted_backups:
        say(f"deleted {path}")
    for path in done.backups:
        warn(f"{path} was made before and may hold them; delete it, or run this again with --delete-backups")


def _absolute(system: str) -> str:
    name, equals, folder = system.partition("=")
    return f"{name}={Path(folder).absolute()}" if equals else name


def _told(made: StudySummary, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        emit(made)
        return
    _describe(made)
    if dry_run:
        say("nothing was decided: the same without --dry-run does it, and then nothing of it changes")
    for remark in made.remarks:
        warn(remark)


def _describe(made: StudySummary) -> None:
    say(f"study {made.name}: {made.kind}, {made.items} items of {', '.join(made.systems)}")
    say(f"asks {', '.join(made.aspects)}")
    say(f"{made.trials} trials a person, {made.participants_needed} people needed")
    if made.sequential:
        say("pairs are chosen where votes tell most")
    if made.stop_half_width:
        say(f"closes itself when every main figure is known to +-{made.stop_half_width:g}")
    say("\nitems  raters  votes  interval  finds")
    for row in made.power:
        say(
            f"{row.pairs:>5}  {row.raters:>6}  {row.votes:>5}  +-{row.half_width:<6.3f}  {row.detectable:.2f}"
            + ("  this study" if row.chosen else "")
        )
    say("interval: of a share of wins near .5; finds: the least share that is told from .5 eight times of ten")


def _show(found: StudyResults) -> None:
    say(f"{found.study.name}: {found.study.votes} votes of {found.study.joined} people")
    _show_course(found.study, found.stop)
    for step in found.funnel:
        say(f"  {step.rule:<20} {-step.removed or '':>5} {step.kept:>5}")
    for group in found.groups:
        if group.group or len(found.groups) > 1:
            say(f"\n{group.group or 'all'}: {group.participants} people")
        for aspect in group.aspects:
            say(f"\n{aspect.aspect}: {aspect.votes} votes")
            _show_aspect(aspect)
    for remark in found.remarks:
        warn(remark)


def _show_came_in(found: Dashboard) -> None:
    """Before any rule; checks and repeats are among them."""
    if not found.num_raters:
        return
    often = ", ".join(f"{items} {votes} times" for votes, items in found.coverage.items())
    say(f"\nas they came in, of {found.num_raters} raters; items by how often they were answered: {often}")
    for row in found.pairs:
        counts = f"{row.wins} : {row.ties + row.both_bad} : {row.losses}"
        say(f"  {row.question:<20} {row.a:<20} {counts:<14} {row.b}")
    for one in found.busiest[:5]:
        pace = f", {one.median_s:.1f} s a trial" if one.median_s else ""  # none is known of imported votes
        say(f"  {one.rater}: {one.votes} votes, {one.left} left, {one.right} right{pace}")


def _show_course(study: StudySummary, stop: StopState) -> None:
    if stop.wanted:
        now = f"+-{stop.widest:.3f} now ({stop.about})" if stop.widest is not None else stop.about
        say(f"to close at +-{stop.wanted:g}: {now}")
    if study.closed_at:
        say(f"closed {study.closed_at[:16]}: {study.closed_because}")


def _show_aspect(aspect: AspectResults) -> None:
    for row in aspect.strengths:
        ranks = "" if row.ranks is None or row.ranks[0] == row.ranks[1] else f" ({row.ranks[0]}-{row.ranks[1]})"
        say(
            f"  {row.rank or '-':>2}{ranks} {row.system:<20} strength {_text(row.davidson)}  rate {_text(row.rate)}  "
            f"majority {_text(row.majority)}"
        )
    for row in aspect.held_out:
        say(f"     {row.system:<20} of the hold-out: strength {_text(row.davidson)}  rate {_text(row.rate)}")
    for row in aspect.wins:
        say(f"     {row.system:<20} {row.wins:>4} : {row.ties} : {row.losses:<4} {row.rival:<20} {_text(row.rate)}")
    for row in aspect.shares:
        say(f"     {row.system:<20} {row.chosen:>4} {_text(row.share)}")
    for row in aspect.points:
        say(f"     {row.system:<20} {_text(row.mean)}  {'/'.join(str(count) for count in row.counts)}")
    for row in aspect.agreement:
        say(f"     {row.measure:<20} {_text(row.value)}")
    if aspect.bias is not None:
        say(f"     {'left side':<20} {_text(aspect.bias.share)}  log odds {_text(aspect.bias.log_odds)}")
    for remark in aspect.remarks:
        say(f"     {remark}")


def _text(one: Estimate) -> str:
    if one.value is None:
        return f"none ({one.reason})"
    if one.low is None or one.high is None:
        return f"{one.value:.3f}"
    return f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"
