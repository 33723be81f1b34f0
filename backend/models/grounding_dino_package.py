"""GroundingDINO by its authors' package `groundingdino-py`, for checkpoints in their own layout.

The package was written for an older transformers: `BertModel` has since lost three methods and its config one property,
which are given back before a model is built. Weights are a folder with the config (`GroundingDINO_SwinT_OGC.py`, which the
package would run as Python and we read for its plain values), the checkpoint (`*.pth`) and `bert-base-uncased/`.
"""

import contextlib
import io
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from backend.domain import ModelUnavailable
from backend.models.devices import torch_device, transformers_for
from backend.models.grounding_dino import GroundingDino
from backend.models.places import ModelPlace
from backend.models.plain_configs import literals_of
from backend.models.states import load_state

TEXT_ENCODER = "bert-base-uncased"
SHORT_SIDE_PX, LONG_SIDE_PX = 800, 1333  # groundingdino/util/inference.py
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class GroundingDinoPackage(GroundingDino):
    """Boxes of what phrases name, by the package groundingdino-py; float32 only."""

    model_id: str = "groundingdino-py"
    suggested: ClassVar[str] = ""
    published_gb: ClassVar[float] = 0.0

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when the package or one of the three parts of the weights is missing."""
        folder = place.path()
        library = transformers_for("GroundingDINO")
        restore_bert(library.BertModel, library.BertConfig)
        try:
            from groundingdino.datasets import transforms  # pyright: ignore[reportMissingImports]
            from groundingdino.models import build_model  # pyright: ignore[reportMissingImports]
            from groundingdino.util.misc import clean_state_dict  # pyright: ignore[reportMissingImports]
            from groundingdino.util.slconfig import SLConfig  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ModelUnavailable(
                f'roles.{place.role} = "groundingdino" needs a package that is not installed ({error.name}): pip install'
                f' groundingdino-py==0.4.0, or take roles.{place.role} = "paper", the same model of transformers'
            ) from error
        config, checkpoint = _only(folder, "*.py"), _only(folder, "*.pth")
        if not (folder / TEXT_ENCODER).is_dir():
            raise ModelUnavailable(f"{folder} has no folder {TEXT_ENCODER}; put the text encoder there")
        try:
            settings: Any = SLConfig(literals_of(config))
            settings.device, settings.text_encoder_type = str(torch_device(device)), str(folder / TEXT_ENCODER)
            with contextlib.redirect_stdout(io.StringIO()):  # the package prints what it loads
                model = build_model(settings)
                lacking, _ = model.load_state_dict(clean_state_dict(load_state(checkpoint)), strict=False)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelUnavailable(f"{folder} cannot be loaded by groundingdino-py: {error}") from error
        lacking = [name for name in lacking if not name.endswith("position_ids")]
        if lacking:
            raise ModelUnavailable(f"{checkpoint} lacks {len(lacking)} weights of {config.name}, such as {lacking[0]}")
        self._model = model.to(torch_device(device)).eval()
        self._tokenizer = model.tokenizer
        self._max_tokens = settings.max_text_len
        self._resize = transforms.RandomResize([SHORT_SIDE_PX], max_size=LONG_SIDE_PX)
        self.model_id = place.model_id(type(self).model_id)

    def _answer(self, pictures: np.ndarray, prompt: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        import torch
        from PIL import Image
        from torchvision.transforms import functional

        sized = [functional.to_tensor(self._resize(Image.fromarray(picture), None)[0]) for picture in pictures]
        tensor = torch.stack([functional.normalize(picture, list(MEAN), list(DEVIATION)) for picture in sized])
        tokens = self._tokenizer(prompt, return_offsets_mapping=True, truncation=True, max_length=self._max_tokens)
        with torch.inference_mode():
            device = next(self._model.parameters()).device
            outputs = self._model(tensor.to(device), captions=[prompt] * len(pictures))
        scores = outputs["pred_logits"].float().sigmoid().cpu().numpy()
        return scores, outputs["pred_boxes"].float().cpu().numpy(), np.array(tokens["offset_mapping"])


def restore_bert(bert: Any, config: Any) -> None:
    """Gives `BertModel` and `BertConfig` back what transformers 5 took from them, where it is missing."""

    def extended(self: Any, mask: Any, input_shape: Any, device: Any = None, dtype: Any = None) -> Any:
        """Adds nothing where a token may look and the least number where not, `(B, 1, 1 or L, L)`."""
        import torch

        kind = dtype or next(self.parameters()).dtype
        wide = mask[:, None, :, :] if mask.dim() == 3 else mask[:, None, None, :]
        return (1.0 - wide.to(kind)) * torch.finfo(kind).min

    def inverted(self: Any, mask: Any) -> Any:
        return extended(self, mask, None)

    def heads(self: Any, mask: Any, num_layers: int, is_attention_chunked: bool = False) -> list[None]:
        assert mask is None, "GroundingDINO masks no heads"
        return [None] * num_layers

    for name, method in (
        ("get_extended_attention_mask", extended),
        ("invert_attention_mask", inverted),
        ("get_head_mask", heads),
    ):
        if not hasattr(bert, name):
            setattr(bert, name, method)
    if not hasattr(config, "use_return_dict"):
        config.use_return_dict = property(lambda self: True)


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise ModelUnavailable(f"{folder} holds {len(found)} files {pattern}; put exactly one there")
    return found[0]
