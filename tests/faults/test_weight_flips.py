"""A flipped bit in what training reads is found before it is taken over: checkpoints, published weights, latents, a run's config."""

import re
from pathlib import Path

import pytest

from tests.faults.flips import flip_many
from tests.promises import Tally

pytestmark = pytest.mark.slow
TRIES = {"checkpoint": 8, "config of a run": 200}
"""Flips of the control, until some are silent; of a checkpoint in its tensors alone, since reading one takes long."""


@pytest.mark.promise(
    "a flipped bit in a checkpoint, published weights, packed latents or a run's config is found before anything is taken over",
    area="Durability",
    goal="0 silent, 0 deaths in 300 flips of each",
    control="tests/faults/test_weight_flips.py::test_weights_without_checksums_are_taken_over_in_silence",
)
@pytest.mark.parametrize("kind", ["checkpoint", "published weights", "latents", "config of a run"])
def test_no_flipped_bit_of_weights_is_taken_over(kind: str, tmp_path: Path, long: bool, tally: Tally) -> None:
    from tests.faults.kept_weights import WEIGHTS  # torch takes seconds

    of = WEIGHTS[kind]
    of.make(tmp_path / "sound")
    seen = flip_many(tmp_path / "sound", of.read, tmp_path, files=of.files, tries=300 if long else 20)
    tally.record(seen.tried, lost=seen.silent + seen.died)
    assert seen.places == []
    assert seen.loud > seen.tried // 4
    assert [words for words in seen.words if not re.search(of.advice, words)] == []


@pytest.mark.parametrize("kind", ["checkpoint", "published weights", "latents", "config of a run"])
def test_weights_without_checksums_are_taken_over_in_silence(kind: str, tmp_path: Path) -> None:
    from tests.faults.kept_weights import WEIGHTS

    of = WEIGHTS[kind]
    of.make(tmp_path / "sound")
    assert of.careless is not None
    tries, files = TRIES.get(kind, 40), "**/*.distcp" if kind == "checkpoint" else of.files
    assert flip_many(tmp_path / "sound", of.careless, tmp_path, files=files, tries=tries).silent > 0
