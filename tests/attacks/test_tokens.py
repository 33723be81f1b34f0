"""Whoever has no token calls nothing, and the token stands nowhere but in its file."""

import contextlib
import hmac
import os
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from backend.api import Api
from backend.client import ServicePlace, connect
from backend.client.connect import _children
from backend.service import NetworkPlace, serving
from backend.service.calls import Call
from backend.service.guard import Guard
from backend.workspace import Workspace
from tests.attacks.targets import TOKEN, Target, ask, posted, request
from tests.promises import Tally

pytestmark = pytest.mark.server

WRONG = (
    None,
    "",
    "Bearer",
    "Bearer ",
    "Bearer x",
    f"Bearer {TOKEN[:-1]}",
    f"Bearer {TOKEN}x",
    f"Bearer {TOKEN.upper()}",
    f"bearer {TOKEN}",
    f"Basic {TOKEN}",
    TOKEN,
    f"Bearer  {TOKEN}",
    f"Bearer {TOKEN[:-1]}é",
    "Bearer \xff\xfe",
    f"Bearer {'a' * 4_000}",
    f"Bearer {TOKEN}, Bearer {TOKEN}",
)
BODY = b'{"kinds": ["study_copies"], "rater": "mallory"}'


def got_through(target: Target) -> int:
    """How many callers without the right token were answered, or left a row."""
    before, answered = target.num_events, 0
    for sent in WRONG:
        headers = () if sent is None else (f"Authorization: {sent}",)
        raw = request(
            "/api/clear_storage",
            host=target.host,
            method="POST",
            body=BODY,
            headers=("Content-Type: application/json", *headers),
        )
        found = ask(target.port, raw)
        answered += found.status not in (401, 400)
    twice = ("Content-Type: application/json", f"Authorization: Bearer {TOKEN}", "Authorization: Bearer x")
    answered += (
        ask(target.port, request("/api/about", host=target.host, method="POST", body=b"{}", headers=twice)).status != 401
    )
    for path in ("/media/a-1", "/openapi.json", "/events/models", "/api/about", "/docs", "/none"):
        answered += ask(target.port, request(path, host=target.host), seconds=2).status != 401
    return answered + target.num_events - before


@pytest.mark.promise(
    "a caller without the token, or with a part of it, another, a doubled or no ASCII one, is answered 401 and writes nothing",
    area="Service",
    goal="0 of 23 callers",
    control="tests/attacks/test_tokens.py::test_without_its_check_anybody_writes",
)
def test_wrong_tokens_call_nothing(service_target: Target, tally: Tally) -> None:
    lost = got_through(service_target)
    tally.record(len(WRONG) + 7, lost=lost)
    assert lost == 0
    assert ask(service_target.port, posted("about", b"{}", host=service_target.host)).status == 200


def test_without_its_check_anybody_writes(service_target: Target, switched_off: Callable[..., None]) -> None:
    switched_off(Guard, Guard.of_token)
    assert got_through(service_target) > len(WRONG)


def test_tokens_are_compared_as_bytes_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[Any, Any]] = []
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)) or compare(a, b))
    guard = Guard(cast(Any, None), token=TOKEN, hosts=frozenset())
    for sent in (b"Bearer x", b"\xff\xfe", b"Bearer " + TOKEN.encode()):
        call = Call({"method": "POST", "path": "/api/about", "headers": [(b"authorization", sent)]})
        assert (guard.of_token(call) is None) == sent.endswith(TOKEN.encode())
    assert len(compared) == 3
    assert all(type(side) is bytes for pair in compared for side in pair)


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, ServicePlace]]:
    """A service as Studio starts one: a child of this process."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    api: Any = connect(tmp_path / "project", start=True)
    api.close()
    yield tmp_path, ServicePlace(tmp_path / "project")
    for child, _ in _children.values():
        assert child.stdin is not None
        child.stdin.close()
        child.wait(20)
    _children.clear()


def leaks(secret: bytes, folder: Path, place: ServicePlace) -> list[str]:
    """Files under a folder, and command lines and environments of our processes, that hold a secret."""
    found = [
        str(path) for path in folder.rglob("*") if path.is_file() and path != place.token and secret in path.read_bytes()
    ]
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            for name in ("cmdline", "environ"):
                with contextlib.suppress(OSError):
                    if secret in (process / name).read_bytes():
                        found.append(str(process / name))
    return found


def crash(place: ServicePlace) -> None:
    """Has the service say what it can of calls with its token: refused ones, broken ones, and its own death."""
    host, token = "subject-studio", place.token.read_text()
    head = (f"Authorization: Bearer {token}", "Content-Type: application/json")
    for raw in (
        request("/api/about", host="evil.test", method="POST", body=b"{}", headers=head),
        request("/api/pairs", host=host, method="POST", body=b'{"limit": "x"}', headers=head),
        request(f"/media/{token}", host=host, headers=head),
        request("/api/about", host=host, method="POST", body=b"{", headers=head),
        b"nonsense " + token.encode() + b"\r\n\r\n",
    ):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(place.socket))
            connection.sendall(raw)
            while connection.recv(65_536):
                pass
    (child, _) = [*_children.values()][-1]
    child.send_signal(11)
    child.wait(10)


@pytest.mark.slow
@pytest.mark.promise(
    "the token has 256 bit, is another at every start, and stands in no argument, environment, log or report of a crash",
    area="Service",
    goal="0 places but its file of mode 0600 in a folder of mode 0700",
    control="tests/attacks/test_tokens.py::test_a_token_in_an_argument_or_a_log_is_found",
)
def test_the_token_stands_in_its_file_only(started: tuple[Path, ServicePlace], tally: Tally) -> None:
    folder, place = started
    token = place.token.read_bytes()
    assert len(token) == 43  # 32 bytes in base64
    assert stat.S_IMODE(place.token.stat().st_mode) == 0o600
    for where in (place.folder, place.folder.parent):
        assert stat.S_IMODE(where.stat().st_mode) == 0o700, "the socket itself lets everybody in"
    lost = leaks(token, folder, place)
    crash(place)
    lost += leaks(token, folder, place)
    assert b"Segmentation" in (place.folder / "service.log").read_bytes() or [*_children.values()][-1][0].returncode == -11
    tally.record(len(list(Path("/proc").glob("[0-9]*"))), lost=len(lost))
    assert lost == []
    again: Any = connect(folder / "project", start=True)
    again.close()
    assert place.token.read_bytes() != token


def test_a_token_in_an_argument_or_a_log_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "service.log").write_text(f"GET /?token={TOKEN}")
    with subprocess.Popen(["sleep", "20"], env={**os.environ, "TOKEN": TOKEN}) as by_environment:
        with subprocess.Popen(
            ["tail", "-f", "/dev/null", f"--pid={by_environment.pid}", TOKEN], stderr=subprocess.DEVNULL
        ) as by_argument:
            time.sleep(0.3)
            found = leaks(TOKEN.encode(), tmp_path, ServicePlace(tmp_path / "project"))
            by_argument.kill()
        by_environment.kill()
    assert str(tmp_path / "service.log") in found
    assert f"/proc/{by_environment.pid}/environ" in found
    assert f"/proc/{by_argument.pid}/cmdline" in found


def test_no_port_is_open_where_none_was_asked_for(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "project", create=True)
    before = listening_ports()
    with serving(cast(Api, workspace), workspace.layout.root):
        assert listening_ports() == before
    with serving(cast(Api, workspace), workspace.layout.root, network=NetworkPlace(port=0)) as server:
        assert server.network is not None
        assert listening_ports() - before == {server.network.port}
    workspace.close()


def listening_ports() -> set[int]:
    """TCP ports that this process listens on."""
    return {one.laddr.port for one in psutil.Process().net_connections("tcp") if one.status == psutil.CONN_LISTEN}


NOBODY = 65534


def reached_by_another(place: ServicePlace) -> int:
    """How many of token, socket and the folder's listing a process of another user gets at."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        found = 0
        for reach in (place.token.read_bytes, lambda: os.listdir(place.folder), lambda: knock(place.socket)):
            try:
                reach()
                found += 1
            except PermissionError:
                continue
            except BaseException:  # noqa: BLE001 - a copy of the whole test run must not go on
                os._exit(100)
        os._exit(found)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def knock(place: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(place))


@pytest.fixture
def meeting(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServicePlace]:
    """Where a service answers, in a folder that everybody may enter."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        workspace = Workspace(Path(folder) / "project", create=True)
        with serving(cast(Api, workspace), workspace.layout.root):
            yield ServicePlace(workspace.layout.root)
        workspace.close()


@pytest.mark.promise(
    "another user of the machine gets EACCES for a service's socket, its token and their folder",
    area="Service",
    goal="0 of 3 reached",
    control="tests/attacks/test_tokens.py::test_in_a_folder_for_everybody_another_user_reaches_them",
)
def test_another_user_of_the_machine_reaches_nothing(meeting: ServicePlace, tally: Tally) -> None:
    found = reached_by_another(meeting)
    tally.record(3, lost=found)
    assert found == 0
    knock(meeting.socket)


def test_in_a_folder_for_everybody_another_user_reaches_them(meeting: ServicePlace) -> None:
    for folder in (meeting.folder, meeting.folder.parent):
        folder.chmod(0o755)
    assert reached_by_another(meeting) == 1, "the folder's listing alone"
    meeting.socket.chmod(0o666)
    meeting.token.chmod(0o644)
    assert reached_by_another(meeting) == 3
