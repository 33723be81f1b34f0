"""Damage is loud: flipped bits, shortened files, changed and deleted events."""

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from backend.domain import ProjectError, StoreError
from backend.store.journal import Journal
from backend.store.journal_head import SLOT_BYTES, read_head
from backend.store.journal_reader import JournalReader
from backend.store.journal_schema import Event, StoredEvent
from tests.promises import Tally

EVENTS = 200
FILES = ("journal.sqlite", "journal.sqlite-wal", "journal.head")


def note(number: int) -> Event:
    return Event(kind="note", id=f"n{number}", actor="ann", body={"number": number, "text": "x" * (number % 50)})


@pytest.fixture(scope="module")
def left_open(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a journal whose process was killed: half of the events in the file, half in the log."""
    live, left = tmp_path_factory.mktemp("live"), tmp_path_factory.mktemp("left")
    with Journal(live / "journal.sqlite") as journal:
        journal.append([note(number) for number in range(EVENTS // 2)])
    with Journal(live / "journal.sqlite") as journal:
        for number in range(EVENTS // 2, EVENTS):
            journal.append([note(number)])
        for name in FILES:
            shutil.copyfile(live / name, left / name)
    return left


@pytest.fixture(scope="module")
def written(left_open: Path, tmp_path_factory: pytest.TempPathFactory) -> list[StoredEvent]:
    folder = shutil.copytree(left_open, tmp_path_factory.mktemp("sound") / "copy")
    with Journal(folder / "journal.sqlite") as journal:
        assert journal.verify_chain().ok
        return list(journal.stream())


def flipped(raw: bytes, bit: int) -> bytes:
    spoiled = bytearray(raw)
    spoiled[bit // 8] ^= 1 << bit % 8
    return bytes(spoiled)


def outcome(folder: Path, written: list[StoredEvent]) -> str:
    """loud, same or silent: what a person would notice on opening and verifying the journal."""
    try:
        with Journal(folder / "journal.sqlite") as journal:
            if not journal.verify_chain().ok:
                return "loud"
            return "same" if list(journal.stream()) == written else "silent"
    except (StoreError, ProjectError):
        return "loud"


def flip_many(left_open: Path, written: list[StoredEvent], tmp_path: Path, *, name: str, count: int) -> dict[str, int]:
    chance = random.Random(f"{name} {count}")
    seen = {"loud": 0, "same": 0, "silent": 0}
    sound = (left_open / name).read_bytes()
    folder = tmp_path / "spoiled"
    for _ in range(count):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(left_open, folder)
        (folder / name).write_bytes(flipped(sound, chance.randrange(len(sound) * 8)))
        seen[outcome(folder, written)] += 1
    return seen


@pytest.mark.promise(
    "a flipped bit in the journal, its log or its head never changes or shortens history in silence",
    area="Durability",
    goal="0 silent in 300 flips of each file",
    control="tests/backend/store/test_journal_damage.py::test_without_its_head_a_journal_is_shortened_in_silence",
)
@pytest.mark.parametrize("name", FILES)
def test_no_flipped_bit_changes_history_in_silence(
    left_open: Path, written: list[StoredEvent], tmp_path: Path, name: str, long: bool, tally: Tally
):
    seen = flip_many(left_open, written, tmp_path, name=name, count=300 if long else 40)
    tally.record(sum(seen.values()), lost=seen["silent"])
    assert seen["silent"] == 0
    if name == "journal.head":  # damage to one of its two entries is no reason for an alarm
        assert seen["loud"] == 0
    else:
        assert seen["loud"] > 5


def test_without_its_head_a_journal_is_shortened_in_silence(left_open: Path, written: list[StoredEvent], tmp_path: Path):
    headless = shutil.copytree(left_open, tmp_path / "headless")
    (headless / "journal.head").unlink()
    assert flip_many(headless, written, tmp_path, name="journal.sqlite-wal", count=20)["silent"] > 5


def test_sqlite_alone_shortens_history_in_silence(left_open: Path, written: list[StoredEvent], tmp_path: Path):
    """The reason for journal.head: without it the same damage passes."""
    (tmp_path / "journal.sqlite").write_bytes((left_open / "journal.sqlite").read_bytes())
    log = (left_open / "journal.sqlite-wal").read_bytes()
    (tmp_path / "journal.sqlite-wal").write_bytes(flipped(log, len(log) * 4))
    connection = sqlite3.connect(tmp_path / "journal.sqlite")
    (count,) = connection.execute("select count(*) from events").fetchone()
    assert EVENTS // 2 <= count < EVENTS
    assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    connection.close()


def test_the_head_file_survives_a_torn_write(left_open: Path, tmp_path: Path):
    raw = (left_open / "journal.head").read_bytes()
    for slot in (0, SLOT_BYTES):
        (tmp_path / "torn").write_bytes(
            raw[:slot] + raw[slot : slot + 20] + b" " * (SLOT_BYTES - 20) + raw[slot + SLOT_BYTES :]
        )
        head = read_head(tmp_path / "torn")
        assert head is not None
        assert head.seq in (EVENTS - 1, EVENTS)


def test_a_refused_journal_keeps_its_damaged_log_as_it_was(left_open: Path, tmp_path: Path):
    folder = shutil.copytree(left_open, tmp_path / "copy")
    log = folder / "journal.sqlite-wal"
    log.write_bytes(flipped(log.read_bytes(), log.stat().st_size * 4))
    before = {name: (folder / name).read_bytes() for name in FILES}
    with pytest.raises(StoreError, match=rf"to {EVENTS} are missing"):
        Journal(folder / "journal.sqlite")
    assert {name: (folder / name).read_bytes() for name in FILES} == before


@pytest.mark.parametrize("name", FILES[:2])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 0.99])
def test_a_shortened_file_is_noticed(left_open: Path, written: list[StoredEvent], tmp_path: Path, name: str, part: float):
    folder = shutil.copytree(left_open, tmp_path / "copy")
    raw = (folder / name).read_bytes()
    (folder / name).write_bytes(raw[: int(len(raw) * part)])
    mended_by_log = name == "journal.sqlite" and part == 0.99  # the log holds a newer version of the last page
    assert outcome(folder, written) == ("same" if mended_by_log else "loud")


def test_a_lost_log_is_noticed(left_open: Path, tmp_path: Path):
    folder = shutil.copytree(left_open, tmp_path / "copy")
    (folder / "journal.sqlite-wal").unlink()
    with pytest.raises(StoreError, match=f"events {EVENTS // 2 + 1} to {EVENTS} are missing"):
        Journal(folder / "journal.sqlite")


TAMPERING = [
    ("update events set body = replace(body, '42', '43') where seq = 43", 43),
    ("update events set actor = 'eve' where seq = 1", 1),
    ("update events set server_time = '' where seq = 7", 7),
    ("delete from events where seq = 10", 10),
    ("delete from events where seq > 150", 151),
    ("update events set hash = prev_hash where seq = 200", 200),
]


@pytest.mark.parametrize(("statement", "first_bad"), TAMPERING)
def test_a_changed_event_is_named(left_open: Path, tmp_path: Path, statement: str, first_bad: int):
    folder = shutil.copytree(left_open, tmp_path / "copy")
    connection = sqlite3.connect(folder / "journal.sqlite")
    triggers = connection.execute("select name, sql from sqlite_master where type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"drop trigger {name}")
    connection.execute(statement)
    for _, sql in triggers:
        connection.execute(sql)
    connection.commit()
    connection.close()
    with JournalReader(folder / "journal.sqlite") as reader:
        check = reader.verify_chain()
    assert not check.ok
    assert check.first_bad == first_bad


def test_an_older_copy_of_the_file_is_noticed(left_open: Path, tmp_path: Path):
    folder = shutil.copytree(left_open, tmp_path / "copy")
    with Journal(folder / "journal.sqlite") as journal:
        head = journal.head()
    older = tmp_path / "older"
    older.mkdir()
    with Journal(older / "journal.sqlite") as journal:
        journal.append([note(number) for number in range(EVENTS)])
        with pytest.raises(StoreError, match="another journal or it was changed"):
            journal.verify_against(head)


def test_a_missing_index_is_noticed(left_open: Path, tmp_path: Path):
    folder = shutil.copytree(left_open, tmp_path / "copy")
    connection = sqlite3.connect(folder / "journal.sqlite")
    connection.execute("drop index idx_events_kind_id_rev")
    connection.commit()
    connection.close()
    with JournalReader(folder / "journal.sqlite") as reader:
        assert "index idx_events_kind_id_rev is not the expected one" in reader.verify_chain().problems[0]
