"""Bases of Wan I2V: what the job keeps of first frames, what a batch is given of them, and videos that begin from them."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from diffusers.pipelines.wan.pipeline_wan_i2v import WanImageToVideoPipeline
from PIL import Image

from backend.domain import SettingsError
from backend.jobs.board import JobTicket
from backend.media.images import encode_png
from backend.models.picture_patches import PicturePatches
from backend.models.pixel_codec import PixelCodec
from tests.training.made_cases import cases_in
from tests.training.made_export import frames_of, made_export
from tests.training.made_pipelines import made_clip_vision, made_pipeline
from tests.training.made_run import trained
from tests.training.test_latents import SMALL as LATENTS
from training.conditioning import Conditions
from training.config import TrainConfig, with_settings
from training.data.batches import BatchOrder
from training.data.latent_settings import Encoders
from training.data.latents import encode
from training.data.loader import TensorReader
from training.data.modes import examples_of
from training.generate_settings import GenerateSettings, GuidanceChoice, SamplerChoice, VideoShape
from training.model import num_parameters
from training.recipes import recipe
from training.steps import with_known
from training.systems import open_system


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_export(tmp_path_factory.mktemp("first-frames"))


def test_the_job_keeps_the_first_frame_as_a_clip_of_its_own_and_its_features(export: Path) -> None:
    ticket = JobTicket(lambda *_: None, threading.Event())
    found = encode(ticket, export=export, settings=replace(LATENTS, encoders=Encoders(image="embedded")))
    (batch,) = BatchOrder(examples=tuple(examples_of(found, ("text",))), tokens=1000).epoch(0)
    x, given = TensorReader(found, text_tokens=8, images=True).read(batch)
    first, image = given.first_frame_BCTHW, given.image_BIA
    assert first is not None
    assert image is not None
    assert first.shape == x.shape == (2, 48, 9, 8, 8)
    assert torch.equal(first[:, :, :1], x[:, :, :1]), "this codec encodes each frame alone"
    assert first[:, :, 1:].abs().max() == 0, "grey is the middle of -1 to 1"
    for row, clip in enumerate(x):
        frame = PixelCodec().decode(clip.numpy())[0]
        assert np.array_equal(image[row].numpy(), PicturePatches().encode(frame))
    _, plain = TensorReader(found, text_tokens=8).read(batch)
    assert plain.first_frame_BCTHW is None
    assert plain.image_BIA is None


def test_a_patch_is_an_eighth_of_a_quarter_of_the_picture() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[16:32, 48:64] = (255, 0, 255)  # second row of patches, last column
    found = PicturePatches().encode(picture)
    assert found.shape == (16, 192)
    assert found[7].reshape(64, 3).mean(axis=0).tolist() == [1, -1, 1]
    assert np.delete(found, 7, axis=0).max() == -1


def test_a_batch_is_given_its_first_frame_a_prefix_or_nothing() -> None:
    x, first, image = torch.ones(2, 4, 5, 2, 2), torch.full((2, 4, 5, 2, 2), 2.0), torch.full((2, 3, 8), 3.0)
    given = Conditions(text_BLA=image, empty_text_BLA=image[:1], first_frame_BCTHW=first, image_BIA=image)
    rng = np.random.default_rng(0)

    def drawn(**conditioning: float) -> Conditions:
        settings = {f"conditioning.{name}": value for name, value in conditioning.items()}
        return with_known(given, x, with_settings(TrainConfig(), settings), rng)

    assert drawn(first_frame=1.0) is given
    prefix = drawn(prefix=1.0)
    assert prefix.known_BCTHW is not None
    assert prefix.known_BCTHW.shape[2] == 4
    assert prefix.first_frame_BCTHW is None, "as a chunk of a long video that is not its first"
    assert prefix.image_BIA is image
    nothing = drawn()
    assert nothing.known_BCTHW is nothing.first_frame_BCTHW is None
    assert nothing.image_BIA is not None
    assert nothing.image_BIA.abs().max() == 0


def test_the_paper_sized_stage_has_seventeen_billion_weights() -> None:
    from training.building import shape_of

    config = recipe("gloria_17b_s1_audio")
    assert 17.08 < num_parameters(shape_of(config)) / 1e9 < 17.13
    assert config.data.latents.encoders.image == "paper"
    assert (shape_of(recipe("tiny_i2v")).in_channels, shape_of(recipe("tiny_i2v")).added_kv_proj_dim) == (100, 192)


def test_a_base_that_begins_from_pictures_needs_their_encoder() -> None:
    with pytest.raises(SettingsError, match=r"set data\.latents\.encoders\.image"):
        with_settings(TrainConfig(), {"model.shape": "wan_i2v_14b"})
    with pytest.raises(SettingsError, match=r"set model\.text_tokens=512"):
        with_settings(recipe("tiny_i2v"), {"model.text_tokens": 64})


def test_a_base_that_begins_from_pictures_must_be_shown_some() -> None:
    with pytest.raises(SettingsError, match=r"begins from first frames and conditioning\.first_frame is 0.*above 0"):
        with_settings(recipe("tiny_i2v"), {"conditioning.first_frame": 0.0})
    assert with_settings(recipe("tiny_i2v"), {"conditioning.first_frame": 0.5}).conditioning.first_frame == 0.5


@pytest.mark.slow
def test_a_trained_run_begins_its_videos_from_the_first_frame(export: Path, tmp_path: Path) -> None:
    trained(export, tmp_path / "run", "run.steps=2", "run.save_every=1", recipe="tiny_i2v", stop_at=1)
    assert trained(export, tmp_path / "run", resume=True, recipe="tiny_i2v").step == 2
    (case,) = cases_in(tmp_path, count=1)
    files = []
    for number in range(2):
        (tmp_path / f"first-{number}.png").write_bytes(encode_png(frames_of(number)[0]))
        files.append(replace(case, first_frame=str(tmp_path / f"first-{number}.png"), first_frame_hash="there"))
    settings = GenerateSettings(sampler=SamplerChoice(steps=2), video=VideoShape(frames=17, prefix_mode="soft"))
    system = open_system(f"run:{tmp_path / 'run'}", settings, working=tmp_path / "working")
    assert "has no first frame" in system.lacks(case)
    assert system.lacks(files[0]) == ""
    assert "PatchEncoder" in system.about["models"]
    one, other = (system.make(each, 1) for each in files)
    assert one.shape == (17, 32, 32, 3)
    assert not np.array_equal(one, other)


@pytest.mark.slow
def test_the_export_in_diffusers_pipeline_makes_the_video_that_we_make(export: Path, tmp_path: Path) -> None:
    """One step, through tiny real Wan parts: without references both are the same model given the same first frame."""
    folder = made_clip_vision(made_pipeline(tmp_path / "pipeline", "i2v"), width=192)
    roles = ("codec", "text", "image")
    wan = [f'data.latents.encoders.{role}="paper"' for role in roles]
    wan += [f'data.latents.encoders.{role}_weights="{folder}"' for role in roles]
    trained(
        *(export, tmp_path / "run", "run.steps=1", "model.channels=16", "data.latents.clips.multiple=16", *wan),
        recipe="tiny_i2v",
    )
    (case,) = cases_in(tmp_path, count=1)
    first = frames_of(0)[0]
    (tmp_path / "first.png").write_bytes(encode_png(first))
    alone = replace(case, references=(), hashes=(), labels=(), kinds=(), first_frame=str(tmp_path / "first.png"))
    settings = GenerateSettings(sampler=SamplerChoice(steps=3), guidance=GuidanceChoice(chain="wan"))
    system = open_system(f"run:{tmp_path / 'run'}", settings, working=tmp_path / "working")
    ours = system.make(alone, 7)

    transformer = WanTransformer3DModel.from_pretrained(tmp_path / "run" / "export" / "transformer")
    pipeline: Any = WanImageToVideoPipeline.from_pretrained(folder, transformer=transformer)
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn(1, 16, 3, 4, 4, generator=torch.Generator().manual_seed(7))
    about = {"height": 32, "width": 32, "num_frames": 9, "num_inference_steps": 3, "guidance_scale": 5.0}
    theirs = pipeline(
        image=Image.fromarray(first), prompt=case.prompt, negative_prompt="", latents=noise, output_type="np", **about
    ).frames[0]
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - np.rint(theirs * 255)).max() <= 1
    (tmp_path / "first.png").write_bytes(encode_png(frames_of(1)[0]))
    assert np.abs(ours.astype(int) - system.make(alone, 7)).max() > 1, "another first frame makes another video"
