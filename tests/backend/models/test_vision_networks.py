"""ViCLIP, MUSIQ and AMT-S: published sizes, and the numbers of their authors' code with the same random weights.

The frozen numbers were computed with vbench 0.1.5 (ViCLIP, AMT-S) and pyiqa 0.1.16 (MUSIQ) on `tiny_vision.seeded`
weights; ours differed by at most 1e-7, 2.4e-7 and 0.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.domain import VBENCH_VICLIP_PREP, MediaError, ModelUnavailable
from backend.models import musiq_network, viclip_network
from backend.models.amt import AmtS
from backend.models.amt_network import AmtNetwork
from backend.models.musiq import Musiq
from backend.models.musiq_network import MusiqNetwork
from backend.models.pictures import CLIP_COLOURS, prepared
from backend.models.places import ModelPlace
from backend.models.viclip import ViClip
from backend.models.viclip_network import ViClipNetwork
from tests.backend.models.tiny_vision import seeded

TINY_MUSIQ = musiq_network.Sizes(width=64, mlp=96, layers=2, heads=1)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def tiny_viclip(**sizes: int) -> ViClipNetwork:
    small = {"patch_px": 56, "width": 128, "layers": 2, "text_width": 64, "text_layers": 2, "dim": 24, **sizes}
    return seeded(ViClipNetwork(viclip_network.Sizes(**small)), seed=0, scale=0.1)


def noise(size: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(size).astype(np.float32))


def frame(size: tuple[int, int] = (144, 256), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def loaded(kind: type, path: Path):
    return kind(ModelPlace(kind.__name__, str(path)), device="cpu", dtype="float32")


@pytest.mark.parametrize(
    ("make", "parameters", "tensors"),
    [
        (lambda: ViClipNetwork(viclip_network.Sizes()), 303_974_400 + 123_615_744 + 1, 447),
        (lambda: MusiqNetwork(musiq_network.Sizes()), 27_125_825, 248),
        (AmtNetwork, 2_990_543, 213),
    ],
)
def test_network_has_the_published_size(make, parameters: int, tensors: int) -> None:
    with torch.device("meta"):
        network = make()
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert len(network.state_dict()) == tensors


def test_viclip_equals_its_authors_code() -> None:
    network = tiny_viclip(input_px=56, patch_px=14)
    videos = np.random.default_rng(5).normal(size=(2, 3, 8, 56, 56)).astype(np.float32)
    with torch.inference_mode():
        video = network.vision_encoder(torch.from_numpy(videos))
        alone = network.vision_encoder(torch.from_numpy(videos[:1]))
    assert video[0, :4].tolist() == pytest.approx([0.021053, 0.274648, 0.028228, -0.084501], abs=2e-6)
    assert torch.allclose(video[:1], alone, atol=1e-6)


def test_viclip_text_equals_its_authors_code(tmp_path: Path) -> None:
    torch.save({"model": tiny_viclip(input_px=56, patch_px=14).state_dict()}, tmp_path / "ViClip-InternVid-10M-FLT.pth")
    vectors, truncated = loaded(ViClip, tmp_path).texts(["a cat runs over the hill", "A man, in a red coat; " * 20])
    upstream = np.array([-0.130715, 0.044167, 0.101584, -0.148934])
    assert np.allclose(vectors[0, :4] / vectors[0, 0], upstream / upstream[0], atol=1e-4), "up to its length"
    assert truncated.tolist() == [False, True]


def test_viclip_video_is_prepared_and_embedded_in_order(tmp_path: Path) -> None:
    network = tiny_viclip()
    with torch.no_grad():
        network.vision_encoder.temporal_positional_embedding.mul_(20)
    torch.save({"model": network.state_dict()}, tmp_path / "viclip.pth")
    viclip, frames = loaded(ViClip, tmp_path / "viclip.pth"), [frame(seed=n) for n in range(8)]
    found = viclip.video(frames, VBENCH_VICLIP_PREP)
    pixels = torch.stack([prepared(one, VBENCH_VICLIP_PREP, CLIP_COLOURS)[0] for one in frames], dim=1)
    with torch.inference_mode():
        direct = network.vision_encoder(pixels[None])[0].numpy()
    assert np.allclose(found, direct / np.linalg.norm(direct), atol=1e-6)
    assert np.abs(found - viclip.video(frames[::-1], VBENCH_VICLIP_PREP)).max() > 1e-4, "time has a place"
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("size", "upstream"), [((144, 256), -0.7772688865661621), ((200, 150), -0.7566443681716919)])
def test_musiq_equals_pyiqas(size: tuple[int, int], upstream: float) -> None:
    network = seeded(MusiqNetwork(TINY_MUSIQ), seed=4, scale=0.3)
    with torch.inference_mode():
        assert float(network(noise((1, 3, *size), 1))[0]) == pytest.approx(upstream, abs=2e-6)


def test_musiq_reads_its_sizes_from_the_file_and_shrinks_long_frames(tmp_path: Path) -> None:
    network = seeded(MusiqNetwork(TINY_MUSIQ), seed=4, scale=0.3)
    assert musiq_network.Sizes.of(network.state_dict()) == TINY_MUSIQ
    torch.save(network.state_dict(), tmp_path / "musiq_spaq_ckpt-358bb6af.pth")
    musiq, large = loaded(Musiq, tmp_path), frame((300, 601))
    shrunk = torch.nn.functional.interpolate(
        torch.from_numpy(large).permute(2, 0, 1)[None].float(), (255, 512), mode="bilinear", align_corners=False
    )  # 300 * 512 / 601 = 255.6, truncated
    with torch.inference_mode():
        wanted = float(network(shrunk / 255)[0])
    assert musiq.quality(large, longest_px=512) == pytest.approx(wanted, abs=1e-6)
    assert musiq.quality(large, longest_px=None) != pytest.approx(wanted, abs=1e-6)


def test_amt_equals_its_authors_code() -> None:
    network = seeded(AmtNetwork(), seed=3, scale=0.04)
    with torch.inference_mode():
        found = network(noise((1, 3, 128, 160), 1), noise((1, 3, 128, 160), 2))
    upstream = [0.502264, 0.476293, 0.232188, 0.501164, 0.170498, 0.593678, 0.821472, 0.539325]
    assert found[0, 0, ::40, ::50].flatten()[:8].tolist() == pytest.approx(upstream, abs=1e-5)


def test_amt_fills_odd_sides_and_cuts_them_off_again(tmp_path: Path) -> None:
    network = seeded(AmtNetwork(), seed=3, scale=0.04)
    torch.save({"state_dict": network.state_dict()}, tmp_path / "amt-s.pth")
    amt, before, after = loaded(AmtS, tmp_path), frame((133, 150), 1), frame((133, 150), 2)
    found = amt.between(before, after)
    padded = [np.pad(one, ((5, 6), (5, 5), (0, 0)), mode="edge") for one in (before, after)]
    with torch.inference_mode():
        whole = network(*(torch.from_numpy(one).permute(2, 0, 1)[None] / 255 for one in padded))[0] * 255
    assert found.shape == before.shape and found.dtype == np.uint8
    levels = whole.permute(1, 2, 0).numpy()[5:138, 5:155]
    assert (found == levels.astype(np.uint8)).mean() > 0.999, "truncated, not rounded; a few lie on the edge of a level"
    assert np.abs(found - levels).max() <= 1.001


def test_amt_refuses_frames_that_are_too_small(tmp_path: Path) -> None:
    torch.save({"state_dict": AmtNetwork().state_dict()}, tmp_path / "amt-s.pth")
    with pytest.raises(MediaError, match="96 x 64 px are too small"):
        loaded(AmtS, tmp_path).between(frame((64, 96)), frame((64, 96)))


@pytest.mark.parametrize("kind", [ViClip, Musiq, AmtS])
def test_other_weights_and_missing_files_are_refused(kind: type, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "x.pth")
    with pytest.raises(ModelUnavailable, match="is no "):
        loaded(kind, tmp_path / "x.pth")
    with pytest.raises(ModelUnavailable, match="does not exist"):
        loaded(kind, tmp_path)
