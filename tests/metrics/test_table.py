"""Every metric of the table declares itself, runs without any model, and stands in the documents as it is."""

import dataclasses
import inspect
import pickle
from pathlib import Path

import numpy as np
import pytest

from backend.domain import Case, Failed, Generation, Item, Ok, Score
from backend.engine.context import WorkContext, WorkerSettings
from backend.engine.plan import Plan
from backend.models import MODELS
from metrics.catalogue import TARGET, written
from metrics.evaluation import metric
from metrics.spec import Feature, VideoFeature
from metrics.stage import Measure, roles_of
from metrics.table import METRICS, SETS
from tests.metrics.conftest import MakeEntry


@pytest.mark.parametrize("name", METRICS)
def test_metric_declares_itself(name: str) -> None:
    one = metric(name)
    assert one.id == name
    assert dataclasses.is_dataclass(one) and one.__dataclass_params__.frozen  # pyright: ignore[reportAttributeAccessIssue]
    assert one.version >= 1 and one.title and one.source and inspect.getdoc(type(one))
    low, high = one.range
    assert low is None or high is None or low < high
    assert roles_of(one) <= set(MODELS), f"{name} asks for a role that no table knows"
    assert set(one.needs) <= {"references", "prompt", "audio", "first_frame"}
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301 - what crews do


@pytest.mark.parametrize("name", METRICS)
def test_features_are_named_and_hashable(name: str) -> None:
    def check(feature: Feature) -> None:
        assert dataclasses.is_dataclass(feature) and hash(feature) == hash(dataclasses.replace(feature))
        assert feature.name and feature.version >= 1
        assert set(feature.of.split("+")) <= {"video", "references", "prompt", "audio"}
        if isinstance(feature, VideoFeature):
            assert "video" in feature.of.split("+") and feature.frames.indices(81, 25.0)
        for needed in feature.inputs.values():
            check(needed)

    for feature in metric(name).features.values():
        check(feature)


@pytest.mark.parametrize("name", METRICS)
def test_settings_and_models_make_the_key(name: str, tmp_path: Path) -> None:
    measure = Measure(metric(name), tmp_path)
    keys = [Plan(steps=(), model_ids=dict.fromkeys(measure.roles, model)).stage_key(measure) for model in "ab"]  # pyright: ignore[reportArgumentType]
    assert (keys[0] != keys[1]) == bool(measure.roles)
    elsewhere = Measure(metric(name), tmp_path / "other", beside=tuple(metric(name).features.values()))
    assert Plan(steps=(), model_ids=dict.fromkeys(measure.roles, "a")).stage_key(elsewhere) == keys[0]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", METRICS)
def test_without_models_every_metric_ends_in_a_named_state(name: str, entry_of: MakeEntry, tmp_path: Path) -> None:
    frames = [np.full((96, 128, 3), 60 + 10 * n, np.uint8) for n in range(6)]
    entry = entry_of(frames, references=(str(tmp_path / "no.png"),), hashes=("",), labels=("Cup",), kinds=("",))
    context = WorkContext(WorkerSettings(artifacts=tmp_path / "artifacts", roles={}))
    item = Item(entry.generation.id, {Generation: (entry.generation,), Case: (entry.case,)})
    (result,) = Measure(metric(name), tmp_path / "features")([item], context)
    context.close()
    if isinstance(result, Failed):
        assert (result.kind, result.message[:12]) == ("unavailable", "unavailable:")
        return
    assert isinstance(result, Ok)
    (score,) = result.rows
    assert isinstance(score, Score)
    if score.value is None:
        assert score.reason and score.reason.split(":")[0] in ("not applicable", "no detection", "too short", "failed")
        assert "Traceback" not in score.reason


def test_sets_name_metrics() -> None:
    assert {one for ids in SETS.values() for one in ids} <= set(METRICS)
    assert not set(SETS) & set(METRICS)


def test_document_says_what_the_metrics_declare() -> None:
    assert TARGET.read_text(encoding="utf-8") == written(), "run `python -m metrics.catalogue`"
