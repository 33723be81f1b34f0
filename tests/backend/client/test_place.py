"""Where services are met: what killed owners leave there goes, what lives or starts stays."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.client import ServicePlace

LONG_AGO = 1_000_000_000


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as short:  # a socket's path holds 107 letters, and pytest's folders are long
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        yield Path(short)


def served(project: str) -> tuple[ServicePlace, socket.socket]:
    """A place whose socket somebody listens on, made long ago."""
    place = ServicePlace(Path(project))
    place.create()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(place.socket))
    listening.listen(1)
    place.write_token("secret")
    os.utime(place.folder, (LONG_AGO, LONG_AGO))
    return place, listening


def test_next_owner_removes_what_a_killed_one_left() -> None:
    killed, listening = served("/killed")
    listening.close()  # as a kill does: the socket's name stays
    logged = ServicePlace(Path("/logged"))
    logged.create()
    (logged.folder / "service.log").write_text("could not start")
    os.utime(logged.folder, (LONG_AGO, LONG_AGO))
    ServicePlace(Path("/next")).create()
    assert not killed.folder.exists()
    assert not logged.folder.exists()


def test_next_owner_spares_who_lives_and_who_starts() -> None:
    living, listening = served("/living")
    crowded, waiting = served("/crowded")
    knocking = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(4)]
    for client in knocking:  # more than wait in line
        client.setblocking(False)
        client.connect_ex(str(crowded.socket))
    starting = ServicePlace(Path("/starting"))
    starting.create()
    ServicePlace(Path("/next")).create()
    assert living.token.exists()
    assert crowded.token.exists()
    assert starting.folder.exists()
    for one in (listening, waiting, *knocking):
        one.close()


def test_owner_that_ends_leaves_nothing(runtime: Path) -> None:
    place = ServicePlace(Path("/project"))
    place.create()
    place.write_token("secret")
    place.clear()
    assert list((runtime / "subject-studio").iterdir()) == []


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR", "TMPDIR"])
def test_a_long_path_of_the_temporary_folder_hinders_no_socket(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = tmp_path / ("a" * 60) / ("é" * 30)
    far.mkdir(parents=True)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(tempfile, "tempdir", None)  # it was found out with the old environment
    monkeypatch.setenv(variable, str(far))
    place, listening = served(f"/far/{tmp_path.name}")
    with listening, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(ServicePlace(Path(f"/far/{tmp_path.name}")).socket))
    assert not place.folder.is_relative_to(far)
    assert place.folder.stat().st_mode & 0o777 == 0o700
    place.clear()


def test_a_path_that_just_fits_is_kept(monkeypatch: pytest.MonkeyPatch, runtime: Path) -> None:
    fits = len(str(ServicePlace(Path("/project")).socket))
    for more, kept in ((103 - fits, True), (104 - fits, False)):
        monkeypatch.setenv("XDG_RUNTIME_DIR", f"{runtime}{'x' * more}")
        assert str(ServicePlace(Path("/project")).socket).startswith(str(runtime)) is kept
