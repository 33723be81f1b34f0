"""Where the product connects to: nowhere that this machine's user did not name, and never by another way than was checked."""

import ast
import asyncio
import contextlib
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from av.error import FFmpegError

from backend.domain import ModelUnavailable, SettingsError, StudioError
from backend.media.guard import guarded_probe
from backend.models import endpoint_calls
from backend.models.chat_endpoint import Chat, ChatEndpoint
from backend.models.endpoint_calls import Limits
from backend.models.outgoing import AllowedEndpoints, CheckedTransport, Origin, checked_addresses, origin_of
from backend.models.places import ModelPlace
from tests.backend.models.traps import Trap, trap
from tests.certificates import certificate
from tests.metrics.checkpoints_language import completion, endpoint, sent
from tests.promises import ROOT, Tally

QUICK = Limits(tries=2, attempt_s=5.0, first_wait_s=0.01, longest_wait_s=0.01)
PUBLIC = "93.184.216.34"
SPELLINGS = (
    "127.1", "127.0.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "0177.0.0.1", "0x7f.0x0.0x0.0x1",
    "127.0.0.1.", "127.0.0.01", "localhost.", "LOCALHOST.", "127.0.0.2", "127.255.255.254", "0", "0.0.0.0", "0x0", "[::]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b::169.254.169.254]", "[64:ff9b:1::127.0.0.1]", "[2002:7f00:1::]",
    "[2001:0:5ef5:79fb:0:0:80ff:fffe]", "[fe80::1]", "[fe80::1%25lo]", "[::1%25lo]", "[fc00::1]", "[fd00:ec2::254]",
    "[fec0::1]", "[ff02::1]", "[100::1]", "169.254.169.254", "169.254.170.2", "169.254.43518", "0xa9fea9fe", "2852039166",
    "10.0.0.1", "10.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1", "100.64.0.1", "100.127.255.254",
    "198.18.0.1", "192.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.7", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "0.1.2.3", "１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "ⓛocalhost", "localhoſt", "127.0.0.1@far.test",
    "far.test@127.0.0.1", "far.test%40127.0.0.1", "far.test\\@127.0.0.1", "127.0.0.1#@far.test", "127.0.0.1?@far.test",
    "127.0.0.1\t", " 127.0.0.1", "127.0.0.1%00.far.test", "127.0.0.1\n", "any.localhost", ".localhost", "localhost..", "-.test",
    "far..test", "far_.test", "", "[127.0.0.1]", "[::1", "127.0.0.1:80:443",
)  # fmt: skip
"""Of this machine, its network, its cloud's metadata, or of nothing; in words that some resolver or parser takes for it."""
RESOLVED: dict[str, tuple[str, ...]] = {
    "v4.test": ("127.0.0.1",), "v6.test": ("::1",), "both.test": (PUBLIC, "127.0.0.1"), "last.test": (PUBLIC, PUBLIC, "::1"),
    "mapped.test": ("::ffff:127.0.0.1",), "nat64.test": ("64:ff9b::7f00:1",), "sixtofour.test": ("2002:7f00:1::",),
    "teredo.test": ("2001:0:5ef5:79fb:0:0:80ff:fffe",), "linklocal.test": ("169.254.169.254",), "ten.test": ("10.0.0.1",),
    "cgnat.test": ("100.64.0.1",), "ula.test": ("fd00::1",), "zero.test": ("0.0.0.0",), "unspecified.test": ("::",),
    "multicast.test": ("224.0.0.251",), "metadata.google.internal": ("169.254.169.254",),
    "127.0.0.1.far.test": ("127.0.0.1",), "localhost.localdomain": ("127.0.0.1",), "ip6-localhost": ("::1",),
    "broadcast.test": ("255.255.255.255",), "benchmark.test": ("198.18.0.1",), "compatible.test": ("::7f00:1",),
}  # fmt: skip
"""Names that their owner lets lead here."""


@pytest.fixture(autouse=True)
def _own_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("OPENAI_API_KEY", "canary-of-outgoing")


@pytest.fixture
def snare() -> Iterator[Trap]:
    with trap() as found:
        yield found


def allowed_anyhow(*urls: str) -> None:
    """A list as somebody who was talked into it may have it."""
    path = AllowedEndpoints().path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"endpoints = {json.dumps(urls)}\n", "utf-8")


def asked(url: str) -> str:
    """Why a model at this endpoint gave nothing; empty when it answered."""
    try:
        model = ChatEndpoint(ModelPlace("Judge", f"openai:m@{url}/v1", footage_may_leave=True), who="judge", limits=QUICK)
    except ModelUnavailable as error:
        return str(error)
    (reply,) = model.ask([Chat("how?")], fault=lambda number, raw: "")
    return reply.reason


def resolve(monkeypatch: pytest.MonkeyPatch, answers: Callable[[str], tuple[str, ...]]) -> list[str]:
    """Lets names lead where `answers` says; gives the names as they are looked up."""
    looked_up: list[str] = []
    real = socket.getaddrinfo

    def found(host: Any, port: Any, *more: Any, **settings: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        try:
            ipaddress.ip_address(name)
        except ValueError:
            looked_up.append(name)
            families = [(socket.AF_INET6 if ":" in place else socket.AF_INET, place) for place in answers(name)]
            return [(family, socket.SOCK_STREAM, 6, "", (place, port)) for family, place in families]
        return real(host, port, *more, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", found)
    return looked_up


def rebinding() -> Callable[[str], tuple[str, ...]]:
    """Public for who checks, this machine for who comes after."""
    seen: list[str] = []

    def answers(name: str) -> tuple[str, ...]:
        seen.append(name)
        return (PUBLIC,) if len(seen) == 1 else ("127.0.0.1",)

    return answers


def spelled_here(snare: Trap) -> tuple[int, int]:
    """Every spelling, by http and https, though each stands in the list."""
    urls = [f"{scheme}://{host}:{snare.port}" for host in SPELLINGS for scheme in ("https", "http")]
    allowed_anyhow(*urls)
    return len(urls), sum(_springs(snare, url) for url in urls)


def named_here(snare: Trap, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Every name that leads here, though each stands in the list."""
    resolve(monkeypatch, lambda name: RESOLVED[name])
    urls = [f"https://{name}:{snare.port}" for name in RESOLVED]
    allowed_anyhow(*urls)
    return len(urls), sum(_springs(snare, url) for url in urls)


def rebound_here(snare: Trap, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    resolve(monkeypatch, rebinding())
    url = f"https://rebinding.test:{snare.port}"
    allowed_anyhow(url)
    asked(url)
    assert all(host in (PUBLIC, "127.0.0.1") for host, _ in snare.tried)
    return 1, sum(host != PUBLIC for host, _ in snare.tried)


def sent_here(snare: Trap) -> tuple[int, int]:
    """Redirects of an endpoint that is allowed."""
    sprung = 0
    with endpoint() as stub:
        for status in (301, 302, 303, 307, 308):
            stub.answers = [sent(status, "", Location=f"http://127.0.0.1:{snare.port}/v1")]
            sprung += _springs(snare, stub.url.removesuffix("/v1"))
    return 5, sprung


def _springs(snare: Trap, url: str) -> bool:
    before = snare.sprung
    assert asked(url), f"{url!r} answered"
    return snare.sprung > before


@pytest.mark.promise(
    "no spelling of a host, no name, no rebinding and no redirect makes the product connect to this machine or its network",
    area="Service",
    goal="0 connections of 60 hosts",
    control="tests/backend/models/test_outgoing.py::test_without_the_checks_the_trap_is_sprung",
)
def test_no_host_leads_into_this_machine_or_its_network(snare: Trap, monkeypatch: pytest.MonkeyPatch, tally: Tally) -> None:
    with monkeypatch.context() as patch:
        looked_up = resolve(patch, lambda name: ("127.0.0.1",))
        tried = [spelled_here(snare)]
        assert looked_up == [], "not even looked up"
    for check in (named_here, rebound_here):
        with monkeypatch.context() as patch:
            tried.append(check(snare, patch))
    tried.append(sent_here(snare))
    num, sprung = (sum(column) for column in zip(*tried, strict=True))
    hosts = len(set(SPELLINGS)) + len(RESOLVED) + 2
    tally.record(num, lost=sprung, note=f"{hosts} hosts")
    assert hosts >= 60
    assert sprung == 0


class Unchecked(httpx.AsyncHTTPTransport):
    """What an HTTP client does by itself: names are looked up where the connection is made."""

    def __init__(self, origin: Origin, **settings: Any) -> None:
        super().__init__(verify=False)


class CheckedThenFetched(Unchecked):
    """Checks a name, and then leaves it to the client to look it up again."""

    def __init__(self, origin: Origin, **settings: Any) -> None:
        super().__init__(origin)
        self._origin = origin

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await checked_addresses(self._origin)
        return await super().handle_async_request(request)


class Following(httpx.AsyncClient):
    """A client that goes where it is sent, as OpenAI's own does."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "follow_redirects": True})


@pytest.mark.parametrize("way", ["spelled", "named", "rebound", "sent"])
def test_without_the_checks_the_trap_is_sprung(way: str, snare: Trap, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "spelled":
        monkeypatch.setattr(AllowedEndpoints, "require", lambda self, url, role: _anything(url))
        monkeypatch.setattr(ModelPlace, "endpoint", lambda self: tuple(self.location.removeprefix("openai:").split("@", 1)))
        monkeypatch.setattr(endpoint_calls, "CheckedTransport", Unchecked)
        assert asked(f"http://127.0.0.2:{snare.port}") and snare.sprung
    elif way == "named":
        monkeypatch.setattr(endpoint_calls, "CheckedTransport", Unchecked)
        assert named_here(snare, monkeypatch)[1] >= len(RESOLVED) // 2
    elif way == "rebound":
        monkeypatch.setattr(endpoint_calls, "CheckedTransport", CheckedThenFetched)
        assert rebound_here(snare, monkeypatch)[1] > 0
    else:
        monkeypatch.setattr(endpoint_calls, "CheckedTransport", Unchecked)
        monkeypatch.setattr(endpoint_calls.httpx, "AsyncClient", Following)
        assert sent_here(snare)[1] == 5


def _anything(url: str) -> Origin:
    parts = httpx.URL(url)
    return Origin(parts.scheme, parts.host, parts.port or 443)


@pytest.mark.promise(
    "an endpoint that a project names is asked only after this machine's user allowed it",
    area="Service",
    goal="0 connections without",
    control="tests/backend/models/test_outgoing.py::test_an_allowed_endpoint_is_asked",
)
def test_an_endpoint_that_nobody_allowed_is_not_asked(tally: Tally) -> None:
    with endpoint() as stub:
        stub.says("4")
        AllowedEndpoints().forbid(stub.url)
        host, _, port = stub.url.removesuffix("/v1").rpartition(":")
        other = [f"{host}:{int(port) + 1}", "https://api.openai.com", "http://localhost:8000", "http://[::1]:8000", host]
        for near in ([], other):
            allowed_anyhow(*near)
            assert "nobody allowed" in asked(stub.url.removesuffix("/v1"))
        AllowedEndpoints().path.write_text('endpoints = "all"')
        assert "endpoints.toml" in asked(stub.url.removesuffix("/v1")), "a list that is none allows nothing"
        tally.record(3, lost=len(stub.requests))
        assert stub.requests == []


def test_an_allowed_endpoint_is_asked() -> None:
    with endpoint() as stub:
        stub.says("4")
        for url in (stub.url, stub.url.replace("127.0.0.1", "localhost")):
            AllowedEndpoints().allow(url)
            assert asked(url.removesuffix("/v1")) == ""
        assert len(stub.requests) == 2
        assert stub.headers[1]["Host"].startswith("localhost:")


def test_the_list_is_kept_and_says_what_is_wrong(tmp_path: Path) -> None:
    kept = AllowedEndpoints()
    assert kept.list() == ()
    kept.allow("https://API.example.com:443/v1/chat")
    kept.allow("http://[::1]:8000")
    assert kept.list() == ("http://[::1]:8000", "https://api.example.com")
    kept.forbid("https://api.example.com/other")
    assert kept.list() == ("http://[::1]:8000",)
    with pytest.raises(SettingsError, match="is not allowed; allowed are http"):
        kept.forbid("https://api.example.com")
    for url, why in (
        ("https://127.1", "no plain host"),
        ("http://far.test", "this machine alone"),
        ("https://a/?key=1", "query"),
    ):
        with pytest.raises(SettingsError, match=why):
            kept.allow(url)
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be read"):
        AllowedEndpoints(tmp_path / "file" / "endpoints.toml").allow("https://a.test")


def test_open_addresses_are_taken() -> None:
    for url in (
        "https://8.8.8.8",
        "https://[2606:4700::1111]:8443",
        "https://xn--bcher-kva.example",
        "https://a-b.c1.test/v1",
    ):
        assert str(origin_of(url)) == url.removesuffix("/v1")
    assert str(origin_of("https://[2606:4700:0:0::1111]")) == "https://[2606:4700::1111]"


@pytest.mark.parametrize("shown", ["localhost", "elsewhere"])
def test_certificate_and_sni_are_of_the_name_though_an_address_is_connected_to(
    shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path, shown)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    named: list[str] = []
    context.sni_callback = lambda connection, name, _: named.append(name)
    with endpoint() as stub:
        stub.answers = [completion("4")]
        listening = socket.create_server(("127.0.0.1", 0))
        ended = threading.Thread(target=_unwrapped, args=(listening, context, stub.url), daemon=True)
        ended.start()
        looked_up = resolve(monkeypatch, lambda name: ("127.0.0.1",) if not named else ("127.0.0.9",))
        url = f"https://localhost:{listening.getsockname()[1]}"
        AllowedEndpoints().allow(url)
        reason = asked(url)
        listening.close()
    assert named and set(named) == {"localhost"}
    assert (reason == "") == (shown == "localhost"), reason
    assert looked_up == ["localhost"]


def _unwrapped(listening: socket.socket, context: ssl.SSLContext, url: str) -> None:
    """Hands one request of each TLS connection on to a server without."""
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        try:
            with context.wrap_socket(connection, server_side=True) as there:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += there.recv(65536)
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                while len(head.partition(b"\r\n\r\n")[2]) < length:
                    head += there.recv(65536)
                answer = httpx.post(f"{url}/chat/completions", json=json.loads(head.partition(b"\r\n\r\n")[2]))
                there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer.content), answer.content))
        except (OSError, ValueError):
            continue


def test_an_answer_is_read_up_to_its_limit_even_a_refusal() -> None:
    async def read(url: str) -> list[int]:
        async with httpx.AsyncClient(transport=CheckedTransport(origin_of(url), most_bytes=1000)) as client:
            return [len((await client.post(url, json={})).content) for _ in range(2)]

    with endpoint() as stub:
        stub.answers = [sent(500, "x" * 1_000_000), sent(200, "y" * 999)]
        assert asyncio.run(read(stub.url)) == [1000, 999]


@pytest.mark.promise(
    "a URL where a file is meant, and one inside a playlist, are never fetched; hub ids are looked up on the disk alone",
    area="Service",
    goal="0 connections",
    control="tests/backend/models/test_outgoing.py::test_a_plain_reader_fetches_them",
)
def test_what_files_name_is_not_fetched(snare: Trap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tally: Tally) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{snare.port}")
    names = baits(snare.port, tmp_path)
    for name in names:
        with contextlib.suppress(StudioError):  # a picture of vectors is probed as what it is
            guarded_probe(name)
    for name in ("hub:owner/name", f"http://127.0.0.1:{snare.port}/model"):
        with pytest.raises(ModelUnavailable):
            ModelPlace("ClipB32", name).path()
    tally.record(len(names) + 2, lost=snare.sprung)
    assert snare.sprung == 0


def test_a_plain_reader_fetches_them(snare: Trap, tmp_path: Path) -> None:
    for name in baits(snare.port, tmp_path)[:2]:
        before = snare.accepted
        with pytest.raises((FFmpegError, OSError)):
            av.open(name, options={"protocol_whitelist": "file,http,tcp", "allowed_extensions": "ALL"})
        assert snare.accepted > before, name


def baits(port: int, folder: Path) -> list[str]:
    """Names that lead a careless reader to a port of this machine."""
    url = f"http://127.0.0.1:{port}/a.ts"
    texts = {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{url}\n#EXT-X-ENDLIST\n",
        "list.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{url}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile '{url}'\n",
        "cast.sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n",
        "plan.mpd": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{url}</BaseURL></MPD>',
        "picture.svg": f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>',
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    wrapped = ["", "cache:", "concat:", "async:", "crypto+", "tcp:", "udp://", "rtsp://", "rtmp://", "ftp://"]
    schemes = [f"{how}{url}" if not how.endswith("//") else f"{how}127.0.0.1:{port}/a" for how in wrapped]
    return [schemes[0], str(folder / "list.m3u8"), *schemes[1:], *(str(folder / name) for name in texts)]


AREAS = ("backend", "metrics", "training", "studio")
LOADERS = (
    "from_pretrained",
    "snapshot_download",
    "hf_hub_download",
    "load_dataset",
    "load_state_dict_from_url",
    "urlretrieve",
)


def fetching(source: str) -> list[int]:
    """Lines of calls that could load a model from the hub, or run code that lies beside it."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            said = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if (name in LOADERS and said.get("local_files_only") != "True") or "trust_remote_code" in said:
                found.append(node.lineno)
    return found


def test_every_loader_of_the_hub_is_told_to_stay_on_the_disk() -> None:
    texts = {str(path): path.read_text() for area in AREAS for path in (ROOT / area).rglob("*.py")}
    calling = {path: text for path, text in texts.items() if any(name in text for name in (*LOADERS, "trust_remote_code"))}
    assert len(calling) > 20
    assert {path: lines for path, text in calling.items() if (lines := fetching(text))} == {}
    assert fetching("a.from_pretrained(x)\nb.from_pretrained(x, local_files_only=True)\nc(x, trust_remote_code=True)") == [
        1,
        3,
    ]
