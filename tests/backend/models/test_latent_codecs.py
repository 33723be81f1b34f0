"""The pixel codec against its own definition; Wan's VAE against diffusers' class called directly."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import ModelUnavailable
from backend.models.pixel_codec import PixelCodec
from backend.models.places import ModelPlace
from backend.models.wan_vae import WanVae
from tests.backend.models.made_vae import made_vae


@pytest.fixture(scope="module")
def vae_folder(tmp_path_factory):
    torch.set_num_threads(1)
    return made_vae(tmp_path_factory.mktemp("vae"))


def noise(*shape):
    return np.random.default_rng(5).integers(0, 256, shape, np.uint8)


@given(count=st.integers(0, 3), rows=st.integers(1, 4), columns=st.integers(1, 4), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_pixels_come_back_exactly(count, rows, columns, seed):
    frames = np.random.default_rng(seed).integers(0, 256, (1 + count, 4 * rows, 4 * columns, 3), np.uint8)
    latents = PixelCodec().encode(frames)
    assert latents.shape == (48, 1 + count, rows, columns)
    assert latents.dtype == np.float32
    np.testing.assert_array_equal(PixelCodec().decode(latents), frames)


def test_a_pixel_stands_where_its_place_says():
    frames = np.zeros((5, 8, 8, 3), np.uint8)
    frames[2, 5, 6, 1] = 255  # third frame, row 1 and column 2 of block (1, 1), green
    latents = PixelCodec().encode(frames)
    channel = (1 * 4 + 1) * 4 + 2
    assert latents[channel, 2, 1, 1] == 1.0
    assert (latents == 1.0).sum() == 1


def test_pixel_codec_refuses_a_clip_that_does_not_divide():
    with pytest.raises(ValueError, match="4 frames of 8 x 6"):
        PixelCodec().encode(noise(4, 6, 8, 3))


def test_a_start_is_the_picture_and_grey(vae_folder):
    """Causal codecs: the first latent is the picture's alone, and what follows is that of frames in the middle of -1 to 1."""
    vae = WanVae(ModelPlace("LatentCodec", str(vae_folder)), device="cpu", dtype="float32")
    picture = noise(16, 24, 3)
    for codec in (PixelCodec(), vae):
        found = codec.encode_start(picture, 9)
        assert found.shape == codec.encode(noise(9, 16, 24, 3)).shape
        np.testing.assert_allclose(found[:, :1], codec.encode(picture[None]), atol=1e-5)
    nearly = [vae.encode(np.stack((picture, *[np.full_like(picture, grey)] * 8))) for grey in (127, 128)]
    np.testing.assert_allclose(vae.encode_start(picture, 9), np.mean(nearly, axis=0), atol=1e-3)  # 127.5 is grey
    assert PixelCodec().encode_start(picture, 9)[:, 1:].any() == np.False_


def test_wan_vae_gives_the_normalised_mean(vae_folder):
    from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan

    codec = WanVae(ModelPlace("LatentCodec", str(vae_folder)), device="cpu", dtype="float32")
    frames = noise(5, 32, 48, 3)
    direct = AutoencoderKLWan.from_pretrained(vae_folder).eval()
    x = torch.from_numpy(frames).permute(3, 0, 1, 2)[None] / 127.5 - 1
    with torch.no_grad():
        mean = direct.encode(x).latent_dist.mean[0].numpy()
    config = direct.config
    expected = (mean - np.reshape(config.latents_mean, (16, 1, 1, 1))) / np.reshape(config.latents_std, (16, 1, 1, 1))
    found = codec.encode(frames)
    assert found.shape == (16, 2, 4, 6)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(found, codec.encode(frames))


def test_wan_vae_decodes_what_diffusers_decodes(vae_folder):
    codec = WanVae(ModelPlace("LatentCodec", str(vae_folder)), device="cpu", dtype="float32")
    latents = np.random.default_rng(2).standard_normal((16, 2, 4, 6)).astype(np.float32)
    mean, std = (np.reshape(codec._model.config[name], (16, 1, 1, 1)) for name in ("latents_mean", "latents_std"))
    with torch.no_grad():
        direct = codec._model.decode(torch.from_numpy(latents * std + mean)[None].float()).sample[0].numpy()
    expected = np.rint((np.clip(direct, -1, 1) + 1) * 127.5).transpose(1, 2, 3, 0)
    found = codec.decode(latents)
    assert found.shape == (5, 32, 48, 3)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_wan_vae_refuses_a_folder_of_something_else(tmp_path):
    (tmp_path / "config.json").write_text('{"_class_name": "AutoencoderKLWan", "base_dim": 8}')
    with pytest.raises(ModelUnavailable, match="cannot be loaded as Wan's VAE"):
        WanVae(ModelPlace("LatentCodec", str(tmp_path)), device="cpu", dtype="float32")


def test_wan_vae_refuses_a_pickle(vae_folder, tmp_path):
    from safetensors.torch import load_file

    (tmp_path / "config.json").write_bytes((vae_folder / "config.json").read_bytes())
    weights = load_file(vae_folder / "diffusion_pytorch_model.safetensors")
    torch.save(weights, tmp_path / "diffusion_pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        WanVae(ModelPlace("LatentCodec", str(tmp_path)), device="cpu", dtype="float32")
