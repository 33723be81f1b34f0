"""wav2vec 2.0: the sound features of Gloria, section 4.2."""

from typing import ClassVar

import numpy as np

from backend.domain import ModelUnavailable
from backend.models.devices import transformers_for
from backend.models.loading import loaded
from backend.models.places import ModelPlace

SHORTEST = 400  # samples that the convolutions need for one feature


class Wav2Vec2:
    """The last hidden states, 50 a second. Gloria names neither size nor layer; the base model's last is our choice."""

    model_id: str = "wav2vec2"
    suggested: ClassVar[str] = "facebook/wav2vec2-base-960h"
    published_gb: ClassVar[float] = 0.38  # 94 M parameters, float32
    licence: ClassVar[str] = "Apache-2.0"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, damaged or of another kind."""
        folder = place.path()
        library = transformers_for("wav2vec 2.0")
        try:
            self._prepare = library.Wav2Vec2FeatureExtractor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{folder} has no preprocessor of wav2vec 2.0: {error}") from error
        self._model = loaded(library.Wav2Vec2Model, folder, what="wav2vec 2.0", device=device, dtype=dtype)
        self.width = int(self._model.config.hidden_size)
        self.rate = int(self._prepare.sampling_rate)
        self.model_id = place.model_id(type(self).model_id)

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """float32 `(F, width)`; a sound too short for one feature is followed by silence."""
        import torch

        heard = np.pad(samples, (0, max(0, SHORTEST - len(samples)))).astype(np.float32)
        values = self._prepare(heard, sampling_rate=self.rate, return_tensors="pt").input_values
        with torch.inference_mode():
            states = self._model(values.to(self._model.device, self._model.dtype)).last_hidden_state[0]
        return states.float().cpu().numpy()
