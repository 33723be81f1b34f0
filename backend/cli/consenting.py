"""`studio-backend consent`: what people whom footage shows agreed to."""

import getpass
from typing import Annotated

import typer

from backend.cli.opening import opened
from backend.cli.options import HERE, JsonOption, ProjectOption
from backend.cli.output import emit, say
from backend.domain.library import Selection
from backend.domain.privacy import PURPOSES


def consent(
    subject: Annotated[list[str] | None, typer.Option("--subject", help="Id of a subject.")] = None,
    clip: Annotated[list[str] | None, typer.Option("--clip", help="Id of a clip: all whom it shows.")] = None,
    video: Annotated[list[str] | None, typer.Option("--video", help="Id of a video: all whom it shows.")] = None,
    purpose: Annotated[list[str] | None, typer.Option("--purpose", help=f"{', '.join(PURPOSES)}; again for each.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="They take it back: no export holds them any more.")] = False,
    version: Annotated[str, typer.Option("--version", help="Of the text that was agreed to.")] = "",
    scope: Annotated[str, typer.Option("--scope", help="What of them it covers.")] = "",
    given_at: Annotated[str, typer.Option("--given-at", help="Day or time, as 2026-03-01; default now.")] = "",
    rater: Annotated[str, typer.Option(help="Who records it; default your login.")] = "",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Record what people agreed to, or took back; without ids, list what holds now."""
    named = {"subject": subject or [], "clip": clip or [], "video": video or []}
    chosen = [Selection(kind=kind, ids=tuple(ids)) for kind, ids in named.items() if ids]
    if chosen and bool(purpose) == withdraw:
        raise typer.BadParameter("say for what with --purpose, or --withdraw")
    if len(chosen) > 1 or (not chosen and (purpose or withdraw)):
        raise typer.BadParameter("name one kind: --subject, --clip or --video")
    with opened(project) as api:
        if not chosen:
            found = api.consents()
            if as_json:
                emit(list(found))
                return
            for one in found:
                say(
                    f"{one.kind} {one.item_id}: {', '.join(one.purposes) or 'withdrawn'} {one.version} {one.given_at}".rstrip()
                )
            return
        number = api.state_consent(
            selection=chosen[0],
            rater=rater or getpass.getuser(),
            purposes=tuple(purpose or ()),
            version=version,
            scope=scope,
            given_at=given_at,
        )
        emit({"items": number}) if as_json else say(f"recorded of {number} {chosen[0].kind}{'s' if number > 1 else ''}")
