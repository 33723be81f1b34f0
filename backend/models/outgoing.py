"""What may be asked over the network: endpoints that this machine's user allowed, at addresses that were looked up and checked.

A project can be handed on, with `openai:MODEL@URL` in its project.toml; that alone sends nothing. The user's own list decides
(`studio-backend endpoints allow URL`), and every client is built on `CheckedTransport`, which connects to what it checked itself.
"""

import asyncio
import ipaddress
import json
import re
import secrets
import socket
import tomllib
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from backend.domain import ModelUnavailable, SettingsError
from backend.settings.user_folder import user_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""The only spellings of this machine: a model server here is a choice, `127.1` is a trick."""
PORTS = {"http": 80, "https": 443}
_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII
)
_NUMBER = re.compile(r"(?:\d+|0x[0-9a-f]*)", re.ASCII)
"""A last label that makes a name an IPv4 address for some resolvers (WHATWG URL, 'ends in a number')."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_TUNNELS = tuple(
    ipaddress.ip_network(text)
    for text in ("64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10", "fe80::/10", "100::/64", "5f00::/16")
)
"""Prefixes that lead elsewhere than they say, or nowhere: local NAT64, 6to4, Teredo, IPv4-compatible, site and link local."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class OutgoingRefused(httpx.RequestError):
    """An address or an answer that is not taken. Asking again is of no use."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of an endpoint, as connections are told apart."""

    scheme: str
    host: str
    """A name in lower case, or an address without brackets."""
    port: int

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == PORTS[self.scheme] else f":{self.port}")


def origin_of(url: str) -> Origin:
    """What a URL leads to. Raises ValueError saying why it may never be asked: not https (http to this machine alone), a name
    or password, a query (keys stand in those), an odd spelling of a host, or an address that is not of the open network."""
    parts = urllib.parse.urlsplit(url)
    if any(ord(letter) <= 32 or ord(letter) >= 127 for letter in url) or "\\" in url:
        raise ValueError("it holds a space, a backslash or a letter beyond ASCII")
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("it is no https://host")
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError("a name, a password or a query does not belong there; the key comes from the environment")
    origin = Origin(parts.scheme, parts.hostname, PORTS[parts.scheme] if parts.port is None else parts.port)
    if origin.port == 0:
        raise ValueError("port 0 is none")
    if origin.is_loopback:
        return origin
    if origin.scheme != "https":
        raise ValueError("http is for this machine alone (127.0.0.1, [::1] or localhost)")
    address = _literal(origin.host)
    if address is not None:
        _require_open(address)
        return replace(origin, host=str(address))
    if not _NAME.fullmatch(origin.host) or _NUMBER.fullmatch(origin.host.rpartition(".")[2]):
        raise ValueError(f"{origin.host!r} is no plain host name or address")
    if origin.host.endswith(".localhost"):
        raise ValueError("this machine is called 127.0.0.1, [::1] or localhost")
    return origin


class AllowedEndpoints:
    """The origins that this user allowed, in `endpoints.toml` of the user's folder. None is allowed at first."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or user_folder() / "endpoints.toml"

    def list(self) -> tuple[str, ...]:
        """Raises SettingsError for a file that cannot be read, rather than taking it for empty or for whole."""
        try:
            found = tomllib.loads(self.path.read_text("utf-8")).get("endpoints", [])
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            raise SettingsError(f"{self.path} cannot be read: {error}; mend or remove it") from error
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise SettingsError(f"{self.path}: endpoints is no list of texts; mend or remove it")
        return tuple(found)

    def allow(self, url: str) -> Origin:
        """Adds a URL's origin. Raises SettingsError for one that may never be asked."""
        try:
            origin = origin_of(url)
        except ValueError as error:
            raise SettingsError(f"{url[:200]} cannot be allowed: {error}") from error
        self._write({*self.list(), str(origin)})
        return origin

    def forbid(self, url: str) -> str:
        """Takes a URL's origin off again and gives it. Raises SettingsError when it was not allowed."""
        try:
            found = str(origin_of(url))
        except ValueError:
            found = url
        there = set(self.list())
        if found not in there:
            raise SettingsError(f"{found} is not allowed; allowed are {', '.join(sorted(there)) or 'none'}")
        self._write(there - {found})
        return found

    def require(self, url: str, role: str) -> Origin:
        """The origin of an endpoint that may be asked. Raises ModelUnavailable saying what to do about one that may not."""
        try:
            origin = origin_of(url)
        except ValueError as error:
            raise ModelUnavailable(f"models.{role} names {url[:200]}, which is never asked: {error}") from error
        try:
            allowed = str(origin) in self.list()
        except SettingsError as error:
            raise ModelUnavailable(str(error)) from error
        if not allowed:
            raise ModelUnavailable(
                f"models.{role} names {origin}, which nobody allowed on this machine; if you trust it with pictures and the key: "
                f"studio-backend endpoints allow {origin}"
            )
        return origin

    def _write(self, origins: set[str]) -> None:
        lines = "".join(f"  {json.dumps(one)},\n" for one in sorted(origins))
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_text(f"endpoints = [\n{lines}]\n", "utf-8")
            temporary.replace(self.path)
        except OSError as error:
            raise SettingsError(f"{self.path} cannot be written: {error.strerror}") from error


class CheckedTransport(httpx.AsyncBaseTransport):
    """Talks to one origin. Its name is looked up once, every address of it is checked, and the connection goes to a checked
    address; certificate and SNI stay the name's. Other origins (a redirect), packed answers and long ones are refused."""

    def __init__(self, origin: Origin, *, most_bytes: int, at_once: int = 8) -> None:
        self._origin, self._most_bytes = origin, most_bytes
        self._addresses: tuple[Address, ...] = ()
        self._looking_up = asyncio.Lock()
        self._inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=at_once))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises OutgoingRefused, or httpx's errors of connecting and reading."""
        url = request.url
        asked = (url.scheme, url.host, url.port or PORTS.get(url.scheme, 0))
        if asked != (self._origin.scheme, self._origin.host, self._origin.port):
            raise OutgoingRefused(f"{url.scheme}://{url.host} is not the endpoint that is asked", request=request)
        async with self._looking_up:
            self._addresses = self._addresses or await checked_addresses(self._origin)
        request.headers["Accept-Encoding"] = "identity"
        for place in self._addresses:
            there = httpx.Request(
                request.method,
                url.copy_with(host=str(place)),
                headers=request.headers,  # with the name as Host
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": self._origin.host},
            )
            try:
                answer = await self._inner.handle_async_request(there)
            except httpx.ConnectError:
                if place == self._addresses[-1]:
                    raise
                continue
            return self._taken(answer, request)
        raise AssertionError("there is no address")

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _taken(self, answer: httpx.Response, request: httpx.Request) -> httpx.Response:
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise httpx.DecodingError("it sent a packed answer, which nobody asked for", request=request)
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        answer.stream = _Capped(answer.stream, self._most_bytes)
        return answer


async def checked_addresses(origin: Origin) -> tuple[Address, ...]:
    """Where an origin is, each address checked: of this machine for its own names, of the open network for all others.

    Raises OutgoingRefused when one is not, so that no name with an address of either kind is asked; httpx.ConnectError for
    a name that is not known.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpx.ConnectError(f"{origin.host} is not found: {error.strerror}") from error
    addresses = tuple(dict.fromkeys(ipaddress.ip_address(str(sockaddr[0])) for *_, sockaddr in found))
    for address in addresses:
        try:
            _require_open(address, loopback=origin.is_loopback)
        except ValueError as error:
            raise OutgoingRefused(f"{origin.host} is refused: {error}") from error
    if not addresses:
        raise httpx.ConnectError(f"{origin.host} has no address")
    return addresses


class _Capped(httpx.AsyncByteStream):
    """An answer's bytes up to a limit. OpenAI's client reads the whole of a refusal, however long."""

    def __init__(self, inner: httpx.AsyncByteStream, most_bytes: int) -> None:
        self._inner, self._left = inner, most_bytes

    async def __aiter__(self) -> "AsyncIterator[bytes]":
        async for chunk in self._inner:
            yield chunk[: self._left]
            self._left -= len(chunk)
            if self._left <= 0:
                return

    async def aclose(self) -> None:
        await self._inner.aclose()


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _require_open(address: Address, *, loopback: bool = False) -> None:
    """Raises ValueError for an address that is not of the open network (or, with `loopback`, not of this machine)."""
    if loopback:
        if not address.is_loopback:
            raise ValueError(f"{address} is not this machine")
        return
    inner: Sequence[Address] = (address,)
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None or any(address in network for network in _TUNNELS):
            raise ValueError(f"{address} is no address of the open network")
        if address in _NAT64:
            inner = (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
        elif address.ipv4_mapped is not None:
            raise ValueError(f"{address} hides an IPv4 address")
    for one in inner:
        if not one.is_global or one.is_multicast or one.is_reserved or one.is_unspecified or one.is_loopback:
            raise ValueError(f"{address} is no address of the open network")
