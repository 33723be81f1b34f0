"""Range headers, honest and not, of a medium that is served."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.responses import FileResponse

from backend.workspace import Workspace
from tests.attacks.targets import TOKEN, Answer, Target, ask, request
from tests.promises import Tally

pytestmark = pytest.mark.server

SIZE = 10_000
CONTENT = bytes(k * 7 % 251 for k in range(SIZE))
NAME = "f" * 64 + ".mp4"
FAST_S = 5.0  # on a busy machine; unmerged ranges of the old algorithm took minutes
WHOLE, BAD, NONE = 200, 400, 416


def part(first: int, last: int) -> tuple[int, bytes]:
    return 206, CONTENT[first : last + 1]


HONEST: dict[str, tuple[int, bytes | None]] = {
    "bytes=0-0": part(0, 0),
    "bytes=0-99": part(0, 99),
    "bytes=100-": part(100, SIZE - 1),
    "bytes=-1": part(SIZE - 1, SIZE - 1),
    "bytes=-500": part(SIZE - 500, SIZE - 1),
    f"bytes=0-{SIZE - 1}": part(0, SIZE - 1),
    f"bytes=0-{SIZE}": part(0, SIZE - 1),
    f"bytes={SIZE - 1}-{10**12}": part(SIZE - 1, SIZE - 1),
    f"bytes=-{10**12}": part(0, SIZE - 1),
    f"bytes={SIZE}-": (NONE, None),
    f"bytes={SIZE}-{SIZE + 5}": (NONE, None),
    f"bytes={10**18}-": (NONE, None),
    "bytes=-0": (NONE, None),
}
JUNK = (
    "bytes",
    "bytes=",
    "bytes=-",
    "bytes=a-b",
    "bytes=1-0",
    "bytes=--5",
    "bytes=5",
    "bytes=0x0-0x5",
    "bytes=0-5;1-2",
    "bytes=1.5-2",
    "bytes=1e3-2e3",
    "bytes=\xb2-\xb3",
    "bytes=+1-+2",
    "bytes=0--1",
    "bytes=0-1-2",
    "bytes 0-1",
    "=0-1",
    "0-1",
    "kilobytes=0-1",
    "bytes=99999999999999999999999999-",
    "bytes=,",
    "bytes=,,0-1",
    "bytes=0-1,",
    "bytes=0-1,a-b",
    "bytes=\t0-\t1",
    "bytes=" + "9" * 5_000 + "-",
)
MANY = {
    "9,000 equal": "bytes=" + ",".join(["0-"] * 3_000),
    "9,000 apart": "bytes=" + ",".join(f"{2 * k}-{2 * k}" for k in range(1_500)),
    "nested": "bytes=" + ",".join(f"{k}-{SIZE - k}" for k in range(1_200)),
    "backwards": "bytes=" + ",".join(f"{SIZE - 2 * k}-{SIZE - 2 * k}" for k in range(1, 1_200)),
    "90,000": "bytes=" + ",".join(["0-"] * 30_000),
}


@pytest.fixture(scope="module")
def medium(workspace: Workspace) -> Iterator[str]:
    path: Path = workspace.layout.artifacts / NAME[:2] / NAME
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(CONTENT)
    yield f"/media/a-{NAME}"
    path.unlink()


def asked(target: Target, medium: str, said: str) -> Answer:
    headers = (f"Authorization: Bearer {TOKEN}", f"Range: {said}")
    return ask(target.port, request(medium, host=target.host, headers=headers))


def wrong(target: Target, medium: str) -> list[str]:
    """Ranges that were answered with other bytes than theirs, with a failure, or late."""
    found = []
    for said, (status, content) in HONEST.items():
        answer = asked(target, medium, said)
        if answer.status != status or (content is not None and answer.body != content):
            found.append(said)
    for said in JUNK:
        answer = asked(target, medium, said)
        if answer.status not in (WHOLE, 206, BAD, NONE) or (answer.status == 206 and answer.body not in CONTENT):
            found.append(said[:40])
    for name, said in MANY.items():
        began_s = time.monotonic()
        answer = asked(target, medium, said)
        if (
            answer.status not in (WHOLE, 206, BAD, NONE, 431)
            or len(answer.body) > 2 * SIZE
            or time.monotonic() - began_s > FAST_S
        ):
            found.append(name)
    return found


@pytest.mark.promise(
    "a range gives exactly its bytes, one past the end 416, junk 400 or the whole, thousands of ranges an answer at once that is no larger",
    area="Service",
    goal="0 wrong of 44 Range headers",
    control="tests/attacks/test_ranges.py::test_a_server_whose_ranges_are_off_by_one_is_found_out",
)
def test_ranges_give_what_they_name(service_target: Target, medium: str, tally: Tally) -> None:
    lost = wrong(service_target, medium)
    tally.record(len(HONEST) + len(JUNK) + len(MANY), lost=len(lost))
    assert lost == []


def test_a_server_whose_ranges_are_off_by_one_is_found_out(
    service_target: Target, medium: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = FileResponse._parse_range_header

    def off(self: FileResponse, said: str, size: int) -> list[tuple[int, int]]:
        return [(first, last - 1) for first, last in parse(said, size)]

    monkeypatch.setattr(FileResponse, "_parse_range_header", off)
    assert len(wrong(service_target, medium)) >= 5


def test_headers_say_which_part_it_is(service_target: Target, medium: str) -> None:
    head = asked(service_target, medium, "bytes=10-19").head.lower()
    assert b"content-range: bytes 10-19/10000" in head
    assert b"content-length: 10\r\n" in head + b"\r\n"
    assert b"content-range: bytes */10000" in asked(service_target, medium, f"bytes={SIZE}-").head.lower()
