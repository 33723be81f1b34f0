"""Pictures are prepared as the programs do whose numbers we repeat."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.transforms as tv
from PIL import Image

from backend.domain import (
    CLIP_PREP,
    DINO_PREP,
    PREPARED,
    VBENCH_CLIP_PREP,
    VBENCH_DINO_PREP,
    VBENCH_I2V_IMAGE_PREP,
    VBENCH_I2V_PREP,
    VBENCH_VICLIP_PREP,
    Prep,
)
from backend.models.pictures import BATCH, CLIP_COLOURS, IMAGENET_COLOURS, Colours, embedded, prepared, sized

BICUBIC = tv.InterpolationMode.BICUBIC
SIZES = [(90, 160), (161, 90), (270, 481), (224, 224), (301, 300)]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def vbench(frame: np.ndarray, steps: list, colours: Colours, *, floats: bool) -> torch.Tensor:
    """A video of one frame through VBench's transforms: `torch.Tensor(frames)` is float, the decord bridge uint8."""
    frames = torch.Tensor(frame[None]) if floats else torch.from_numpy(frame[None])
    over_255 = tv.Lambda(lambda x: x.float().div(255.0))
    return tv.Compose([*steps, over_255, tv.Normalize(colours.mean, colours.deviation)])(frames.permute(0, 3, 1, 2))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("prep", "steps", "colours", "floats"),
    [
        (VBENCH_CLIP_PREP, [tv.Resize(224, BICUBIC, antialias=False), tv.CenterCrop(224)], CLIP_COLOURS, True),
        (VBENCH_VICLIP_PREP, [tv.Resize(224, BICUBIC, antialias=False), tv.CenterCrop(224)], CLIP_COLOURS, False),
        (VBENCH_DINO_PREP, [tv.Resize(224, antialias=False)], IMAGENET_COLOURS, True),
        (VBENCH_I2V_PREP, [tv.Resize(256, BICUBIC), tv.CenterCrop(224)], IMAGENET_COLOURS, True),
    ],
)
def test_vbench_prep_is_its_transform(prep: Prep, steps: list, colours: Colours, floats: bool, size) -> None:
    frame = noise(*size)
    assert torch.equal(prepared(frame, prep, colours), vbench(frame, steps, colours, floats=floats))


@pytest.mark.parametrize("prep", [CLIP_PREP, DINO_PREP, VBENCH_CLIP_PREP, VBENCH_DINO_PREP, VBENCH_VICLIP_PREP])
def test_pictures_prepared_before_are_prepared_alike(prep: Prep) -> None:
    frame = noise(270, 481)
    done, direct = prepared(sized(frame, prep), PREPARED, CLIP_COLOURS), prepared(frame, prep, CLIP_COLOURS)
    assert torch.equal(done, direct)
    assert done.stride() == direct.stride(), "laid out alike, so that networks sum alike"


@pytest.mark.parametrize("size", SIZES)
def test_i2v_reference_is_prepared_as_a_pillow_picture(size) -> None:
    frame = noise(*size)
    steps = [tv.Resize(256, BICUBIC), tv.CenterCrop(224), tv.ToTensor(), tv.Normalize(*_pair(IMAGENET_COLOURS))]
    theirs: Any = tv.Compose(steps)(Image.fromarray(frame))
    assert torch.allclose(prepared(frame, VBENCH_I2V_IMAGE_PREP, IMAGENET_COLOURS)[0], theirs, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("prep", "kind"), [(CLIP_PREP, "CLIPImageProcessor"), (DINO_PREP, "BitImageProcessor")])
def test_published_prep_is_the_processor(prep: Prep, kind: str, size, tmp_path: Path) -> None:
    import transformers as tf

    sizes = {"size": {"shortest_edge": prep.short_px}, "crop_size": {"height": 224, "width": 224}}
    colours = CLIP_COLOURS if kind.startswith("CLIP") else IMAGENET_COLOURS
    getattr(tf, kind)(**sizes, image_mean=colours.mean, image_std=colours.deviation).save_pretrained(tmp_path)
    processor = tf.AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    frame = noise(*size)
    theirs = processor(images=Image.fromarray(frame), return_tensors="pt")["pixel_values"]
    assert torch.allclose(prepared(frame, prep, colours), theirs, atol=1e-5)


def test_bicubic_overshoots_on_floats_and_is_clamped_on_uint8() -> None:
    frame = noise(300, 400)
    plain = Colours((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    floats, whole = (prepared(frame, prep, plain) for prep in (VBENCH_CLIP_PREP, VBENCH_VICLIP_PREP))
    assert floats.min() < -0.1 and floats.max() > 1.1
    assert whole.min() == 0 and whole.max() == 1
    assert torch.allclose(whole, (floats * 255).clamp(0, 255).round() / 255)


def test_16_by_9_keeps_its_shape_for_dino() -> None:
    assert prepared(noise(720, 1280), VBENCH_DINO_PREP, IMAGENET_COLOURS).shape == (1, 3, 224, 398)


def test_rows_stay_in_order_over_batches_and_sizes() -> None:
    frames = [np.full((240, 240 + 16 * (n // 20)), n * 4, np.uint8)[..., None].repeat(3, 2) for n in range(2 * BATCH + 9)]
    sizes = []

    def forward(x_BCHW: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x_BCHW))
        level = x_BCHW[:, 0].mean((1, 2))
        return torch.stack([torch.cos(level), torch.sin(level)], 1)

    plain = Colours((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    found = embedded(frames, VBENCH_DINO_PREP, plain, forward)
    levels = np.arctan2(found[:, 1], found[:, 0])
    assert np.allclose(levels, np.arange(len(frames)) * 4 / 255, atol=1e-5)
    assert max(sizes) <= BATCH and sum(sizes) == len(frames)


def _pair(colours: Colours) -> tuple:
    return colours.mean, colours.deviation
