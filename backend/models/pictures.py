"""Pictures as encoders take them, and embeddings in batches. torch is imported when asked."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from PIL import Image

from backend.domain import ModelUnavailable, Prep

if TYPE_CHECKING:
    import torch

BATCH = 16  # pictures a forward pass: ViT-L/14 needs 1.3 GiB beside its weights at this size on a CPU

TOGETHER = 8  # crops a pass on a GPU: as many appearances as the engine gives a stage at once (backend/engine/run.py)


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


class EvenImages:
    """Adds `crops` to an encoder that has `images`: pictures that somebody else may ask for in other company."""

    many: ClassVar[dict[str, str]] = {"crops": "crops_together"}
    batch: int = BATCH
    fills_batches: bool = False
    """Whether all passes of `crops` have one size above 1 (`evenly`); set where the model runs on a GPU."""

    if TYPE_CHECKING:

        def images(self, frames: Sequence[np.ndarray], prep: Prep) -> np.ndarray: ...

    def crops(self, frames: Sequence[np.ndarray], prep: Prep) -> np.ndarray:
        """See `ImageEncoder.crops`."""
        images = partial(self.images, prep=prep)
        return evenly(frames, images, batch=min(self.batch, TOGETHER), filled=self.fills_batches)

    def crops_together(self, calls: Sequence[tuple[Sequence[np.ndarray], Prep]]) -> list[np.ndarray]:
        """What each call of `crops` gives, in order: pictures of several callers in common passes."""
        found: list[np.ndarray | None] = [None] * len(calls)
        for prep in dict.fromkeys(prep for _, prep in calls):
            places = [place for place, call in enumerate(calls) if call[1] == prep]
            vectors = self.crops([frame for place in places for frame in calls[place][0]], prep)
            ends = np.cumsum([len(calls[place][0]) for place in places])
            for place, part in zip(places, np.split(vectors, ends[:-1]), strict=True):
                found[place] = part
        return cast(list[np.ndarray], found)


def evenly(
    pictures: Sequence[np.ndarray], images: Callable[[Sequence[np.ndarray]], np.ndarray], *, batch: int, filled: bool
) -> np.ndarray:
    """Rows of `images` `(N, D)`, each the same whichever pictures are asked with it.

    The last bits of a vector hang on the size of the pass that it was made in, not on its neighbours, and which pictures
    come together hangs on where a run was broken off: equal catalogs need passes of one size. So each picture goes alone,
    and where `filled` (on a GPU, which one leaves idle) `batch` at a time, with blanks in place of those that are lacking.
    """
    if not filled:
        return np.concatenate([images([picture]) for picture in pictures])
    rows = []
    for start in range(0, len(pictures), batch):
        part = pictures[start : start + batch]
        blanks = [np.zeros_like(part[0])] * (batch - len(part))
        rows.append(images([*part, *blanks])[: len(part)])
    return np.concatenate(rows)


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
