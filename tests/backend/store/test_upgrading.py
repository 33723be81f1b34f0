"""Files of older versions, made by the SQL of those versions: brought up in a new file, the old one kept; newer ones are refused."""

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path

import duckdb
import pytest

from backend.domain import ProjectError, StoreError
from backend.settings import ProjectSettings, write_settings
from backend.store.backups import backup_project
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.store.journal_schema import APPLICATION_ID, GENESIS, MIGRATIONS, Event, wrap
from backend.store.schema import SCHEMA_VERSION, create_statements
from backend.store.upgrading import kept_aside, upgrade
from backend.workspace import Workspace
from backend.workspace.checks import restore
from tests.promises import Tally

OLDER = Path(__file__).parent / "older"
NUM_EVENTS = 40


def older_journal(path: Path, *, num: int = NUM_EVENTS) -> Path:
    """A journal as version 3 of its schema wrote it, with its head outside; hashes are made here by the documented rule."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript((OLDER / "journal_m003.sql").read_text())
    connection.execute(f"pragma application_id = {APPLICATION_ID}")
    connection.execute("pragma journal_mode = wal")
    last = GENESIS
    connection.execute("begin")
    for seq in range(1, num + 1):
        body = json.dumps({"number": seq}, sort_keys=True, separators=(",", ":"))
        row = [seq, f"n{seq}", 0, "note", "ann", body, "", "2026-02-01T09:00:00+00:00", 1]
        text = json.dumps(row, ensure_ascii=True, separators=(",", ":"))
        digest = hashlib.sha256((last + text).encode()).hexdigest()
        connection.execute(f"insert into events values ({', '.join('?' * 11)})", (*row, last, digest))
        last = digest
    connection.execute("commit")
    connection.close()
    if num:
        entry = f"{num} {last}"
        check = hashlib.sha256(entry.encode()).hexdigest()[:16]
        path.with_suffix(".head").write_bytes(f"{entry} {check}".ljust(511).encode() + b"\n" + b" " * 512)
    return path


def older_catalog(path: Path, version: int, *, num: int = 3000) -> Path:
    """A catalog as that version made it: sources in an order that is not that of their ids, and a vote."""
    with duckdb.connect(str(path)) as connection:
        for statement in (OLDER / f"catalog_{version}.sql").read_text().split(";\n"):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO source (id, work_key, uri, num_bytes) SELECT 'source_' || (i * 7919) % ?, 'listed', '/v/' || i, i FROM range(?) t(i)",
            [num, num],
        )
        connection.execute("INSERT INTO vote (seq, id, rev, choice) VALUES (1, 'v1', 1, 'same')")
        connection.execute("INSERT INTO watermark VALUES (1, 'abc')")
    return path


def rows_kept(catalog: Catalog, num: int) -> int:
    """How many sources stand where they stood."""
    found = catalog.query("SELECT id, uri, num_bytes FROM source ORDER BY rowid")
    return sum(row == (f"source_{i * 7919 % num}", f"/v/{i}", i) for i, row in enumerate(found))


@pytest.mark.promise(
    "a project of an older version opens through a new file: no event or row is lost, and the old file stays as it was",
    area="Backup",
    goal="0 events or rows lost in 3 older schemas",
    control="tests/backend/store/test_upgrading.py::test_changing_a_file_in_place_would_be_noticed",
)
def test_an_older_file_is_brought_up_in_a_new_one(tmp_path: Path, long: bool, tally: Tally) -> None:
    num_events, num_rows = (20_000, 200_000) if long else (NUM_EVENTS, 3000)
    path = older_journal(tmp_path / "journal.sqlite", num=num_events)
    before = _events(path)
    with Journal(path) as journal:
        assert journal.verify_chain().ok
        assert journal.append([Event(kind="note", actor="ann", body={}, redactable=True)])[0].seq == num_events + 1
    kept = [row[:11] == old for row, old in zip(_events(path), before, strict=False)]
    lost = num_events - sum(kept) + (_events(tmp_path / "journal.was-m003_progress") != before)
    for version in (2, 12):
        (tmp_path / str(version)).mkdir()
        place = older_catalog(tmp_path / str(version) / "catalog.duckdb", version, num=num_rows)
        sound = place.read_bytes()
        catalog = Catalog(place)
        lost += num_rows - rows_kept(catalog, num_rows)
        # Of version 2 people's part is projected anew, since later versions project more of it
        assert (catalog.watermark(), catalog.query("SELECT count(*) FROM vote")) == (((0, ""), [(0,)]) if version == 2 else ((1, "abc"), [(1,)]))  # fmt: skip
        assert catalog.query("SELECT value FROM meta") == [(str(SCHEMA_VERSION),)]
        catalog.close()
        lost += place.with_suffix(f".was-{version}").read_bytes() != sound
    tally.record(num_events + 2 * num_rows + 3, lost=lost)
    assert lost == 0


def test_changing_a_file_in_place_would_be_noticed(tmp_path: Path) -> None:
    path = older_journal(tmp_path / "journal.sqlite")
    before = path.read_bytes()
    connection = sqlite3.connect(path, isolation_level=None)
    MIGRATIONS.apply(wrap(connection))
    connection.close()
    assert path.read_bytes() != before
    assert kept_aside(tmp_path) == []
    place = older_catalog(tmp_path / "catalog.duckdb", 12, num=500)
    with duckdb.connect(str(place)) as shuffled:
        shuffled.execute("CREATE TABLE t AS SELECT * FROM source ORDER BY id")
        shuffled.execute("DROP TABLE source")
        shuffled.execute("ALTER TABLE t RENAME TO source")
    catalog = Catalog(place)
    assert rows_kept(catalog, 500) < 500
    catalog.close()


@pytest.mark.promise(
    "bringing up a file that broke off at any of its steps is finished or not begun at the next opening",
    area="Backup",
    goal="0 of the states between its steps lose anything",
    control="tests/backend/store/test_upgrading.py::test_a_swap_without_the_old_file_would_be_noticed",
)
def test_what_broke_off_is_finished_or_not_begun(tmp_path: Path, tally: Tally) -> None:
    lost = 0
    for state in ("half a new file", "a new file", "two names of the old one", "swapped"):
        folder = tmp_path / state
        folder.mkdir()
        path = older_journal(folder / "journal.sqlite")
        before = _events(path)
        _leave(state, path)
        lost += _lost_of(path, before)
    tally.record(4, lost=lost)
    assert lost == 0


def test_a_swap_without_the_old_file_would_be_noticed(tmp_path: Path) -> None:
    path = older_journal(tmp_path / "journal.sqlite")
    before = _events(path)
    fresh = sqlite3.connect(tmp_path / "journal.upgrading", isolation_level=None)
    MIGRATIONS.apply(wrap(fresh))
    fresh.execute(f"pragma application_id = {APPLICATION_ID}")
    fresh.close()
    (tmp_path / "journal.upgrading").replace(path)  # a new file that nobody filled
    with pytest.raises(StoreError, match="events 1 to 40 are missing"):
        _lost_of(path, before)


def test_an_older_file_that_is_damaged_stays_as_it_is(tmp_path: Path) -> None:
    path = older_journal(tmp_path / "journal.sqlite")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("drop trigger events_no_update")
    connection.execute("update events set body = '{}' where seq = 7")
    connection.close()
    with pytest.raises(StoreError, match=r"older version .*event 7 is damaged"):
        Journal(path)
    assert sorted(one.name for one in tmp_path.iterdir() if one.suffix != ".head") == ["journal.sqlite"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"old")

    def build(fresh: Path) -> None:
        fresh.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(ProjectError, match="No space left on device; free some space"):
        upgrade(path, "m003", build)
    assert [one.name for one in tmp_path.iterdir()] == ["journal.sqlite"]


@pytest.mark.promise(
    "a project, file or backup of a newer version is refused with a sentence that names both versions, and stays as it was",
    area="Backup",
    goal="0 of 4 kinds of newer file opened or changed",
    control="tests/backend/store/test_upgrading.py::test_the_same_files_of_this_version_are_opened",
)
def test_what_a_newer_version_wrote_is_refused(tmp_path: Path, tally: Tally) -> None:
    opened = 0
    project = made(tmp_path / "sound")
    for number, (spoil, use) in enumerate(NEWER):
        later, ours = spoil(Path(shutil.copytree(project, tmp_path / str(number))))
        before = _bytes(tmp_path / str(number))
        try:
            use(tmp_path / str(number))
            opened += 1
        except ProjectError as error:
            opened += later not in str(error) or ours not in str(error) or "update subject-studio" not in str(error)
        opened += _bytes(tmp_path / str(number)) != before
    tally.record(4, lost=opened)
    assert opened == 0


def test_the_same_files_of_this_version_are_opened(tmp_path: Path) -> None:
    project = made(tmp_path / "now")
    for use in {use for _, use in NEWER}:
        before = _bytes(project)
        use(project)
        assert _bytes(project) != before


def made(project: Path) -> Path:
    """A project and a backup of it."""
    Workspace(project, create=True).close()
    catalog = Catalog(project / "catalog.duckdb")
    backup_project(project, project / "backup", catalog.tables())
    catalog.close()
    return project


def _open(project: Path) -> None:
    opened = Workspace(project)
    opened.journal.append([Event(kind="note", actor="ann", body={})])
    opened.close()


def _restore(project: Path) -> None:
    restore(project / "backup", project / "restored")


def _newer_journal(project: Path) -> tuple[str, str]:
    connection = sqlite3.connect(project / "journal.sqlite", isolation_level=None)
    connection.execute("insert into _sqlite_migrations (migration_set, name) values ('journal', 'm999_later')")
    connection.close()
    return "m999_later", "m004_salt"


def _newer_catalog(project: Path) -> tuple[str, str]:
    with duckdb.connect(str(project / "catalog.duckdb")) as connection:
        connection.execute("UPDATE meta SET value = '999'")
    return "schema 999", str(SCHEMA_VERSION)


def _newer_settings(project: Path) -> tuple[str, str]:
    write_settings(project / "project.toml", ProjectSettings(format_version=999))
    return "format 999", "reads 1"


def _newer_backup(project: Path) -> tuple[str, str]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE meta AS SELECT 'schema_version' AS key, '999' AS value")
        shutil.rmtree(project / "backup")
        backup_project(project, project / "backup", {"meta": connection.sql("FROM meta").to_arrow_table()})
    return "schema 999", str(SCHEMA_VERSION)


NEWER = ((_newer_journal, _open), (_newer_catalog, _open), (_newer_settings, _open), (_newer_backup, _restore))


def _leave(state: str, path: Path) -> None:
    """The files as they are when one is killed there."""
    fresh, kept = path.with_name("journal.upgrading"), path.with_name("journal.was-m003_progress")
    if state == "half a new file":
        fresh.write_bytes(path.read_bytes()[:5000])
        fresh.with_name("journal.upgrading-journal").write_bytes(b"\0" * 512)
        return
    shutil.copyfile(path, fresh)
    connection = sqlite3.connect(fresh, isolation_level=None)
    MIGRATIONS.apply(wrap(connection))
    connection.close()
    if state != "a new file":
        kept.hardlink_to(path)
    if state == "swapped":
        fresh.replace(path)


def _lost_of(path: Path, before: list[tuple]) -> int:
    with Journal(path) as journal:
        lost = not journal.verify_chain().ok
    lost += [row[:11] for row in _events(path)] != before
    lost += _events(path.with_name("journal.was-m003_progress")) != before
    return lost + path.with_name("journal.upgrading").exists()


def _events(path: Path) -> list[tuple]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    found = connection.execute("select * from events order by seq").fetchall()
    connection.close()
    return found


def _bytes(project: Path) -> dict[str, bytes]:
    """Of the project's stores and of what lies beside them; who owns it, and SQLite's lock file, tell nothing."""
    apart = ("owner.lock", "journal.sqlite-shm", "journal.sqlite-wal")
    return {
        str(path.relative_to(project)): path.read_bytes()
        for path in sorted(project.rglob("*"))
        if path.is_file() and path.name not in apart
    }


def test_a_new_catalog_has_every_column_that_an_older_one_gets(tmp_path: Path) -> None:
    old, new = Catalog(older_catalog(tmp_path / "catalog.duckdb", 2)), Catalog(tmp_path / "fresh.duckdb")
    columns = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
    assert old.query(columns) == new.query(columns)
    assert len(create_statements()) > 30
    old.close()
    new.close()
