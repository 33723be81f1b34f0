"""Listing files: each once, by however many."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from backend.api import IngestSummary
from backend.workspace import Workspace

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
