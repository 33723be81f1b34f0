"""Cuts of power while folders that must be whole (exports, backups, restored projects) get their names (tests.chaos.power)."""

from pathlib import Path

import pytest

from backend.store.whole_folder import sweep
from tests.chaos.power import cuts, laid_out, needs_strace, record
from tests.promises import Tally

pytestmark = [pytest.mark.slow, needs_strace]

BUILDING = """
import os, sys
from pathlib import Path
from backend.store import whole_folder

if sys.argv[2] == "unsynced":
    whole_folder._sync = lambda folder: None
place = Path(sys.argv[1]) / "out"
for number in range(6):
    with whole_folder.building(place) as folder:
        (folder / "part").mkdir()
        (folder / "first.txt").write_text(f"{number} " * 3000)
        (folder / "part" / "second.txt").write_text(f"{number} " * 5000)
        whole_folder.settle(folder, place)
    os.write(1, f"{number}\\n".encode())
os._exit(0)
"""


@pytest.mark.promise(
    "After a cut of power a folder that got its name is whole, and one that was being replaced is the earlier or the later one",
    area="Durability",
    goal="0 broken, 0 lost in 1,000 simulated cuts",
    control="tests/chaos/test_folder_power_loss.py::test_the_simulation_sees_that_a_folder_that_is_not_synced_is_broken",
)
def test_a_folder_with_a_name_is_whole(tmp_path: Path, long: bool, tally: Tally) -> None:
    states = 1000 if long else 60
    wrong = wrong_folders(tmp_path / "run", "synced", states=states)
    tally.record(states, lost=len(wrong))
    assert wrong == []


def test_the_simulation_sees_that_a_folder_that_is_not_synced_is_broken(tmp_path: Path) -> None:
    assert len(wrong_folders(tmp_path / "run", "unsynced", states=60)) > 5


def wrong_folders(run: Path, how: str, *, states: int) -> list[str]:
    """What was wrong with each disk, once what killed makers leave was put right."""
    run.mkdir()
    steps = record(BUILDING, run, how)
    assert sum(step.what == "renamed" for step in steps) == 11, "one for the first, two for each that replaces it"
    return [found for files, said in cuts(steps, {}, states=states) if (found := wrong_folder(files, int(said[-1])))]


def wrong_folder(files: dict[str, bytes], acknowledged: int) -> str:
    with laid_out(files) as root:
        sweep(root)
        try:
            first = (root / "out" / "first.txt").read_text().split()
            second = (root / "out" / "part" / "second.txt").read_text().split()
        except OSError as error:
            return f"gone: {error}"
        if {*first, *second} != {first[0] if first else ""} or (len(first), len(second)) != (3000, 5000):
            return f"broken: {len(first)} and {len(second)} words, of {sorted({*first, *second})[:5]}"
        if int(first[0]) < acknowledged:
            return f"lost: {acknowledged} was acknowledged, {first[0]} is there"
        return "" if [one.name for one in root.iterdir()] == ["out"] else "something was left beside it"
