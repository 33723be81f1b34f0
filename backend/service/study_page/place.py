"""Where the page is reached, and from whom: bound address, public address, TLS, the proxy in front."""

import ipaddress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from backend.domain import SettingsError
from backend.domain.studies import invitation_link

WILDCARDS = ("0.0.0.0", "::")
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePlace:
    """Where the page is served. Raises SettingsError for a place where answers would travel in the open.

    `public_url` is what participants type, such as `https://study.example.org`; without it the bound address. Behind a
    proxy the participant's address is the last one in X-Forwarded-For, which only that proxy can have written.
    """

    host: str = "127.0.0.1"
    port: int = 8470
    public_url: str = ""
    behind_proxy: bool = False
    tls_cert: str = ""
    tls_key: str = ""

    def __post_init__(self) -> None:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise SettingsError("TLS needs both --tls-cert and --tls-key; give the other one too")
        if self.behind_proxy and not self.public_url.startswith("https://"):
            raise SettingsError(
                f"behind a proxy the public address is {self.public_url!r}; give the one that participants open, "
                "as --public-url https://study.example.org"
            )
        if not (_is_loopback(self.host) or self.tls_cert or self.behind_proxy):
            raise SettingsError(
                f"host {self.host!r} is reachable from other machines without TLS; give --tls-cert and --tls-key, or "
                "serve on 127.0.0.1 with --behind-proxy behind a proxy that speaks TLS"
            )
        if self.host in WILDCARDS and not self.public_url:
            raise SettingsError(f"host {self.host!r} has no name of its own; say what participants open with --public-url")
        if self.public_url and urlsplit(self.public_url).path not in ("", "/"):
            raise SettingsError(f"public address {self.public_url!r} has a path; the page lies at /s/ of a host of its own")
        if not 0 <= self.port < 65_536:
            raise SettingsError(f"port is {self.port}; give 1 to 65535")

    @property
    def url(self) -> str:
        """What participants open, without a slash at its end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls_cert else 'http'}://{name}:{self.port}"

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
        if not self.public_url and _is_loopback(self.host):
            found |= {f"{self.url.split(':')[0]}://{name}:{self.port}" for name in ("localhost", "127.0.0.1")}
        return frozenset(found)

    def invitation(self, token: str) -> str:
        """The link that is sent to one person."""
        return invitation_link(self.url, token)

    def address_of(self, scope: dict[str, Any]) -> str:
        """The participant's network address: of IPv6 the /64 network, which is what one household has."""
        found = (scope.get("client") or (UNKNOWN, 0))[0]
        if self.behind_proxy:
            told = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
            found = told[-1].decode("latin-1").rpartition(",")[2].strip() if told else found
        return network_of(found)


def network_of(address: str) -> str:
    """An IPv4 address as it is, the /64 of an IPv6 one, `unknown` for anything else."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return UNKNOWN
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped:
            return str(known.ipv4_mapped)
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
