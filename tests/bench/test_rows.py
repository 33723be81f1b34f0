"""Every experiment runs from its world to its measures, with next to no training."""

from dataclasses import replace

import pytest
import torch

from bench.experiments.scenes import PEOPLE
from bench.experiments.table import EXPERIMENTS, SCALES
from bench.experiments.tests import answers, measured
from bench.experiments.training import Places, trained
from bench.experiments.worlds import World, pairs, singles, turns

pytestmark = pytest.mark.slow
THREE = ("man", "dog", "mug")
SCALE = replace(SCALES["cpu"], name="least", layers=1, base_steps=1, steps=2, batch=4, sampling_steps=2)


def people() -> World:
    return singles("people", identities=2, tested=2, kinds=PEOPLE, tested_kinds=PEOPLE)


WORLDS = {
    "people": people,
    "kinds_all": lambda: singles("kinds", identities=3, tested=3, kinds=THREE, tested_kinds=THREE),
    "pairs": lambda: pairs("pairs", identities=2, tested=3),
    "turns": lambda: turns("turns", identities=2, tested=2),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("experiments")
    return Places(runs=folder / "runs", worlds=folder / "worlds")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("experiment", "name", "cases"),
    [
        ("A", "in-pair, augmented", 4),
        ("B", "rrope", 3),
        ("C", "superset", 4),
        ("D", "concat", 8),
        ("E", "and products", 6),
        ("F", "and generated", 4),
        ("G", "all anchors", 8),
        ("G", "no view", 8),
    ],
)
def test_a_row_gives_every_measure_of_its_experiment(places: Places, experiment: str, name: str, cases: int) -> None:
    row = EXPERIMENTS[experiment].rows[name]
    run = trained(row.arm, SCALE, seed=0, places=places, worlds=WORLDS)
    found = measured(answers(row, run, SCALE))
    assert found["cases"] == cases
    assert set(EXPERIMENTS[experiment].measures) <= set(found)
    assert all(0 <= found[name] <= 1 for name in found if name.endswith(("leak", "followed", "copied", "swapped")))
