"""What a journal does with a file that it cannot use: one sentence, within five seconds, and the file stays as it was."""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlite_utils import Database

from backend.domain import ProjectError, StoreError
from backend.store import mounts
from backend.store.journal import Journal
from backend.store.journal_reader import JournalReader
from backend.store.journal_schema import APPLICATION_ID, Event
from backend.store.mounts import network_filesystem

NOTE = Event(kind="note", actor="ann", body={})


def _not_a_database(path: Path) -> None:
    path.write_bytes(b"these are not events" * 100)


def _half_a_header(path: Path) -> None:
    path.write_bytes(b"SQLite")


def _a_folder(path: Path) -> None:
    path.mkdir()


def _a_pipe(path: Path) -> None:
    os.mkfifo(path)


def _read_only(path: Path) -> None:
    Journal(path).close()
    path.chmod(0o444)


def _of_another_program(path: Path) -> None:
    Database(path).table("notes").insert({"a": 1})


def _newer(path: Path) -> None:
    Journal(path).close()
    row = {"migration_set": "journal", "name": "m999_later", "applied_at": "2030"}
    Database(path).table("_sqlite_migrations").insert(row)


def _lost(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([NOTE])
    path.unlink()


def _emptied(path: Path) -> None:
    _lost(path)
    path.write_bytes(b"")


def _with_a_damaged_head(path: Path) -> None:
    Journal(path).close()
    path.with_suffix(".head").write_bytes(b"7 ab cd\n" * 100)


SPOILED = [
    (_not_a_database, StoreError, "not a journal"),
    (_half_a_header, StoreError, "not a journal"),
    (_a_folder, ProjectError, "a folder"),
    (_a_pipe, ProjectError, "not a regular file"),
    (_read_only, ProjectError, "read-only"),
    (_of_another_program, StoreError, "not a journal"),
    (_newer, ProjectError, "m999_later"),
    (_lost, StoreError, "is missing, but 1 events"),
    (_emptied, StoreError, "not a journal|missing"),
    (_with_a_damaged_head, StoreError, "neither of its two entries"),
]


@pytest.mark.parametrize(("spoil", "error", "says"), SPOILED, ids=[case[0].__name__ for case in SPOILED])
def test_an_unusable_file_is_one_sentence_at_once(
    tmp_path: Path, spoil: Callable[[Path], None], error: type[Exception], says: str
):
    path = tmp_path / "journal.sqlite"
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    started = time.monotonic()
    with pytest.raises(error, match=says) as raised:
        Journal(path)
    assert time.monotonic() - started < 1
    assert "\n" not in str(raised.value)
    assert str(path.with_suffix("")) in str(raised.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_locked_file_is_one_sentence_within_five_seconds(tmp_path: Path):
    path = tmp_path / "journal.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin exclusive")
    started = time.monotonic()
    with pytest.raises(ProjectError, match="Another program holds it"):
        Journal(path)
    assert time.monotonic() - started < 5
    other.close()
    Journal(path).close()


def test_a_lock_taken_later_refuses_the_event_and_goes_by(tmp_path: Path):
    with Journal(tmp_path / "journal.sqlite") as journal:
        other = sqlite3.connect(journal.path, isolation_level=None)
        other.execute("begin immediate")
        with pytest.raises(ProjectError, match="Another program holds it"):
            journal.append([NOTE])
        other.close()
        assert journal.append([NOTE])[0].seq == 1


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(ProjectError, match="is not a folder"):
        Journal(tmp_path / "nowhere" / "journal.sqlite")
    with pytest.raises(ProjectError, match="there is no journal"):
        JournalReader(tmp_path / "journal.sqlite")


def test_a_journal_whose_making_was_interrupted_is_made_whole(tmp_path: Path):
    path = tmp_path / "journal.sqlite"
    unfinished = sqlite3.connect(path)
    unfinished.execute(f"pragma application_id = {APPLICATION_ID}")
    unfinished.close()
    with Journal(path) as journal:
        assert journal.append([NOTE])[0].seq == 1


def test_a_lost_head_file_is_taken_over_with_an_event_that_says_so(tmp_path: Path):
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        journal.append([NOTE])
        last = journal.head()
    path.with_suffix(".head").unlink()
    with JournalReader(path) as reader:
        assert "is missing" in reader.verify_chain().problems[0]
    with Journal(path) as journal:
        (event,) = journal.events(1)
        assert (event.kind, event.body) == ("head_adopted", {"seq": last.seq, "hash": last.hash})
        assert journal.verify_chain().ok


MOUNTS = r"""
/dev/sda1 / ext4 rw 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/local xfs rw 0 0
//server/share /mnt/with\040space cifs rw 0 0
me@host: /mnt/ssh fuse.sshfs rw 0 0
overlay /var/run fuse.fuse-overlayfs rw 0 0
/dev/sdc1 /mnt/usb fuseblk rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/project", None),
        ("/home/ann/project", "nfs4"),
        ("/home/local/project", None),
        ("/homes/project", None),
        ("/mnt/with space/p", "cifs"),
        ("/mnt/ssh", "fuse.sshfs"),
        ("/var/run/p", None),
        ("/mnt/usb/p", None),
    ],
)
def test_network_file_systems_are_known_by_their_mount(path: str, kind: str | None):
    assert network_filesystem(Path(path), MOUNTS) == kind


def test_a_journal_on_a_network_file_system_is_refused_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table = tmp_path / "mounts"
    table.write_text(f"server:/x {tmp_path} nfs rw 0 0\n")
    monkeypatch.setattr(mounts, "PROC_MOUNTS", table)
    with pytest.raises(ProjectError, match=r"lies on a nfs file system.*local disk"):
        Journal(tmp_path / "journal.sqlite")
