"""Keys that cookies, media ids and hashes of logins are made under: whole, 256 bits long and their owner's, or refused."""

import hashlib
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from backend.domain import StudioError
from backend.service.study_page import PageKeys
from backend.store import secret_file
from backend.store.secret_file import secret_of_file, secret_problem
from tests.promises import Tally


def test_a_key_is_made_once_with_its_checksum_for_its_owner(tmp_path: Path) -> None:
    secret = secret_of_file(tmp_path / "key")
    kept = (tmp_path / "key").read_bytes()
    assert (len(secret), kept) == (32, secret + hashlib.sha256(secret).digest())
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert secret_of_file(tmp_path / "key") == secret
    assert secret_of_file(tmp_path / "other") != secret
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "other"]


def test_a_key_of_an_earlier_version_is_taken(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(bytes(range(32)))
    (tmp_path / "key").chmod(0o600)
    assert secret_of_file(tmp_path / "key") == bytes(range(32))
    assert secret_problem(tmp_path / "key") == ""


def test_what_a_killed_maker_left_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".key.making").write_bytes(b"x" * 100)
    assert len(secret_of_file(tmp_path / "key")) == 32
    assert secret_problem(tmp_path / "key") == ""
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.promise(
    "a key of cookies, ids or hashes of logins that is empty, cut short, flipped or readable by others seals nothing: a sentence",
    area="Service",
    goal="0 of 536 broken keys taken",
    control="tests/backend/store/test_secret_file.py::test_without_its_check_anybody_seals_a_cookie",
)
def test_broken_keys_seal_nothing(tmp_path: Path, tally: Tally) -> None:
    taken, tried = [], 0
    for what in broken(tmp_path / "key"):
        tried += 1
        taken += [what] * is_taken(tmp_path / "key")
    tally.record(tried, lost=len(taken))
    assert (tried, taken) == (536, [])


def test_without_its_check_anybody_seals_a_cookie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").touch(0o600)
    assert not is_taken(tmp_path / "key")
    monkeypatch.setattr(secret_file, "_problem", lambda content, mode: "")
    assert is_taken(tmp_path / "key")
    forged = PageKeys(b"").seal("session", "p_1")
    assert PageKeys.of_file(tmp_path / "key").opened("session", forged) == "p_1"
    assert all(is_taken(tmp_path / "key") for _ in islice(broken(tmp_path / "key"), 20))


def broken(path: Path) -> Iterator[str]:
    """A key in every state that it should not be in, one after the other, and what each is called."""
    path.unlink(missing_ok=True)
    sound = bytes(range(1, 33)) + hashlib.sha256(bytes(range(1, 33))).digest()
    cut = {f"{size} bytes": sound[:size] for size in (0, 1, 16, 31, 33, 48, 63)} | {"a byte more": sound + b"x"}
    states = cut | {"zeros": bytes(32), "zeros twice": bytes(64)}
    for bit in range(len(sound) * 8):
        flipped = bytearray(sound)
        flipped[bit // 8] ^= 1 << bit % 8
        states[f"bit {bit}"] = bytes(flipped)
    for what, content in states.items():
        path.write_bytes(content)
        path.chmod(0o600)
        yield what
    for mode in (0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666, 0o660, 0o606, 0o777, 0o700 | 0o070):
        path.write_bytes(sound)
        path.chmod(mode)
        yield f"mode {mode:o}"
    path.unlink()
    path.mkdir(0o700)
    yield "a folder"
    path.rmdir()
    os.mkfifo(path, 0o600)
    yield "a pipe"
    path.unlink()


def is_taken(path: Path) -> bool:
    """Whether cookies are sealed under it."""
    try:
        PageKeys.of_file(path)
    except StudioError as error:
        assert str(path) in str(error)
        return False
    return True
