"""A disk that is full at every write: a sentence, nothing lost, nothing half there, and it goes on when there is room."""

import json
import random
from pathlib import Path

import pytest

from tests.faults.disks import needs_mounts, run_alone
from tests.promises import Tally

SHORT_RESTS = [0, 8192, 60_000]
LONG_RESTS, LONG_SHARES = 60, 20
STORES = ("journal", "catalog", "artifacts", "outbox", "settings", "scores", "calibration", "backups")
NEEDS = {
    "restore": 3_000_000,
    "rebuild": 700_000,
    "upgrade of the journal": 100_000,
    "upgrade of the catalog": 2_000_000,
    "evaluation": 200_000,
    "erasure of footage": 5_000_000,
    "erasure of a participant": 5_000_000,
    "checkpoint": 500_000,
    "latents": 1_500_000,
}
"""About how many bytes a piece of long work takes, so that a disk can be full at its first write and at its last."""
LONG_ONLY = ("rebuild", "erasure of a participant", "latents")
"""Whose like the short version tries."""
GROUPS = [
    STORES,
    ("votes",),
    ("export",),
    pytest.param(("report",), marks=pytest.mark.thorough),
    ("backup",),
    pytest.param(
        ("restore", "rebuild", "upgrade of the journal", "upgrade of the catalog", "evaluation"), marks=pytest.mark.thorough
    ),
    ("erasure of footage", "erasure of a participant"),
    pytest.param(("checkpoint", "latents"), marks=pytest.mark.thorough),
]

pytestmark = pytest.mark.slow


def rests(name: str, *, long: bool) -> list[int]:
    """How many bytes are left free at each filling: what a write needs, up to all of it."""
    if need := NEEDS.get(name):
        return [need * n // LONG_SHARES for n in range(LONG_SHARES)] if long else [need // 4]
    chance = random.Random(4)
    return [4096 * int(128 * chance.random() ** 3) for _ in range(LONG_RESTS)] if long else SHORT_RESTS


@pytest.mark.promise(
    "a disk that is full at any write costs nothing that was acknowledged: a sentence, nothing half written, and it goes on",
    area="Durability",
    goal="0 lost, 0 phantom, 0 deaths with every store filled 60 times and every long work 20 times",
    control="tests/faults/test_full_disk.py::test_a_writer_that_writes_over_its_file_loses_it_on_a_full_disk",
)
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_a_full_disk_costs_nothing_that_was_acknowledged(
    names: tuple[str, ...], tmp_path: Path, long: bool, tally: Tally
) -> None:
    needs_mounts()
    every = {name: rests(name, long=long) for name in names if long or name not in LONG_ONLY}
    found = run_alone("tests.faults.filling", tmp_path, json.dumps(every), timeout_s=3600 if long else 600)
    for name, one in found.items():
        tally.record(one["tried"], lost=one["lost"] + one["phantom"] + len(one["died"]))
        assert (one["lost"], one["phantom"], one["died"]) == (0, 0, []), name
        assert one["fillings"] == len(every[name])
        assert one["refused"] > 0, f"{name} was never refused: the disk was not full"
        assert [words for words in one["words"] if "free" not in words or "space" not in words] == []


def test_a_writer_that_writes_over_its_file_loses_it_on_a_full_disk(tmp_path: Path) -> None:
    needs_mounts()
    found = run_alone("tests.faults.filling", tmp_path, json.dumps({"careless": SHORT_RESTS}))["careless"]
    assert found["lost"] > 0
    assert found["phantom"] > 0
