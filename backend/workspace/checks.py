"""Checking a project, and backing it up."""

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from backend.api import Check
from backend.domain import ProjectError
from backend.settings import changed_outside
from backend.store.artifacts import Artifacts
from backend.store.backups import Backup, backup_project, new_backup_path, prune_backups, read_table, restore_project
from backend.store.catalog import Catalog
from backend.store.catalog_upgrade import require_not_newer
from backend.store.journal_reader import JournalReader
from backend.store.schema import ARTIFACT_COLUMNS, SCHEMA_VERSION, is_read_anew
from backend.store.secret_file import secret_problem
from backend.workspace.layout import Layout
from backend.workspace.snapshot import Snapshot


def verify(now: Snapshot, layout: Layout, catalog: Catalog, artifacts: Artifacts) -> Check:
    """Walks the journal's chain, recomputes every artifact's hash, looks for artifacts that rows name and are gone.

    Also told: lost transactions of the catalog, settings that something else changed, keys of studies that cannot be used.
    """
    with JournalReader(layout.journal) as reader:  # a connection of its own: checking takes long, and votes must go on
        chain = reader.verify_chain()
    problems = [*chain.problems, *catalog.problems()]
    if changed := changed_outside(layout.settings):
        problems.append(changed)
    problems += filter(None, map(secret_problem, (layout.study_key, layout.page_key)))
    problems += artifacts.verify_all()
    stored = set(artifacts.names())
    for table, column in ARTIFACT_COLUMNS:
        rows = now.query(f"SELECT DISTINCT {column} FROM {table} WHERE {column} NOTNULL")
        missing = sorted(name for (name,) in rows if name not in stored)
        problems += [f"artifact {name} is missing; a {table} names it" for name in missing]
    return Check(
        ok=not problems,
        catalog_hash=now.catalog_hash(),
        problems=tuple(problems),
        journal_events=chain.head.seq,
        artifacts=len(stored),
    )


def backup(layout: Layout, catalog: Catalog, out: str | None) -> str:
    """Writes and checks a backup; one without a place of its own goes to `backups/`, where old ones are pruned."""
    time = datetime.now(UTC)
    place = Path(out) if out else new_backup_path(layout.root, time)
    done = backup_project(layout.root, place, catalog.tables(), now=time)
    if out is None:
        prune_backups(layout.backups)
    return str(done.path)


def restore(backup: Path, project: Path, *, artifacts: Path | None = None) -> None:
    """Makes a project from a checked backup. Work whose artifacts are gone is left out, so that `curate` does it again.

    `artifacts` is the folder of a project that still has them: they are copied. Raises StoreError for a damaged one, ProjectError when the place is taken or a newer version wrote it; nothing is
    written then."""
    if artifacts is not None and not artifacts.is_dir():
        raise ProjectError(f"{artifacts} is no folder of artifacts; name that of the old project, PROJECT/artifacts")
    restore_project(backup, project, fill=lambda content, folder: _fill(content, folder, artifacts))


def _fill(content: Backup, folder: Path, artifacts: Path | None) -> None:
    tables = {name: read_table(path) for name, path in content.tables.items()}
    about = tables.pop("meta", None)
    version = int(about.column("value")[0].as_py()) if about is not None else SCHEMA_VERSION
    require_not_newer(content.path, version)
    tables = {name: table for name, table in tables.items() if not is_read_anew(name, version)}
    layout = Layout(folder)
    if artifacts is not None:
        shutil.copytree(artifacts, layout.artifacts)
    lost = _work_without_artifacts(tables, Artifacts(layout.artifacts))
    if lost:
        keys = pa.array(sorted(lost))
        tables = {
            name: table.filter(pc.invert(pc.is_in(table.column("work_key"), keys)))
            if "work_key" in table.column_names
            else table
            for name, table in tables.items()
        }
    catalog = Catalog(layout.catalog)
    try:
        catalog.append(tables)
        catalog.checkpoint()
    finally:
        catalog.close()


def _work_without_artifacts(tables: Mapping[str, pa.Table], artifacts: Artifacts) -> set[str]:
    """Work keys of rows that name an artifact which is not there."""
    stored = set(artifacts.names())
    lost = set()
    for name, column in ARTIFACT_COLUMNS:
        if name in tables:
            rows = zip(tables[name].column("work_key").to_pylist(), tables[name].column(column).to_pylist(), strict=True)
            lost |= {key for key, artifact in rows if artifact is not None and artifact not in stored}
    return lost
