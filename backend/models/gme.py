"""GME (Qwen2-VL): texts and pictures as the last token's state, in one space."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from backend.domain import ModelUnavailable
from backend.models.devices import transformers_for
from backend.models.loading import loaded
from backend.models.places import ModelPlace
from backend.models.vision_language import PATCH_PX, plain, resized, smart_size

QUERY = "Find an image that matches the given text."  # OpenS2V's get_gmescore.py, for the text
PLAIN = "You are a helpful assistant."  # GME's own, for whatever is searched
PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"
LEAST_TOKENS, MOST_TOKENS = 256, 1280  # GME's limits of a picture, in patches of 28 px
MAX_TOKENS = 1800  # GME's limit of the whole
BATCH = 8


class Gme:
    """GME-Qwen2-VL 2B or 7B: a text as a query, pictures as what it looks for, compared by their dot product.

    Stages that score crops ask for one at a time: its 256 to 1,280 tokens fill a GPU by themselves, and beside longer
    ones they are padded, by which the last bits of a vector would hang on its neighbours (`evenly`).
    """

    model_id: str = "gme"
    suggested: ClassVar[str] = "Alibaba-NLP/gme-Qwen2-VL-7B-Instruct"
    published_gb: ClassVar[float] = 16.6  # 8.3 G parameters, bfloat16
    licence: ClassVar[str] = "Apache-2.0"
    batch: int = BATCH

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, damaged or of another kind."""
        folder = place.path()
        library = transformers_for("GME")
        try:
            found = library.AutoConfig.from_pretrained(folder, local_files_only=True).model_type
            if found != "qwen2_vl":
                raise ModelUnavailable(f"{folder} holds a {found} model; {place.role} needs a qwen2_vl one")
            self._processor = library.AutoProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{folder} cannot be loaded as GME: {error}") from error
        self._processor.tokenizer.padding_side = "left"
        self._processor.image_processor.size = {
            "shortest_edge": LEAST_TOKENS * PATCH_PX**2,  # its names for the least and the greatest area
            "longest_edge": MOST_TOKENS * PATCH_PX**2,
        }
        kind = library.Qwen2VLForConditionalGeneration
        self._model = loaded(kind, folder, what="GME", device=device, dtype=dtype)
        self.model_id = place.model_id(type(self).model_id)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 `(N, D)`. What lies beyond 1,800 tokens is cut off; the end mark stays the last token."""
        tokenizer = self._processor.tokenizer
        most = MAX_TOKENS - len(tokenizer(self._message(QUERY, ""))["input_ids"])
        cut = [plain(tokenizer, text, most_tokens=most) for text in texts]
        return self._embedded([(self._message(QUERY, text), None) for text in cut])

    def images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors float32 `(N, D)` of pictures uint8 `(H, W, 3)`."""
        sized = (resized(image, smart_size(image.shape[1], image.shape[0])) for image in images)
        return self._embedded([(self._message(PLAIN, PICTURE), image) for image in sized])

    def _message(self, instruction: str, content: str) -> str:
        return (
            f"<|im_start|>system\n{instruction}<|im_end|>\n<|im_start|>user\n{content}<|im_end|>\n"
            "<|im_start|>assistant\n<|endoftext|>"
        )

    def _embedded(self, messages: Sequence[tuple[str, Image.Image | None]]) -> np.ndarray:
        import torch

        rows = []
        with torch.inference_mode():
            for batch in _batches(messages, self.batch):
                pictures = [image for _, image in batch if image is not None]
                inputs = self._processor(
                    text=[text for text, _ in batch], images=pictures or None, padding=True, return_tensors="pt"
                ).to(self._model.device, self._model.dtype)
                last = self._model.model(**inputs, use_cache=False).last_hidden_state[:, -1].float()
                rows.append(torch.nn.functional.normalize(last, dim=-1).cpu().numpy())
        width = self._model.config.get_text_config().hidden_size
        return np.concatenate(rows) if rows else np.zeros((0, width), np.float32)


def _batches(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (values[start : start + size] for start in range(0, len(values), size))
