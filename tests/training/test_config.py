"""Configs: complete, read back as written, and strict about names and values."""

import json

import pytest

from backend.domain import SettingsError
from training.config import TrainConfig, differences, from_json, to_json, with_settings
from training.recipes import RECIPES, recipe
from training.shapes import SHAPES


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_whole_and_reads_back_as_written(name):
    found = recipe(name)
    assert found.recipe == name
    assert from_json(to_json(found)) == found
    assert found.model.shape in SHAPES
    assert bool(found.lora.rank) == name.endswith("_lora")


def test_published_figures():
    kaleido, phantom = recipe("kaleido_14b_pretrain"), recipe("phantom_1_3b")
    assert (kaleido.run.steps, kaleido.optimizer.learning_rate) == (10_000, 1e-5)  # Kaleido, section 5.1
    assert (recipe("kaleido_14b_sft").run.steps, recipe("kaleido_14b_sft").optimizer.learning_rate) == (5000, 5e-6)
    assert (kaleido.optimizer.betas, kaleido.optimizer.max_norm) == ((0.9, 0.95), 0.1)
    assert kaleido.times.shift == "tokens"
    assert phantom.run.steps == 30_000  # Phantom-Data, section 5.1


def test_settings_go_in_by_dotted_name():
    found = with_settings(
        TrainConfig(),
        {"optimizer.learning_rate": 1, "data.modes": ["in_pair"], "data.latents.clips.fps": 8, "times.shift": "tokens"},
    )
    assert found.optimizer.learning_rate == 1.0
    assert found.data.modes == ("in_pair",)
    assert found.data.latents.clips.fps == 8.0
    assert found.times.shift == "tokens"
    assert differences(TrainConfig(), found)["data.modes"] == (("cross_pair",), ("in_pair",))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("optimizer.learning_rat", 1.0, "did you mean learning_rate"),
        ("optimiser.eps", 1.0, "did you mean optimizer"),
        ("run.steps.more", 1, "steps has no parts"),
        ("run.steps", "ten", "needs a value of type int"),
        ("run.steps", 0, "at least 1"),
        ("run.steps", True, "needs a value of type int"),
        ("parallel.dtype", "float8", "choose 'float32', 'bfloat16'"),
        ("model.positions", "rope", "model.positions is 'rope'"),
        ("model.anchor_stride", 6.0, "lets roles run into each other"),
        ("model.longest_latents", 0, "at least 1"),
        ("data.modes", "in_pair", "write a list"),
        ("data.latents.clips.frames", [80], "1 . 4 n frames"),
        ("conditioning.prefix", 2.0, "no shares of 1"),
        ("model.isolated_anchors", True, "set model.anchor_timestep=0"),
        ("model.audio_channels", 64, "sound would be silence"),
    ],
)
def test_a_wrong_setting_is_a_sentence(name, value, told):
    with pytest.raises(SettingsError, match=told):
        with_settings(TrainConfig(), {name: value})


def test_an_unknown_key_of_a_kept_config_is_an_error():
    with pytest.raises(SettingsError, match=r"config.run.stepz is not a setting; did you mean steps"):
        from_json('{"run": {"stepz": 1}}')
    with pytest.raises(SettingsError, match="cannot be read"):
        from_json("{")


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(SettingsError, match="no training recipe 'tinny'; did you mean tiny"):
        recipe("tinny")


def test_a_changed_config_is_refused_unless_its_checksum_is_taken_out():
    kept = to_json(recipe("tiny"))
    changed = kept.replace('"recipe": "tiny"', '"recipe": "tinz"')
    assert changed != kept
    with pytest.raises(SettingsError, match="does not fit its checksum"):
        from_json(changed)
    fields = json.loads(changed)
    del fields["checksum"]
    assert from_json(json.dumps(fields)).recipe == "tinz"
    with pytest.raises(SettingsError, match="cannot be read"):
        from_json(b"\xff" + kept.encode())
