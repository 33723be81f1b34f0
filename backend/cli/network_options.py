"""Options of commands that serve over the network."""

from pathlib import Path
from typing import Annotated

import typer

PublicUrlOption = Annotated[str, typer.Option("--public-url", help="What people open, as https://HOST.")]
BehindProxyOption = Annotated[
    bool, typer.Option("--behind-proxy", help="A proxy speaks TLS and says who asks, in X-Forwarded-For.")
]
TlsCertOption = Annotated[Path | None, typer.Option("--tls-cert", help="Certificate chain, PEM.")]
TlsKeyOption = Annotated[Path | None, typer.Option("--tls-key", help="Its private key, PEM.")]
