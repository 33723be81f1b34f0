from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.engine.context import WorkerSettings
from backend.store.catalog import Catalog
from tests.backend.engine.toy_stages import source


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog(tmp_path / "catalog.duckdb")
    opened.add_records([source(name) for name in ("a.mp4", "b.mp4", "copy-of-a.mp4", "notes.txt")], work_key="listed")
    yield opened
    opened.close()


@pytest.fixture
def worker_settings(tmp_path: Path) -> WorkerSettings:
    (tmp_path / "artifacts").mkdir()
    return WorkerSettings(artifacts=tmp_path / "artifacts", roles={})
