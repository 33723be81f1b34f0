"""UMT5's encoder: the text features that Wan was trained on."""

import html
import re
from typing import ClassVar

import numpy as np

from backend.domain import ModelUnavailable
from backend.models.devices import transformers_for
from backend.models.loading import loaded
from backend.models.places import ModelPlace


class Umt5:
    """Up to 512 tokens, the end mark included (Wan 2.1). Texts are mended and their spaces evened out, as diffusers does.

    Read from a folder with `text_encoder` and `tokenizer` (a pipeline's), or from one that holds both files together.
    """

    model_id: str = "umt5"
    suggested: ClassVar[str] = "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"
    published_gb: ClassVar[float] = 22.7  # the folder text_encoder: 5.7 G parameters, float32
    licence: ClassVar[str] = "Apache-2.0"
    max_tokens: ClassVar[int] = 512

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, damaged or of another kind."""
        folder = place.path()
        library = transformers_for("UMT5")
        encoder, words = (folder / name if (folder / name).is_dir() else folder for name in ("text_encoder", "tokenizer"))
        try:
            self._tokenizer = library.AutoTokenizer.from_pretrained(words, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{words} holds no tokenizer of UMT5: {error}") from error
        self._model = loaded(library.UMT5EncoderModel, encoder, what="UMT5's encoder", device=device, dtype=dtype)
        self.width = int(self._model.config.d_model)
        self.model_id = place.model_id(type(self).model_id)

    def encode(self, text: str) -> np.ndarray:
        """float32 `(L, width)` of the text's own tokens."""
        import torch

        found = self._tokenizer(
            [_mended(text)],
            max_length=self.max_tokens,
            truncation=True,
            add_special_tokens=True,
            return_attention_mask=True,
            return_tensors="pt",
        ).to(self._model.device)
        with torch.inference_mode():
            states = self._model(found.input_ids, found.attention_mask).last_hidden_state[0].float()
        return states[found.attention_mask[0].bool()].cpu().numpy()


def _mended(text: str) -> str:
    try:
        import ftfy
    except ImportError as error:
        raise ModelUnavailable("UMT5 needs the extra: pip install 'subject-studio[models]'") from error
    return re.sub(r"\s+", " ", html.unescape(html.unescape(ftfy.fix_text(text)))).strip()
