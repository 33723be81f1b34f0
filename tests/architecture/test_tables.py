"""Every entry of every extension table loads and is what it says."""

import dataclasses
import inspect
import re
from functools import cache
from pathlib import Path

import pytest

from backend.domain import MACHINE_RECORDS, PARENTS
from backend.engine.context import load
from backend.engine.tables import LISTED
from backend.exports import EXPORTS
from backend.jobs import CALLS, JOBS
from backend.models import MODELS
from backend.recipes import RECIPES
from backend.stages import STAGES
from backend.studies import STUDIES
from studio.pages import PAGES

IMPLEMENTATIONS = [(role, name, path) for role, found in MODELS.items() for name, path in found.items()]


@pytest.mark.parametrize(("name", "path"), STAGES.items())
def test_stage_is_a_frozen_dataclass_that_declares_itself(name: str, path: str) -> None:
    stage = load(path)
    assert stage.name == name
    assert dataclasses.is_dataclass(stage)
    assert stage.__dataclass_params__.frozen  # pyright: ignore[reportAttributeAccessIssue]
    assert stage.version >= 1
    assert stage.over in MACHINE_RECORDS
    assert set(stage.makes) <= set(MACHINE_RECORDS)
    assert set(stage.roles) <= set(MODELS), f"{name} asks for a role that no table knows"
    assert all(record in (_Score(), *LISTED) or stage.over in _lineage(record) for record in stage.gathers)
    assert inspect.getdoc(stage)
    assert all(field.default is not dataclasses.MISSING for field in dataclasses.fields(stage)), (
        "every setting has a default"
    )


def _Score() -> type:
    return next(record for record in MACHINE_RECORDS if record.KIND == "score")


def _lineage(record: type) -> list[type]:
    chain = []
    while record in PARENTS:
        record = PARENTS[record][1]
        chain.append(record)
    return chain


@pytest.mark.parametrize(("role", "name", "path"), IMPLEMENTATIONS)
def test_model_has_an_id_and_a_sentence(role: str, name: str, path: str) -> None:
    model = load(path)
    assert isinstance(model.model_id, str)
    assert model.model_id
    assert inspect.getdoc(model)


@cache
def _words_of_tests() -> frozenset[str]:
    tests = Path(__file__).parents[1]
    return frozenset(word for path in tests.rglob("test_*.py") for word in re.findall(r"\w+", path.read_text("utf-8")))


@pytest.mark.parametrize(("role", "name", "path"), IMPLEMENTATIONS)
def test_model_with_weights_is_named_by_a_test(role: str, name: str, path: str) -> None:
    model = load(path)
    if hasattr(model, "suggested"):
        assert model.__name__ in _words_of_tests(), f"{model.__name__}: load a tiny checkpoint of its format in a test"


@pytest.mark.parametrize(
    "path",
    [*EXPORTS.values(), *JOBS.values(), *CALLS.values(), *(page.place for page in PAGES.values()), *STUDIES.values()],
)
def test_path_resolves(path: str) -> None:
    assert callable(load(path))


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_gates_scores_of_its_own_stages(name: str) -> None:
    steps = RECIPES[name]({})
    assert len({step.stage.name for step in steps}) == len(steps)
    gates = [gate for step in steps for gate in step.gates]
    assert len({gate.name for gate in gates}) == len({(gate.name, gate.value, gate.unmeasured) for gate in gates}), (
        "a gate on what two stages measure has one value"
    )
    assert all(gate.source for gate in gates), "every threshold names its source"
    assert all(_Score() in step.stage.makes for step in steps if step.gates)
