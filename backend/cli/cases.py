"""Commands that make benchmarks, have people approve them, and look at them."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from backend.api import Api
from backend.cli.opening import opened
from backend.cli.options import HERE, JsonOption, ProjectOption
from backend.cli.output import emit, say, warn
from backend.domain import CASES_STUDY, SettingsError, Trial, Vote
from backend.domain.case_sets import CaseReview, CaseStanding, CaseStats
from backend.domain.corrections import Correction
from backend.engine.context import load
from backend.jobs import CALLS
from backend.report import ShownReferences, case_set_report, render
from backend.settings import nearest
from backend.studies.forms import CASE_FORM, CASE_QUESTION, load_form

UNSEEN = " cannot be approved: "
SHOWN = 20  # labels and words of one list
SHOWN_UNSEEN = 3
SHOWN_CASES = 60  # on one page
cases_app = typer.Typer(help="Make, approve, name, check and count a benchmark's cases.", no_args_is_help=True)
FileArgument = Annotated[Path, typer.Argument(help="Cases in OpenS2V-Eval's JSON.")]
IdsArgument = Annotated[list[str] | None, typer.Argument(help="Ids of cases.")]
ReferencesOption = Annotated[Path | None, typer.Option("--references", help="Where image paths start; the file's folder.")]
ByOption = Annotated[str, typer.Option("--by", help="Who says so: a person's name.")]
CommentOption = Annotated[str, typer.Option("--comment", help="A note.")]


@cases_app.command()
def create(
    out: Annotated[Path, typer.Option("--out", help="Folder to write: cases.json and Images.")],
    count: Annotated[int | None, typer.Option("--count", min=1, help="The most cases: 60, or the skeleton's.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds draw equal cases.")] = 0,
    draw_from: Annotated[str, typer.Option("--from", help="pairs, or anchors: several pictures of a subject.")] = "pairs",
    skeleton: Annotated[
        str, typer.Option("--skeleton", help="opens2v, phantom, kaleido, gloria-long, -view, -expression or -talking.")
    ] = "",
    approved_only: Annotated[bool, typer.Option("--approved-only", help="Only cases that a person approved.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Draw a balanced case set from a project; each case waits for a person's approval. Exit code 1 without any case."""
    with opened(project) as api:
        made = api.make_cases(
            out=str(out.absolute()),
            count=count,
            seed=seed,
            draw_from=draw_from,
            skeleton=skeleton,
            approved_only=approved_only,
        )
    for remark in made.remarks:
        warn(remark)
    if as_json:
        emit(made)
    else:
        for line in made.lacking:
            say(f"lacking: {line}")
        say(f"{made.cases} cases ({_counted(made.categories)}): {made.path}" if made.cases else "no case")
    raise SystemExit(0 if made.cases else 1)


@cases_app.command()
def ask(
    file: FileArgument, references: ReferencesOption = None, project: ProjectOption = HERE, as_json: JsonOption = False
) -> None:
    """Put a file's cases up for approval in Studio; `cases create` does so by itself."""
    with opened(project) as api:
        _tell(api.ask_approval(cases=_absolute(file), references=_place(references)), as_json=as_json)


@cases_app.command()
def approve(
    file: FileArgument,
    by: ByOption,
    ids: IdsArgument = None,
    everything: Annotated[bool, typer.Option("--all", help="Every case that nobody has judged.")] = False,
    comment: CommentOption = "",
    references: ReferencesOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Approve cases as they are now; the file then names who did."""
    with opened(project) as api:
        review = api.ask_approval(cases=_absolute(file), references=_place(references))
        unseen = _unseen(review)
        waiting = [case for case in review.cases if case.verdict is None and case.name not in unseen] if everything else []
        _judge(api, [*_named(review, ids or [], empty=everything), *waiting], "approve", by=by, comment=comment)
        _tell(_written(api, file, references, review.remarks), as_json=as_json)


@cases_app.command()
def reject(
    file: FileArgument,
    ids: Annotated[list[str], typer.Argument(help="Ids of cases.")],
    by: ByOption,
    reason: Annotated[list[str] | None, typer.Option("--reason", help="A word of the case form, as wrong_caption.")] = None,
    comment: CommentOption = "",
    references: ReferencesOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Reject cases with a reason or a comment; they are not drawn again as they are."""
    known = [choice.value for choice in load_form(CASE_FORM).questions[0].reasons]
    for word in reason or []:
        if word not in known:
            raise SettingsError(f"--reason {word!r} is none of {', '.join(known)}{nearest(word, known)}")
    if not reason and not comment.strip():
        raise SettingsError(f"a rejection needs --reason ({', '.join(known)}) or --comment")
    with opened(project) as api:
        review = api.ask_approval(cases=_absolute(file), references=_place(references))
        _judge(api, _named(review, ids), "reject", by=by, comment=comment, reasons=tuple(reason or ()))
        _tell(_written(api, file, references), as_json=as_json)


@cases_app.command()
def edit(
    file: FileArgument,
    case: Annotated[str, typer.Argument(help="Id of a case.")],
    prompt: Annotated[str, typer.Option("--prompt", help="The words that replace its prompt.")],
    by: ByOption,
    references: ReferencesOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write another prompt for a case; it then needs an approval of its own."""
    with opened(project) as api:
        (found,) = _named(api.ask_approval(cases=_absolute(file), references=_place(references)), [case])
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        written = Correction(
            id=uuid4().hex, rev=1, kind="prompt", item_id=found.content, rater=by, text=prompt, made_at=now
        )
        api.correct(corrections=(written,))
        _tell(_written(api, file, references), as_json=as_json)


@cases_app.command()
def sync(
    file: FileArgument, references: ReferencesOption = None, project: ProjectOption = HERE, as_json: JsonOption = False
) -> None:
    """Write into a cases file what people said of its cases since, and prompts as they edited them."""
    with opened(project) as api:
        _tell(_written(api, file, references), as_json=as_json)


@cases_app.command()
def name(
    file: FileArgument,
    benchmark: Annotated[str, typer.Argument(help="The name of the set; the file then names it in each case.")],
) -> None:
    """Name the benchmark that a file is, so that its scores and those of any other file are never taken for one set's."""
    number = load(CALLS["name_benchmark"])(file, benchmark)
    say(f"{number} cases are of benchmark {benchmark}: {file}")


@cases_app.command()
def check(file: FileArgument, references: ReferencesOption = None, as_json: JsonOption = False) -> None:
    """Missing images, odd labels, prompts given twice, balance, what lacks approval. Exit code 1 with missing images."""
    found = load(CALLS["check_cases"])(str(file), _place(references))
    if as_json:
        emit(found)
    else:
        for line in found.problems:
            say(f"problem: {line}")
        for line in found.notes:
            say(f"note: {line}")
        say(f"cases: {found.cases}, problems: {len(found.problems)}, notes: {len(found.notes)}")
    raise SystemExit(1 if found.problems else 0)


@cases_app.command()
def stats(
    file: FileArgument,
    references: ReferencesOption = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write an offline page with plots and pictures.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Categories, references, prompt lengths, words, domains, real or synthetic, as OpenS2V-Nexus's Fig. 3 counts them."""
    found = load(CALLS["case_stats"])(str(file), _place(references))
    if html:
        notes = load(CALLS["check_cases"])(str(file), _place(references)).notes
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(render(case_set_report(found, _pictured(file, references), notes)), encoding="utf-8")
    if as_json:
        emit(found)
        return
    _show(found)
    if html:
        say(f"written: {html}")


def _judge(
    api: Api, cases: list[CaseStanding], choice: str, *, by: str, comment: str, reasons: tuple[str, ...] = ()
) -> None:
    """Votes of a person who looked at the file; no trial was shown to them."""
    if not by.strip():
        raise SettingsError("--by is empty; give the name of the person who says so")
    votes = [
        Vote(
            id=uuid4().hex,
            rev=0,
            study_id=CASES_STUDY,
            trial_id=Trial(study_id=CASES_STUDY, item_id=case.content, form=CASE_FORM, stimuli=()).id,
            item_id=case.content,
            rater=by,
            rater_kind="person",
            question=CASE_QUESTION,
            choice=choice,
            reasons=reasons,
            comment=comment,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        for case in {case.content: case for case in cases}.values()
    ]
    api.submit_votes(votes=tuple(votes))


def _named(review: CaseReview, ids: list[str], *, empty: bool = False) -> list[CaseStanding]:
    """Cases by id. Raises SettingsError for an unknown one, for one that cannot be seen, and without any."""
    by_name, unseen = {case.name: case for case in review.cases}, _unseen(review)
    if not ids and not empty:
        raise SettingsError("name the cases by their ids, or give --all")
    for name in ids:
        if name not in by_name:
            raise SettingsError(f"case {name!r} is not in {review.path}{nearest(name, by_name)}")
        if name in unseen:
            raise SettingsError(unseen[name])
    return [by_name[name] for name in ids]


def _unseen(review: CaseReview) -> dict[str, str]:
    """Cases whose pictures cannot be looked at, with the sentence that says so."""
    return {line.partition(UNSEEN)[0]: line for line in review.remarks if UNSEEN in line}


def _written(api: Api, file: Path, references: Path | None, told: Sequence[str] = ()) -> CaseReview:
    """The file brought up to people's last word; remarks of before come first."""
    done = api.review_cases(cases=_absolute(file), references=_place(references), write=True)
    return dataclasses.replace(done, remarks=tuple(dict.fromkeys((*told, *done.remarks))))


def _tell(review: CaseReview, *, as_json: bool) -> None:
    if as_json:
        emit({**dataclasses.asdict(review), "counts": review.counts})
        return
    unseen = list(_unseen(review).values())
    for line in [*unseen[:SHOWN_UNSEEN], *(line for line in review.remarks if UNSEEN not in line)]:
        warn(line)
    if len(unseen) > SHOWN_UNSEEN:
        warn(f"{len(unseen)} cases cannot be approved, the first are named above; --json names all")
    say(f"{_counted(review.counts)} of {len(review.cases)}: {review.path}")


def _pictured(file: Path, references: Path | None) -> list[ShownReferences]:
    """The first cases with their pictures, for the page."""
    cases = load(CALLS["read_cases"])(file, references=references).cases[:SHOWN_CASES]
    approved = {case.name for case in cases} - set(load(CALLS["unapproved_cases"])(str(file), _place(references)))
    return [
        ShownReferences(
            name=case.name,
            prompt=case.prompt,
            approved=case.name in approved,
            references=tuple(
                (label, Path(place).read_bytes() if digest else None)
                for label, place, digest in zip(case.labels, case.references, case.hashes, strict=True)
            ),
        )
        for case in cases
    ]


def _show(found: CaseStats) -> None:
    say(f"cases       {found.cases}, of which {found.approved} approved by a person")
    for name in ("categories", "references", "kinds", "domains", "subjects", "sources", "captions", "languages"):
        say(f"{name:<11} {_counted(getattr(found, name))}")
    for name, unit in (("prompt_words", "words"), ("durations", "seconds")):
        spread = getattr(found, name)
        if spread:
            told = f"{spread['least']:g} to {spread['most']:g}, mean {spread['mean']:.1f}, median {spread['median']:g}"
            say(f"{unit:<11} {told}")
    for name, counts in (("labels", found.labels), ("says", found.cloud)):
        shown = dict(list(counts.items())[:SHOWN])
        more = len(counts) - len(shown)
        say(f"{name:<11} {len(counts)}: {_counted(shown)}" + (f" and {more} more" if more else ""))


def _absolute(file: Path) -> str:
    return str(file.absolute())


def _place(references: Path | None) -> str | None:
    return str(references.absolute()) if references else None


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
