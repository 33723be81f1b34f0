"""improved-aesthetic-predictor whole, as OpenS2V takes it: CLIP ViT-L/14 and the head that was trained on it."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from backend.domain import CLIP_PREP, Absent, ModelUnavailable
from backend.models.aesthetic_heads import AestheticMlp
from backend.models.clip import ClipL14
from backend.models.places import ModelPlace


class PredictedAesthetic:
    """AestheticScorer on the scale of the head, about 1 to 10: the mean over frames.

    The place is a folder with the head's file in it and CLIP ViT-L/14 in its folder `clip`; links will do.
    """

    model_id: str = "aesthetic-predictor"
    suggested: ClassVar[str] = f"a folder with openai/clip-vit-large-patch14 as clip, and {AestheticMlp.files[-1]}"
    published_gb: ClassVar[float] = 1.7  # CLIP's 428 M parameters, float32; the head has 4 MB
    takes_crops: bool = True
    licence: ClassVar[str] = "MIT (CLIP), Apache-2.0 (head)"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when one of both is missing or is another model."""
        folder = place.path()
        if not (folder / "clip").is_dir():
            raise ModelUnavailable(
                f"models.{place.role} = {place.location!r} has no folder clip; it wants {self.suggested}"
            )
        self._head = AestheticMlp(ModelPlace(place.role, str(folder)), device=device, dtype=dtype)
        self._clip = ClipL14(ModelPlace(place.role, str(folder / "clip")), device=device, dtype=dtype)
        self.model_id = place.model_id(type(self).model_id)

    def score(self, frames: np.ndarray) -> float | Absent:
        """See `ImageScorer.score`."""
        if len(frames) == 0:
            return Absent("no frames")
        return _finite(float(self._head.score(self._clip.images(list(frames), CLIP_PREP)).mean()))

    def score_crops(self, crops: Sequence[np.ndarray]) -> list[float | Absent]:
        """See `CropScorer.score_crops`."""
        vectors = self._clip.crops(crops, CLIP_PREP) if crops else []
        return [_finite(float(self._head.score(vector[None])[0])) for vector in vectors]


def _finite(value: float) -> float | Absent:
    return value if np.isfinite(value) else Absent("failed: the aesthetic score is no finite number")
