"""A judge on this machine: any transformers model of images and text, which answers by the likelihood of each grade."""

import json
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import ClassVar

import numpy as np
from PIL import Image

from backend.domain import Inquiry, Verdict
from backend.models.places import ModelPlace
from backend.models.vision_language import WordReader


class LocalJudge:
    """The likeliest of the allowed grades as the next word: no prose to read, the same answer at every repeat."""

    model_id: str = "local_judge"
    sampling: str = '{"choice": "likeliest"}'
    suggested: ClassVar[str] = "Qwen/Qwen2.5-VL-7B-Instruct"
    published_gb: ClassVar[float] = 16.6  # 8.3 G parameters, bfloat16
    licence: ClassVar[str] = "that of the weights"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, or are of another kind."""
        self._reader = WordReader(place, device=device, dtype=dtype)
        self.model_id = place.model_id(type(self).model_id)

    def ask(
        self, inquiries: Sequence[Inquiry], answered: Callable[[Inquiry, Verdict], None] | None = None
    ) -> list[Verdict]:
        """A verdict for each; the raw answer is the log-likelihood of every grade, as JSON. Equal questions are asked once.

        Raises ModelUnavailable for a model whose tokenizer does not write each grade as a token of its own.
        """
        known: dict[tuple[str, tuple[bytes, ...], int, int], Verdict] = {}
        found = []
        for inquiry in inquiries:
            question = inquiry.prompt, inquiry.images, inquiry.lowest, inquiry.highest
            if question not in known:
                known[question] = self._verdict(inquiry)
            found.append(known[question])
            if answered is not None:
                answered(inquiry, found[-1])
        return found

    def _verdict(self, inquiry: Inquiry) -> Verdict:
        pictures = [Image.open(BytesIO(image)).convert("RGB") for image in inquiry.images]
        grades = [str(grade) for grade in range(inquiry.lowest, inquiry.highest + 1)]
        logs = self._reader.log_likelihoods([pictures], [(inquiry.prompt, "")], grades)[0, 0]
        raw = json.dumps({grade: round(float(log), 4) for grade, log in zip(grades, logs, strict=True)})
        if not np.isfinite(logs).all():
            return Verdict(None, raw, "judge's likelihoods are not all finite numbers; try another dtype")
        return Verdict(int(grades[int(logs.argmax())]), raw)
