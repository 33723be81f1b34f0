"""Sizes, rates and samplers that papers publish, as systems take them when nothing is set."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from training import pipelines
from training.generate_settings import GenerateSettings, SamplerChoice
from training.recipes import recipe
from training.sampling import Sampler
from training.systems import _sampler, open_system


def opened(folder: Path, name: str, heads: int, monkeypatch: pytest.MonkeyPatch):
    """A folder of this class, whose weights would not fit into a test."""

    def loaded(*_: object) -> SimpleNamespace:
        pipeline = SimpleNamespace(
            transformer=SimpleNamespace(config=SimpleNamespace(num_attention_heads=heads)),
            scheduler=SimpleNamespace(config={"flow_shift": 5.0}),
        )
        pipeline.to = lambda device: pipeline
        return pipeline

    (folder / "model_index.json").write_text(json.dumps({"_class_name": name}))
    monkeypatch.setattr(pipelines, "_loaded", loaded)
    return open_system(f"diffusers:{folder}", GenerateSettings(), working=folder)


@pytest.mark.parametrize(
    ("name", "heads", "video", "guidance"),
    [
        ("WanVACEPipeline", 12, (832, 480, 81, 16.0), 5.0),
        ("WanVACEPipeline", 40, (1280, 720, 81, 16.0), 5.0),
        ("WanPipeline", 40, (832, 480, 81, 16.0), 5.0),
        ("ConsisIDPipeline", 48, (720, 480, 49, 8.0), 6.0),
    ],
)
def test_a_pipeline_takes_the_sizes_and_rates_of_the_benchmark(tmp_path, monkeypatch, name, heads, video, guidance) -> None:
    """OpenS2V-Nexus, appendix D.2; ConsisID has 48 heads and no larger variant."""
    system = opened(tmp_path, name, heads, monkeypatch)
    told = system.about["video"]
    assert (told["width"], told["height"], told["frames"], told["fps"]) == video
    assert system.fps == video[3]
    assert (system.about["guidance"]["scale"], system.about["sampler"]["steps"]) == (guidance, 50)


@pytest.mark.parametrize("name", ["kaleido_14b_pretrain", "kaleido_14b_sft"])
def test_a_run_of_kaleido_samples_as_its_code_does(name: str) -> None:
    assert _sampler(recipe(name), SamplerChoice()) == Sampler(method="euler", steps=50, shift=7.0)


def test_another_run_samples_as_wan_does_and_what_is_set_counts() -> None:
    assert _sampler(recipe("phantom_1_3b"), SamplerChoice()) == Sampler(method="unipc", steps=50, shift=5.0)
    chosen = SamplerChoice(method="unipc", steps=9)
    assert _sampler(recipe("kaleido_14b_sft"), chosen) == Sampler(method="unipc", steps=9, shift=7.0)
