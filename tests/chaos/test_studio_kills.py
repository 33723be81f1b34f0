"""kill -9 of Studio and of its service while somebody judges: what the screen moved on from is in the journal once, and nothing else is."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.promises import Tally


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.promise(
    "A verdict that Studio's screen has moved on from is stored once, whether the window, its service or both are killed",
    area="Durability",
    goal="0 lost, 0 doubled in 1,000 kills",
    control="tests/chaos/test_studio_kills.py::test_a_window_that_tells_before_it_has_stored_loses_verdicts",
    kills=(3, 1000),
)
def test_killed_windows_lose_and_double_no_verdict(tmp_path: Path, long: bool, tally: Tally) -> None:
    shares = (334, 333, 333) if long else (3,)
    lanes = [lane(tmp_path / f"lane-{seed}", share, seed=seed) for seed, share in enumerate(shares)]
    assert [one.wait() for one in lanes] == [0] * len(lanes), [*map(said, tmp_path.iterdir())]
    tally.record(sum(shares))


@pytest.mark.slow
@pytest.mark.server
def test_a_window_that_tells_before_it_has_stored_loses_verdicts(tmp_path: Path) -> None:
    hasty = lane(tmp_path / "hasty", 1, mode="judge-hastily")
    assert hasty.wait() == 1
    assert "told of more than its outbox holds" in said(tmp_path / "hasty")


def lane(folder: Path, trials: int, *, mode: str = "judge", seed: int = 0) -> subprocess.Popen[bytes]:
    """Raters of a project of their own, whose windows are killed in turn."""
    folder.mkdir()
    command = [sys.executable, "-m", "tests.chaos.studio_lane", str(folder), str(trials), mode, str(seed)]
    with (folder / "said").open("wb") as errors:
        return subprocess.Popen(command, stderr=errors)


def said(folder: Path) -> str:
    return (folder / "said").read_text()[-3000:]
