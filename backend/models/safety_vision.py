"""What should not be shown, by its look: any image classifier of transformers that tells safe from unsafe."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from backend.domain import ModelUnavailable
from backend.domain.roles_words import SafetyFinding
from backend.models.devices import transformers_for
from backend.models.loading import loaded
from backend.models.places import ModelPlace
from backend.models.safety_words import WordSafety

UNSAFE = frozenset(
    {"nsfw", "unsafe", "porn", "pornography", "hentai", "sexy", "sexual", "explicit", "nude", "nudity", "gore", "violence"}
)
"""Labels of published classifiers (Falconsai: nsfw; Marqo: NSFW; five-class ones: porn, hentai, sexy)."""
SAFE = frozenset({"normal", "safe", "sfw", "neutral", "drawings", "drawing", "clean"})
BATCH = 16


class ClassifierSafety:
    """The word list for words, and for pictures one less the probability of every label that is unsafe."""

    model_id: str = f"safety-classifier-1-{WordSafety.model_id}"
    suggested: ClassVar[str] = "Falconsai/nsfw_image_detection"
    published_gb: ClassVar[float] = 0.34  # 86 M parameters, float32
    licence: ClassVar[str] = "that of the weights"
    has_eyes: ClassVar[bool] = True

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, of another kind, or their labels are of something else."""
        folder = place.path()
        library = transformers_for(place.role)
        try:
            self._processor: Any = library.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{folder} cannot be loaded as an image classifier: {error}") from error
        kind = library.AutoModelForImageClassification
        self._model = loaded(kind, folder, what="an image classifier", device=device, dtype=dtype)
        self._labels = [str(self._model.config.id2label[n]).casefold() for n in range(self._model.config.num_labels)]
        unknown = [label for label in self._labels if label not in UNSAFE | SAFE]
        if unknown or not set(self._labels) & UNSAFE:
            raise ModelUnavailable(
                f"{folder} classifies {', '.join(self._labels)}; a safety filter needs labels such as nsfw and normal"
            )
        self._words = WordSafety()
        self.model_id = place.model_id(type(self).model_id)

    def words(self, texts: Sequence[str]) -> list[SafetyFinding]:
        return self._words.words(texts)

    def pictures(self, frames: Sequence[np.ndarray]) -> list[SafetyFinding]:
        import torch

        found: list[SafetyFinding] = []
        for start in range(0, len(frames), BATCH):
            pictures = [Image.fromarray(frame) for frame in frames[start : start + BATCH]]
            inputs = self._processor(images=pictures, return_tensors="pt").to(self._model.device, self._model.dtype)
            with torch.inference_mode():
                shares = torch.softmax(self._model(**inputs).logits.float(), dim=-1).cpu().numpy()
            found += [self._finding(row) for row in shares]
        return found

    def _finding(self, shares: np.ndarray) -> SafetyFinding:
        if not np.isfinite(shares).all():
            return SafetyFinding(None, "the classifier's answer is not a finite number; try another dtype")
        unsafe = {label: float(share) for label, share in zip(self._labels, shares, strict=True) if label in UNSAFE}
        worst = max(unsafe, key=lambda label: unsafe[label])
        total = sum(unsafe.values())
        return SafetyFinding(max(0.0, 1.0 - total), f"{worst} {unsafe[worst]:.2f}" if total >= 0.5 else "")
