"""Real or generated: any image classifier of transformers whose labels say which of the two each means."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from backend.domain import ModelUnavailable
from backend.models.devices import transformers_for
from backend.models.loading import loaded
from backend.models.places import ModelPlace

BATCH = 16
LABELS_FILE = "real_labels.json"
"""`{"real": ["LABEL_1"], "generated": ["LABEL_0"]}` beside the weights: what labels mean that do not say it themselves."""
REAL = frozenset({"real", "human", "authentic", "genuine", "natural", "realism", "photo", "hum", "not_ai"})
GENERATED = frozenset(
    {"fake", "ai", "artificial", "generated", "synthetic", "deepfake", "ai_generated", "machine", "sd", "dalle", "gan"}
)
"""Names that published classifiers give their classes; any other needs the file."""


class ImageAuthenticity:
    """The probability of the classes that mean real: softmax over all, or sigmoid where there is one class or several may hold.

    Pictures are prepared as the checkpoint says, by its Pillow processor.
    """

    model_id: str = "image-authenticity-pil-1"
    suggested: ClassVar[str] = "umm-maybe/AI-image-detector"
    published_gb: ClassVar[float] = 0.35  # 87 M parameters, float32
    licence: ClassVar[str] = "as the checkpoint's card says"
    batch: int = BATCH

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights are missing, or a label does not say whether it means real."""
        library, folder = transformers_for("authenticity"), place.path()
        try:
            self._processor: Any = library.AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"models.{place.role}: {folder} holds no image classifier: {error}") from error
        kind = library.AutoModelForImageClassification
        self._model = loaded(kind, folder, what="an image classifier", device=device, dtype=dtype)
        names = [str(self._model.config.id2label[n]) for n in range(self._model.config.num_labels)]
        self._real, generated = _classes(names, _told(folder), place.role)
        multiple = self._model.config.problem_type == "multi_label_classification"
        self._is_sigmoid = multiple or len(names) == 1
        if multiple and len(self._real) + len(generated) > 2:
            raise ModelUnavailable(f"models.{place.role}: of several independent classes none is the probability of real")
        self.model_id = place.model_id(type(self).model_id)

    def real(self, frames: np.ndarray) -> np.ndarray:
        import torch

        found = []
        with torch.inference_mode():
            for start in range(0, len(frames), self.batch):
                pictures = list(frames[start : start + self.batch])
                pixels = self._processor(pictures, return_tensors="pt")["pixel_values"]
                logits = self._model(pixel_values=pixels.to(self._model.device, self._model.dtype)).logits.float()
                found.append(self._probability(logits).cpu().numpy())
        return np.concatenate(found) if found else np.empty(0, np.float32)

    def _probability(self, logits: Any) -> Any:
        if not self._is_sigmoid:
            return logits.softmax(dim=-1)[:, self._real].sum(dim=-1)
        chances = logits.sigmoid()
        return chances[:, self._real[0]] if self._real else 1 - chances[:, 0]


def _told(folder: Path) -> Mapping[str, Sequence[str]] | None:
    """What the file beside the weights says; None without one."""
    path = folder / LABELS_FILE
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}") from error
    if not isinstance(told, dict) or set(told) != {"real", "generated"}:
        raise ModelUnavailable(f'{path} needs two lists: {{"real": […], "generated": […]}}')
    if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in told.values()):
        raise ModelUnavailable(f"{path} needs lists of label names")
    return told


def _classes(names: Sequence[str], told: Mapping[str, Sequence[str]] | None, role: str) -> tuple[list[int], list[int]]:
    """Places of the classes that mean real, and of those that mean generated. Raises ModelUnavailable for any other."""
    real: list[int] = []
    generated: list[int] = []
    for place, name in enumerate(names):
        plain = name.strip().lower().replace(" ", "_").replace("-", "_")
        is_real = name in told["real"] if told else plain in REAL
        is_generated = name in told["generated"] if told else plain in GENERATED
        if is_real == is_generated:
            raise ModelUnavailable(
                f"models.{role}: label {name!r} of {', '.join(names)} does not say whether it means real; "
                f'write {LABELS_FILE} beside the weights: {{"real": […], "generated": […]}}'
            )
        (real if is_real else generated).append(place)
    if len(names) > 1 and not (real and generated):
        raise ModelUnavailable(f"models.{role}: labels {', '.join(names)} do not tell real from generated")
    return real, generated
