"""kill -9 before each step of making a key of studies: it is there whole, or another is made."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.domain import StudioError
from backend.store.secret_file import secret_of_file
from tests.chaos.killed_work import make_key, make_key_in_place
from tests.chaos.killing import run
from tests.promises import Tally


@pytest.mark.slow
@pytest.mark.promise(
    "A key of studies whose making is killed before any step is whole or absent, and nothing stays beside it",
    area="Durability",
    goal="0 broken at any step",
    control="tests/chaos/test_key_kills.py::test_a_key_that_is_made_in_place_is_broken_by_a_kill",
)
def test_killed_makers_leave_a_whole_key_or_none(memory: Path, tally: Tally) -> None:
    kills, broken = killed_makers(make_key, memory)
    tally.record(kills, lost=broken)
    assert kills >= 5
    assert broken == 0


@pytest.mark.slow
def test_a_key_that_is_made_in_place_is_broken_by_a_kill(memory: Path) -> None:
    kills, broken = killed_makers(make_key_in_place, memory)
    assert kills >= 3
    assert broken > 0


def killed_makers(make: Callable[..., object], folder: Path) -> tuple[int, int]:
    """How many makers were killed, each before another step, and after how many no sound key alone could be had."""
    steps = run(make, folder / "whole" / "key", folder=_new(folder / "whole")).steps
    broken = 0
    for step in range(1, len(steps) + 1):
        place = _new(folder / f"killed-{step}")
        assert run(make, place / "key", folder=place, dies_before=step).killed
        broken += not _is_sound(place / "key")
    return len(steps), broken


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _is_sound(key: Path) -> bool:
    try:
        secret_of_file(key)
    except StudioError:
        return False
    return [path.name for path in key.parent.iterdir()] == [key.name]
