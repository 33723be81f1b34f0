"""Every recipe makes a step as it is, but for sizes: what it leaves out, how it places anchors, its optimizer and its data."""

import math
from pathlib import Path

import pytest
import torch.distributed as dist

from tests.thorough import quick
from tests.training.made_export import made_export
from tests.training.made_run import trained
from training.observe import read_metrics
from training.recipes import RECIPES, recipe
from training.shapes import SHAPES

pytestmark = pytest.mark.slow
SHORT = ("phantom_1_3b_lora", "kaleido_14b_pretrain", "gloria_s3_mixed", "gloria_17b_s3_joint")
"""One a family; `tiny` and `tiny_i2v` run elsewhere."""
SHRUNKEN = (
    'data.latents.encoders.codec="embedded"',
    'data.latents.encoders.text="embedded"',
    'model.init=""',
    "model.channels=48",
    "run.steps=1",
    "run.accumulation=1",
    "parallel.context=1",
    "parallel.compile=false",
)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_export(tmp_path_factory.mktemp("recipes"), sound=True, anchors=True)


@pytest.fixture(scope="module", autouse=True)
def _one_group():
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


@pytest.mark.parametrize("name", quick(SHORT, RECIPES))
def test_a_recipe_makes_a_step_in_a_shrunken_shape(export: Path, tmp_path: Path, name: str) -> None:
    config = recipe(name)
    shape = "tiny_i2v" if SHAPES[config.model.shape]().takes_image_channels else "tiny"
    settings = [*SHRUNKEN, f'model.shape="{shape}"']
    if config.data.latents.encoders.image:
        settings.insert(0, 'data.latents.encoders.image="embedded"')
    if config.model.audio_channels:
        settings += ['data.latents.encoders.audio="embedded"', "model.audio_channels=64"]
    if config.lora.rank:
        settings.append("run.ema_decay=0.0")
    done = trained(export, tmp_path / "run", *settings, recipe=name)
    assert (done.state, done.step, done.recipe, done.failed) == ("done", 1, name, 0)
    (line,) = read_metrics(tmp_path / "run")
    assert math.isfinite(line["loss"])
    assert line["gradient_norm"] > 0
    assert line["learning_rate"] == pytest.approx(config.optimizer.learning_rate)
