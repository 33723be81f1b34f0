"""kill -9 of a backup, of pruning, of a restore and of bringing an older project up to date, before each of their steps."""

import shutil
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path

import pytest

from backend.domain import StudioError
from backend.store.backups import new_backup_path, verify_backup
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from tests.backend.store.test_upgrading import older_catalog, older_journal, rows_kept
from tests.chaos.killed_work import (
    back_up,
    back_up_in_place,
    bring_back,
    bring_back_beside,
    bring_back_in_place,
    made,
    open_stores,
    open_stores_in_place,
    opened,
)
from tests.chaos.killing import Ended, run, spread
from tests.promises import Tally

DAYS_BEFORE = 36
"""So many days of backups that there is something to prune from the start."""

EVENTS, ROWS = 40, 3000


@pytest.fixture
def project(memory: Path) -> Path:
    """A project with a backup of each third day."""
    project = made(memory / "made")
    workspace = opened(project)
    first = Path(workspace.backup(out=str(memory / "backup")))
    workspace.close()
    for day in range(0, DAYS_BEFORE, 3):
        shutil.copytree(first, new_backup_path(project, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)))
    return project


@pytest.mark.slow
@pytest.mark.promise(
    "A backup that is killed, or was about to be pruned, is whole or absent, and the next opening clears what was left",
    area="Durability",
    goal="0 broken in 120 kills",
    control="tests/chaos/test_backup_kills.py::test_a_backup_that_is_written_in_place_is_broken_by_a_kill",
    kills=(4, 120),
)
def test_killed_backups_are_whole_or_absent(project: Path, memory: Path, long: bool, tally: Tally) -> None:
    broken, kills = killed_backups(project, 132 if long else 5)
    tally.record(kills, lost=broken)
    assert kills >= (120 if long else 4)
    assert broken == 0
    opened(project).close()
    assert not [path.name for path in (project / "backups").iterdir() if path.name.startswith(".")]
    assert verify_backup(max((project / "backups").iterdir())).head.seq > 0


@pytest.mark.slow
def test_a_backup_that_is_written_in_place_is_broken_by_a_kill(project: Path, memory: Path) -> None:
    assert run(back_up_in_place, project, DAYS_BEFORE, folder=project, dies_before=3, named="open backups/").killed
    assert broken_of(project) == 1


def killed_backups(project: Path, number: int) -> tuple[int, int]:
    """How many of the backups that carry a name cannot be restored, and after how many kills: `number`, or nearly.

    On days on which nothing is pruned a backup has fewer steps, and has ended before a late one.
    """
    day, kills = DAYS_BEFORE, 0
    steps = run(back_up, project, day, folder=project).steps
    assert any("os.remove" in step for step in steps), "nothing was pruned"
    for step in islice(cycle(chosen(steps, number, ("rename", "os.rmdir"))), 3 * number):
        day += 1
        kills += run(back_up, project, day, folder=project, dies_before=step).killed
        if kills == number:
            break
    return broken_of(project), kills


def broken_of(project: Path) -> int:
    """How many backups that carry a name cannot be restored."""
    named = [path for path in (project / "backups").iterdir() if not path.name.startswith(".")]
    assert len(named) >= 7
    return sum(not is_sound(path) for path in named)


def is_sound(backup: Path) -> bool:
    try:
        verify_backup(backup)
    except StudioError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.promise(
    "A restore that is killed, of a folder or a packed backup, makes no project or a whole one; asked for again it leaves nothing else",
    area="Durability",
    goal="0 broken in 60 kills of each",
    control="tests/chaos/test_backup_kills.py::test_a_restore_in_place_is_broken_by_a_kill",
    kills=(2, 60),
)
@pytest.mark.parametrize("kind", ["folder", "packed"])
def test_killed_restores_make_no_project_or_a_whole_one(
    kind: str, project: Path, memory: Path, long: bool, tally: Tally
) -> None:
    backup = memory / "backup" if kind == "folder" else packed(memory)
    whole: Ended = run(bring_back, backup, memory / "whole", folder=memory)
    wanted = state_of(memory / "whole")
    broken = kills = 0
    for step in chosen(whole.steps, 66 if long else 4 if kind == "folder" else 2, ("rename",)):
        kills += run(bring_back, backup, memory / "again", folder=memory, dies_before=step).killed
        if (memory / "again").exists():
            broken += is_other(memory / "again", wanted)
            shutil.rmtree(memory / "again")
    run(bring_back, backup, memory / "again", folder=memory)
    left = left_in(memory)
    tally.record(kills, lost=broken + len(left))
    assert kills >= (60 if long else 2)
    assert (broken, left) == (0, [])
    assert state_of(memory / "again") == wanted


@pytest.mark.slow
def test_a_restore_in_place_is_broken_by_a_kill(project: Path, memory: Path) -> None:
    run(bring_back, memory / "backup", memory / "whole", folder=memory)
    wanted = state_of(memory / "whole")
    assert not is_other(memory / "whole", wanted)
    broken = run(bring_back_in_place, memory / "backup", memory / "again", folder=memory, dies_before=1, named="duckdb")
    assert broken.killed
    assert is_other(memory / "again", wanted)


@pytest.mark.slow
def test_a_backup_that_is_unpacked_where_nobody_looks_is_left_by_a_kill(project: Path, memory: Path) -> None:
    backup = packed(memory)
    for work, left in ((bring_back_beside, 1), (bring_back, 0)):
        assert run(work, backup, memory / "again", folder=memory, dies_before=1, named="duckdb close").killed
        assert len(left_in(memory)) > left
        run(work, backup, memory / "again", folder=memory)
        assert len(left_in(memory)) == left
        shutil.rmtree(memory / "again")
        [shutil.rmtree(memory / name) for name in left_in(memory)]


def packed(folder: Path) -> Path:
    """The backup as one file."""
    return Path(shutil.make_archive(str(folder / "packed"), "tar", folder / "backup"))


def left_in(folder: Path) -> list[str]:
    """What killed processes left there."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


State = tuple[bool, str, int, dict[str, int]]


def is_other(project: Path, wanted: State) -> bool:
    """Whether a restored project is not the whole one."""
    try:
        return state_of(project) != wanted
    except StudioError:
        return True


def state_of(project: Path) -> State:
    """Of a project soundness, hash, events, and how many rows each table has: the hash is of what was made of the footage."""
    workspace = opened(project)
    check = workspace.verify()
    rows = {name: table.num_rows for name, table in workspace.catalog.tables().items()}
    workspace.close()
    return check.ok, check.catalog_hash, check.journal_events, rows


@pytest.mark.slow
@pytest.mark.promise(
    "An older project whose upgrade is killed before any step opens with every event and row, and no half-made file stays",
    area="Durability",
    goal="0 lost in 100 kills",
    control="tests/chaos/test_backup_kills.py::test_an_upgrade_that_swaps_before_it_is_whole_loses_rows",
    kills=(4, 100),
)
def test_killed_upgrades_lose_nothing(memory: Path, long: bool, tally: Tally) -> None:
    older(memory / "whole")
    steps = run(open_stores, memory / "whole", folder=memory).steps
    lost = kills = 0
    for step in chosen(steps, 110 if long else 5, ("rename", "os.link", "os.remove")):
        project = older(memory / "killed")
        kills += run(open_stores, project, folder=memory, dies_before=step).killed
        lost += lost_in(project)
        assert not [path.name for path in project.iterdir() if "upgrading" in path.name or ".new" in path.name]
        shutil.rmtree(project)
    tally.record(kills, lost=lost)
    assert kills >= (100 if long else 4)
    assert lost == 0


@pytest.mark.slow
def test_an_upgrade_that_swaps_before_it_is_whole_loses_rows(memory: Path) -> None:
    project = older(memory / "whole")
    assert run(open_stores_in_place, project, folder=memory, dies_before=2, named="duckdb insert").killed
    assert lost_in(project)


def older(project: Path) -> Path:
    """A project's journal and catalog as earlier versions wrote them."""
    project.mkdir()
    older_journal(project / "journal.sqlite", num=EVENTS)
    older_catalog(project / "catalog.duckdb", 12, num=ROWS)
    return project


def lost_in(project: Path) -> bool:
    """Whether an event or a row is missing once both stores were opened."""
    try:
        with Journal(project / "journal.sqlite") as journal:
            events = [event.id for event in journal.stream()][:EVENTS]
            sound = journal.verify_chain().ok
        catalog = Catalog(project / "catalog.duckdb")
    except StudioError:
        return True
    rows = rows_kept(catalog, ROWS)
    catalog.close()
    return not sound or rows != ROWS or events != [f"n{number}" for number in range(1, EVENTS + 1)]


def chosen(steps: tuple[str, ...], number: int, always: tuple[str, ...]) -> list[int]:
    """Steps by number: spread evenly, with the first of each kind of `always`, and from the start again when there are fewer."""
    firsts = {next(n for n, step in enumerate(steps, start=1) if step.startswith(kind)) for kind in always}
    found = sorted(firsts | set(spread(steps, number)))
    return [found[n % len(found)] for n in range(max(number, len(found)))]
