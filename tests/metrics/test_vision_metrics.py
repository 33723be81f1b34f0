"""Every metric on whole pictures, run as a stage over real loading code and tiny checkpoints in their real files."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backend.domain import Case, Failed, Generation, Item, Ok, Result, Score
from backend.engine.context import WorkContext, WorkerSettings
from backend.models import MODELS
from metrics.evaluation import metric
from metrics.spec import Entry
from metrics.stage import Measure, roles_of
from tests.metrics.checkpoints_of_roles import saved
from tests.metrics.conftest import MakeEntry

IDS = (
    "aesthetic_opens2v_compat", "aesthetic_quality", "background_consistency", "clip_i_b32", "clip_i_l14", "clip_t",
    "dino_i_v1", "dino_i_v2", "dino_i_v3", "i2v_subject", "imaging_quality", "motion_smoothness", "overall_consistency",
    "subject_consistency",
)  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where each role's tiny weights lie."""
    root = tmp_path_factory.mktemp("weights")
    roles = set().union(*(roles_of(metric(name)) for name in IDS))
    return {role: str(saved(role, root / role)) for role in sorted(roles)}


def frames(num: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    first, last = (rng.integers(0, 256, (18, 24, 3)).repeat(8, 0).repeat(8, 1) for _ in range(2))
    return [(first * (1 - t) + last * t).astype(np.uint8) for t in np.linspace(0, 1, num)]


@pytest.fixture
def entry(entry_of: MakeEntry, tmp_path: Path) -> Entry:
    Image.fromarray(frames(1)[0]).save(tmp_path / "reference.png")
    return entry_of(frames(9), references=(str(tmp_path / "reference.png"),), prompt="a thing moves over the hill")


def scores(ids: tuple[str, ...], entry: Entry, folder: Path, weights: Mapping[str, str]) -> dict[str, Score]:
    found = {}
    for name, result in results(ids, entry, folder, weights).items():
        assert isinstance(result, Ok)
        (score,) = result.rows
        assert isinstance(score, Score)
        found[name] = score
    return found


def results(ids: tuple[str, ...], entry: Entry, folder: Path, weights: Mapping[str, str]) -> dict[str, Result]:
    roles = {role: MODELS[role]["paper"] for role in set().union(*(roles_of(metric(name)) for name in ids))}
    context = WorkContext(WorkerSettings(artifacts=folder / "artifacts", roles=roles, models=weights, device="cpu"))
    item = Item(entry.generation.id, {Generation: (entry.generation,), Case: (entry.case,)})
    beside = tuple(feature for name in ids for feature in metric(name).features.values())
    found = {}
    for name in ids:
        (found[name],) = Measure(metric(name), folder / "features", beside=beside)([item], context)
    context.close()
    return found


def test_one_frame_gives_numbers_or_reasons(entry_of: MakeEntry, tmp_path: Path, weights: dict[str, str]) -> None:
    Image.fromarray(frames(1)[0]).save(tmp_path / "reference.png")
    lone = entry_of(frames(1), references=(str(tmp_path / "reference.png"),))
    found = scores(IDS, lone, tmp_path, weights)
    without = {name for name, score in found.items() if score.value is None}
    assert without == {"subject_consistency", "background_consistency", "i2v_subject", "motion_smoothness"}
    assert all((found[name].reason or "").startswith("too short: a video of") for name in without)


def test_frame_that_is_its_reference_is_wholly_alike(entry_of: MakeEntry, tmp_path: Path, weights: dict[str, str]) -> None:
    picture = np.full((144, 192, 3), (200, 90, 40), np.uint8)
    Image.fromarray(picture).save(tmp_path / "reference.png")
    entry = entry_of([picture] * 4, references=(str(tmp_path / "reference.png"),))
    found = scores(("clip_i_b32", "clip_i_l14", "dino_i_v1", "dino_i_v2", "dino_i_v3"), entry, tmp_path, weights)
    assert all(score.value == pytest.approx(1, abs=1e-3) for score in found.values()), "but for the video's compression"


def test_long_prompt_is_cut_and_measured(entry_of: MakeEntry, tmp_path: Path, weights: dict[str, str]) -> None:
    entry = entry_of(frames(3), prompt="word " * 5000)
    found = scores(("clip_t", "overall_consistency"), entry, tmp_path, weights)
    assert all(score.value is not None for score in found.values())


def test_weights_of_nan_give_a_reason(entry: Entry, tmp_path: Path, weights: dict[str, str]) -> None:
    import transformers as tf

    broken = tf.CLIPModel.from_pretrained(weights["ClipB32"])
    with torch.no_grad():
        broken.visual_projection.weight[0, 0] = torch.nan
    broken.save_pretrained(tmp_path / "broken")
    for path in Path(weights["ClipB32"]).glob("token*"):
        (tmp_path / "broken" / path.name).write_bytes(path.read_bytes())
    found = scores(
        ("clip_i_b32", "clip_t", "background_consistency"), entry, tmp_path, {"ClipB32": str(tmp_path / "broken")}
    )
    assert all(score.value is None and (score.reason or "").startswith("failed") for score in found.values())


def test_missing_weights_name_the_setting(entry: Entry, tmp_path: Path) -> None:
    for name, result in results(IDS, entry, tmp_path, {}).items():
        assert isinstance(result, Failed) and result.kind == "unavailable", name
        assert result.message.startswith("unavailable: role ") and "in project.toml" in result.message
