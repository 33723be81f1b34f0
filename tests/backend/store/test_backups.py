"""Backups: whole or not there, checked before they are used, never over an existing project."""

import contextlib
import random
import shutil
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend.domain import ProjectError, StoreError
from backend.store.backups import (
    MANIFEST,
    backup_project,
    prune_backups,
    read_table,
    restore_project,
    verify_backup,
)
from backend.store.journal import Journal
from backend.store.journal_schema import Event
from tests.promises import Tally

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def note(number: int) -> Event:
    return Event(kind="note", id=f"n{number}", actor="ann", body={"number": number})


def clips(num: int = 2000) -> pa.Table:
    return pa.table({"id": [f"clip_{n}" for n in range(num)], "start": list(range(num))})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "my project"
    folder.mkdir()
    (folder / "project.toml").write_text('profile = "embedded"\n')
    with Journal(folder / "journal.sqlite") as journal:
        journal.append([note(number) for number in range(50)])
    return folder


def test_a_backup_restores_to_an_equal_project(project: Path, tmp_path: Path):
    made = backup_project(project, tmp_path / "b", {"clip": clips(), "video": clips(0)}, now=NOON)
    assert (made.head.seq, made.created, made.rows) == (50, "2026-03-01T12:00:00+00:00", {"clip": 2000, "video": 0})
    restored = restore_project(tmp_path / "b", tmp_path / "again")
    assert restored == made
    assert read_table(restored.tables["clip"]) == clips()
    assert (tmp_path / "again" / "project.toml").read_text() == 'profile = "embedded"\n'
    with Journal(tmp_path / "again" / "journal.sqlite") as journal, Journal(project / "journal.sqlite") as original:
        assert list(journal.stream()) == list(original.stream())
        assert journal.append([note(50)])[0].seq == 51


def test_a_reader_is_written_as_it_streams(project: Path, tmp_path: Path):
    stream = pa.RecordBatchReader.from_batches(clips().schema, clips().to_batches(max_chunksize=100))
    made = backup_project(project, tmp_path / "b", {"clip": stream})
    assert read_table(made.tables["clip"]) == clips()


def test_sha256sum_agrees(project: Path, tmp_path: Path):
    backup_project(project, tmp_path / "b", {"clip": clips()})
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    assert (
        subprocess.run(["sha256sum", "-c", "--strict", MANIFEST], cwd=tmp_path / "b", capture_output=True).returncode == 0
    )


def test_a_journal_is_backed_up_while_people_vote(project: Path, tmp_path: Path):
    stop = threading.Event()
    with Journal(project / "journal.sqlite") as journal:

        def keep_voting() -> None:
            number = 1000
            while not stop.is_set():
                journal.append([note(number)])
                number += 1

        voter = threading.Thread(target=keep_voting)
        voter.start()
        made = [backup_project(project, tmp_path / f"b{n}", {}) for n in range(3)]
        stop.set()
        voter.join()
        for backup in made:
            journal.verify_against(backup.head)
        assert made[0].head.seq >= 50
        assert made[-1].head.seq > made[0].head.seq


def test_a_folder_in_use_is_left_alone(project: Path, tmp_path: Path):
    made = backup_project(project, tmp_path / "b", {})
    before = {path: path.read_bytes() for path in project.iterdir()}
    with pytest.raises(ProjectError, match="not empty"):
        restore_project(made.path, project)
    with pytest.raises(ProjectError, match="not empty"):
        backup_project(project, made.path, {})
    assert {path: path.read_bytes() for path in project.iterdir()} == before


def test_an_empty_folder_may_be_restored_into(project: Path, tmp_path: Path):
    backup_project(project, tmp_path / "b", {})
    (tmp_path / "empty").mkdir()
    restore_project(tmp_path / "b", tmp_path / "empty")
    assert (tmp_path / "empty" / "journal.sqlite").exists()


@pytest.mark.promise(
    "a damaged backup is refused with a sentence before anything is written",
    area="Backup",
    goal="0 of 300 single-bit flips restored",
    control="tests/backend/store/test_backups.py::test_flips_that_nobody_looks_for_stay_unnoticed",
)
def test_every_single_bit_flip_in_a_backup_is_noticed(project: Path, tmp_path: Path, long: bool, tally: Tally):
    made = backup_project(project, tmp_path / "b", {"clip": clips()})
    chance = random.Random(7)
    files = sorted(path for path in made.path.rglob("*") if path.is_file())
    restored = 0
    for _ in range(300 if long else 60):
        path = chance.choice(files)
        sound = path.read_bytes()
        bit = chance.randrange(len(sound) * 8)
        spoiled = bytearray(sound)
        spoiled[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(spoiled))
        with contextlib.suppress(StoreError):
            restore_project(made.path, tmp_path / "again")
            restored += 1
        restored += (tmp_path / "again").exists()
        path.write_bytes(sound)
    tally.record(300 if long else 60, lost=restored)
    assert restored == 0
    assert verify_backup(made.path) == made


def test_flips_that_nobody_looks_for_stay_unnoticed(project: Path, tmp_path: Path):
    path = backup_project(project, tmp_path / "b", {"clip": clips()}).tables["clip"]
    sound = path.read_bytes()
    chance, unnoticed = random.Random(7), 0
    for _ in range(60):
        bit = chance.randrange(len(sound) * 8)
        spoiled = bytearray(sound)
        spoiled[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(spoiled))
        with contextlib.suppress(OSError, ValueError, pa.ArrowException):
            pq.read_table(path)
            unnoticed += 1
    assert unnoticed > 20


def test_page_checksums_notice_flips_without_the_manifest(project: Path, tmp_path: Path):
    path = backup_project(project, tmp_path / "b", {"clip": clips()}).tables["clip"]
    sound = path.read_bytes()
    chance = random.Random(11)
    silent = 0
    for _ in range(60):
        bit = chance.randrange(len(sound) * 8)
        spoiled = bytearray(sound)
        spoiled[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(spoiled))
        with contextlib.suppress(StoreError):
            silent += read_table(path) != clips()
    assert silent == 0


def test_a_shortened_manifest_is_noticed(project: Path, tmp_path: Path):
    made = backup_project(project, tmp_path / "b", {"clip": clips()})
    lines = (made.path / MANIFEST).read_text().splitlines(keepends=True)
    for left_out in range(len(lines)):
        (made.path / MANIFEST).write_text("".join(lines[:left_out] + lines[left_out + 1 :]))
        with pytest.raises(StoreError, match="is not listed"):
            verify_backup(made.path)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "catalog/../journal.sqlite", "other.txt"])
def test_a_manifest_cannot_name_other_files(project: Path, tmp_path: Path, name: str):
    made = backup_project(project, tmp_path / "b", {})
    with (made.path / MANIFEST).open("a") as file:
        file.write("0" * 64 + f"  {name}\n")
    with pytest.raises(StoreError, match="line"):
        restore_project(made.path, tmp_path / "again")


def test_a_shortened_journal_is_not_backed_up(project: Path, tmp_path: Path):
    shutil.copyfile(project / "journal.sqlite", tmp_path / "old.sqlite")
    with Journal(project / "journal.sqlite") as journal:
        journal.append([note(99)])
    shutil.copyfile(tmp_path / "old.sqlite", project / "journal.sqlite")
    with pytest.raises(StoreError, match="events 51 to 51 are missing"):
        backup_project(project, tmp_path / "b", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my project", "old.sqlite"]


def test_a_folder_without_a_journal_is_not_backed_up(tmp_path: Path):
    with pytest.raises(ProjectError, match="there is no journal"):
        backup_project(tmp_path / "nothing", tmp_path / "b", {})
    with pytest.raises(StoreError, match="is not a backup"):
        verify_backup(tmp_path)


def dated(folder: Path, *times: str) -> Path:
    """Folders that are backups by name and manifest."""
    for time in (*times, "before the move"):
        (folder / time).mkdir(parents=True)
        (folder / time / MANIFEST).touch()
    return folder


EVERY_NOON = tuple(f"202603{day:02d}T120000Z" for day in range(1, 32))
"""Of March 2026; the last Monday is the 30th."""
KEPT = [
    "20260315",
    "20260322",
    "20260325",
    "20260326",
    "20260327",
    "20260328",
    "20260329",
    "20260330",
    "20260331",
]
"""Seven days, and of four weeks the newest: two Sundays, and the 29th and 31st, which are kept as days too."""


def left_by(prune: Callable[[Path], object], folder: Path) -> list[str]:
    prune(folder)
    return sorted(path.name.partition("T")[0] for path in folder.iterdir())


@pytest.mark.promise(
    "of backups in the project the newest of 7 days and of 4 weeks are kept, and every one that somebody named",
    area="Backup",
    goal="0 wrong days of 62 backups in a month",
    control="tests/backend/store/test_backups.py::test_keeping_only_the_newest_would_be_noticed",
)
def test_the_newest_backups_of_seven_days_and_four_weeks_are_kept(tmp_path: Path, tally: Tally) -> None:
    mornings = tuple(noon.replace("T12", "T07") for noon in EVERY_NOON)
    found = left_by(prune_backups, dated(tmp_path / "b", *EVERY_NOON, *mornings))
    tally.record(63, lost=len(set(found) ^ {*KEPT, "before the move"}) + len(found) - len(set(found)))
    assert found == [*KEPT, "before the move"]
    assert (tmp_path / "b" / "20260331T120000Z").exists()


def test_keeping_only_the_newest_would_be_noticed(tmp_path: Path) -> None:
    def newest(folder: Path) -> None:
        for path in sorted(folder.iterdir())[: -len(KEPT) - 1]:
            path.rmdir() if not any(path.iterdir()) else shutil.rmtree(path)

    assert left_by(newest, dated(tmp_path / "b", *EVERY_NOON)) != [*KEPT, "before the move"]


def test_few_backups_all_stay(tmp_path: Path) -> None:
    assert len(left_by(prune_backups, dated(tmp_path / "b", "20260101T000000Z", "20260301T000000Z"))) == 3
