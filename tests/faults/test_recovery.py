"""What is said about damage to a project works: rebuild, curate again, and all is as it was."""

import contextlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain import VERIFY_STUDY
from backend.store.catalog import Catalog, CatalogDamaged
from backend.workspace import Workspace
from backend.workspace.opening import set_damaged_catalog_aside
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import plan, write_toy_video
from tests.faults.flips import flipped
from tests.faults.kept_files import vote
from tests.promises import Tally

pytestmark = pytest.mark.slow


@contextmanager
def opened(root: Path) -> Iterator[Workspace]:
    workspace = Workspace(root, create=True)
    workspace.plan = plan()
    try:
        yield workspace
    finally:
        workspace.close()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A project with pictures, pairs and ten votes, and its hash."""
    folder = tmp_path_factory.mktemp("sound")
    with opened(folder / "project") as workspace:
        workspace.ingest(paths=(str(write_toy_video(folder / "mug.mp4")),), licence="CC0-1.0")
        curated(cast(Api, workspace))
        pair = workspace.pairs().rows[0].pair_id
        votes = tuple(replace(vote(n), study_id=VERIFY_STUDY, item_id=pair, rater=f"rater {n}") for n in range(10))
        workspace.submit_votes(votes=votes)
        return folder / "project", workspace.verify().catalog_hash


def damage(catalog: Path) -> None:
    """A bit of each block, so that whatever is read is damaged."""
    raw = catalog.read_bytes()
    for place in range(20_000, len(raw), 100_000):
        raw = flipped(raw, place * 8)
    catalog.write_bytes(raw)


@pytest.mark.promise(
    "a damaged catalog is refused with what to do, and that brings everything back: rebuild the votes, curate the rest",
    area="Durability",
    goal="the same hash as before",
    control="tests/faults/test_recovery.py::test_who_brings_the_votes_back_alone_has_another_project",
)
def test_a_damaged_catalog_is_rebuilt(sound: tuple[Path, str], tmp_path: Path, tally: Tally) -> None:
    found = brought_back(sound[0], tmp_path / "project")
    tally.record(1, lost=found != (True, sound[1], 10))
    assert found == (True, sound[1], 10)


def test_who_brings_the_votes_back_alone_has_another_project(sound: tuple[Path, str], tmp_path: Path) -> None:
    """All votes are there and nothing is damaged: the hash tells that the rest is missing."""
    is_sound, digest, votes = brought_back(sound[0], tmp_path / "project", rest=False)
    assert (is_sound, votes) == (True, 10)
    assert digest != sound[1]


def brought_back(sound: Path, root: Path, *, rest: bool = True) -> tuple[bool, str, int]:
    """Damages a copy of a project's catalog and does what is said then: soundness, hash and number of votes after it.

    Without `rest` nothing is curated again.
    """
    shutil.copytree(sound, root)
    damage(root / "catalog.duckdb")
    for _ in range(2):
        with pytest.raises(CatalogDamaged, match="run `studio-backend rebuild`"), opened(root):
            pass
    kept = set_damaged_catalog_aside(root)
    assert kept is not None and kept.read_bytes() != b""
    with opened(root) as workspace:
        assert len(workspace.journal.tail(100)) > 10
        if rest:
            workspace.ingest(paths=(str(sound.parent / "mug.mp4"),), licence="CC0-1.0")
            curated(cast(Api, workspace))
        found = workspace.rebuild()
        return found.ok, found.catalog_hash, len(workspace.votes(study_id=VERIFY_STUDY))


def test_a_sound_catalog_is_not_set_aside(sound: tuple[Path, str], tmp_path: Path) -> None:
    root = Path(shutil.copytree(sound[0], tmp_path / "project"))
    assert set_damaged_catalog_aside(root) is None
    assert (root / "catalog.duckdb").exists()


def test_lost_transactions_are_told_until_they_are_accepted(sound: tuple[Path, str], tmp_path: Path) -> None:
    root = Path(shutil.copytree(sound[0], tmp_path / "project"))
    older = tmp_path / "older.duckdb"
    shutil.copyfile(root / "catalog.duckdb", older)
    with contextlib.closing(Catalog(root / "catalog.duckdb")) as catalog:
        catalog.forget_projection()
        catalog.append({})
        catalog.append({})
    shutil.copyfile(older, root / "catalog.duckdb")  # as when a log ends at a flipped bit
    for _ in range(2):
        with opened(root) as workspace:
            problems = workspace.verify().problems
            assert len(problems) == 1 and "has lost 3 transactions" in problems[0]
    with opened(root) as workspace:
        assert workspace.rebuild().ok
    with opened(root) as workspace:
        assert workspace.verify().ok


def test_settings_changed_by_something_else_are_told_until_they_are_accepted(
    sound: tuple[Path, str], tmp_path: Path
) -> None:
    root = Path(shutil.copytree(sound[0], tmp_path / "project"))
    settings = root / "project.toml"
    settings.write_text(settings.read_text().replace("seed = 0", "seed = 4"))
    with opened(root) as workspace:
        assert workspace.settings.seed == 4
        (problem,) = workspace.verify().problems
        assert "was changed since Subject Studio wrote it" in problem
        assert workspace.rebuild().ok
    with opened(root) as workspace:
        assert (workspace.verify().ok, workspace.settings.seed) == (True, 4)
