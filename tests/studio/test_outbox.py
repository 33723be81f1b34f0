"""The outbox: nothing is lost between a person's answer and the journal, whatever breaks on the way."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlite_utils import Database

from backend.domain import ProjectError, Receipt, ServiceError, StoreError, StudioError, Vote
from backend.store.journal import Journal
from backend.store.journal_schema import EventRefused, vote_of
from studio.outbox import Outbox, OutboxCounts, recheck, send_pending
from tests.promises import Tally


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
        reasons=("blur",),
        shown_order=("reference", "target"),
        visible_ms=1200,
    )


def receipt(vote: Vote, seq: int = 1) -> Receipt:
    return Receipt(id=vote.id, rev=vote.rev, seq=seq, hash="ab" * 32, applied=True)


@pytest.fixture
def outbox(tmp_path: Path):
    with Outbox(tmp_path / "outbox.sqlite") as opened:
        yield opened


def test_a_put_vote_is_there_after_reopening(tmp_path: Path):
    with Outbox(tmp_path / "a folder" / "outbox.sqlite") as outbox:
        outbox.put(vote())
    with Outbox(tmp_path / "a folder" / "outbox.sqlite") as outbox:
        assert outbox.unsent() == (vote(),)


def test_a_receipt_moves_exactly_its_revision(outbox: Outbox):
    outbox.put(vote(rev=1))
    outbox.put(vote(rev=2, choice="different"))
    outbox.mark_sent("v1", 1, receipt(vote(rev=1)))
    assert outbox.unsent() == (vote(rev=2, choice="different"),)
    assert outbox.sent() == ((vote(rev=1), receipt(vote(rev=1))),)
    assert outbox.counts() == OutboxCounts(pending=1, sent=1, attention=0)


def test_a_receipt_of_another_vote_is_not_taken(outbox: Outbox):
    outbox.put(vote())
    with pytest.raises(ValueError, match="was given for v1 rev 1"):
        outbox.mark_sent("v1", 1, receipt(vote("v2")))
    assert outbox.counts().pending == 1


def test_undo_is_a_new_revision_without_a_choice(outbox: Outbox):
    outbox.put(vote())
    undone = outbox.undo("v1", made_at="2026-03-01T12:00:00Z")
    assert (undone.rev, undone.choice, undone.reasons, undone.trial_id) == (2, None, (), "trial_1")
    assert outbox.unsent() == (vote(), undone)
    with pytest.raises(KeyError, match="v9"):
        outbox.undo("v9", made_at="")


def test_a_revision_that_is_not_higher_is_refused(outbox: Outbox):
    outbox.put(vote(rev=2))
    outbox.put(vote(rev=2))
    assert outbox.counts().pending == 1
    for rev in (1, 2):
        with pytest.raises(ValueError, match="give it a higher one"):
            outbox.put(vote(rev=rev, choice="different"))


def test_a_refused_vote_waits_for_a_person_and_its_neighbours_are_sent(outbox: Outbox):
    for name in ("v1", "bad", "v2"):
        outbox.put(vote(name))

    def send(votes: tuple[Vote, ...]) -> tuple[Receipt, ...]:
        if any(each.id == "bad" for each in votes):
            raise EventRefused("vote bad is refused")
        return tuple(receipt(each) for each in votes)

    assert send_pending(outbox, send) == 2
    assert outbox.counts() == OutboxCounts(pending=0, sent=2, attention=1)
    (refused,) = outbox.refused()
    assert (refused.said, refused.problem) == (vote("bad"), "vote bad is refused")
    outbox.retry("bad", 1)
    assert outbox.unsent() == (vote("bad"),)


@pytest.mark.parametrize("error", [ServiceError("away"), ProjectError("the disk is full"), StoreError("damaged")])
def test_a_service_that_cannot_store_now_leaves_all_pending(outbox: Outbox, error: StudioError):
    outbox.put(vote())

    def send(_votes: tuple[Vote, ...]) -> tuple[Receipt, ...]:
        raise error

    with pytest.raises(type(error)):
        send_pending(outbox, send)
    assert outbox.counts() == OutboxCounts(pending=1, sent=0, attention=0)


def test_receipts_for_other_votes_mark_nothing(outbox: Outbox):
    outbox.put(vote("v1"))
    outbox.put(vote("v2"))
    with pytest.raises(ServiceError, match="receipts are for others"):
        send_pending(outbox, lambda votes: (receipt(votes[0]),))
    assert outbox.counts().pending == 2


def test_changes_together_are_all_made_or_none(outbox: Outbox):
    outbox.put(vote("v1"))
    outbox.put(vote("v2"))
    with pytest.raises(ValueError, match="was given for"), outbox.together():
        outbox.mark_sent("v1", 1, receipt(vote("v1")))
        outbox.mark_sent("v2", 1, receipt(vote("v1")))
    assert outbox.counts() == OutboxCounts(pending=2, sent=0, attention=0)


def test_recheck_finds_what_the_service_lost_and_stores_it_anew(outbox: Outbox, tmp_path: Path):
    with Journal(tmp_path / "before.sqlite") as journal:
        for number in range(5):
            outbox.put(vote(f"v{number}"))
        send_pending(outbox, journal.append_votes)
        assert recheck(outbox, journal.append_votes) == 0
    with Journal(tmp_path / "restored.sqlite") as journal:
        assert recheck(outbox, journal.append_votes) == 5
        assert {event.id for event in journal.events()} == {f"v{number}" for number in range(5)}
        assert recheck(outbox, journal.append_votes) == 0


def test_a_closed_outbox_says_so(tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.close()
    outbox.close()
    with pytest.raises(ProjectError, match="closed"):
        outbox.put(vote())


def _not_a_database(path: Path) -> None:
    path.write_bytes(b"these are not votes" * 100)


def _a_folder(path: Path) -> None:
    path.mkdir()


def _read_only(path: Path) -> None:
    Outbox(path).close()
    path.chmod(0o444)


def _of_another_program(path: Path) -> None:
    Database(path).table("notes").insert({"a": 1})


def _newer(path: Path) -> None:
    Outbox(path).close()
    Database(path).table("_sqlite_migrations").insert(
        {"migration_set": "outbox", "name": "m999_later", "applied_at": "2030"}
    )


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_not_a_database, "not a database"),
        (_a_folder, "not a file"),
        (_read_only, "read-only"),
        (_of_another_program, "not an outbox"),
        (_newer, "m999_later"),
    ],
)
def test_an_unusable_outbox_is_one_sentence_at_once(tmp_path: Path, spoil: Any, says: str):
    path = tmp_path / "outbox.sqlite"
    spoil(path)
    started = time.monotonic()
    with pytest.raises((ProjectError, StoreError), match=says) as raised:
        Outbox(path)
    assert time.monotonic() - started < 5
    assert "\n" not in str(raised.value)


def test_a_locked_outbox_is_one_sentence_within_five_seconds(tmp_path: Path):
    path = tmp_path / "outbox.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin exclusive")
    started = time.monotonic()
    with pytest.raises(ProjectError, match="Another program holds it"):
        Outbox(path)
    assert time.monotonic() - started < 5
    other.close()


@pytest.mark.slow
def test_no_put_vote_is_lost_when_studio_is_killed(tmp_path: Path):
    put = 0
    for round_number in range(6):
        path = tmp_path / f"{round_number}.sqlite"
        studio = subprocess.Popen([sys.executable, "-c", _VOTING, str(path)], stdout=subprocess.PIPE, text=True)
        assert studio.stdout is not None
        lines = [studio.stdout.readline()]
        time.sleep(0.02 * round_number)
        studio.send_signal(signal.SIGKILL)
        lines += studio.stdout.readlines()
        studio.wait()
        acknowledged = [line.strip() for line in lines if line.endswith("\n")]
        with Outbox(path) as outbox:
            stored = [each.id for each in outbox.unsent(1_000_000)]
        assert stored[: len(acknowledged)] == acknowledged
        assert len(stored) - len(acknowledged) <= 1
        put += len(acknowledged)
    assert put > 20


_VOTING = """
import os, sys
from pathlib import Path
from backend.domain import Vote
from studio.outbox import Outbox
outbox = Outbox(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    outbox.put(Vote(id=f"v{number}", rev=1, study_id="s", trial_id="t", item_id="i", rater="ann", rater_kind="person",
                    question="identity", choice="same"))
    os.write(1, f"v{number}\\n".encode())
"""

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # what is tested here is order, not the disk
IDS = ("a", "b", "c")
CHOICES = ("same", "different", "unsure")


class Syncing(RuleBasedStateMachine):
    """A person votes while the way to the service fails in every manner; in the end all of it has arrived, once."""

    journal_class: type[Journal] = Journal
    outbox_class: type[Outbox] = Outbox
    sync = staticmethod(send_pending)

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY)
        self.said: dict[tuple[str, int], Vote] = {}
        self.current: dict[str, Vote] = {}
        self.watermark = 0
        self.number = 0
        self.delayed: list[tuple[Vote, ...]] = []
        self.open()

    def open(self) -> None:
        self.journal = self.journal_class(Path(self.folder.name) / "journal.sqlite")
        self.outbox = self.outbox_class(Path(self.folder.name) / "outbox.sqlite")

    def newest(self, id: str) -> Vote | None:
        revs = [rev for known, rev in self.said if known == id]
        return self.said[id, max(revs)] if revs else None

    def say(self, id: str, choice: str | None) -> None:
        newest = self.newest(id)
        made = vote(id, newest.rev + 1 if newest else 1, choice)
        self.outbox.put(made)
        self.said[id, made.rev] = made

    @rule(id=st.sampled_from(IDS), choice=st.sampled_from(CHOICES))
    def vote_or_change(self, id: str, choice: str) -> None:
        self.say(id, choice)

    @precondition(lambda self: any(self.newest(name) for name in IDS))
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        made = self.outbox.undo(data.draw(st.sampled_from([name for name in IDS if self.newest(name)])), made_at="")
        self.said[made.id, made.rev] = made

    @rule(fault=st.sampled_from(("none", "before", "after", "dup", "stale")), limit=st.integers(1, 4), edits=st.booleans())
    def synchronise(self, fault: str, limit: int, edits: bool) -> None:
        def send(votes: tuple[Vote, ...]) -> tuple[Receipt, ...]:
            if fault == "before":
                self.delayed.append(votes)
                raise ServiceError("connection refused")
            receipts = self.serve(votes)
            if edits:
                self.say(votes[0].id, "unsure")
            if fault == "after":
                raise ServiceError("connection reset")
            if fault == "dup":
                receipts = self.serve(votes)
            if fault == "stale" and self.delayed:
                self.serve(self.delayed.pop(0))
            return receipts

        try:
            self.sync(self.outbox, send, limit=limit)
        except ServiceError:
            assert fault in ("before", "after")

    @rule()
    def another_page_whose_requests_overtake_each_other(self) -> None:
        self.number += 1
        first, second = vote(f"page{self.number}", 1, "same"), vote(f"page{self.number}", 2, "different")
        for made in (second, first):
            self.said[made.id, made.rev] = made
            self.serve((made,))

    @rule()
    def both_stop_and_start_again(self) -> None:
        self.journal.close()
        self.outbox.close()
        self.open()

    def serve(self, votes: tuple[Vote, ...]) -> tuple[Receipt, ...]:
        """The service: stores votes, and follows the journal as a projection does, each event once."""
        receipts = self.journal.append_votes(votes)
        for made, given in zip(votes, receipts):
            if given.seq > self.watermark:
                self.watermark = given.seq
                if given.applied:
                    self.current[made.id] = made
        return receipts

    @invariant()
    def the_outbox_knows_the_newest_word(self) -> None:
        for name in IDS:
            assert self.outbox.latest(name) == self.newest(name)

    def teardown(self) -> None:
        for _ in range(1000):
            if not self.outbox.unsent(1):
                break
            send_pending(self.outbox, self.serve)
        events = self.journal.events(0, 100_000)
        assert sorted((event.id, event.rev) for event in events) == sorted(self.said), "lost or doubled"
        assert all(vote_of(event) == self.said[event.id, event.rev] for event in events), "changed on the way"
        assert self.current == {name: self.newest(name) for name, _ in self.said}, "an older word counts"
        stored = {event.seq: event.hash for event in events}
        kept = self.outbox.sent(100_000)
        assert len(kept) == sum(not name.startswith("page") for name, _ in self.said)
        assert all(stored[given.seq] == given.hash for _, given in kept), "a receipt names no event"
        assert self.journal.verify_chain().ok
        self.journal.close()
        self.outbox.close()
        self.folder.cleanup()


QUICK = settings(max_examples=25, stateful_step_count=20, deadline=None, derandomize=True)


def test_all_that_was_said_arrives_once():
    run_state_machine_as_test(Syncing, settings=QUICK)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.promise(
    "what was said arrives once, whatever requests are lost, doubled, late or overtaken",
    area="Fuzzing",
    goal="0 lost or doubled in 5,000 stories",
    control="tests/studio/test_outbox.py::test_a_broken_variant_is_noticed",
)
def test_all_that_was_said_arrives_once_in_many_stories(long: bool, tally: Tally):
    stories = 5000 if long else 300
    run_state_machine_as_test(Syncing, settings=settings(max_examples=stories, stateful_step_count=25, deadline=None))
    tally.record(stories)  # a story that ends otherwise raises


class NoRevisionGuard(Journal):
    """Takes the last to arrive for the newest."""

    def append_votes(self, votes):
        return tuple(replace(given, applied=True) for given in super().append_votes(votes))


class IgnoresKnownIds(Journal):
    """Answers a change as if it were the vote that it changes (`on conflict do nothing`)."""

    def append_votes(self, votes):
        receipts = []
        for made in votes:
            known = next((event for event in self.events(0, 100_000) if event.id == made.id), None)
            if known is None:
                receipts += super().append_votes([made])
            else:
                receipts.append(Receipt(id=made.id, rev=made.rev, seq=known.seq, hash=known.hash, applied=True))
        return tuple(receipts)


class AcknowledgesWithoutRevision(Outbox):
    """Takes every revision of a vote for sent when one was."""

    def mark_sent(self, vote_id, rev, receipt):
        super().mark_sent(vote_id, rev, receipt)
        for each in self.unsent(100_000):
            if each.id == vote_id:
                super().mark_sent(each.id, each.rev, replace(receipt, rev=each.rev))


class DropsRefusals(Outbox):
    """Lets go of votes when the service does not answer."""

    def unsent(self, limit=100, *, of=Vote):
        votes = super().unsent(limit, of=of)
        for each in votes[1:]:
            super().mark_attention(each.id, each.rev, "forgotten")
        return votes


def _acknowledges_before_sending(outbox: Outbox, send: Any, *, limit: int = 100) -> int:
    votes = outbox.unsent(limit)
    for each in votes:
        outbox.mark_sent(each.id, each.rev, receipt(each))
    return len(send(votes)) if votes else 0


@pytest.mark.parametrize(
    ("broken", "what_breaks"),
    [
        ({"journal_class": NoRevisionGuard}, "an older word counts"),
        ({"journal_class": IgnoresKnownIds}, "lost or doubled"),
        ({"outbox_class": AcknowledgesWithoutRevision}, "lost or doubled"),
        ({"outbox_class": DropsRefusals}, "lost or doubled"),
        ({"sync": staticmethod(_acknowledges_before_sending)}, "lost or doubled|a receipt names no event"),
    ],
    ids=["no guard", "ignores known", "acknowledges without rev", "drops", "acknowledges early"],
)
def test_a_broken_variant_is_noticed(broken: dict[str, Any], what_breaks: str):
    machine = type("Broken", (Syncing,), broken)
    hunting = settings(QUICK, max_examples=200, phases=(Phase.generate,), report_multiple_bugs=False)
    with pytest.raises(AssertionError, match=what_breaks):
        run_state_machine_as_test(machine, settings=hunting)


def test_only_a_refused_revision_can_be_dropped(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.sqlite") as outbox:
        outbox.put(vote())
        outbox.put(vote(rev=2))
        outbox.mark_attention("v1", 2, "no")
        outbox.drop("v1", 1)
        assert [one.rev for one in outbox.unsent()] == [1]
        outbox.drop("v1", 2)
        assert outbox.refused() == ()
        assert outbox.counts().attention == 0
    with Outbox(tmp_path / "outbox.sqlite") as again:
        assert [one.rev for one in again.unsent()] == [1]
