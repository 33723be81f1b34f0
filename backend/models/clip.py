"""CLIP of OpenAI: pictures and texts in one space, through transformers or open_clip."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backend.domain import ModelUnavailable, Prep
from backend.models.devices import torch_device, torch_dtype, transformers_for
from backend.models.loading import loaded
from backend.models.pictures import CLIP_COLOURS, EvenImages, embedded, unit
from backend.models.places import ModelPlace

if TYPE_CHECKING:
    import torch

INPUT_PX = 224


class ClipB32(EvenImages):
    """ViT-B/32, 512 numbers: VBench's background consistency, DreamBench++'s CLIP-I and CLIP-T."""

    model_id: str = "clip-vit-b-32"
    suggested: ClassVar[str] = "openai/clip-vit-base-patch32"
    published_gb: ClassVar[float] = 0.61  # 151 M parameters, float32
    licence: ClassVar[str] = "MIT"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, damaged or no CLIP at 224 pixels."""
        folder = place.path()
        library = transformers_for("CLIP")
        try:
            config = library.AutoConfig.from_pretrained(folder, local_files_only=True)
            if config.model_type != "clip" or config.vision_config.image_size != INPUT_PX:
                raise ModelUnavailable(f"{folder} holds a {config.model_type} model; {place.role} needs CLIP at 224 pixels")
            self._tokenizer = library.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelUnavailable(f"{folder} cannot be loaded as CLIP: {error}") from error
        self._model = loaded(library.CLIPModel, folder, what="CLIP", device=device, dtype=dtype)
        self.fills_batches = self._model.device.type != "cpu"
        self._context = config.text_config.max_position_embeddings
        self.model_id = place.model_id(type(self).model_id)

    def images(self, frames: Sequence[np.ndarray], prep: Prep) -> np.ndarray:
        return embedded(frames, prep, CLIP_COLOURS, self._forward, batch=self.batch)

    def texts(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        import torch

        lengths = [len(ids) for ids in self._tokenizer(list(texts), verbose=False)["input_ids"]]
        tokens = self._tokenizer(
            list(texts), truncation=True, max_length=self._context, padding="max_length", return_tensors="pt"
        )
        with torch.inference_mode():
            features = self._model.get_text_features(**tokens.to(self._model.device)).pooler_output
        return unit(features), np.array(lengths) > self._context

    def _forward(self, x_BCHW: "torch.Tensor") -> "torch.Tensor":
        pixels = x_BCHW.to(self._model.device, self._model.dtype)
        return self._model.get_image_features(pixel_values=pixels).pooler_output


class ClipL14(ClipB32):
    """ViT-L/14, 768 numbers: what both aesthetic heads were trained on."""

    model_id: str = "clip-vit-l-14"
    suggested: ClassVar[str] = "openai/clip-vit-large-patch14"
    published_gb: ClassVar[float] = 1.7  # 428 M parameters, float32


class OpenClipB32(EvenImages):
    """ViT-B/32 of a checkpoint that open_clip reads: OpenAI's `.pt`, or a folder with `open_clip_config.json`."""

    model_id: str = "open-clip-vit-b-32"
    suggested: ClassVar[str] = "timm/vit_base_patch32_clip_quickgelu_224.openai"
    published_gb: ClassVar[float] = 0.61  # as ClipB32
    licence: ClassVar[str] = "MIT"
    architecture: ClassVar[str] = "ViT-B-32-quickgelu"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, or the weights are of another shape."""
        path = place.path()
        try:
            import open_clip
        except ImportError as error:
            raise ModelUnavailable("open_clip needs the extra: pip install 'subject-studio[models]'") from error
        name, weights = (f"local-dir:{path}", None) if path.is_dir() else (self.architecture, str(path))
        library: Any = open_clip
        try:
            model = library.create_model(name, pretrained=weights)
            self._tokenizer = library.get_tokenizer(name)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{path} cannot be loaded by open_clip as {self.architecture}: {error}") from error
        self._device, self._dtype = torch_device(device), torch_dtype(dtype)
        self.fills_batches = self._device.type != "cpu"
        self._model = model.to(device=self._device, dtype=self._dtype).eval()
        self.model_id = place.model_id(type(self).model_id)

    def images(self, frames: Sequence[np.ndarray], prep: Prep) -> np.ndarray:
        return embedded(
            frames,
            prep,
            CLIP_COLOURS,
            lambda x: self._model.encode_image(x.to(self._device, self._dtype)),
            batch=self.batch,
        )

    def texts(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        import torch

        lengths = [len(self._tokenizer.encode(text)) + 2 for text in texts]  # start and end are added
        with torch.inference_mode():
            features = self._model.encode_text(self._tokenizer(list(texts)).to(self._device))
        return unit(features), np.array(lengths) > self._tokenizer.context_length


class OpenClipL14(OpenClipB32):
    """ViT-L/14 of a checkpoint that open_clip reads."""

    model_id: str = "open-clip-vit-l-14"
    suggested: ClassVar[str] = "timm/vit_large_patch14_clip_quickgelu_224.openai"
    published_gb: ClassVar[float] = 1.7  # as ClipL14
    architecture: ClassVar[str] = "ViT-L-14-quickgelu"
