"""What models that see and read have in common: sizes of pictures, and the likelihood of words as their next one."""

import inspect
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from backend.domain import ModelUnavailable
from backend.models.devices import transformers_for
from backend.models.loading import loaded
from backend.models.places import ModelPlace

PATCH_PX = 28  # Qwen2-VL: patches of 14, merged two by two
COUNTED = {"input_ids", "attention_mask", "mm_token_type_ids", "image_grid_thw", "pixel_values"}
"""What a processor gives of which all but the pixels depends on the number and size of the pictures alone."""
SEEN = {"last_hidden_state", "pooler_output", "hidden_states", "attentions"}
"""What eyes give of which a model of words takes `pooler_output` alone."""
LEAST_PX, MOST_PX = 4 * PATCH_PX**2, 16384 * PATCH_PX**2  # qwen_vl_utils, a picture given without limits
MAX_TOKENS = 8192  # of a question; Qwen2-VL was trained on 32,768, which pictures share
MARKS = re.compile(r"<\|[^|<>]{1,40}\|>")
MOST_RATIO = 200  # Qwen2-VL refuses longer ones


def smart_size(width: int, height: int, *, least_px: int = LEAST_PX, most_px: int = MOST_PX) -> tuple[int, int]:
    """`(width, height)` in whole patches, near the picture's shape, with an area between the limits.

    As Qwen2-VL's own preprocessing; a sliver is squeezed to what the model takes, 1 to 200.
    """
    across, down = (max(PATCH_PX, round(side / PATCH_PX) * PATCH_PX) for side in (width, height))
    if across * down > most_px:
        factor = math.sqrt(width * height / most_px)
        across, down = (max(PATCH_PX, int(side / factor / PATCH_PX) * PATCH_PX) for side in (width, height))
    elif across * down < least_px:
        factor = math.sqrt(least_px / (width * height))
        across, down = (math.ceil(side * factor / PATCH_PX) * PATCH_PX for side in (width, height))
    return min(across, MOST_RATIO * down), min(down, MOST_RATIO * across)


def resized(picture: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """A picture uint8 `(H, W, 3)` at `(width, height)`, bicubic."""
    return Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)


def plain(tokenizer: Any, text: str, *, most_tokens: int) -> str:
    """A text of people's without marks that the model takes for its own, at most so many tokens long."""
    for mark in {*tokenizer.all_special_tokens, *MARKS.findall(text)}:
        text = text.replace(mark, " ")
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return text if len(ids) <= most_tokens else tokenizer.decode(ids[:most_tokens])


class WordReader:
    """Any transformers model of images and text to text, asked how likely each of some words is as its next.

    A conversation is one message of pictures and a question; the answer is led in by a few words.
    """

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, or are of another kind."""
        folder = place.path()
        library = transformers_for(place.role)
        try:
            self._processor = library.AutoProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{folder} cannot be loaded as a model of images and text: {error}") from error
        kind = library.AutoModelForImageTextToText
        self._model = loaded(kind, folder, what="a model of images and text", device=device, dtype=dtype)
        self._processor.tokenizer.padding_side = "left"

    @property
    def mean_colour(self) -> tuple[int, int, int]:
        """What pictures are padded with: the mean that the model subtracts."""
        mean = getattr(self._processor.image_processor, "image_mean", None) or (0.5, 0.5, 0.5)
        return tuple(int(value * 255) for value in mean)  # pyright: ignore[reportReturnType]

    def log_likelihoods(
        self, windows: Sequence[Sequence[Image.Image]], questions: Sequence[tuple[str, str]], words: Sequence[str]
    ) -> np.ndarray:
        """Natural logarithms float64 `(windows, questions, words)`, of each word among all that could come next.

        Questions are pairs of the question and the lead-in of its answer (which may be empty).
        The pictures are looked at once for all questions where the model can be given what its eyes saw.
        """
        import torch

        seen: dict[str, Any] = {}
        columns = []
        with torch.inference_mode():
            for question, lead in questions:
                ids, joint = word_tokens(self._processor.tokenizer, words, lead=lead)
                texts = [self._text(len(window), question) + lead + joint for window in windows]
                inputs = self._inputs(texts, windows)
                if len(questions) > 1:
                    inputs = self._with_sight(inputs, seen)
                columns.append(self._likely(inputs, ids))
        return np.stack(columns, axis=1)

    def log_likelihoods_over(
        self,
        pictures: Sequence[Image.Image],
        windows: Sequence[Sequence[int]],
        questions: Sequence[tuple[str, str]],
        words: Sequence[str],
    ) -> np.ndarray:
        """As `log_likelihoods`, of windows given as places in pictures of one size.

        Each picture is looked at once, not once a window, where the model can be given what its eyes saw.
        """
        import torch

        with torch.inference_mode():
            sight = self._sight(pictures)
            shown = [[pictures[at] for at in window] for window in windows]
            if sight is None or len({len(window) for window in windows}) > 1:
                return self.log_likelihoods(shown, questions, words)
            columns = []
            for question, lead in questions:
                ids, joint = word_tokens(self._processor.tokenizer, words, lead=lead)
                text = self._text(len(windows[0]), question) + lead + joint
                inputs = self._inputs([text], shown[:1])
                if not set(inputs) <= COUNTED:
                    return self.log_likelihoods(shown, questions, words)
                del inputs["pixel_values"]
                repeated = {name: value.repeat(len(windows), 1) for name, value in inputs.items()}
                each = len(sight.pooler_output) // len(pictures)  # a picture may be cut into tiles
                parts = [
                    sight.pooler_output[at * each + tile] for window in windows for at in window for tile in range(each)
                ]
                whole = torch.stack(parts) if isinstance(sight.pooler_output, torch.Tensor) else tuple(parts)
                # Made anew for each question: the model writes into what it is given.
                columns.append(
                    self._likely(repeated | {"mm_encoder_outputs": {"image": type(sight)(pooler_output=whole)}}, ids)
                )
        return np.stack(columns, axis=1)

    def _inputs(self, texts: Sequence[str], windows: Sequence[Sequence[Image.Image]]) -> Any:
        return self._processor(
            text=list(texts), images=[list(window) for window in windows], padding=True, return_tensors="pt"
        ).to(self._model.device, self._model.dtype)

    def _likely(self, inputs: Any, ids: Sequence[int]) -> np.ndarray:
        import torch

        logits = self._model(**inputs, logits_to_keep=1, use_cache=False).logits[:, -1].double()
        return torch.log_softmax(logits, dim=-1)[:, ids].cpu().numpy()

    def _text(self, num_images: int, question: str) -> str:
        asked = plain(self._processor.tokenizer, question, most_tokens=MAX_TOKENS)
        content = [{"type": "image"}] * num_images + [{"type": "text", "text": asked}]
        message = [{"role": "user", "content": content}]
        return self._processor.apply_chat_template(message, tokenize=False, add_generation_prompt=True)

    def _with_sight(self, inputs: Any, seen: dict[str, Any]) -> dict[str, Any]:
        """The inputs with the pictures' features in place of their pixels, made when the first question is asked."""
        if "image" not in seen:
            sight = self._looked(inputs)
            if sight is None:
                return dict(inputs)
            seen["image"] = sight
        kept = {name: value for name, value in inputs.items() if name != "pixel_values"}
        return kept | {"mm_encoder_outputs": dict(seen)}

    def _sight(self, pictures: Sequence[Image.Image]) -> Any:
        """What the model's eyes give for each picture, None where it cannot be told apart or given back."""
        sight = self._looked(self._inputs([self._text(len(pictures), "")], [pictures]))
        if sight is None or not {name for name, value in sight.items() if value is not None} <= SEEN:
            return None
        return None if len(sight.pooler_output) % len(pictures) else sight

    def _looked(self, inputs: Any) -> Any:
        see = getattr(getattr(self._model, "model", None), "get_image_features", None)
        if see is None or "mm_encoder_outputs" not in inspect.signature(self._model.forward).parameters:
            return None
        wanted = inspect.signature(see).parameters
        return see(**{name: value for name, value in inputs.items() if name in wanted})


def word_tokens(tokenizer: Any, words: Sequence[str], *, lead: str) -> tuple[list[int], str]:
    """The token by which each word after `lead` and a blank is known, and what is to be fed between lead and word.

    Tokenizers that write the blank as a token of its own would give all words the same first token: it is fed then.
    Raises ModelUnavailable when two words still begin alike.
    """

    def encode(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    written = [encode(f"{lead} {word}" if lead else word) for word in words]
    shared = 0
    while all(len(ids) > shared for ids in written) and len({ids[shared] for ids in written}) == 1:
        shared += 1
    fed = next((joint for joint in ("", " ") if encode(lead + joint) == written[0][:shared]), None)
    first = [ids[shared] for ids in written if len(ids) > shared]
    if fed is None or len(set(first)) != len(words):
        raise ModelUnavailable(
            f"this model's tokenizer begins some of {', '.join(words)} alike, so it cannot be asked for one of them by its "
            "next token; bind another model"
        )
    return first, fed
