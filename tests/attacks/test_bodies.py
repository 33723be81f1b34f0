"""Bodies and heads that are too long, lie, never end, or are packed to grow."""

import contextlib
import gzip
import json
import socket
import time
from collections.abc import Callable

import pytest

from backend.service import calls
from backend.service.guard import MAX_BODY_BYTES, Guard
from backend.service.study_page import guard as page_guard
from tests.attacks.targets import TOKEN, Answer, Target, ask, posted, read, request
from tests.promises import Tally

pytestmark = pytest.mark.server

OVER = MAX_BODY_BYTES + 1
SLOW_S = 1.0


def chunked(num_bytes: int) -> bytes:
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    return piece * (num_bytes // 0x10000 + 1) + b"0\r\n\r\n"


def parts(number: int) -> bytes:
    return (
        b"".join(b'--x\r\nContent-Disposition: form-data; name="a%d"\r\n\r\n1\r\n' % k for k in range(number))
        + b"--x--\r\n"
    )


def bomb() -> bytes:
    return gzip.compress(b'{"rater": "' + b"a" * (64 << 20) + b'"}')


def swollen(target: Target) -> dict[str, tuple[bytes, tuple[int, ...]]]:
    """Calls by name, with the answers that are right for them; 0 is a connection closed without a word."""
    host = target.host
    post = lambda *headers, body=b"{}": posted("clear_storage", body, host=host, headers=headers)  # noqa: E731
    plain = (f"Authorization: Bearer {TOKEN}",)
    many = tuple(f"X-{k}: 1" for k in range(101))
    return {
        "declared one byte over": (post(f"Content-Length: {OVER}", body=b""), (413,)),
        "declared 10 GB": (post("Content-Length: 10000000000", body=b""), (413,)),
        "declared over 64 bits": (post("Content-Length: " + "9" * 19, body=b""), (413,)),
        "declared over any number": (post("Content-Length: " + "9" * 60, body=b""), (400, 413)),
        "declared negative": (post("Content-Length: -1", body=b""), (400, 413)),
        "declared in words": (post("Content-Length: ten", body=b""), (400, 413)),
        "declared in hexadecimal": (post("Content-Length: 0x10", body=b""), (400, 413)),
        "declared with a sign": (post("Content-Length: +2", body=b"{}"), (400, 413)),
        "declared twice": (post("Content-Length: 2", "Content-Length: 20", body=b"{}"), (400, 413)),
        "declared and chunked": (post("Content-Length: 2", "Transfer-Encoding: chunked", body=chunked(2)), (400,)),
        "sent one byte over": (post(body=b" " * OVER), (413,)),
        "chunked 2 MB": (post("Transfer-Encoding: chunked", body=chunked(2 << 20)), (413,)),
        "chunked 20 MB": (post("Transfer-Encoding: chunked", body=chunked(20 << 20)), (413, 0)),
        "chunks that are none": (post("Transfer-Encoding: chunked", body=b"zz\r\n{}\r\n0\r\n\r\n"), (400,)),
        "packed twice": (post("Transfer-Encoding: gzip, chunked", body=chunked(2)), (400, 501, 415)),
        "gzip bomb": (post("Content-Encoding: gzip", body=bomb()), (415,)),
        "gzip bomb unsaid": (post(body=bomb()), (413, 422)),
        "10,000 parts": (
            request(
                "/api/clear_storage",
                host=host,
                method="POST",
                body=parts(10_000),
                headers=(*plain, "Content-Type: multipart/form-data; boundary=x"),
            ),
            (415,),
        ),
        "101 headers": (request("/livez", host=host, headers=many), (431,)),
        "1,000 headers": (request("/livez", host=host, headers=many * 10), (431, 400)),
        "a header of 17 kB": (request("/livez", host=host, headers=("X: " + "a" * 17_000,)), (431,)),
        "a header of 1 MB": (request("/livez", host=host, headers=("X: " + "a" * (1 << 20),)), (431, 400, 0)),
        "a target of 1 MB": (request("/" + "a" * (1 << 20), host=host), (431, 400, 401, 414, 0)),
        "a method of 100 kB": (request("/livez", host=host, method="A" * 100_000), (400, 401, 405, 0)),
        "a line without an end": (b"GET /livez" + b" " * 200_000, (400, 0)),
    }


def wrong_answers(target: Target, *names: str) -> list[str]:
    """Calls, of those named or of all, whose answer was another than theirs, or that left a row."""
    before = target.num_events
    tried = {name: swollen(target)[name] for name in names} if names else swollen(target)
    found = [name for name, (raw, right) in tried.items() if ask(target.port, raw, seconds=5).status not in right]
    if target.num_events > before:
        found.append("a row")
    return found


@pytest.mark.promise(
    "bodies over 1 MiB (declared, sent, chunked), lengths that lie, gzip bombs, 10,000 parts and heads over 16 kB or 100 lines are "
    "refused with 413, 415, 431 or 400 before anything of them is used",
    area="Service",
    goal="0 of 25 calls",
    control="tests/attacks/test_bodies.py::test_without_their_checks_bodies_and_heads_are_taken",
)
def test_what_is_too_much_is_refused(service_target: Target, tally: Tally) -> None:
    lost = wrong_answers(service_target)
    tally.record(len(swollen(service_target)), lost=len(lost))
    assert lost == []
    assert ask(service_target.port, posted("about", b"{}", host=service_target.host)).status == 200


def test_without_their_checks_bodies_and_heads_are_taken(
    service_target: Target, switched_off: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    switched_off(Guard, Guard.of_head, Guard.of_body)
    monkeypatch.setattr(Guard, "max_body_bytes", 1 << 40)
    monkeypatch.setattr(calls, "BODY_S", SLOW_S)
    names = ["declared one byte over", "chunked 2 MB", "gzip bomb", "10,000 parts", "101 headers"]
    assert wrong_answers(service_target, *names) == names


def test_the_page_takes_less(page_target: Target) -> None:
    headers = (f"Origin: {page_target.url}", "Content-Type: application/json")
    host = page_target.host
    post = lambda *more, body=b"": ask(  # noqa: E731
        page_target.port, request("/s/join", host=host, method="POST", body=body, headers=(*headers, *more))
    )
    over = page_guard.MAX_BODY_BYTES + 1
    assert post(f"Content-Length: {over}").status == 413
    assert post("Transfer-Encoding: chunked", body=chunked(over)).status == 413
    assert post("Content-Encoding: gzip", body=gzip.compress(b"{}")).status == 415
    assert post(body=b'{"login": 1}').status == 422


def test_what_follows_a_body_that_was_shorter_said_is_no_call(service_target: Target) -> None:
    before = service_target.num_events
    inner = posted("clear_storage", b'{"kinds": ["study_copies"], "rater": "mallory"}', host=service_target.host)
    head = (f"Host: {service_target.host}", f"Authorization: Bearer {TOKEN}", "Content-Type: application/json")
    for length in ("Content-Length: 2\r\nContent-Length: 2000", "Content-Length: 2\r\nTransfer-Encoding: chunked"):
        raw = "\r\n".join(["POST /api/about HTTP/1.1", *head, length, "", "{}"]).encode() + b"0\r\n\r\n" + inner
        assert ask(service_target.port, raw).status == 400
    assert service_target.num_events == before


def late(target: Target, send: Callable[[socket.socket], None], head: bytes) -> tuple[float, Answer]:
    """How long the server bore with a body, and what it said then."""
    with socket.create_connection(("127.0.0.1", target.port), 30) as connection:
        began_s = time.monotonic()
        connection.sendall(head)
        with contextlib.suppress(ConnectionError):
            send(connection)
        found = read(connection)
        return time.monotonic() - began_s, found


def drip(connection: socket.socket) -> None:
    """A byte now and then: no single wait is long."""
    connection.settimeout(0.05)
    for _ in range(400):
        connection.sendall(b" ")
        try:
            if not connection.recv(1, socket.MSG_PEEK):
                return
        except TimeoutError:
            continue
        break
    connection.settimeout(30)


def nothing(connection: socket.socket) -> None:
    """Less than was declared, and then nothing."""
    connection.sendall(b"{")


@pytest.mark.promise(
    "a body that comes byte by byte, or less of it than was declared, is waited for 20 s in all, and then answered 408",
    area="Service",
    goal="0 of 2 uploads wait longer",
    control="tests/attacks/test_bodies.py::test_without_a_time_slow_bodies_are_borne_with",
)
@pytest.mark.parametrize("send", [drip, nothing])
def test_slow_bodies_are_given_up(
    service_target: Target, send: Callable[[socket.socket], None], tally: Tally, long: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_s = calls.BODY_S if long else SLOW_S
    monkeypatch.setattr(calls, "BODY_S", limit_s)
    head = posted("about", b"", host=service_target.host, headers=("Content-Length: 5000",))
    taken_s, answer = late(service_target, send, head)
    is_late = answer.status != 408 or taken_s > limit_s + 5
    tally.record(1, lost=int(is_late), note=f"at most {limit_s:.0f} s and 5 s of a busy machine")
    assert not is_late
    assert "did not come" in answer.json()["error"]["message"]


def test_without_a_time_slow_bodies_are_borne_with(service_target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "BODY_S", 3600.0)

    def wait(connection: socket.socket) -> None:
        connection.sendall(b"{")
        connection.settimeout(2 * SLOW_S)

    head = posted("about", b"", host=service_target.host, headers=("Content-Length: 5000",))
    assert late(service_target, wait, head)[1].status == 0, "still waiting"


def test_json_of_a_megabyte_is_taken(service_target: Target) -> None:
    body = json.dumps({"limit": 1}).encode().ljust(MAX_BODY_BYTES)
    assert ask(service_target.port, posted("journal_tail", body, host=service_target.host)).status == 200
