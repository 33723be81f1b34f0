"""A decoder that somebody took over finds no network: neither this machine's nor any other."""

import ctypes
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.media import no_network
from backend.media.guard import close_children, run_guarded
from backend.media.no_network import leave_network
from tests.promises import Tally

SOMEBODY = 12_345
"""No user of this machine, and not 65534, by whose number the kernel calls everybody whom a namespace does not know."""
LEFT_AS_SELF, REFUSED, LEFT_OTHERWISE = 0, 1, 2
SET_DUMPABLE = 4  # PR_SET_DUMPABLE of linux/prctl.h


def reached(port: int, path: str) -> int:
    """How many ways lead from this process to this machine's network, or to its list of interfaces."""
    found = sum(interface != "lo" for _, interface in socket.if_nameindex())
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_STREAM) as client:
            found += client.connect_ex((address, port)) == 0
    assert Path(path).read_text() == "still read"
    return found


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def is_possible() -> bool:
    """Whether the kernel gives this user a network of their own; tried in a process that ends."""
    child = os.fork()
    if child == 0:
        os._exit(0 if leave_network() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.promise(
    "where the kernel allows it, the child that decodes has no network, and reads files as before",
    area="Untrusted files",
    goal="0 of 3 ways to a network",
    control="tests/untrusted/test_no_network.py::test_a_process_beside_the_child_reaches_the_network",
)
def test_a_decoder_has_no_network(listening: int, tmp_path: Path, tally: Tally) -> None:
    if not is_possible():
        pytest.skip("the kernel gives this user no network of its own")
    (tmp_path / "file").write_text("still read")
    close_children()
    found = run_guarded(reached, (listening, str(tmp_path / "file")), subject="a video")
    tally.record(3, lost=found)
    assert found == 0


def test_a_process_beside_the_child_reaches_the_network(listening: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("still read")
    assert reached(listening, str(tmp_path / "file")) >= 1


def test_a_refusal_of_the_kernel_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Refusing:
        def unshare(self, flags: int) -> int:
            asked.append(flags)
            return -1

    monkeypatch.setattr(no_network.ctypes, "CDLL", lambda name, use_errno: Refusing())
    assert not leave_network()
    assert asked == [0x40000000, 0x50000000], "a network alone, then with a namespace of users"


def test_a_user_without_rights_gets_one_and_stays_who_they_are() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can try it as somebody else")
    child = os.fork()
    if child == 0:
        os._exit(tried_as(SOMEBODY))
    found = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if found == REFUSED:
        pytest.skip("the kernel gives a user without rights no namespace")
    assert found == LEFT_AS_SELF


def tried_as(uid: int) -> int:
    """What comes of it for a user without rights, in a process that is theirs from then on."""
    try:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        ctypes.CDLL(None).prctl(SET_DUMPABLE, 1, 0, 0, 0)  # as of every process that was not root's before
        if not leave_network():
            return REFUSED
        is_alone = all(name == "lo" for _, name in socket.if_nameindex())
        return LEFT_AS_SELF if is_alone and (os.geteuid(), os.getegid()) == (uid, uid) else LEFT_OTHERWISE
    except BaseException:  # noqa: BLE001 - the process is a copy of the tests' own, and may not go on as such
        return LEFT_OTHERWISE
