"""kill -9 of Studio while it brings an outbox of an older version up to its own, before each of its steps."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from backend.domain import StudioError
from studio import outbox_upgrade
from studio.outbox import Outbox
from tests.chaos.killing import run, spread
from tests.faults.kept_files import vote
from tests.promises import Tally

NUM = 30
FIRST = """
create table votes (n integer primary key, id text not null, rev integer not null, vote text not null, state text not null,
receipt text, problem text) strict;
create unique index idx_votes_id_rev on votes (id, rev);
create index idx_votes_state_n on votes (state, n);
create table _sqlite_migrations (id integer primary key, migration_set text, name text, applied_at text);
insert into _sqlite_migrations (migration_set, name, applied_at) values ('outbox', 'm001_votes', '2025-01-01');
"""
"""As the first version made it: votes alone, and nothing that shows damage."""
SECOND = """
alter table votes add column kind text not null default 'vote';
insert into _sqlite_migrations (migration_set, name, applied_at) values ('outbox', 'm002_kind', '2025-02-01');
"""


def older(folder: Path, *, version: int) -> Path:
    """An outbox of that version with verdicts that nobody has sent; some lie in its log alone, as a kill leaves them."""
    folder.mkdir()
    path, live = folder / "outbox.sqlite", folder / "live.sqlite"
    with closing(sqlite3.connect(live, isolation_level=None)) as file:
        file.execute("pragma journal_mode = wal")
        file.execute("pragma wal_autocheckpoint = 0")
        file.execute(f"pragma application_id = {0x53534F42}")
        file.executescript(FIRST + (SECOND if version == 2 else ""))
        file.execute("pragma wal_checkpoint(truncate)")
        for number in range(NUM):
            file.execute(
                "insert into votes (id, rev, vote, state) values (?, 0, ?, 'pending')",
                (f"v{number}", json.dumps(asdict(vote(number)))),
            )
        shutil.copyfile(live, path)
        shutil.copyfile(live.with_name("live.sqlite-wal"), path.with_name("outbox.sqlite-wal"))
    for name in folder.glob("live*"):
        name.unlink()
    return path


def lost_in(path: Path) -> int:
    """How many verdicts are not there, or not as they were said, once Studio has opened the outbox."""
    try:
        with Outbox(path) as outbox:
            found = outbox.unsent()
    except StudioError:
        return NUM
    return sum(vote(number) not in found for number in range(NUM))


def open_outbox(say: Callable[[object], None], path: Path) -> None:
    Outbox(path).close()
    say("opened")


def open_outbox_moved_first(say: Callable[[object], None], path: Path) -> None:
    """A mutant: the old file is moved away before the new one is there."""
    sound = outbox_upgrade.upgrade

    def moved_first(path: Path, version: str, build: Callable[[Path], None]) -> None:
        path.rename(path.with_suffix(".moved"))
        sound(path, version, build)

    outbox_upgrade.upgrade = moved_first
    open_outbox(say, path)


@pytest.mark.slow
@pytest.mark.promise(
    "An older outbox whose upgrade is killed before any step opens with every verdict that waits, and nothing else of it stays",
    area="Durability",
    goal="0 lost in 60 kills of 2 older versions",
    control="tests/chaos/test_outbox_upgrade_kills.py::test_an_outbox_that_is_moved_before_its_upgrade_loses_verdicts",
    kills=(6, 60),
)
def test_killed_upgrades_of_an_outbox_lose_no_verdict(memory: Path, long: bool, tally: Tally) -> None:
    lost = kills = 0
    for version in (1, 2):
        whole = older(memory / f"whole-{version}", version=version)
        steps = run(open_outbox, whole, folder=memory).steps
        assert any("outbox.upgrading to " in step for step in steps), "it was not brought up in a new file"
        assert lost_in(whole) == 0
        for step in spread(steps, 40 if long else 3, always=lambda step: "upgrading to" in step or "was-" in step):
            path = older(memory / f"killed-{version}-{step}", version=version)
            kills += run(open_outbox, path, folder=memory, dies_before=step).killed
            lost += lost_in(path)
            assert {one.name for one in path.parent.iterdir()} <= {path.name, "outbox.head"}, "a copy outlives forgetting"
    tally.record(kills, lost=lost)
    assert lost == 0
    assert kills >= (60 if long else 6)


@pytest.mark.slow
def test_an_outbox_that_is_moved_before_its_upgrade_loses_verdicts(memory: Path) -> None:
    path = older(memory / "moved", version=1)
    assert run(open_outbox_moved_first, path, folder=memory, dies_before=1, named="open moved/outbox.upgrading").killed
    assert lost_in(path) == NUM


def test_an_outbox_that_another_program_holds_is_not_swapped(tmp_path: Path) -> None:
    path = older(tmp_path / "held", version=2)
    before = path.read_bytes()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("select count(*) from votes").fetchone() == (NUM,)
        with pytest.raises(StudioError, match="Another program holds it; close that program and try again"):
            Outbox(path)
        assert path.read_bytes() == before
    assert lost_in(path) == 0


def test_an_outbox_with_unreadable_pages_is_not_taken_over(tmp_path: Path) -> None:
    path = older(tmp_path / "torn", version=1)
    with closing(sqlite3.connect(path)) as file:
        file.execute("pragma journal_mode = delete")
        file.execute("pragma page_size").fetchone()
    raw = bytearray(path.read_bytes())
    raw[-4096:-4000] = bytes(range(96))
    path.write_bytes(raw)
    with pytest.raises(StudioError, match=r"damaged|malformed"):
        Outbox(path)
    assert path.read_bytes() == bytes(raw)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
