"""`studio-backend serve`: own a project, for Studio and other commands, and over the network where that is asked for."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from backend.cli.network_options import BehindProxyOption, PublicUrlOption, TlsCertOption, TlsKeyOption
from backend.cli.opening import opened, wait_for_signal
from backend.cli.options import HERE, ProjectOption
from backend.cli.output import warn
from backend.client import ServicePlace
from backend.domain import ProjectError, SettingsError
from backend.service import NetworkPlace, token_of_file
from backend.workspace import Layout, Workspace
from backend.workspace.layout import describe_owner

PORT = 8471


def serve(
    project: ProjectOption = HERE,
    host: Annotated[
        str, typer.Option("--host", help="Answer here too. Beyond this machine needs TLS or --behind-proxy, and a token.")
    ] = "",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Of --host; 0 takes a free one.")] = PORT,
    public_url: PublicUrlOption = "",
    behind_proxy: BehindProxyOption = False,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="What callers over the network show; made when there is none.")
    ] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", help="End when stdin closes.")] = False,
) -> None:
    """Own a project and answer Studio and other commands until Ctrl-C; with --host, callers over the network too."""
    network = None
    if host:
        network = NetworkPlace(
            host=host,
            port=port,
            public_url=public_url,
            behind_proxy=behind_proxy,
            tls_cert=str(tls_cert or ""),
            tls_key=str(tls_key or ""),
        )
        if not network.is_local and token_file is None:
            raise SettingsError(
                f"{network.url} can be called from other machines; give --token-file FILE with what they show (made when missing)"
            )
    elif public_url or behind_proxy or tls_cert or tls_key or token_file:
        raise SettingsError("these options are of a server on the network; say where with --host")
    token = token_of_file(token_file) if token_file else ""
    with opened(project, create=True, linger=with_parent, readers=True, network=network, network_token=token) as api:
        if not isinstance(api, Workspace):
            owner = describe_owner(Layout(project.resolve()))
            raise ProjectError(
                f"project {project} is in use by {owner}, which answers Studio and commands; end it before you serve"
            )
        warn(f"serving {api.about().project}")
        if network is not None:
            warn(f"callers over the network show the token in {token_file or ServicePlace(project).token}")
        if with_parent:
            sys.stdin.buffer.read()
        else:
            wait_for_signal()
