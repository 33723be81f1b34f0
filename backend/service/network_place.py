"""Where a server is reached over the network: bound address, public address, TLS, the proxy in front."""

import errno
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from backend.domain import ServiceError, SettingsError
from backend.service.guard import is_loopback

WILDCARDS = ("0.0.0.0", "::")
BACKLOG = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlace:
    """Where a server listens. Raises SettingsError for a place where what is said would travel in the open.

    `public_url` is what people open, such as `https://study.example.org`; without it the bound address.
    """

    host: str = "127.0.0.1"
    port: int = 0
    public_url: str = ""
    behind_proxy: bool = False
    tls_cert: str = ""
    tls_key: str = ""

    def __post_init__(self) -> None:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise SettingsError("TLS needs both --tls-cert and --tls-key; give the other one too")
        if self.behind_proxy and not self.public_url.startswith("https://"):
            raise SettingsError(
                f"behind a proxy the public address is {self.public_url!r}; give the one that people open, "
                "as --public-url https://study.example.org"
            )
        if not (is_loopback(self.host) or self.tls_cert or self.behind_proxy):
            raise SettingsError(
                f"host {self.host!r} is reachable from other machines without TLS; give --tls-cert and --tls-key, or "
                "serve on 127.0.0.1 with --behind-proxy behind a proxy that speaks TLS"
            )
        if self.host in WILDCARDS and not self.public_url:
            raise SettingsError(f"host {self.host!r} has no name of its own; say what people open with --public-url")
        if self.public_url and urlsplit(self.public_url).path not in ("", "/"):
            raise SettingsError(f"public address {self.public_url!r} has a path; give a host of its own")
        if not 0 <= self.port < 65_536:
            raise SettingsError(f"port is {self.port}; give 1 to 65535")

    @property
    def url(self) -> str:
        """What people open, without a slash at its end."""
        if self.public_url:
            return self.public_url.rstrip("/").lower()
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls_cert else 'http'}://{name}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether nobody but processes of this machine can come, and no proxy comes for others."""
        return is_loopback(self.host) and not self.behind_proxy

    @property
    def is_secure(self) -> bool:
        return self.url.startswith("https://")

    @property
    def hosts(self) -> frozenset[str]:
        """Values of the Host header that are ours."""
        return frozenset(urlsplit(origin).netloc for origin in self.origins)

    @property
    def origins(self) -> frozenset[str]:
        """Origins of our own pages: the public one, and on loopback also the name `localhost`."""
        found = {self.url.lower()}
        if not self.public_url and is_loopback(self.host):
            found |= {f"{self.url.split(':')[0]}://{name}:{self.port}" for name in ("localhost", "127.0.0.1")}
        return frozenset(found)


def listening(place: NetworkPlace, *, what: str) -> socket.socket:
    """A socket that listens there. Raises ServiceError, naming `what`, when the address or the certificate cannot be used."""
    if place.tls_cert:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(place.tls_cert, place.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise ServiceError(
                f"{what} cannot use certificate {place.tls_cert} with key {place.tls_key}: {error}; give PEM files that belong together"
            ) from error
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    # Named, so that asyncio switches Nagle's waiting off: an answer's body would come 40 ms after its head
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((place.host, place.port))
    except OSError as error:
        found.close()
        refused = ServiceError(f"{what} cannot listen on {place.host}:{place.port}: {error.strerror}; choose another port")
        if error.errno == errno.EADDRINUSE:
            refused.kind = "port_taken"
        raise refused from error
    found.listen(BACKLOG)
    return found
