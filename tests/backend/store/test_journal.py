"""The journal's rules: revisions, receipts, the chain, reading, groups."""

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlite_utils import Database

from backend.domain import ProjectError, Stimulus, StoreError, Trial, Vote
from backend.store.journal import Journal
from backend.store.journal_reader import EMPTY, JournalReader
from backend.store.journal_schema import Event, EventRefused, vote_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def vote(id: str = "v1", rev: int = 1, choice: str | None = "same") -> Vote:
    return Vote(
        id=id,
        rev=rev,
        study_id="verify",
        trial_id="trial_1",
        item_id="pair_1",
        rater="ann",
        rater_kind="person",
        question="identity",
        choice=choice,
        reasons=("blur", "Ünïcode ✓"),
        shown_order=("target", "reference"),
        made_at="2026-03-01T11:59:58Z",
    )


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "journal.sqlite", now=lambda: NOON, steady=lambda: 0.0) as opened:
        yield opened


def test_a_vote_comes_back_as_it_was_given(journal: Journal):
    journal.append_votes([vote()])
    (event,) = journal.events()
    assert vote_of(event) == vote()
    assert (event.kind, event.actor, event.client_time) == ("vote", "ann", "2026-03-01T11:59:58Z")
    assert event.server_time == "2026-03-01T12:00:00.000000+00:00"


def test_the_same_vote_again_gives_the_first_receipt_and_no_event(journal: Journal):
    first = journal.append_votes([vote()])
    assert journal.append_votes([vote()]) == first
    assert journal.append_votes([vote(), vote()]) == first * 2
    assert journal.head().seq == 1


def test_a_stale_revision_is_kept_but_not_applied(journal: Journal):
    (third,) = journal.append_votes([vote(rev=3)])
    (second,) = journal.append_votes([vote(rev=2, choice="different")])
    assert (third.applied, second.applied) == (True, False)
    assert [(event.rev, event.body["choice"]) for event in journal.events()] == [(3, "same"), (2, "different")]


def test_a_receipt_given_again_says_the_same_of_applied(journal: Journal):
    receipts = journal.append_votes([vote(rev=1), vote(rev=3), vote(rev=2)])
    assert [receipt.applied for receipt in receipts] == [True, True, False]
    assert journal.append_votes([vote(rev=1), vote(rev=3), vote(rev=2)]) == receipts


def test_other_content_under_a_stored_revision_is_refused_with_its_whole_call(journal: Journal):
    journal.append_votes([vote()])
    with pytest.raises(EventRefused, match="vote v1 rev 1 is already stored as event 1"):
        journal.append_votes([vote("v2"), vote(choice="different")])
    assert journal.head().seq == 1
    assert journal.append_votes([vote("v2")])[0].seq == 2


def test_a_vote_is_changed_by_its_rater_alone(journal: Journal):
    journal.append_votes([vote(rev=1)])
    with pytest.raises(EventRefused, match="not bob's to change"):
        journal.append_votes([replace(vote(rev=2), rater="bob")])
    assert journal.append_votes([vote(rev=2)])[0].applied


def test_ids_of_different_kinds_do_not_meet(journal: Journal):
    submitted = Event(kind="job_submitted", id="job1", actor="ann", body={"job": "curate"})
    finished = Event(kind="job_finished", id="job1", actor="store", body={"state": "done"})
    assert [receipt.applied for receipt in journal.append([submitted, finished])] == [True, True]
    assert [event.kind for event in journal.events(kind="job_finished")] == ["job_finished"]


def test_a_trial_is_journalled_when_first_shown(journal: Journal):
    trial = Trial(study_id="verify", item_id="p", form="identity", stimuli=(Stimulus(slot="target"),), scores=(("a", 0.5),))
    (first,) = journal.show_trials([trial], rater="ann")
    (again,) = journal.show_trials([replace(trial, scores=(("a", 0.7),))], rater="bob")
    assert first == again
    (event,) = journal.events()
    assert (event.id, event.actor, event.body["scores"]) == (trial.id, "ann", [["a", 0.5]])


def test_the_chain_can_be_recomputed_from_an_export_alone(journal: Journal, tmp_path: Path):
    journal.append_votes([vote(f"v{n}", choice=None) for n in range(5)])
    assert journal.export(tmp_path / "journal.jsonl") == 5
    previous = "0" * 64
    for line in (tmp_path / "journal.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        body = json.dumps(row["body"], sort_keys=True, separators=(",", ":"))
        fields = ["seq", "id", "rev", "kind", "actor", None, "client_time", "server_time", "schema_version"]
        canonical = json.dumps([body if name is None else row[name] for name in fields], separators=(",", ":"))
        assert row["prev_hash"] == previous
        previous = hashlib.sha256((previous + canonical).encode()).hexdigest()
        assert row["hash"] == previous
    assert journal.head().hash == previous


def test_a_sound_journal_verifies(journal: Journal):
    assert journal.verify_chain().ok
    journal.append_votes([vote(f"v{n}") for n in range(7)])
    check = journal.verify_chain()
    assert (check.ok, check.events, check.first_bad, check.head) == (True, 7, None, journal.head())


def test_events_and_tail_come_in_order(journal: Journal):
    journal.append_votes([vote(f"v{n}") for n in range(10)])
    assert [event.seq for event in journal.events(4, 3)] == [5, 6, 7]
    assert [event.id for event in journal.tail(2)] == ["v8", "v9"]
    assert [event.seq for event in journal.stream()] == list(range(1, 11))
    assert journal.events(10) == []


def test_a_journal_continues_where_it_was_closed(tmp_path: Path):
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert journal.head() == EMPTY
        journal.append_votes([vote("v1")])
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert journal.append_votes([vote("v2")])[0].seq == 2
        assert journal.verify_chain().ok


def test_another_connection_reads_while_the_journal_is_written(journal: Journal):
    journal.append_votes([vote("v1")])
    with JournalReader(journal.path) as reader:
        assert reader.head() == journal.head()
        journal.append_votes([vote("v2")])
        assert [event.id for event in reader.events()] == ["v1", "v2"]


def test_reading_in_the_same_process_keeps_the_writers_locks(journal: Journal):
    """Closing any handle on the file drops a process's locks; then another program would delete the log in use."""
    journal.append_votes([vote("v1")])
    with JournalReader(journal.path) as reader:
        assert reader.head().seq == 1
    other = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('select 1 from events').fetchall(); c.close()"
    subprocess.run([sys.executable, "-c", other, str(journal.path)], check=True, timeout=60)
    assert Path(f"{journal.path}-wal").exists()
    journal.append_votes([vote("v2")])
    assert journal.verify_chain().events == 2


def test_callers_at_once_share_commits(tmp_path: Path):
    with Journal(tmp_path / "journal.sqlite") as journal:
        starting = threading.Barrier(16)

        def send(rater: int) -> None:
            starting.wait()
            for n in range(20):
                journal.append_votes([vote(f"{rater}-{n}")])

        raters = [threading.Thread(target=send, args=(rater,)) for rater in range(16)]
        for rater in raters:
            rater.start()
        for rater in raters:
            rater.join()
        assert journal.head().seq == 320
        assert journal.num_groups < 160
        assert journal.verify_chain().ok


def test_one_refused_request_leaves_its_group_alone(journal: Journal):
    journal.append_votes([vote("v1")])
    starting = threading.Barrier(8)
    outcomes: dict[int, str] = {}

    def send(n: int) -> None:
        starting.wait()
        try:
            journal.append_votes([vote(f"w{n}"), vote("v1", choice="same" if n % 2 else "different")])
            outcomes[n] = "stored"
        except EventRefused:
            outcomes[n] = "refused"

    callers = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert outcomes == {n: "stored" if n % 2 else "refused" for n in range(8)}
    assert {event.id for event in journal.events()} == {"v1", "w1", "w3", "w5", "w7"}


def test_a_closed_journal_says_so(tmp_path: Path):
    journal = Journal(tmp_path / "journal.sqlite")
    journal.close()
    journal.close()
    with pytest.raises(ProjectError, match="closed"):
        journal.append_votes([vote()])
    with pytest.raises(ProjectError, match="closed"):
        journal.head()


@pytest.mark.parametrize("fate", ["moved", "deleted", "replaced"])
def test_nothing_is_acknowledged_once_no_path_leads_to_the_journal(tmp_path: Path, fate: str):
    folder, away = tmp_path / "project", tmp_path / "away"
    folder.mkdir()
    journal = Journal(folder / "journal.sqlite")
    journal.append_votes([vote()])
    folder.rename(away)
    if fate == "deleted":
        shutil.rmtree(away)
    if fate == "replaced":
        shutil.copytree(away, folder)
    with pytest.raises(StoreError, match="moved, deleted or replaced while it was open; put it back"):
        journal.append_votes([vote("v2")])
    if fate == "moved":
        away.rename(folder)
        assert journal.append_votes([vote("v2")])[0].applied  # the same vote, sent again
        assert journal.verify_chain().ok
    journal.close()


@pytest.mark.parametrize("fault", [TypeError("a fault in the caller's code"), OSError(28, "no space"), RecursionError()])
def test_a_fault_of_one_caller_is_that_callers_alone(journal: Journal, fault: Exception):
    def faulty(connection: sqlite3.Connection) -> None:
        connection.execute("insert into leases values ('s', 'p', 'ann', 1)")
        raise fault

    gathered = threading.Event()

    def slow(connection: sqlite3.Connection) -> None:
        assert gathered.wait(10)

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(journal.write, slow)  # the others gather into one transaction meanwhile
        broken = pool.submit(journal.write, faulty)
        stored = pool.submit(journal.append_votes, [vote("v1")])
        time.sleep(0.05)
        gathered.set()
        first.result(10)
        with pytest.raises(type(fault)):
            broken.result(10)
        assert stored.result(10)[0].seq == 1
    assert journal.append_votes([vote("v2")])[0].seq == 2
    assert journal.write(lambda connection: connection.execute("select count(*) from leases").fetchone()) == (0,)
    assert journal.verify_chain().ok


@pytest.mark.parametrize(
    "fields",
    [
        {"body": {"x": float("nan")}},
        {"body": {"x": object()}},
        {"body": {"x": "a" * (1 << 20)}},
        {"actor": "\ud800"},
        {"id": ""},
        {"kind": "k" * 513},
        {"rev": -1},
        {"rev": 2**60},
        {"rev": True},
    ],
)
def test_what_cannot_be_stored_is_refused_before_the_journal(fields: dict):
    with pytest.raises(EventRefused):
        Event(**{"kind": "note", "actor": "ann", "body": {}, **fields})


def test_a_lone_surrogate_in_a_comment_is_stored(journal: Journal):
    comment = replace(vote(), comment="\ud800 half a character")
    journal.append_votes([comment])
    assert vote_of(journal.events()[0]) == comment
    assert journal.verify_chain().ok


def test_the_database_itself_refuses_to_change_an_event(journal: Journal):
    journal.append_votes([vote()])
    with sqlite3.connect(journal.path) as other:
        for statement in ("update events set actor = 'eve'", "delete from events"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                other.execute(statement)


def test_sqlite_utils_shows_the_schema(journal: Journal):
    journal.append_votes([vote()])
    database = Database(journal.path)
    assert database["events"].count == 1
    assert {"events", "leases", "progress"} <= set(database.table_names())
    database.close()
