"""CLIP's image encoder as Wan I2V reads it: features of every patch, before the last layer."""

from typing import Any, ClassVar

import numpy as np

from backend.domain import ModelUnavailable
from backend.models.devices import transformers_for
from backend.models.loading import loaded
from backend.models.places import ModelPlace


class ClipVision:
    """The hidden states before the last layer, as diffusers' `WanImageToVideoPipeline` takes them.

    Read from a pipeline's folder (`image_encoder` and `image_processor` below), or from a folder with both.
    """

    model_id: str = "clip-vision"
    suggested: ClassVar[str] = "Wan-AI/Wan2.1-I2V-14B-480P-Diffusers"
    published_gb: ClassVar[float] = 1.26  # ViT-H/14, 632 M parameters, bfloat16
    licence: ClassVar[str] = "Apache-2.0"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, damaged or of another kind."""
        folder = place.path()
        library = transformers_for("CLIP")
        own, prepared = (
            folder / name if (folder / name).is_dir() else folder for name in ("image_encoder", "image_processor")
        )
        try:
            self._prepare: Any = library.CLIPImageProcessor.from_pretrained(prepared, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{prepared} has no image processor of CLIP: {error}") from error
        self._model = loaded(library.CLIPVisionModel, own, what="CLIP's image encoder", device=device, dtype=dtype)
        config = self._model.config
        self.tokens = 1 + (config.image_size // config.patch_size) ** 2
        self.width = int(config.hidden_size)
        self.model_id = place.model_id(type(self).model_id)

    def encode(self, picture: np.ndarray) -> np.ndarray:
        """float32 `(1 + patches, width)` of RGB uint8 `(H, W, 3)`."""
        import torch

        pixels = self._prepare(images=picture, return_tensors="pt", input_data_format="channels_last").pixel_values
        with torch.inference_mode():
            states = self._model(pixels.to(self._model.device, self._model.dtype), output_hidden_states=True).hidden_states
        return states[-2][0].float().cpu().numpy()
