"""What a person had erased is gone from every byte, and the journal still verifies."""

import hashlib
import json
import sqlite3
from pathlib import Path

import pytest

from backend.domain import StoreError, Vote
from backend.store.backups import backup_project, restore_project
from backend.store.journal import Journal
from backend.store.journal_reader import JournalReader
from backend.store.journal_schema import MIGRATIONS, REDACTABLE_VERSION, Event, redacted, row_hash, sealing_events, wrap
from backend.store.redaction import count_redactable, redact, remove

CANARY = "xq7-canary-ümläut-7731"


def said(number: int, *, actor: str = "person_a", text: str = CANARY) -> Event:
    return Event(kind="vote", id=f"{actor}-{number}", actor=actor, body={"comment": text, "n": number}, redactable=True)


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "journal.sqlite") as opened:
        yield opened


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_no_byte_of_an_erased_person_stays_and_the_chain_verifies(journal: Journal, tmp_path: Path) -> None:
    journal.append([said(n) for n in range(200)])
    journal.append([said(n, actor="person_b", text="kept") for n in range(50)])
    journal.append([Event(kind="note", actor="user", body={"n": 1})])
    head = journal.head()
    written = json.dumps(CANARY)[1:-1].encode()
    assert bytes_of(tmp_path).count(written) >= 200
    assert count_redactable(journal, actor="person_a") == {"vote": 200}
    assert redact(journal, actor="person_a") == {"vote": 200}
    assert count_redactable(journal, actor="person_a") == {}
    journal.compact()
    assert written not in bytes_of(tmp_path)
    assert b"person_a" not in bytes_of(tmp_path)
    check = journal.verify_chain()
    assert (check.ok, check.events, check.head) == (True, 251, head)
    assert [event.is_redacted for event in journal.stream()] == [True] * 200 + [False] * 51
    journal.append([said(900)])
    assert journal.verify_chain().ok


def test_the_journal_is_append_only_again_afterwards(journal: Journal) -> None:
    journal.append([said(0)])
    redact(journal, actor="person_a")
    with pytest.raises(StoreError):
        journal.write(lambda connection: connection.execute("update events set actor = 'x'").rowcount)


def test_what_is_left_of_a_row_does_not_tell_a_guess_from_another(journal: Journal) -> None:
    journal.append([said(0, text="yes")])
    (before,) = journal.events()
    redact(journal, actor="person_a")
    (after,) = journal.events()
    canonical = json.dumps([before.id, before.actor, before.text, before.client_time], separators=(",", ":"))
    digest = hashlib.sha256((before.salt + canonical).encode()).hexdigest()
    assert after.body == {"redacted": digest}
    assert hashlib.sha256(canonical.encode()).hexdigest() != digest
    assert after.salt == ""
    assert row_hash(after) == after.hash == before.hash


def test_equal_answers_have_different_digests(journal: Journal) -> None:
    journal.append([Event(kind="k", id="a", actor="p", body={}, redactable=True)])
    journal.append([Event(kind="k", id="b", actor="p", body={}, redactable=True)])
    salts = [event.salt for event in journal.events()]
    assert len(set(salts)) == 2
    assert all(len(salt) == 32 for salt in salts)


def test_a_redacted_row_that_was_tampered_with_is_noticed(journal: Journal, tmp_path: Path) -> None:
    journal.append([said(0), said(1)])
    redact(journal, actor="person_a")
    journal.close()
    with sqlite3.connect(tmp_path / "journal.sqlite") as raw:
        raw.execute("drop trigger events_no_update")
        raw.execute("update events set body = ? where seq = 1", (json.dumps({"redacted": "0" * 64}),))
    raw.close()
    with JournalReader(tmp_path / "journal.sqlite") as reader:
        assert reader.verify_chain().first_bad == 1


def test_events_that_cannot_be_redacted_refuse_the_whole(journal: Journal) -> None:
    journal.append([said(0), Event(kind="note", actor="person_a", body={})])
    with pytest.raises(StoreError, match="cannot be erased"):
        redact(journal, actor="person_a")
    assert not any(event.is_redacted for event in journal.stream())
    with pytest.raises(ValueError, match="cannot be redacted"):
        redacted(journal.events()[1])


def test_votes_of_studies_are_redactable_and_idempotent(journal: Journal) -> None:
    vote = Vote(
        id="v", rev=1, study_id="s", trial_id="t", item_id="i", rater="p", rater_kind="person", question="q", choice="left"
    )  # fmt: skip
    first = journal.append_votes([vote], redactable=True)
    assert journal.append_votes([vote], redactable=True) == first
    assert journal.events()[0].schema_version == REDACTABLE_VERSION


def test_writing_goes_on_while_the_file_is_rewritten(journal: Journal) -> None:
    journal.append([said(n) for n in range(20)])
    journal.compact()
    assert journal.append([said(99)])[0].seq == 21


def test_a_backup_by_a_version_without_salt_is_still_sound(tmp_path: Path) -> None:
    project = tmp_path / "old"
    project.mkdir()
    with Journal(project / "journal.sqlite") as journal:
        journal.append([Event(kind="note", actor="ann", body={"n": n}) for n in range(3)])
    raw = sqlite3.connect(project / "journal.sqlite", isolation_level=None)
    for name in ("events_no_update", "events_no_delete"):
        raw.execute(f"drop trigger {name}")
    raw.execute("create table kept as select * from events")
    raw.execute("drop table events")
    raw.execute("delete from _sqlite_migrations where name in ('m001_events', 'm004_salt')")
    MIGRATIONS.apply(wrap(raw), stop_before=["m004_salt"])
    columns = "seq, id, rev, kind, actor, body, client_time, server_time, schema_version, prev_hash, hash"
    raw.execute(f"insert into events ({columns}) select {columns} from kept")
    raw.execute("drop table kept")
    raw.close()
    with JournalReader(project / "journal.sqlite") as reader:
        assert reader.verify_chain().problems == ()
    backup_project(project, tmp_path / "b", {})
    restore_project(tmp_path / "b", tmp_path / "again")
    with Journal(tmp_path / "again" / "journal.sqlite") as journal:
        journal.append([said(0)])
        assert journal.verify_chain().ok


def test_events_of_any_version_are_removed_and_the_chain_verifies(journal: Journal, tmp_path: Path) -> None:
    note = Event(kind="note", actor="person_a", body={"about": CANARY}, id=f"id-{CANARY}"[:40], client_time="2026-01-02")
    journal.append([note, said(1), said(2, text="kept")])
    head = journal.head()
    journal.append(sealing_events("e1", [1]))
    assert remove(journal, [1, 2]) == {"note": 1, "vote": 1}
    assert remove(journal, [1, 2]) == {}
    journal.compact()
    assert json.dumps(CANARY)[1:-1].encode() not in bytes_of(tmp_path)
    assert [event.is_redacted for event in journal.events()] == [True, True, False, False]
    check = journal.verify_chain()
    assert (check.ok, check.events) == (True, 4)
    journal.verify_against(head)
    with pytest.raises(StoreError):
        journal.write(lambda connection: connection.execute("update events set actor = 'x'").rowcount)


def test_a_row_without_content_that_nothing_accounts_for_is_damage(journal: Journal) -> None:
    journal.append([Event(kind="note", actor="ann", body={"n": n}) for n in range(3)])
    remove(journal, [2])
    check = journal.verify_chain()
    assert (check.ok, check.first_bad) == (False, 2)
    assert "event 2 has no content" in check.problems[0]
    journal.append(sealing_events("e1", [2]))
    assert journal.verify_chain().ok
