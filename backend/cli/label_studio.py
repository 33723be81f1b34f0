"""`studio-backend label-studio`: trials to a Label Studio server, its annotations into the journal, suggestions for it."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from backend.api import Api, MediaFile
from backend.cli.opening import opened, wait_for_signal
from backend.cli.options import HERE, JsonOption, ProjectOption
from backend.cli.output import emit, say, warn
from backend.domain import (
    VERIFY_STUDY,
    Form,
    ImportRefused,
    ProjectError,
    SettingsError,
    Stimulus,
    StudioError,
    Trial,
    Vote,
    json_checksum,
)
from backend.exports.label_studio import (
    PUSHED,
    Pulled,
    PushedTrial,
    field_of,
    label_config,
    pushed,
    read_annotations,
    tasks_of,
)
from backend.exports.label_studio_server import LabelStudioServer
from backend.settings import read_settings
from backend.store.whole_file import write_whole
from backend.workspace.layout import Layout

AT_ONCE = 500
"""Trials that are asked for at a time, each time with all that are to be passed over."""
IN_TASK_BYTES = 1 << 20
"""Pictures up to this go into the task itself; larger ones and videos are handed over as files."""
VOTES_AT_ONCE = 500
SHOWN = 80


@dataclass(frozen=True, slots=True)
class _Asked:
    """A trial with what each panel shows: a file, or text."""

    trial: Trial
    form: Form
    shown: Mapping[str, MediaFile | str]

    def kinds(self) -> dict[str, str]:
        """image, video or text by panel."""
        return {slot: "text" if isinstance(one, str) else one.mime.partition("/")[0] for slot, one in self.shown.items()}


label_studio_app = typer.Typer(help="Have people judge in Label Studio, and take in what they said.", no_args_is_help=True)
UrlOption = Annotated[str, typer.Option("--url", help="The server, as http://127.0.0.1:8080; allow it with `endpoints`.")]


@label_studio_app.command()
def push(
    url: UrlOption,
    study: Annotated[
        str, typer.Option("--study", help="verify (pairs of subjects), or the name of a study (A/B and others).")
    ] = VERIFY_STUDY,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="Trials at most.")] = 200,
    login: Annotated[
        str, typer.Option("--login", help="Of a study: who answers, having agreed; one person's trials are one project.")
    ] = "",
    overlap: Annotated[int, typer.Option("--overlap", min=1, max=50, help="Of verify: people for each pair.")] = 1,
    again: Annotated[
        bool, typer.Option("--again", help="Also what was pushed there before, as when its project was deleted there.")
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Make a project in Label Studio that asks what Studio would ask."""
    server = LabelStudioServer(url)
    _require_leave(server, project)
    before = [] if again else _pushed_before(project, str(server.origin))
    with opened(project) as api:
        trials, rater = _trials(api, study, login, limit, before)
        if not trials:
            hint = "; what was pushed there before is passed over, --again takes it too" if before else ""
            raise ProjectError(
                f"study {study} has no trial left to push{hint}; `studio-backend status` tells what there is"
            )
        made = [
            _make_project(server, project, study, some, rater=rater, overlap=1 if rater else overlap)
            for some in _alike(api, trials)
        ]
    if as_json:
        emit(made)
    for one in made if not as_json else ():
        say(f"{one['tasks']} tasks: {url.rstrip('/')}/projects/{one['number']}/data")
        say(f"pull: studio-backend label-studio pull --url {url} --number {one['number']}")


@label_studio_app.command()
def pull(
    url: UrlOption,
    number: Annotated[int, typer.Option("--number", min=1, help="Label Studio's number of the project, as `push` told.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Take what was annotated into the journal; again takes only what is new or changed."""
    server = LabelStudioServer(url)
    known = _remembered(project, str(server.origin), number)
    _take(
        project,
        server.annotated(number),
        known,
        origin=f"{server.origin.host}:{server.origin.port}/{number}",
        as_json=as_json,
    )


@label_studio_app.command()
def take(
    path: Annotated[Path, typer.Argument(help="What Label Studio's page Export wrote, as JSON.")],
    url: UrlOption,
    number: Annotated[int, typer.Option("--number", min=1, help="Label Studio's number of the project, as `push` told.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Take in a file that was exported by hand, where the server cannot be asked."""
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ImportRefused(f"{path} is no JSON: {error}; export as JSON, not as CSV") from error
    server = LabelStudioServer(url, key="of no call")
    known = _remembered(project, str(server.origin), number)
    _take(project, document, known, origin=f"{server.origin.host}:{server.origin.port}/{number}", as_json=as_json)


@label_studio_app.command()
def suggest(
    url: UrlOption,
    number: Annotated[int, typer.Option("--number", min=1, help="Label Studio's number of the project, as `push` told.")],
    port: Annotated[int, typer.Option("--port", min=1, max=65_535)] = 9090,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file", help="The password that Label Studio shows; made when absent. Default: the project's own."
        ),
    ] = None,
    project: ProjectOption = HERE,
) -> None:
    """Answer as an ML backend of Label Studio (/health, /setup, /predict) on this machine: what machines think of each pair."""
    from backend.service.label_studio import USER, serving_suggestions
    from backend.service.serving import token_of_file

    origin = str(LabelStudioServer(url, key="of no call").origin)
    known = _remembered(project, origin, number)
    file = token_file or Layout(project.resolve()).suggestions_token
    token = token_of_file(file)
    with opened(project) as api, serving_suggestions(api, known, port=port, token=token) as place:
        say(f"ML backend: {place} (Settings, Model, Connect Model); Ctrl-C ends it")
        say(f"Basic Authentication: user {USER}, password in {file}")
        wait_for_signal()


def _require_leave(server: LabelStudioServer, project: Path) -> None:
    """Raises SettingsError for a server beyond this machine unless the project says that its footage may leave."""
    if not (server.origin.is_loopback or read_settings(Layout(project).settings).footage_may_leave):
        raise SettingsError(
            f"{server.origin} would be sent footage of this project; nothing leaves this machine unless "
            "footage_may_leave = true in project.toml says so"
        )


def _trials(api: Api, study: str, login: str, limit: int, before: Sequence[PushedTrial]) -> tuple[list[Trial], str]:
    """Trials that were not pushed before, and whose they are where they are one participant's."""
    study_id, rater = study, ""
    if study != VERIFY_STUDY:
        if not login:
            raise SettingsError(f"study {study} has trials of its own for each participant; say who answers with --login")
        participant = api.take_part(study=study, login=login)
        if participant.state == "joined":  # nobody but themselves can agree, to a text that they read
            raise ProjectError(
                f"{login[:SHOWN]!r} has not agreed to take part in study {study}; have them agree under this name first, in "
                "Studio (page Compare) or on the study page, then push again"
            )
        study_id, rater = participant.study_id, participant.id
    there = [one.item_id for one in before if (one.study_id, one.rater) == (study_id, rater)]
    trials: list[Trial] = []
    while len(trials) < limit:  # what is asked for is journalled as shown: never more than is pushed
        wanted = min(AT_ONCE, limit - len(trials))
        more = _next_trials(api, study_id, rater or "label-studio", wanted, skip=tuple(there))
        if not more:
            break
        there += [trial.item_id for trial in more]
        trials += [trial for trial in more if not trial.answers]  # what was begun here is ended here
    return trials, rater


def _next_trials(api: Api, study_id: str, rater: str, limit: int, *, skip: tuple[str, ...]) -> tuple[Trial, ...]:
    try:
        return api.next_trials(study_id=study_id, rater=rater, limit=limit, skip=skip)
    except StudioError as error:
        if error.kind != "too_large":
            raise
        raise ProjectError(
            f"{len(skip)} trials are pushed there or about to be, more than the process that has this project open can be told "
            "to pass over (some 35000); close Studio and whatever else has it open, then push again"
        ) from error


def _alike(api: Api, trials: list[Trial]) -> list[list[_Asked]]:
    """Trials with one form and one kind of media in each panel, together: a project of Label Studio's has one page for its tasks."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[_Asked]] = {}
    for trial in trials:
        form = api.form(name=trial.form)
        try:
            asked = _Asked(trial, form, {one.slot: _shown(api, form, one) for one in trial.stimuli})
        except StudioError as error:
            warn(f"a trial is passed over: {error}")
            continue
        found.setdefault((trial.form, tuple(sorted(asked.kinds().items()))), []).append(asked)
    return list(found.values())


def _shown(api: Api, form: Form, stimulus: Stimulus) -> MediaFile | str:
    """What a panel shows: a clip only where the form shows videos there."""
    panel = next((one for one in form.panels if one.slot == stimulus.slot), None)
    shows_video = panel is not None and panel.shows == "video"
    media = (stimulus.clip_media if shows_video else None) or stimulus.media
    return stimulus.text if media is None else api.media(media_id=media)


def _make_project(
    server: LabelStudioServer, project: Path, study: str, some: list[_Asked], *, rater: str, overlap: int
) -> dict[str, int]:
    form = some[0].form
    number = server.create_project(title=f"{form.title} ({study})", overlap=overlap)
    told = [(pushed(asked.trial, rater=rater), asked) for asked in some]
    trials = [one for one, _ in told]
    _remember(project, str(server.origin), number, trials, is_whole=False)
    tasks = tasks_of([(one, _addresses(server, number, one, asked)) for one, asked in told])
    server.configure(number, label_config(form, shows=some[0].kinds()))
    taken = server.import_tasks(number, tasks)
    _remember(project, str(server.origin), number, trials, is_whole=True)
    return {"number": number, "tasks": taken}


def _addresses(server: LabelStudioServer, number: int, one: PushedTrial, asked: _Asked) -> dict[str, str]:
    found = {}
    for place, (slot, shown) in enumerate(asked.shown.items()):
        found[field_of(slot)] = shown if isinstance(shown, str) else _address(server, number, f"{one.token}-{place}", shown)
    return found


def _address(server: LabelStudioServer, number: int, name: str, file: MediaFile) -> str:
    path = Path(file.path)
    if file.mime.startswith("image/") and path.stat().st_size <= IN_TASK_BYTES:
        return f"data:{file.mime};base64,{base64.b64encode(path.read_bytes()).decode()}"
    return server.upload(number, path, name=f"{name}{path.suffix}")  # the file's own name would tell what it is


def _take(project: Path, document: Any, known: Mapping[str, PushedTrial], *, origin: str, as_json: bool) -> None:
    with opened(project) as api:
        forms = {name: api.form(name=name) for name in sorted({one.form for one in known.values()})}
        found = read_annotations(document, known, forms, origin=origin)
        given, taken_back = _not_stored(api, found)
        stored = _submit(api, given)
        back = _submit(api, taken_back)
    for fault in found.faults:
        warn(fault)
    told = {"tasks": found.tasks, "votes": len(found.votes), "stored": stored, "taken_back": back}
    if as_json:
        emit({**told, "faults": list(found.faults)})
    else:
        say(f"{found.tasks} tasks, {len(found.votes)} votes, {stored} of them new or changed; {back} taken back")
    if found.faults:
        raise SystemExit(1)


def _not_stored(api: Api, found: Pulled) -> tuple[list[Vote], list[Vote]]:
    """Votes that do not stand in the journal as they are, and those to be taken back: what was never said there is not."""
    studies = {vote.study_id for vote in (*found.votes, *found.taken_back)}
    standing = {vote.id: vote.rev for study in sorted(studies) for vote in api.votes(study_id=study)}
    given = [vote for vote in found.votes if standing.get(vote.id) != vote.rev]
    return given, [vote for vote in found.taken_back if standing.get(vote.id, vote.rev) < vote.rev]


def _submit(api: Api, votes: list[Vote]) -> int:
    """How many count from now on."""
    told = 0
    for start in range(0, len(votes), VOTES_AT_ONCE):
        receipts = api.submit_votes(votes=tuple(votes[start : start + VOTES_AT_ONCE]))
        told += sum(receipt.applied for receipt in receipts)
    return told


def _remember(project: Path, origin: str, number: int, trials: list[PushedTrial], *, is_whole: bool) -> None:
    """Keeps what tokens stand for, before anybody can answer one; `is_whole` once the server has all of them."""
    told = {"trials": [asdict(one) for one in trials], "is_whole": is_whole}
    write_whole(_place(project, origin, number), json.dumps({**told, "checksum": json_checksum(told)}, indent=1))


def _remembered(project: Path, origin: str, number: int) -> dict[str, PushedTrial]:
    path = _place(project, origin, number)
    if not path.exists():
        raise ProjectError(
            f"project {number} of {origin} was not pushed from here, or an erasure took what was pushed: push again"
        )
    return {one.token: one for one in _read(path)[0]}


def _pushed_before(project: Path, origin: str) -> list[PushedTrial]:
    """All that a server has from here, without pushes that broke off."""
    found: list[PushedTrial] = []
    for path in sorted(_place(project, origin, 0).parent.glob(f"{_pushed_to(origin)}-*.json")):
        try:
            trials, is_whole = _read(path)
        except ProjectError as error:
            warn(f"what was pushed before may go again: {error}")
            continue
        found += trials if is_whole else ()
    return found


def _read(path: Path) -> tuple[list[PushedTrial], bool]:
    """What was pushed, and whether the server took all of it."""
    try:
        told = json.loads(path.read_bytes())
        sealed = {} if isinstance(told, list) else {name: each for name, each in told.items() if name != "checksum"}
        rows = told if isinstance(told, list) else told["trials"]  # earlier versions wrote the trials alone
        found = [PushedTrial(**{**row, "shown": tuple(row["shown"])}) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ProjectError(f"{path} cannot be read: {error}; push again") from error
    if isinstance(told, dict) and told.get("checksum") != json_checksum(sealed):
        raise ProjectError(f"{path} is not what was pushed: it was changed or damaged; push again")
    return found, sealed.get("is_whole") is True


def _place(project: Path, origin: str, number: int) -> Path:
    """Beside the indexes, where an erasure of footage or of a participant finds it."""
    return Layout(project.resolve()).root / "index" / f"{_pushed_to(origin)}-{number}.json"


def _pushed_to(origin: str) -> str:
    return PUSHED + "".join(sign if sign.isalnum() else "-" for sign in origin.partition("//")[2])
