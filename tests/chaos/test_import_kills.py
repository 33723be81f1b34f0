"""kill -9 of an import of pictures before each of its steps, and at any moment: done again, it ends as one that nobody killed."""

import io
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.media.images import encode_png
from backend.workspace import Workspace
from tests.chaos.killed_work import import_in_place, import_pictures
from tests.chaos.killing import run, spread
from tests.chaos.test_export_kills import names_below
from tests.promises import Tally

NUM_PICTURES = 4
MOMENTS = 30
"""Of the long version, besides steps: kills inside of one."""


@pytest.mark.slow
@pytest.mark.promise(
    "An import of pictures that is killed leaves its folder whole or absent; done again, it ends as one that nobody killed",
    area="Durability",
    goal="0 otherwise in 80 kills over a tar and a zip",
    control="tests/chaos/test_import_kills.py::test_an_archive_that_is_unpacked_in_place_is_seen_by_halves",
    kills=(2, 40),
)
@pytest.mark.parametrize("packing", ["tar", "zip"])
def test_killed_imports_end_as_one_that_nobody_killed(packing: str, memory: Path, long: bool, tally: Tally) -> None:
    archive, project, out = prepared(memory, packing)
    whole = run(import_pictures, project, archive, out, folder=memory)
    said, names, files = whole.said, names_below(memory), contents(out)
    assert len(said[0][0]) == NUM_PICTURES and len(said[0][1]) == NUM_PICTURES
    chance = np.random.default_rng(len(packing))
    unpacking = next(number for number, step in enumerate(whole.steps, 1) if step.endswith("/1/1.png"))
    listing = next(number for number, step in enumerate(whole.steps, 1) if '"sidecar"' in step)
    steps = spread(whole.steps, 60) if long else (unpacking, listing)
    ways: list[dict[str, Any]] = [{"dies_before": step} for step in steps] + [
        {"after_s": chance.random() / 2} for _ in range(MOMENTS * long)
    ]
    kills = lost = 0
    for way in ways:
        shutil.rmtree(out)
        fresh(memory)
        kills += run(import_pictures, project, archive, out, folder=memory, **way).killed
        is_seen_whole = not out.exists() or contents(out) == files
        again = run(import_pictures, project, archive, out, folder=memory)
        lost += (is_seen_whole, again.said, names_below(memory), contents(out)) != (True, said, names, files)
    tally.record(kills, lost=lost)
    assert lost == 0


@pytest.mark.slow
def test_an_archive_that_is_unpacked_in_place_is_seen_by_halves(memory: Path) -> None:
    archive, project, out = prepared(memory, "tar")
    whole = run(import_in_place, project, archive, out, folder=memory)
    files = contents(out)
    shutil.rmtree(out)
    fresh(memory)
    last = max(number for number, step in enumerate(whole.steps, 1) if step.startswith("open bank"))
    assert run(import_in_place, project, archive, out, folder=memory, dies_before=last).killed
    assert out.exists()
    assert contents(out) != files


def prepared(memory: Path, packing: str) -> tuple[Path, Path, Path]:
    """An archive of pictures with captions, in folders; an empty project; where the pictures shall lie."""
    files = {}
    for number in range(NUM_PICTURES):
        picture = np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)
        files |= {
            f"{number % 2}/{number}.png": encode_png(picture),
            f"{number % 2}/{number}.txt": b"a mug, no. %d" % number,
        }
    archive = memory / f"shard.{packing}"
    if packing == "zip":
        with zipfile.ZipFile(archive, "w") as zipped:
            for name, data in files.items():
                zipped.writestr(name, data)
    else:
        with tarfile.open(archive, "w") as tar:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    Workspace(memory / "empty", create=True).close()
    fresh(memory)
    return archive, memory / "project", memory / "bank"


def fresh(memory: Path) -> None:
    """Has the project be as it was before any import."""
    shutil.rmtree(memory / "project", ignore_errors=True)
    shutil.copytree(memory / "empty", memory / "project")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
