"""A flipped bit is found, or changes nothing that is read; whoever reads says so and goes on."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.flips import Seen, flip_apart, flip_many
from tests.faults.kept_exports import EXPORTED
from tests.faults.kept_files import KINDS as KEPT
from tests.faults.kept_files import MESSAGE, flip_with_checksums, make_catalog, read_catalog
from tests.promises import Tally

SHORT, LONG = 20, 300
KINDS = KEPT | EXPORTED


def each(kinds: Iterable[str]) -> list[Any]:
    return [pytest.param(kind, marks=pytest.mark.slow) if KINDS[kind].slow else kind for kind in kinds]


@pytest.mark.promise(
    "a flipped bit in any kind of file is found with a sentence, or changes nothing that is read",
    area="Durability",
    goal="0 silent, 0 deaths in 300 flips of each kind of file",
    control="tests/faults/test_bit_flips.py::test_who_looks_at_no_checksum_reads_other_data_in_silence",
)
@pytest.mark.parametrize("kind", each(KINDS))
def test_no_flipped_bit_is_read_in_silence(kind: str, tmp_path: Path, long: bool, tally: Tally) -> None:
    of = KINDS[kind]
    seen = flips_of(kind, tmp_path, tries=LONG if long else SHORT)
    tally.record(seen.tried, lost=seen.silent + seen.died)
    assert seen.places == []
    assert seen.loud > seen.tried // 4
    assert [words for words in seen.words if not re.search(of.advice, words)] == []


@pytest.mark.parametrize("kind", each(name for name, kind in KINDS.items() if kind.careless))
def test_who_looks_at_no_checksum_reads_other_data_in_silence(kind: str, tmp_path: Path) -> None:
    assert flips_of(kind, tmp_path, tries=3 * SHORT, careless=True).silent > 0


@pytest.mark.slow
def test_a_catalog_whose_checksums_fit_what_was_flipped_is_read_in_silence(tmp_path: Path) -> None:
    """Others' code looks at those: nothing else of the product would find the flip."""
    make_catalog(tmp_path / "sound")
    shutil.copytree(tmp_path / "sound", tmp_path / "flipped")
    flip_with_checksums(tmp_path / "flipped", MESSAGE.encode())
    assert read_catalog(tmp_path / "flipped") != read_catalog(tmp_path / "sound")


def flips_of(kind: str, folder: Path, *, tries: int, careless: bool = False) -> Seen:
    of = KINDS[kind]
    of.make(folder / "sound")
    if of.apart:
        return flip_apart(kind, folder / "sound", folder, files=of.files, tries=tries, careless=careless)
    read = of.careless if careless else of.read
    assert read is not None
    return flip_many(folder / "sound", read, folder, files=of.files, tries=tries)
