"""LevelReader: the five words' share of the next word, through any transformers model of images and text to text."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from PIL import Image

from backend.domain import ModelUnavailable
from backend.models.places import ModelPlace
from backend.models.prompts import level_questions, level_words
from backend.models.vision_language import WordReader

SIDE_PX = 448  # what Q-Align's vision encoder sees
BATCH = 8


class VlmLevelReader:
    """Reads levels of quality as Q-Align does: pictures padded to a square, the five words' logits, a softmax over them.

    Q-Align's own checkpoint (one-align) runs code of its own, which is not executed here; other weights give other
    numbers, and the papers' are those of one-align.
    """

    model_id: str = "level_reader"
    suggested: ClassVar[str] = "Qwen/Qwen2.5-VL-7B-Instruct"
    published_gb: ClassVar[float] = 16.6  # 8.3 G parameters, bfloat16
    licence: ClassVar[str] = "that of the weights"
    batch: int = BATCH

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, or are of another kind."""
        self._reader = WordReader(place, device=device, dtype=dtype)
        self._colour = self._reader.mean_colour
        self.model_id = place.model_id(type(self).model_id)

    def read(self, windows: Sequence[np.ndarray], tasks: Sequence[str]) -> np.ndarray:
        """Shares float32 `(windows, tasks, 5)` of excellent, good, fair, poor, bad. Windows are uint8 `(T, H, W, 3)`.

        Raises ModelUnavailable for an unknown task, and for a model whose next word is not one of the five.
        """
        asked, words = _asked(tasks), level_words()
        parts = [np.zeros((0, len(tasks), len(words)))]
        for start in range(0, len(windows), self.batch):
            pictures = [[self._squared(picture) for picture in window] for window in windows[start : start + self.batch]]
            parts.append(self._reader.log_likelihoods(pictures, asked, words))
        return _shares(np.concatenate(parts))

    def read_over(
        self, pictures: Sequence[np.ndarray], windows: Sequence[Sequence[int]], tasks: Sequence[str]
    ) -> np.ndarray:
        """As `read`; the model's eyes see each picture once for all the windows that `batch` takes together."""
        asked, words = _asked(tasks), level_words()
        parts = [np.zeros((0, len(tasks), len(words)))]
        for start in range(0, len(windows), self.batch):
            batch = windows[start : start + self.batch]
            places = {at: place for place, at in enumerate(sorted({at for window in batch for at in window}))}
            squared = [self._squared(pictures[at]) for at in places]
            shown = [[places[at] for at in window] for window in batch]
            parts.append(self._reader.log_likelihoods_over(squared, shown, asked, words))
        return _shares(np.concatenate(parts))

    def prepared(self, picture: np.ndarray) -> np.ndarray:
        """The picture as the model is shown it, uint8 `(448, 448, 3)`; reading that gives the same, to the bit."""
        return np.asarray(self._squared(picture))

    def _squared(self, picture: np.ndarray) -> Image.Image:
        height, width = picture.shape[:2]
        if (height, width) == (SIDE_PX, SIDE_PX):
            return Image.fromarray(picture)
        side, whole = max(height, width), Image.fromarray(picture)
        if height < width:
            # Pillow scales rows first; those of the padding stay of one colour, so that they are not scaled but added.
            whole = whole.resize((SIDE_PX, height), Image.Resampling.BICUBIC)
        square = Image.new("RGB", (whole.width if height < width else side, side), self._colour)
        square.paste(whole, ((square.width - whole.width) // 2, (side - height) // 2))
        return square.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)


def _asked(tasks: Sequence[str]) -> list[tuple[str, str]]:
    questions = level_questions()
    if unknown := [task for task in tasks if task not in questions]:
        raise ModelUnavailable(f"level task {unknown[0]!r} is unknown; there are {', '.join(questions)}")
    return [(questions[task].question, questions[task].lead) for task in tasks]


def _shares(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (shares / shares.sum(axis=-1, keepdims=True)).astype(np.float32)
