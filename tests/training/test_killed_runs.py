"""`train` and `generate` killed with signal 9: what goes on ends as if nobody had killed it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.promises import Tally

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SHORT = {"train": 2, "generate": 0}
LONG = {"train": 60, "generate": 60, "train_anywhere": 1, "generate_in_place": 0}

Counts = dict[str, tuple[int, int]]
"""Kills, and after how many of them something was lost."""


@pytest.fixture(scope="module")
def killed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Counts:
    """All kinds in one program, which imports torch once and forks what it kills."""
    kills = LONG if request.config.getoption("--long") else SHORT
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.killed_runs", str(tmp_path_factory.mktemp("killed"))]
        + [f"{kind}={number}" for kind, number in kills.items()],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=7200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {kind: (tried, lost) for kind, (tried, lost) in json.loads(done.stdout.splitlines()[-1]).items()}


@pytest.mark.promise(
    "A training run that is killed goes on to the same weights, bit for bit, and leaves nothing behind",
    area="Durability",
    goal="0 other runs in 60 kills",
    control="tests/training/test_killed_runs.py::test_a_run_that_forgets_its_place_in_the_data_ends_elsewhere",
    kills=(2, 60),
)
def test_killed_training_ends_as_if_nobody_had_killed_it(killed: Counts, tally: Tally) -> None:
    tried, lost = killed["train"]
    tally.record(tried, lost=lost)
    assert lost == 0


@pytest.mark.promise(
    "A killed generation leaves no torn video, and the next one makes what is missing and nothing else",
    area="Durability",
    goal="0 torn or other videos in 36 kills, each before another step",
    control="tests/training/test_killed_runs.py::test_videos_written_in_place_are_torn_by_a_kill",
    kills=(1, 36),
)
def test_killed_generation_ends_as_if_nobody_had_killed_it(killed: Counts, tally: Tally) -> None:
    tried, lost = killed["generate"]
    tally.record(tried, lost=lost)
    assert lost == 0


@pytest.mark.thorough
def test_a_run_that_forgets_its_place_in_the_data_ends_elsewhere(killed: Counts) -> None:
    tried, lost = killed["train_anywhere"]
    assert tried >= lost > 0


@pytest.mark.thorough
def test_videos_written_in_place_are_torn_by_a_kill(killed: Counts) -> None:
    tried, lost = killed["generate_in_place"]
    assert tried >= lost > 0
