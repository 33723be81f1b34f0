"""Files that older versions of Studio left behind, with verdicts in them that were never sent."""

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from backend.domain import Receipt, Vote
from backend.domain.corrections import Correction
from backend.store.journal import Journal
from studio.outbox import Outbox, OutboxCounts, send_pending

MARK = 0x53534F42  # the letters SSOB
FIRST = """
create table votes (n integer primary key, id text not null, rev integer not null, vote text not null, state text not null,
receipt text, problem text) strict;
create unique index idx_votes_id_rev on votes (id, rev);
create index idx_votes_state_n on votes (state, n);
"""
"""As the first version made it: votes alone, nothing that shows damage."""
KINDS = "alter table votes add column kind text not null default 'vote';"
STEPS = {"m001_votes": FIRST, "m002_kind": KINDS}


def vote(number: int) -> Vote:
    return Vote(
        id=f"vote{number}",
        rev=1,
        study_id="verify",
        trial_id=f"trial{number}",
        item_id=f"pair_{number}",
        rater="ann",
        rater_kind="person",
        question="identity",
        choice="same",
        reasons=("colour",),
    )


def older(path: Path, steps: tuple[str, ...]) -> None:
    """A file with vote 0 sent, 1 and 2 waiting, 3 refused, as the version of these steps wrote it."""
    receipt = Receipt(id="vote0", rev=1, seq=1, hash="ab" * 32, applied=True)
    rows = (
        ("sent", json.dumps(asdict(receipt)), None),
        ("pending", None, None),
        ("pending", None, None),
        ("attention", None, "the study is closed"),
    )
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(f"pragma application_id = {MARK}")
        file.execute("pragma journal_mode = wal")
        file.execute("create table _sqlite_migrations (migration_set text, name text, applied_at text)")
        for step in steps:
            file.executescript(STEPS[step])
            file.execute("insert into _sqlite_migrations values ('outbox', ?, '2025-01-01')", (step,))
        for number, (state, receipt_text, problem) in enumerate(rows):
            file.execute(
                "insert into votes (id, rev, vote, state, receipt, problem) values (?, 1, ?, ?, ?, ?)",
                (f"vote{number}", json.dumps(asdict(vote(number))), state, receipt_text, problem),
            )


@pytest.mark.parametrize("steps", [("m001_votes",), ("m001_votes", "m002_kind")], ids=["first", "second"])
def test_what_waited_in_an_older_outbox_is_sent_once_and_the_rest_is_as_it_was(
    tmp_path: Path, steps: tuple[str, ...]
) -> None:
    path = tmp_path / "outbox.sqlite"
    older(path, steps)
    with Outbox(path) as outbox, Journal(tmp_path / "journal.sqlite") as journal:
        assert outbox.unsent() == (vote(1), vote(2))
        assert outbox.unsent(of=Correction) == ()
        assert [said.id for said, _ in outbox.sent()] == ["vote0"]
        assert [(each.said.id, each.problem) for each in outbox.refused()] == [("vote3", "the study is closed")]
        assert send_pending(outbox, journal.append_votes) == 2
        assert send_pending(outbox, journal.append_votes) == 0
        assert [event.id for event in journal.events()] == ["vote1", "vote2"]
    with Outbox(path) as again:
        assert again.counts() == OutboxCounts(pending=0, sent=3, attention=1)
        again.put(vote(4))
        assert again.unsent() == (vote(4),)
