"""Damaged files of every kind: each ends in frames or in a typed error, and nobody but a guarded child can die of it."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from backend.media.guard import close_children
from tests.promises import Tally
from tests.untrusted.mutants import write_mutants, write_samples
from tests.untrusted.reading import (
    Read,
    Survey,
    owner_survives,
    read_by_dying,
    read_by_hoarding,
    read_by_waiting,
    read_with_decord,
    read_with_ours,
    survey,
)

FILES = (
    "h264.mkv",
    "h264.mov",
    "h264.mp4",
    "moving.gif",
    "moving.webp",
    "still.jpeg",
    "still.png",
    "still.tiff",
    "still.webp",
    "tone.wav",
    "vp9.webm",
)
DECORD_FILES = ("h264.mkv", "h264.mov", "h264.mp4", "vp9.webm")
SHORT, LONG = 10, 500


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_samples(tmp_path_factory.mktemp("samples"))


@pytest.fixture(scope="module")
def ours() -> Survey:
    return Survey()


@pytest.fixture(scope="module")
def decords() -> Survey:
    return Survey()


def test_every_sample_is_read_whole_before_it_is_damaged(samples: dict[str, Path]) -> None:
    assert tuple(samples) == FILES
    found = survey(samples.values(), read_with_ours, Survey())
    assert (found.kinds, found.lost) == ({"frames": len(FILES) - 1, "none": 1}, [])  # a sound has no frames


@pytest.mark.promise(
    "a damaged media file ends in frames or a typed error, within 10 s and 2 GiB, and kills nobody but the child that reads it",
    area="Untrusted files",
    goal="0 lost of 500 mutants of each of 11 kinds of file through PyAV and Pillow",
    control="tests/untrusted/test_mutants.py::test_the_survey_finds_what_hoards_hangs_breaks_and_kills",
)
@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_mutants_end_in_frames_or_typed_errors(
    samples: dict[str, Path], name: str, tmp_path: Path, long: bool, tally: Tally, ours: Survey
) -> None:
    check(write_mutants(samples[name], tmp_path, LONG if long else SHORT, seed=1), read_with_ours, ours, tally)


@pytest.mark.promise(
    "decord, where somebody asks for it, is held to the same limits",
    area="Untrusted files",
    goal="0 lost of 500 mutants of each of 4 kinds of video",
    control="tests/untrusted/test_mutants.py::test_the_survey_finds_what_hoards_hangs_breaks_and_kills",
)
@pytest.mark.slow
@pytest.mark.parametrize("name", DECORD_FILES)
def test_mutants_read_through_decord(
    samples: dict[str, Path], name: str, tmp_path: Path, long: bool, tally: Tally, decords: Survey
) -> None:
    pytest.importorskip("decord")
    check(write_mutants(samples[name], tmp_path, LONG if long else SHORT, seed=2), read_with_decord, decords, tally)


def check(paths: Iterable[Path], read: Read, found: Survey, tally: Tally) -> None:
    """`found` is of all parameters so far."""
    tried, lost = found.tried, len(found.lost)
    survey(paths, read, found)
    tally.record(found.tried - tried, lost=len(found.lost) - lost, note=found.note)
    assert found.lost[lost:] == []
    assert found.tried > tried


@pytest.mark.slow
def test_the_survey_finds_what_hoards_hangs_breaks_and_kills(samples: dict[str, Path], tmp_path: Path) -> None:
    paths = list(samples.values())
    hoarding = survey(paths[:2], read_by_hoarding, Survey(), most_bytes=200 * 2**20)
    assert len(hoarding.lost) == 2
    waiting = survey(paths[:1], read_by_waiting, Survey(), wall_s=0.5)
    assert waiting.kinds == {"timeout": 1}
    broken = survey(paths[:2], read_by_breaking, Survey())
    assert len(broken.lost) == 2
    dying = survey(paths, read_by_dying, Survey())
    assert (dying.kinds["crash"] > 0, dying.tried) == (True, len(paths))
    # Without the child, the same decoder takes its owner along
    assert not owner_survives(paths, read_by_dying)
    assert owner_survives(paths, read_with_ours)
    close_children()


def read_by_breaking(path: str) -> list[int]:
    """A decoder whose error nobody has typed."""
    raise IndexError(f"{path}: list index out of range")
