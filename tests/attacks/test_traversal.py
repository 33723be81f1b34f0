"""Ways out of the folders that files are served from: none."""

import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import FileResponse, Response

from backend.api import Api
from backend.service.guard import Guard
from backend.service.server_thread import ServerThread
from backend.workspace import Workspace
from backend.workspace import workspace as workspace_module
from tests.attacks.targets import TOKEN, Target, ask, request
from tests.backend.service.study_page.visitor import Visitor
from tests.promises import Tally

pytestmark = pytest.mark.server

CANARY = b"canary-7f3a9c that no answer holds"
TELLING = (CANARY, b"root:x:", b"SQLite format", b"profile =", b"DUCK")
UP = (
    "../",
    "..%2f",
    "..%2F",
    "%2e%2e/",
    "%2e%2e%2f",
    "%2E%2E%2F",
    ".%2e/",
    "..%252f",
    "%252e%252e%252f",
    "%25252e%25252e%25252f",
    "..\\",
    "..%5c",
    "%2e%2e%5c",
    "..%255c",
    "....//",
    "....%2f%2f",
    "..././",
    "..;/",
    "..%3b/",
    "..%00/",
    "%00../",
    "..%0a/",
    "..%0d%0a/",
    "..%20/",
    "..%09/",
    "..%c0%af",
    "..%e0%80%af",
    "%c0%ae%c0%ae%c0%af",
    "%e0%80%ae%e0%80%ae/",
    "..%ef%bc%8f",
    "%ef%bc%8e%ef%bc%8e/",
    "..%u2215",
    "..%uff0e/",
    "./../",
    "x/../../",
    "a-/../",
)
GOALS = ("secret.txt", "etc/passwd", "project.toml", "journal.sqlite")
WHOLE = (
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "///etc/passwd",
    "file:///etc/passwd",
    "file:%2f%2f%2fetc%2fpasswd",
    "~root/.profile",
    "C:\\Windows\\win.ini",
    "C:%5cWindows%5cwin.ini",
    "\\\\127.0.0.1\\share\\file",
    "%5c%5c127.0.0.1%5cshare%5cfile",
    "//127.0.0.1/share/file",
    "\\\\?\\C:\\file",
    "CON",
    "NUL.mp4",
    "%00",
    "a%00.png",
    "/proc/self/environ",
    "%2fproc%2fself%2fcmdline",
    "/dev/zero",
    ".",
    "..",
    "",
    "%2e",
    "%2e%2e",
    "a-",
    "p-",
    "g-",
    "t-",
    "t-%2e%2e-left",
    "a" * 5_000,
    "%41" * 2_000,
    "a/" * 2_000,
)


def ways(canary: Path) -> list[str]:
    """What is asked for below a folder of media."""
    name = "a-" + "0" * 64 + ".png"
    found = [up * depth + goal for up in UP for depth, goal in ((1, GOALS[2]), (3, GOALS[0]), (9, GOALS[1]))]
    found += [f"{name}/{up}{GOALS[3]}" for up in UP[:10]] + [f"{name}%00{goal}" for goal in GOALS]
    return [*found, *WHOLE, str(canary), str(canary).replace("/", "%2f"), "/" + str(canary)]


def escapes(target: Target, base: str, canary: Path, headers: tuple[str, ...]) -> list[str]:
    """What was answered with anything at all, or with something of outside."""
    found = []
    for way in ways(canary):
        raw = request(base + way.replace(" ", "%20"), host=target.host, headers=headers)
        answer = ask(target.port, raw)
        if answer.status in (0, 200, 206) or answer.status >= 500 or any(word in answer.body for word in TELLING):
            found.append(f"{answer.status} {way[:80]}")
    return found


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory, workspace: Workspace) -> Path:
    path = workspace.layout.root.parent / "secret.txt"
    path.write_bytes(CANARY)
    return path


@pytest.mark.promise(
    "no name of a medium leads out of the project: dots in every encoding, absolute, UNC and NUL names, on the service and the page",
    area="Service",
    goal="0 escapes in 474 requests",
    control="tests/attacks/test_traversal.py::test_a_server_that_joins_paths_is_found_out",
)
def test_no_name_leads_out(
    service_target: Target, page_target: Target, participant: Visitor, canary: Path, tally: Tally
) -> None:
    cookie = f"Cookie: study_session={dict(participant.http.cookies.items())['study_session']}"
    for target, base, header in (
        (service_target, "/media/", f"Authorization: Bearer {TOKEN}"),
        (page_target, "/s/media/", cookie),
        (page_target, "/s/static/", cookie),
    ):
        lost = escapes(target, base, canary, (header,))
        tally.record(len(ways(canary)), lost=len(lost))
        assert lost == [], base


def test_a_server_that_joins_paths_is_found_out(api: Api, canary: Path, workspace: Workspace) -> None:
    folder = workspace.layout.artifacts / "ab"
    folder.mkdir(exist_ok=True)

    async def joining(scope: Any, receive: Any, send: Any) -> None:
        path = Path(os.path.join(folder, scope["path"].removeprefix("/media/").rstrip("\0")))
        is_there = len(path.name) < 200 and "\0" not in str(path) and path.is_file()
        await (FileResponse(path) if is_there else Response(status_code=404))(scope, receive, send)

    listens = socket.create_server(("127.0.0.1", 0))
    target = Target(api, f"http://127.0.0.1:{listens.getsockname()[1]}")
    server = ServerThread(Guard(joining, token=TOKEN, hosts=frozenset({target.host})), listens, name="joining")
    lost = escapes(target, "/media/", canary, (f"Authorization: Bearer {TOKEN}",))
    server.stop()
    assert len([one for one in lost if one.startswith("200")]) > 10


@pytest.fixture
def planted(workspace: Workspace, canary: Path) -> Iterator[dict[str, Path]]:
    """Artifacts that are links, and a pipe, by what they are."""
    root = workspace.layout.artifacts
    found: dict[str, Path] = {}
    for what in ("link", "folder", "pipe", "dangling", "own"):
        name = hashlib.blake2b(what.encode(), digest_size=32).hexdigest() + ".png"
        found[what] = root / name[:2] / name
        if what == "folder":
            outside = canary.parent / "outside"
            outside.mkdir(exist_ok=True)
            (outside / name).write_bytes(CANARY)
            (root / name[:2]).symlink_to(outside)
            continue
        found[what].parent.mkdir(exist_ok=True)
        if what == "link":
            found[what].symlink_to(canary)
        elif what == "pipe":
            os.mkfifo(found[what])
        elif what == "dangling":
            found[what].symlink_to("/nowhere")
        else:
            found[what].write_bytes(b"a picture")
    yield found
    for what, path in found.items():
        (path.parent if what == "folder" else path).unlink()


def led_out(target: Target, planted: dict[str, Path]) -> list[str]:
    answers = {
        what: ask(
            target.port,
            request(f"/media/a-{path.name}", host=target.host, headers=(f"Authorization: Bearer {TOKEN}",)),
            seconds=3,
        )
        for what, path in planted.items()
    }
    own = answers.pop("own")
    assert (own.status, own.body) == (200, b"a picture")
    return [what for what, answer in answers.items() if answer.status in (0, 200) or CANARY in answer.body]


@pytest.mark.promise(
    "a link, in a folder or as one, and a pipe among a project's files are not followed out of it",
    area="Service",
    goal="0 of 4",
    control="tests/attacks/test_traversal.py::test_links_are_followed_where_nobody_looks",
)
def test_links_do_not_lead_out(service_target: Target, planted: dict[str, Path], tally: Tally) -> None:
    lost = led_out(service_target, planted)
    tally.record(4, lost=len(lost))
    assert lost == []


def test_links_are_followed_where_nobody_looks(
    service_target: Target, planted: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace_module, "contained", lambda found, root: found)
    assert {"link", "folder"} <= set(led_out(service_target, {k: v for k, v in planted.items() if k != "pipe"}))
