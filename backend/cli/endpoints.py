"""`studio-backend endpoints`: which endpoints projects of this user may send pictures, texts and the key to."""

from typing import Annotated

import typer

from backend.cli.options import JsonOption
from backend.cli.output import emit, say
from backend.models.outgoing import AllowedEndpoints

endpoints_app = typer.Typer(
    help="Which endpoints may be asked from this machine; a project alone cannot say so.", no_args_is_help=True
)
UrlArgument = Annotated[str, typer.Argument(help="As https://api.openai.com or http://127.0.0.1:8000.")]


@endpoints_app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Endpoints that you allowed."""
    allowed = AllowedEndpoints()
    found = allowed.list()
    if as_json:
        emit(list(found))
    else:
        say("\n".join(found) or f"none; `studio-backend endpoints allow URL` adds one to {allowed.path}")


@endpoints_app.command()
def allow(url: UrlArgument, as_json: JsonOption = False) -> None:
    """Let your projects ask an endpoint: every path of its scheme, host and port."""
    origin = AllowedEndpoints().allow(url)
    if as_json:
        emit({"allowed": str(origin)})
    else:
        say(f"{origin} may be asked; `studio-backend endpoints forbid {origin}` takes it back")


@endpoints_app.command()
def forbid(url: UrlArgument, as_json: JsonOption = False) -> None:
    """Take an endpoint off again; models that are loaded already ask it until their command ends."""
    origin = AllowedEndpoints().forbid(url)
    if as_json:
        emit({"forbidden": origin})
    else:
        say(f"{origin} is not asked any more")
