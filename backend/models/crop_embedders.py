"""Embedders of crops, many at a time: what is cut of a frame is all that is kept of it until the model is asked."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from backend.domain import Absent, Box, Prep
from backend.models.dino import DinoV2
from backend.models.pictures import TOGETHER, evenly

DINO_SQUARE = Prep(short_px=224, crop_px=224)
"""A square picture whole: DINO's own crop would cut its edges off."""
Seen = tuple[np.ndarray, np.ndarray, Box]
"""What `Embedder.embed` takes."""


class CropEmbedding:
    """Adds what `CropEmbedder` asks for to a class that has `cut` and `vectors`."""

    many: ClassVar[dict[str, str]] = {"embed": "embed_all", "embed_crops": "embed_crops_together"}
    batch: int = TOGETHER
    takes_crops: bool = True

    if TYPE_CHECKING:

        @staticmethod
        def cut(frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
            """See `CropEmbedder.cut`."""
            ...

        def vectors(self, crops: Sequence[np.ndarray]) -> np.ndarray:
            """float32 `(N, D)` of one and more crops, each the same bits whichever others are asked with it."""
            ...

    def embed(self, frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        return self.embed_all([(frame, mask, box)])[0]

    def embed_all(self, views: Sequence[Seen]) -> list[np.ndarray | Absent]:
        """What `embed` gives of each."""
        cuts = [self.cut(*view) for view in views]
        vectors = iter(self.embed_crops([cut for cut in cuts if isinstance(cut, np.ndarray)]))
        return [next(vectors) if isinstance(cut, np.ndarray) else cut for cut in cuts]

    def embed_crops(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `CropEmbedder.embed_crops`."""
        return list(self.vectors(crops)) if crops else []

    def embed_crops_together(self, calls: Sequence[tuple[Sequence[np.ndarray]]]) -> list[list[np.ndarray]]:
        """What each call of `embed_crops` gives: crops of several callers in common passes."""
        vectors = iter(self.embed_crops([crop for (crops,) in calls for crop in crops]))
        return [[next(vectors) for _ in crops] for (crops,) in calls]


class DinoCrops(CropEmbedding):
    """`CropEmbedding` by one of the DINOs."""

    _encoder: DinoV2

    def vectors(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        images = partial(self._encoder.images, prep=DINO_SQUARE)
        return evenly(crops, images, batch=self.batch, filled=self._encoder.fills_batches)
