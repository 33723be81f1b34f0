"""kill -9 of an export before each of its steps: its folder is whole or absent, and the next one clears what the killed one left."""

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.chaos.killed_work import export, export_in_place, made
from tests.chaos.killing import Ended, run, spread
from tests.promises import Tally

WRITTEN = ("manifest", "opens2v")
"""Pairs and clips: every format of `EXPORTS` writes by `whole_folder`, as its contract suite sees."""


@pytest.mark.slow
@pytest.mark.promise(
    "A killed export leaves its folder whole, as it was before or absent, and nothing that the next one does not clear",
    area="Durability",
    goal="0 broken in 200 kills over two formats",
    control="tests/chaos/test_export_kills.py::test_an_export_written_in_place_is_broken_by_a_kill",
    kills=(2, 60),
)
@pytest.mark.parametrize("format", WRITTEN)
def test_killed_exports_leave_whole_folders(memory: Path, format: str, long: bool, tally: Tally) -> None:
    project = made(memory / "made")
    run(export, project, format, memory / "another", folder=memory)  # brings the catalog up to the journal, once
    shutil.rmtree(memory / "another")
    first, again = (run(export, project, format, memory / "out", folder=memory) for _ in range(2))
    assert is_whole(memory / "out")
    names = names_below(memory)
    broken = 0
    moments = [(0, n) for n in chosen(first, long)] + [(1, n) for n in chosen(again, long)]
    for is_replacing, number in moments:
        out = memory / "out" if is_replacing else memory / "another"
        ended = run(export, project, format, out, folder=memory, dies_before=number)
        assert ended.killed
        broken += out.exists() and not is_whole(out)
        shutil.rmtree(memory / "another", ignore_errors=True)
    run(export, project, format, memory / "out", folder=memory)
    tally.record(len(moments), lost=broken)
    assert broken == 0
    assert is_whole(memory / "out")
    assert names_below(memory) == names


@pytest.mark.slow
def test_an_export_written_in_place_is_broken_by_a_kill(memory: Path) -> None:
    project = made(memory / "made")
    run(export_in_place, project, "manifest", memory / "first", folder=memory)  # brings the catalog up, once
    steps = run(export_in_place, project, "manifest", memory / "out", folder=memory).steps
    at_about = next(n for n, step in enumerate(steps, start=1) if "about.json" in step)
    assert run(export_in_place, project, "manifest", memory / "cut", folder=memory, dies_before=at_about).killed
    assert is_whole(memory / "out")
    assert not is_whole(memory / "cut")


def chosen(ended: Ended, long: bool) -> list[int]:
    return spread(ended.steps, 60 if long else 2, always=lambda step: step.startswith("rename"))


def is_whole(folder: Path) -> bool:
    """Whether the manifest lists every file, with the hash that it has."""
    manifest = folder / "MANIFEST.sha256"
    if not manifest.is_file():
        return False
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in manifest.read_text().splitlines())}
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path != manifest
    }
    return listed == found


def names_below(folder: Path) -> set[str]:
    """Every file and folder but the logs of databases, which come and go."""
    logs = (".wal", "-wal", "-shm")
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.name.endswith(logs)}
