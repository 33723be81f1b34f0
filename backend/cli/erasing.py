"""`studio-backend erase`: a participant, or footage with everything that came of it."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from backend.api import Api
from backend.cli import studying
from backend.cli.opening import opened
from backend.cli.options import HERE, JsonOption, ProjectOption
from backend.cli.output import emit, say, warn
from backend.domain.erasing import SOURCE, ErasedItems, ErasureForecast
from backend.domain.library import Selection

SHOWN = ("video", "clip", "subject", "pair", "sample", "bench_case", "generation", "score")
"""Kinds of rows that are told by name; the others are summed up."""


def erase(
    participant: Annotated[str, typer.Option("--participant", help="The id, as in `study results --json`.")] = "",
    video: Annotated[list[str] | None, typer.Option("--video", help="Id of a video.")] = None,
    clip: Annotated[list[str] | None, typer.Option("--clip", help="Id of a clip.")] = None,
    subject: Annotated[list[str] | None, typer.Option("--subject", help="Id of a subject.")] = None,
    source: Annotated[list[str] | None, typer.Option("--source", help="Path or id of a file.")] = None,
    expired: Annotated[
        bool, typer.Option("--expired", help="All that was to be kept up to a day that has passed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase footage; without, it is only told what would go.")] = False,
    delete_backups: Annotated[bool, typer.Option("--delete-backups", help="Delete older backups too.")] = False,
    rater: Annotated[str, typer.Option(help="Who erases; default your login.")] = "",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Remove every byte that a participant left, or of footage. It cannot be undone; the journal still verifies."""
    files = [str(Path(one).absolute()) if Path(one).exists() else one for one in source or ()]
    named = {"video": video or [], "clip": clip or [], "subject": subject or [], SOURCE: files}
    chosen = [Selection(kind=kind, ids=tuple(ids)) for kind, ids in named.items() if ids]
    if len(chosen) + bool(participant) + expired != 1:
        raise typer.BadParameter("name one kind: --participant, --video, --clip, --subject, --source, or --expired")
    if participant:
        studying.erase(participant=participant, delete_backups=delete_backups, project=project, as_json=as_json)
        return
    with opened(project) as api:
        if expired:
            _expired(api, rater or getpass.getuser(), yes=yes, delete_backups=delete_backups, as_json=as_json)
        elif yes:
            _erase(api, chosen[0], rater or getpass.getuser(), delete_backups=delete_backups, as_json=as_json)
        else:
            _foresee(api, chosen[0], as_json=as_json)


def _expired(api: Api, rater: str, *, yes: bool, delete_backups: bool, as_json: bool) -> None:
    found = api.erase_expired(rater=rater, delete_backups=delete_backups) if yes else api.expired()
    if as_json:
        emit(found)
        return
    if not found.files and not found.studies:
        say("Nothing was to be kept up to a day that has passed.")
        return
    say("Erased:" if yes else "This would go, for good:")
    if found.files:
        say(f"  footage of {len(found.files)} files, kept up to {found.until}")
    for study in found.studies:
        say(f"  {len(study.participants)} participants of study {study.name}, kept up to {study.until}")
    if not yes:
        say("Nothing was changed. Add --yes to erase it.")


def _foresee(api: Api, chosen: Selection, *, as_json: bool) -> None:
    found = api.foresee_erasure(selection=chosen)
    if as_json:
        emit(found)
        return
    say("This would go, for good:")
    _tell(found)
    for one in found.leftovers:
        warn(f"{one.path} ({one.kind} of {one.made_at}) may hold it and would stay")
    say("Nothing was changed. Add --yes to erase it.")


def _erase(api: Api, chosen: Selection, rater: str, *, delete_backups: bool, as_json: bool) -> None:
    done: ErasedItems = api.erase_items(selection=chosen, rater=rater, delete_backups=delete_backups)
    if as_json:
        emit(done)
        return
    say("Erased:")
    _tell(done.removed)
    for path in done.deleted_backups:
        say(f"deleted {path}")
    for one in done.leftovers:
        warn(f"{one.path} ({one.kind} of {one.made_at}) was written before and may hold it; delete it yourself")


def _tell(found: ErasureForecast) -> None:
    for path in found.files:
        part = "" if found.files.index(path) < found.whole else ", some clips of it"
        say(f"  {path}{part} (the file itself stays where it is)")
    rows = dict(found.rows)
    words = [f"{rows.pop(kind)} {kind}s" for kind in SHOWN if kind in rows]
    say(f"  {', '.join([*words, f'{sum(rows.values())} other rows'])}")
    said = ", ".join(f"{number} {kind}" for kind, number in sorted(found.said.items()))
    say(f"  of the journal: {said or 'nothing'}")
    say(f"  {found.artifacts} artifacts, {found.cached} cached files, {found.answers} kept answers of models")
    for name in found.studies:
        warn(f"study {name} keeps prompts and paths of its cases")
    if found.same_elsewhere:
        warn(f"{found.same_elsewhere} subjects of other clips are paired with these; they stay unless you choose them too")
