"""FLUX.1 pipelines of diffusers: Fill paints surroundings, Redux and Kontext make other views of a subject (Kaleido)."""

import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from backend.domain import Absent, ModelUnavailable
from backend.measures.matting import on_white
from backend.models.devices import torch_device, torch_dtype, transformers_for
from backend.models.places import ModelPlace
from backend.models.prompts import prompt

SIDE_STEP = 16  # latents are 8 times smaller and packed two by two
LICENCE = "FLUX.1 [dev] Non-Commercial License"
OTHER_VIEW = prompt("other_view")


class _Flux:
    """A pipeline of a local folder in diffusers' layout."""

    def _load(self, pipeline: str, folder: Path, place: ModelPlace, *, device: str, dtype: str, **parts: Any) -> Any:
        """With `parts` of another pipeline in place of its own. Raises ModelUnavailable when the library is missing or the folder holds another pipeline."""
        try:
            import diffusers
            import torch
        except ImportError as error:
            raise ModelUnavailable("FLUX needs the extra: pip install 'subject-studio[models]'") from error
        self._torch = torch
        diffusers.utils.logging.disable_progress_bar()
        transformers_for("FLUX")
        try:
            found = getattr(diffusers, pipeline).from_pretrained(
                folder, dtype=torch_dtype(dtype), local_files_only=True, **parts
            )
        except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelUnavailable(f"models.{place.role} = {place.location!r} is no {pipeline} ({reason})") from error
        found.set_progress_bar_config(disable=True)
        return found.to(torch_device(device))

    def _generator(self, seed: int) -> Any:
        return self._torch.Generator("cpu").manual_seed(seed)


class _FluxDrawing(_Flux):
    """A pipeline that makes several pictures of one request."""

    network: Any
    _num_steps: int
    _guidance: float

    def _drawn(self, num: int, *, seed: int, **asked: Any) -> list[np.ndarray | Absent]:
        """RGBA pictures, one a call of the pipeline, each of its own seed."""
        made: list[np.ndarray | Absent] = []
        for place in range(num):
            image = self.network(
                guidance_scale=self._guidance,
                num_inference_steps=self._num_steps,
                generator=self._generator(seed + place),
                **asked,
            ).images[0]
            made.append(np.asarray(image.convert("RGBA")))
        return made


class FluxFill(_Flux):
    """Inpainter by FLUX.1 Fill: 50 steps at a guidance of 30, as its authors give; no text, so that nothing new is asked for."""

    model_id: str = "flux_fill"
    suggested: ClassVar[str] = "black-forest-labs/FLUX.1-Fill-dev"
    published_gb: ClassVar[float] = 33.7  # as diffusers loads it, bfloat16: 11.9 G parameters, T5 4.8 G
    licence: ClassVar[str] = LICENCE

    def __init__(
        self,
        place: ModelPlace,
        *,
        device: str,
        dtype: str,
        num_steps: int = 50,
        guidance: float = 30.0,
        max_area: int = 1 << 20,
    ) -> None:
        """Raises ModelUnavailable when the weights are missing or another pipeline's."""
        self.network = self._load("FluxFillPipeline", place.path(), place, device=device, dtype=dtype)
        self._num_steps, self._guidance, self._max_area = num_steps, guidance, max_area
        self.model_id = place.model_id(type(self).model_id)

    def paint(self, frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """See `Inpainter.paint`. Painted at up to `max_area` pixels and scaled back; equal inputs give equal pictures."""
        height, width = mask.shape
        size = fitted(width, height, self._max_area)
        picture = Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)
        hole = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST)
        with self._torch.inference_mode():
            painted = self.network(
                prompt="",
                image=picture,
                mask_image=hole,
                width=size[0],
                height=size[1],
                guidance_scale=self._guidance,
                num_inference_steps=self._num_steps,
                generator=self._generator(0),
            ).images[0]
        whole = np.asarray(painted.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))
        return np.where(mask[..., None], whole, frame)


class FluxKontext(_FluxDrawing):
    """ReferenceSynthesizer by FLUX.1 Kontext: the subject, asked for in another pose on a white ground."""

    model_id: str = f"flux_kontext-{OTHER_VIEW.digest}"
    suggested: ClassVar[str] = "black-forest-labs/FLUX.1-Kontext-dev"
    published_gb: ClassVar[float] = 33.7  # as FluxFill
    licence: ClassVar[str] = LICENCE
    origin: ClassVar[str] = "generated"

    def __init__(
        self,
        place: ModelPlace,
        *,
        device: str,
        dtype: str,
        num_steps: int = 28,
        guidance: float = 2.5,
        max_area: int = 1 << 20,
    ) -> None:
        """Raises ModelUnavailable when the weights are missing or another pipeline's."""
        self.network = self._load("FluxKontextPipeline", place.path(), place, device=device, dtype=dtype)
        self._num_steps, self._guidance, self._max_area = num_steps, guidance, max_area
        self.model_id = place.model_id(type(self).model_id)

    def make(self, cut_out: np.ndarray, *, phrase: str, num: int, seed: int) -> list[np.ndarray | Absent]:
        """See `ReferenceSynthesizer.make`. One picture a call; equal seeds give equal pictures."""
        picture = Image.fromarray(on_white(cut_out))
        width, height = fitted(picture.width, picture.height, self._max_area)
        asked = {
            "image": picture,
            "prompt": OTHER_VIEW.filled(phrase=phrase or "subject"),
            "width": width,
            "height": height,
            "max_area": width * height,  # it scales every picture to this
            "_auto_resize": False,
        }
        with self._torch.inference_mode():
            return self._drawn(num, seed=seed, **asked)


class FluxRedux(_FluxDrawing):
    """ReferenceSynthesizer by FLUX.1 Redux, which Kaleido varies poses with: the picture's tokens stand for the text.

    The place is a folder with `redux` (FLUX.1-Redux-dev) and `base` (FLUX.1-dev) in it; links will do.
    """

    model_id: str = "flux_redux"
    suggested: ClassVar[str] = "a folder with black-forest-labs/FLUX.1-Redux-dev as redux and FLUX.1-dev as base"
    published_gb: ClassVar[float] = 34.7  # FLUX.1-dev as FluxFill, SigLIP and the Redux network
    licence: ClassVar[str] = LICENCE
    origin: ClassVar[str] = "generated"

    def __init__(
        self,
        place: ModelPlace,
        *,
        device: str,
        dtype: str,
        num_steps: int = 50,
        guidance: float = 2.5,
        max_area: int = 1 << 20,
    ) -> None:
        """Raises ModelUnavailable when one of both is missing or another pipeline's."""
        folder = place.path()
        for name in ("redux", "base"):
            if not (folder / name).is_dir():
                raise ModelUnavailable(
                    f"models.{place.role} = {place.location!r} has no folder {name}; it wants {self.suggested}"
                )
        self.network = self._load("FluxPipeline", folder / "base", place, device=device, dtype=dtype)
        text = {
            name: getattr(self.network, name) for name in ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
        }
        self.prior = self._load("FluxPriorReduxPipeline", folder / "redux", place, device=device, dtype=dtype, **text)
        self._num_steps, self._guidance, self._max_area = num_steps, guidance, max_area
        self.model_id = place.model_id(type(self).model_id)

    def make(self, cut_out: np.ndarray, *, phrase: str, num: int, seed: int) -> list[np.ndarray | Absent]:
        """See `ReferenceSynthesizer.make`. The picture is read once; equal seeds give equal pictures."""
        picture = Image.fromarray(on_white(cut_out))
        width, height = fitted(picture.width, picture.height, self._max_area)
        with self._torch.inference_mode():
            told = self.prior(picture, prompt="")
            asked = {"prompt_embeds": told.prompt_embeds, "pooled_prompt_embeds": told.pooled_prompt_embeds}
            return self._drawn(num, seed=seed, width=width, height=height, **asked)


def fitted(width: int, height: int, max_area: int) -> tuple[int, int]:
    """Width and height of the same shape with at most `max_area` pixels, each a multiple of SIDE_STEP."""
    factor = min(1.0, math.sqrt(max_area / (width * height)))
    wide, high = (max(SIDE_STEP, int(side * factor) // SIDE_STEP * SIDE_STEP) for side in (width, height))
    return wide, high
