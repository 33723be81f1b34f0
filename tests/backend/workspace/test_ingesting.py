"""Listing files: each once, by however many."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from backend.api import IngestSummary
from backend.store.schema import SCHEMA_VERSION
from backend.workspace import Workspace
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import write_toy_video

FILES, LISTERS, FOLDERS = 20, 6, 6


def test_files_listed_by_several_at_once_are_taken_once(workspace: Workspace, tmp_path: Path) -> None:
    folders = [tmp_path / f"videos {n}" for n in range(FOLDERS)]
    for folder in folders:
        folder.mkdir()
        for n in range(FILES):
            (folder / f"take {n}.mp4").write_bytes(b"take %d" % n)
    together = threading.Barrier(LISTERS)

    def list_them(folder: Path) -> IngestSummary:
        together.wait(10)
        return workspace.ingest(paths=(str(folder),))

    with ThreadPoolExecutor(LISTERS) as pool:
        for folder in folders:
            found = list(pool.map(list_them, [folder] * LISTERS))
            assert sorted((one.taken, one.known) for one in found) == [(0, FILES)] * (LISTERS - 1) + [(FILES, 0)]
    assert workspace.catalog.query("SELECT count(*), count(DISTINCT id) FROM source") == [(FILES * FOLDERS,) * 2]


def test_licence_given_later_holds_for_exports_and_filters(workspace: Workspace, tmp_path: Path) -> None:
    mug = str(write_toy_video(tmp_path / "mug.mp4"))
    workspace.ingest(paths=(mug,), licence="CC-BY-4.0", attribution="Ann")
    curated(workspace)
    assert workspace.pairs(where="licence = 'CC-BY-4.0'").total == 2
    before = workspace.verify().catalog_hash
    found = workspace.ingest(paths=(mug,), licence="CC0-1.0")
    assert (found.taken, found.known, found.remarks) == (0, 1, ("1 known file now with licence 'CC0-1.0'",))
    assert workspace.pairs(where="licence = 'CC0-1.0' and reference_licence = 'CC0-1.0'").total == 2
    workspace.export(format="manifest", out=str(tmp_path / "out"))
    for table, field in (("pairs", "target"), ("videos", None)):
        row = json.loads((tmp_path / "out" / f"{table}.jsonl").read_text().splitlines()[0])
        row = row[field] if field else row
        assert (row["licence"], row["attribution"]) == ("CC0-1.0", "Ann")
    assert workspace.verify().catalog_hash != before


def test_licence_is_journalled_when_it_changes_and_survives_a_rebuild(workspace: Workspace, tmp_path: Path) -> None:
    mug = str(write_toy_video(tmp_path / "mug.mp4"))
    workspace.ingest(paths=(mug,))
    curated(workspace)
    for licence in ("CC0-1.0", "CC-BY-4.0", "CC-BY-4.0"):
        workspace.ingest(paths=(mug,), licence=licence)
    workspace.ingest(paths=(mug,))
    told = [event for event in workspace.journal_tail() if event["kind"] == "rights_stated"]
    assert [event["body"]["licence"] for event in told] == ["CC0-1.0", "CC-BY-4.0"]
    before = workspace.verify()
    assert workspace.rebuild() == before
    assert workspace.pairs(where="licence = 'CC-BY-4.0'").total == 2


def test_catalog_of_an_older_version_gets_the_tables_it_lacks(tmp_path: Path) -> None:
    made = Workspace(tmp_path / "project", create=True)
    made.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),))
    made.close()
    with duckdb.connect(str(made.layout.catalog)) as older:
        older.execute("DROP TABLE rights")
        older.execute("DROP TABLE sidecar")
        older.execute("UPDATE meta SET value = '1'")
    again = Workspace(tmp_path / "project")
    assert again.ingest(paths=(str(tmp_path / "mug.mp4"),), licence="CC0-1.0").known == 1
    assert again.status().states == {"pending": 1}
    assert again.catalog.query("SELECT licence FROM rights") == [("CC0-1.0",)]
    assert again.catalog.query("SELECT value FROM meta") == [(str(SCHEMA_VERSION),)]
    again.close()
