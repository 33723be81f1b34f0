"""Videos of several chunks through Wan's own VAE: tiny random weights in its real files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan

from backend.models.wan_vae import WanVae
from tests.backend.models.made_vae import made_vae
from tests.training.made_cases import cases_in
from tests.training.made_export import made_export
from tests.training.made_run import trained
from training.generate_settings import GenerateSettings, SamplerChoice
from training.systems import open_system

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_vae(tmp_path_factory.mktemp("vae"))


@pytest.fixture(scope="module")
def run(vae: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A step on clips of nine frames, three latents, which may begin with one clean."""
    folder = tmp_path_factory.mktemp("wan")
    trained(
        made_export(folder),
        folder / "run",
        "run.steps=1",
        "data.latents.encoders.codec=paper",
        f'data.latents.encoders.codec_weights="{vae}"',
        "data.latents.clips.multiple=16",
        "model.channels=16",
        "conditioning.prefix=0.5",
        "conditioning.prefix_latents=1",
    )
    return folder / "run"


def test_chunks_are_decoded_as_one_stream(run: Path, vae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """17 frames in chunks of nine: five latents that are decoded once, and give what diffusers' own class makes of all five."""
    decoded: list[np.ndarray] = []
    plain = WanVae.decode

    def watched(self: WanVae, latents: np.ndarray) -> np.ndarray:
        decoded.append(latents)
        return plain(self, latents)

    monkeypatch.setattr(WanVae, "decode", watched)
    (long,) = cases_in(tmp_path, count=1, duration_s=1.4)
    system = open_system(f"run:{run}", GenerateSettings(sampler=SamplerChoice(steps=2)), working=tmp_path / "working")
    video = system.make(long, 1)
    (latents,) = decoded
    assert (latents.shape, video.shape) == ((16, 5, 4, 4), (17, 32, 32, 3))

    own = AutoencoderKLWan.from_pretrained(vae).eval()
    mean, std = (np.reshape(own.config[name], (1, 16, 1, 1, 1)) for name in ("latents_mean", "latents_std"))
    z = torch.from_numpy(latents[None] * std + mean).float()
    with torch.no_grad():
        at_once, first, rest = (pixels(own.decode(part)[0]) for part in (z, z[:, :, :3], z[:, :, 3:]))
    assert np.abs(at_once.astype(int) - video).max() <= 1
    assert (len(first), len(rest)) == (9, 5), "apart, three frames would be lost"
    assert np.abs(rest[-1].astype(int) - video[-1]).max() > 1, "and a chunk would not know what came before"

    short = system.make(replace(long, duration_s=None), 1)
    assert np.abs(short.astype(int) - video[:9]).max() <= 1, "a long video begins as the short one does"


def pixels(decoded: torch.Tensor) -> np.ndarray:
    """uint8 (F, H, W, 3) of (1, 3, F, H, W) in -1 to 1."""
    return ((decoded[0].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 3, 0).numpy()
