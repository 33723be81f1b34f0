"""Videos of cases from pipelines of diffusers, with tiny weights in their real folders."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.domain import ModelUnavailable, SettingsError
from backend.jobs.board import JobTicket
from tests.training.made_cases import cases_in
from tests.training.made_pipelines import made_consisid, made_pipeline
from tests.training.test_generate import frames_of
from training.generate import GenerateSummary, run_generate
from training.generate_settings import GenerateSettings
from training.pipelines import KINDS
from training.systems import open_system

SMALL = ("video.frames=5", "video.width=32", "video.height=32", "sampler.steps=2", "compute.device=cpu")


@pytest.fixture(scope="module")
def vace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_pipeline(tmp_path_factory.mktemp("vace"), "vace")


def generated(folder: Path, cases, out: Path, *settings: str) -> GenerateSummary:
    ticket = JobTicket(lambda *_: None, threading.Event())
    return run_generate(ticket, system=f"diffusers:{folder}", cases=cases, out=out, assignments=(*SMALL, *settings))


def test_vace_sees_the_references(vace: Path, tmp_path: Path) -> None:
    one, other = cases_in(tmp_path)
    assert generated(vace, (one,), tmp_path / "a").count("made") == 1
    generated(vace, (replace(other, name=one.name),), tmp_path / "b")
    first, second = (frames_of(tmp_path / name / "square_1.mp4") for name in "ab")
    assert first.shape == (5, 32, 32, 3)
    assert not np.array_equal(first, second)
    told = json.loads((tmp_path / "a" / "square_1.json").read_text())
    assert told["pipeline"] == "WanVACEPipeline"
    assert told["sampler"] == {"method": "UniPCMultistepScheduler", "steps": 2, "shift": 5.0}
    assert set(told["models"]) == {"text_encoder", "transformer", "vae"}


def test_sizes_and_rates_are_those_of_the_benchmark(vace: Path, tmp_path: Path) -> None:
    about = open_system(f"diffusers:{vace}", GenerateSettings(), working=tmp_path).about
    assert about["video"] == {"frames": 81, "width": 832, "height": 480, "fps": 16.0}
    large, face = KINDS["WanVACEPipeline"].large, KINDS["ConsisIDPipeline"].video
    assert large is not None
    assert (large.width, large.height, large.frames, large.fps) == (1280, 720, 81, 16.0)
    assert (face.width, face.height, face.frames, face.fps) == (720, 480, 49, 8.0)


@pytest.mark.slow
def test_text_to_video_and_image_to_video_run(tmp_path: Path) -> None:
    (case,) = cases_in(tmp_path, count=1, first_frame="pictures/1.png")
    for kind in ("t2v", "i2v"):
        folder = made_pipeline(tmp_path / kind, kind)
        assert generated(folder, (case,), tmp_path / f"{kind}-out").failures == ()
    without = replace(case, first_frame=None, first_frame_hash="")
    assert "has no first frame" in generated(tmp_path / "i2v", (without,), tmp_path / "none").failures[0]


def test_a_prompt_that_is_too_long_is_told(vace: Path, tmp_path: Path) -> None:
    (case,) = cases_in(tmp_path, count=1)
    done = generated(vace, (replace(case, prompt="A " * 512),), tmp_path / "out")
    assert "has 513 tokens, the model reads 512" in done.failures[0]


def test_what_is_no_known_pipeline_is_refused(vace: Path, tmp_path: Path) -> None:
    cases = cases_in(tmp_path, count=1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(ModelUnavailable, match="is a FluxPipeline; known are"):
        generated(tmp_path / "other", cases, tmp_path / "a")
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        generated(tmp_path / "nothing", cases, tmp_path / "b")
    with pytest.raises(SettingsError, match="are for runs"):
        generated(vace, cases, tmp_path / "c", "sampler.method=euler")


def test_pickles_and_cut_files_are_refused(tmp_path: Path) -> None:
    cases = cases_in(tmp_path, count=1)
    folder = made_pipeline(tmp_path / "p", "t2v")
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelUnavailable, match="cannot be loaded as WanPipeline"):
        generated(folder, cases, tmp_path / "a")
    weights.write_bytes(whole)
    (folder / "vae" / "diffusion_pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelUnavailable, match="holds pickles"):
        generated(folder, cases, tmp_path / "b")


def test_consisid_sees_its_one_face(tmp_path: Path) -> None:
    """From real loading to a video; without the face models, whose packages no registry holds as wheels."""
    folder = made_consisid(tmp_path / "consisid")
    one, other = cases_in(tmp_path)
    done = generated(folder, (one,), tmp_path / "a", "video.frames=9")
    assert done.failures == ()
    generated(folder, (replace(other, name=one.name),), tmp_path / "b", "video.frames=9")
    first, second = (frames_of(tmp_path / name / "square_1.mp4") for name in "ab")
    assert first.shape == (9, 32, 32, 3)
    assert not np.array_equal(first, second), "the reference changes the video"
    with pytest.raises(SettingsError, match=r"video.frames is 5; clips have 1 \+ 8 n frames"):
        generated(folder, (one,), tmp_path / "c")
    told = json.loads((tmp_path / "a" / "square_1.json").read_text())
    assert (told["pipeline"], told["guidance"]["scale"], told["sees_references"]) == ("ConsisIDPipeline", 6.0, True)
    assert set(told["models"]) == {"text_encoder", "transformer", "vae"}
    two = replace(one, references=one.references * 2, hashes=one.hashes * 2, labels=one.labels * 2)
    assert "ConsisID takes one face" in generated(folder, (two,), tmp_path / "d", "video.frames=9").failures[0]


def test_consisid_without_its_face_models_says_which_to_install(tmp_path: Path) -> None:
    folder = made_consisid(tmp_path / "consisid", faces=True)
    (case,) = cases_in(tmp_path, count=1)
    done = generated(folder, (case,), tmp_path / "out", "video.frames=9")
    assert "pip install consisid_eva_clip facexlib insightface" in done.failures[0]
