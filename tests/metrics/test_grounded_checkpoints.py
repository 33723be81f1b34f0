"""The grounded metrics through real loading code: tiny random checkpoints, bound as a project binds them."""

import json
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from backend.domain import Case, Failed, Generation, Item, Ok, Result, Score, VideoTextEmbedder
from backend.engine.context import WorkContext, WorkerSettings
from backend.media.index import build_index
from backend.media.reader import VideoReader
from backend.models import MODELS
from metrics.evaluation import metric
from metrics.framing import Linspace
from metrics.nexus import ReferenceCrops
from metrics.planner import Planner
from metrics.spec import Entry
from metrics.stage import Measure
from metrics.store import FeatureStore
from tests.backend.models.tiny_grounding import save_grounding_dino, save_owl, save_sam2
from tests.backend.models.tiny_vision import save_clip
from tests.metrics.checkpoints_language import qwen2_vl
from tests.metrics.conftest import MakeEntry
from tests.metrics.planted_grounding import drawn, scenery, with_references

CUP = drawn(scenery(0), Cup=(40, 20, 100, 80))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("weights")
    made = {
        "Detector": save_grounding_dino(root / "dino"),
        "Segmenter": save_sam2(root / "sam2"),
        "ClipL14": save_clip(root / "clip"),
        "Gme": qwen2_vl(root / "gme"),
        "ReferenceDetector": save_owl(root / "owl", "owlv2"),
    }
    return {role: str(path) for role, path in made.items()}


def scored(name: str, entry: Entry, folder: Path, weights: dict[str, str], **roles: str) -> Score:
    result = measured(name, entry, folder, weights, **roles)
    assert isinstance(result, Ok)
    (score,) = result.rows
    assert isinstance(score, Score)
    return score


def measured(name: str, entry: Entry, folder: Path, weights: dict[str, str], **roles: str) -> Result:
    named = {role: roles.get(role, "paper") for role in weights}
    bound = {role: MODELS[role][implementation] for role, implementation in named.items()}
    context = WorkContext(WorkerSettings(artifacts=folder / "artifacts", roles=bound, models=weights, device="cpu"))
    item = Item(entry.generation.id, {Generation: (entry.generation,), Case: (entry.case,)})
    (result,) = Measure(metric(name), folder / "features")([item], context)
    context.close()
    return result


@pytest.fixture
def entry(entry_of: MakeEntry, tmp_path: Path) -> Entry:
    frames = [drawn(scenery(0), Cup=(20 + 4 * n, 20, 80 + 4 * n, 80)) for n in range(3)]
    return entry_of(frames, **with_references(tmp_path, [CUP, scenery(1)], ["Cup", "Man"]))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nexus", "nexus_compat", "s2v_consistency", "s2v_decoupling"])
def test_every_metric_ends_in_a_value_or_a_named_state(
    name: str, entry: Entry, tmp_path: Path, weights: dict[str, str]
) -> None:
    score = scored(name, entry, tmp_path, weights, ReferenceDetector="owlv2")
    if score.value is None:
        assert score.reason and score.reason.split(":")[0] in ("no detection", "not applicable")
    else:
        assert np.isfinite(score.value) and score.evidence is not None
    again = scored(name, entry, tmp_path / "again", weights, ReferenceDetector="owlv2")
    assert (again.value, again.reason, again.producer) == (score.value, score.reason, score.producer)


@pytest.mark.slow
def test_likeness_and_fit_are_the_models_own(entry: Entry, tmp_path: Path, weights: dict[str, str]) -> None:
    """What the feature holds for its first box, computed again from crop, reference and label, one at a time."""
    bound = {"ReferenceDetector": MODELS["ReferenceDetector"]["owlv2"], "Gme": MODELS["Gme"]["paper"]}
    context = WorkContext(WorkerSettings(artifacts=tmp_path, roles=bound, models=weights, device="cpu"))
    planner = Planner(store=FeatureStore(tmp_path), roles=context.role, model_id=context.model_id)
    (found,) = planner.features(entry, [ReferenceCrops(frames=Linspace(3))])
    assert isinstance(found, dict) and len(found["box"])
    with VideoReader(entry.generation.path, build_index(entry.generation.path)) as reader:
        frame = reader.at([int(found["at"][0])])[0]
    x0, y0, x1, y1 = (round(float(edge)) for edge in found["box"][0])
    gme = cast(VideoTextEmbedder, context.role("Gme"))
    crop, row = gme.images([frame[y0:y1, x0:x1]])[0], int(found["reference"][0])
    assert found["likeness"][0] == pytest.approx(float(crop @ gme.images([(CUP, scenery(1))[row]])[0]), abs=1e-4)
    assert found["label_fit"][0] == pytest.approx(float(crop @ gme.texts([entry.case.labels[row]])[0]), abs=1e-4)
    assert found["human_fit"][0] == pytest.approx(float(crop @ gme.texts(["human"])[0]), abs=1e-4)
    context.close()


@pytest.mark.slow
def test_boxes_from_a_file_serve_as_boxes_found_here(entry: Entry, tmp_path: Path, weights: dict[str, str]) -> None:
    case, content = entry.case, entry.generation.content_hash
    looked = {str(n): {case.hashes[0]: [[20, 20, 80, 80, 0.9]], case.hashes[1]: []} for n in range(3)}
    data = {"format": "reference-boxes/1", "min_score": 0.5, "max_iou": 0.7, "videos": {content: looked}}
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(data))
    score = scored("nexus_compat", entry, tmp_path, weights | {"ReferenceDetector": str(path)})
    assert score.coverage == 1.0, score.reason
    del looked["1"]
    path.write_text(json.dumps(data))
    lacking = measured("nexus_compat", entry, tmp_path, weights | {"ReferenceDetector": str(path)})
    assert isinstance(lacking, Failed) and lacking.kind == "unavailable"
    assert lacking.message.startswith("unavailable: boxes.json has no boxes")
