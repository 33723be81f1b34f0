"""Where the page is reached, and from whom: the study page's place on the network, and the proxy's word for who asks."""

import ipaddress
from dataclasses import dataclass
from typing import Any

from backend.domain.studies import invitation_link
from backend.service.network_place import NetworkPlace

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePlace(NetworkPlace):
    """Where the page is served. Behind a proxy the participant's address is the last one in X-Forwarded-For, which only that
    proxy can have written.
    """

    port: int = 8470

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
