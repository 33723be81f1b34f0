"""`studio-backend study serve`: the page that participants open."""

from collections.abc import Sequence
from typing import Annotated

import typer

from backend.api import Api
from backend.cli.network_options import BehindProxyOption, PublicUrlOption, TlsCertOption, TlsKeyOption
from backend.cli.opening import opened, wait_for_signal
from backend.cli.options import HERE, ProjectOption
from backend.cli.output import say, warn
from backend.service.study_page import PageLimits, PagePlace, Rate, serving_page
from backend.workspace import Layout
from backend.workspace.page_notice import telling


def serve(
    names: Annotated[list[str] | None, typer.Argument(help="Studies whose videos to copy first; all of them.")] = None,
    host: Annotated[str, typer.Option("--host", help="Beyond this machine needs TLS or --behind-proxy.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 takes a free one.")] = 8470,
    public_url: PublicUrlOption = "",
    behind_proxy: BehindProxyOption = False,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    ask_login: Annotated[bool, typer.Option("--ask-login", help="Ask for a name; one response each.")] = False,
    joins: Annotated[int, typer.Option("--joins-per-minute", min=1, help="Of one network address.")] = 10,
    calls: Annotated[int, typer.Option("--calls-per-second", min=1, help="Of one network address.")] = 30,
    project: ProjectOption = HERE,
) -> None:
    """Serve the page of the project's studies until Ctrl-C. Nothing of the project but trials can be reached through it."""
    place = PagePlace(
        host=host,
        port=port,
        public_url=public_url,
        behind_proxy=behind_proxy,
        tls_cert=str(tls_cert or ""),
        tls_key=str(tls_key or ""),
    )
    limits = PageLimits(per_address=Rate(calls, 4 * calls), joins_per_address=Rate(joins / 60, joins))
    with opened(project, linger=False) as api:
        _prepare(api, names or [one.name for one in api.studies()])
        layout = Layout(project.resolve())
        with (
            serving_page(api, secret=layout.page_key, place=place, limits=limits, ask_login=ask_login) as server,
            telling(layout, server.place.url),
        ):
            say(f"study page: {server.place.url}/s/")
            say(f"invite people with `studio-backend study invite NAME --url {server.place.url} --project {project}`")
            wait_for_signal()


def _prepare(api: Api, names: Sequence[str]) -> None:
    """Videos are copied before anybody waits for one."""
    for name in names:
        first = left = api.prepare_study(name=name)
        while left:
            if left == first or left % 20 == 0:
                warn(f"study {name}: {left} videos to copy")
            left = api.prepare_study(name=name)
