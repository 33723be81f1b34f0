"""Pictures as encoders take them, and embeddings in batches. torch is imported when asked."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from backend.domain import ModelUnavailable, Prep

if TYPE_CHECKING:
    import torch

BATCH = 16  # pictures a forward pass: ViT-L/14 needs 1.3 GiB beside its weights at this size on a CPU


@dataclass(frozen=True, slots=True)
class Colours:
    """Mean and deviation of red, green and blue in [0, 1] that a network was trained with."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


CLIP_COLOURS = Colours((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))  # openai/CLIP, clip.py
IMAGENET_COLOURS = Colours((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # torchvision, DINO, DINOv2, DINOv3


def embedded(
    frames: Sequence[np.ndarray],
    prep: Prep,
    colours: Colours,
    forward: "Callable[[torch.Tensor], torch.Tensor]",
    *,
    batch: int = BATCH,
) -> np.ndarray:
    """Unit vectors float32 `(N, D)` of frames uint8 `(H, W, 3)`. `forward` maps float32 `(B, 3, h, w)` to `(B, D)`."""
    import torch

    with torch.inference_mode():
        batches = _batches((prepared(frame, prep, colours) for frame in frames), batch)
        return np.concatenate([unit(forward(torch.cat(alike))) for alike in batches])


def unit(vectors: "torch.Tensor") -> np.ndarray:
    """Rows of length one, float32 on the CPU."""
    import torch

    return torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy()


def prepared(frame: np.ndarray, prep: Prep, colours: Colours) -> "torch.Tensor":
    """float32 `(1, 3, h, w)` of a frame uint8 `(H, W, 3)`, resized, cropped and normalised."""
    import torch

    x_1CHW = torch.from_numpy(frame)[None].permute(0, 3, 1, 2) if prep.on == "done" else _sized(frame, prep)
    mean, deviation = (torch.tensor(part).view(1, 3, 1, 1) for part in (colours.mean, colours.deviation))
    return (x_1CHW / 255 - mean) / deviation


def sized(frame: np.ndarray, prep: Prep) -> np.ndarray:
    """float32 `(h, w, 3)` of a frame uint8 `(H, W, 3)`, resized and cropped: what encoders take with PREPARED."""
    return np.ascontiguousarray(_sized(frame, prep)[0].permute(1, 2, 0).numpy())


def whole(found: "tuple[Any, dict[str, Any]]", folder: object, *, what: str) -> Any:
    """A model of transformers, loaded with `output_loading_info=True`, of the kind that `what` says.

    Raises ModelUnavailable when weights were missing, which the library fills with chance and a warning.
    """
    model, info = found
    if info["missing_keys"]:
        lacking = sorted(info["missing_keys"])
        raise ModelUnavailable(
            f"{folder} lacks {len(lacking)} weights, as {lacking[0]}: get it again whole, or the weights of {what}"
        )
    return model


def _sized(frame: np.ndarray, prep: Prep) -> "torch.Tensor":
    import torch

    height, width = frame.shape[:2]
    short, long = prep.short_px, int(prep.short_px * max(height, width) / min(height, width))
    size = (short, long) if height <= width else (long, short)
    if prep.on == "pillow":
        kernel = Image.Resampling.BICUBIC if prep.kernel == "bicubic" else Image.Resampling.BILINEAR
        resized = np.array(Image.fromarray(frame).resize((size[1], size[0]), kernel))
        x_1CHW = torch.from_numpy(resized)[None].permute(0, 3, 1, 2).float()
    else:
        # numpy makes floats of whole frames three times as fast.
        taken = frame if prep.on == "uint8" else frame.astype(np.float32, copy=False)
        x_1CHW = _interpolated(torch.from_numpy(taken)[None].permute(0, 3, 1, 2), size, prep)
    return _cropped(x_1CHW, prep)


def _interpolated(x_1CHW: "torch.Tensor", size: tuple[int, int], prep: Prep) -> "torch.Tensor":
    """Resized as torchvision does it, float32: whole numbers in [0, 255] on uint8, any on floats."""
    try:
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms.functional import resize
    except ImportError as error:
        raise ModelUnavailable("image encoders need the extra: pip install 'subject-studio[models]'") from error
    kernel = InterpolationMode.BICUBIC if prep.kernel == "bicubic" else InterpolationMode.BILINEAR
    return resize(x_1CHW, list(size), interpolation=kernel, antialias=prep.antialias).float()


def _cropped(x_1CHW: "torch.Tensor", prep: Prep) -> "torch.Tensor":
    if prep.crop_px is None:
        return x_1CHW
    starts = []
    for side in x_1CHW.shape[-2:]:
        margin = side - prep.crop_px
        starts.append(margin // 2 if prep.crop_rounds == "down" else round(margin / 2))
    top, left = starts
    return x_1CHW[..., top : top + prep.crop_px, left : left + prep.crop_px]


def _batches(pictures: "Iterator[torch.Tensor]", size: int) -> "Iterator[list[torch.Tensor]]":
    """Up to `size` neighbours of one shape."""
    for _, alike in itertools.groupby(pictures, key=lambda x_1CHW: x_1CHW.shape):
        yield from iter(lambda group=alike: list(itertools.islice(group, size)), [])
