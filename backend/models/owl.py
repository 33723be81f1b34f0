"""What a reference shows, found on frames by OWL-ViT and OWLv2 (transformers), from raw logits.

The library's `post_process_image_guided_detection` stretches the scores of each picture so that its best box gets 1,
whether or not anything was found: fit for display, useless as a threshold. Scores here are the logits' sigmoids.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from backend.domain import FoundBoxes, ModelUnavailable, ReferencePicture, ShownFrame
from backend.geometry import boxes as geometry
from backend.models.devices import transformers_for
from backend.models.loading import loaded
from backend.models.places import ModelPlace

if TYPE_CHECKING:
    import torch

BATCH = 4  # frames of 960 x 960 pixels: 3,600 patches each
MOST_BEFORE_NMS = 1000  # of 3,600: suppression compares all pairs, and at most 100 are kept


class Owlv2:
    """OWLv2: boxes of what reference pictures show."""

    model_id: str = "owlv2"
    suggested: ClassVar[str] = "google/owlv2-base-patch16-ensemble"
    published_gb: ClassVar[float] = 0.62  # 155 M parameters, float32
    licence: ClassVar[str] = "Apache-2.0"
    batch: int = BATCH
    kind: ClassVar[str] = "owlv2"
    pads: ClassVar[bool] = True
    """Pictures are padded to a square below and to the right before they are resized."""

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, damaged or of another kind."""
        folder = place.path()
        library = transformers_for("OWL")
        try:
            found = library.AutoConfig.from_pretrained(folder, local_files_only=True).model_type
            if found != self.kind:
                raise ModelUnavailable(f"{folder} holds a {found} model; {place.role} needs {self.kind} weights")
            self._processor = library.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{folder} cannot be loaded as {self.kind}: {error}") from error
        kind = library.AutoModelForZeroShotObjectDetection
        self._model = loaded(kind, folder, what=self.kind, device=device, dtype=dtype)
        self.model_id = place.model_id(type(self).model_id)

    def learn(self, references: Sequence[ReferencePicture]) -> np.ndarray:
        """Query embeddings float32 `(R, D)`: of each picture's own box that the model itself picks."""
        import torch

        rows = []
        with torch.inference_mode():
            for reference in references:
                map_, features = self._features([reference.pixels])
                query, _, _ = self._model.embed_image_query(features, map_)
                rows.append(query.reshape(-1, query.shape[-1])[0].float().cpu().numpy())
        return np.stack(rows).astype(np.float32)

    def find(
        self, frames: Sequence[ShownFrame], prompts: np.ndarray, *, min_score: float, max_iou: float, most: int
    ) -> list[list[FoundBoxes]]:
        import torch

        found: list[list[FoundBoxes]] = []
        with torch.inference_mode():
            queries = torch.from_numpy(prompts).to(self._model.device, self._model.dtype)
            for first in range(0, len(frames), self.batch):
                batch = frames[first : first + self.batch]
                map_, features = self._features([frame.pixels for frame in batch])
                logits, _ = self._model.class_predictor(features, queries.expand(len(batch), -1, -1))
                scores = logits.float().sigmoid().cpu().numpy()
                places = self._model.box_predictor(features, map_).float().cpu().numpy()
                for frame, score, place in zip(batch, scores, places, strict=True):
                    corners = self._corners(place, frame.pixels.shape[1], frame.pixels.shape[0])
                    columns = [score[:, n] for n in range(len(prompts))]
                    found.append([chosen(corners, c, min_score=min_score, max_iou=max_iou, most=most) for c in columns])
        return found

    def _features(self, pictures: Sequence[np.ndarray]) -> "tuple[torch.Tensor, torch.Tensor]":
        """Feature maps `(N, h, w, D)` and the same as rows `(N, h * w, D)`."""
        pixels = self._processor(images=list(pictures), return_tensors="pt")["pixel_values"]
        map_ = self._model.image_embedder(pixel_values=pixels.to(self._model.device, self._model.dtype))[0]
        return map_, map_.reshape(len(pictures), -1, map_.shape[-1])

    def _corners(self, places: np.ndarray, width: int, height: int) -> np.ndarray:
        """Boxes in pixels of the picture, inside it, of centres and sizes relative to what the model saw."""
        centre, size = places[:, :2], places[:, 2:]
        reach = np.array([max(width, height)] * 2 if self.pads else [width, height], np.float32)
        corners = np.concatenate([centre - size / 2, centre + size / 2], axis=1) * np.tile(reach, 2)
        return np.clip(corners, 0, np.array([width, height] * 2, np.float32)).astype(np.float32)


class OwlVit(Owlv2):
    """OWL-ViT: boxes of what reference pictures show."""

    model_id: str = "owlvit"
    suggested: ClassVar[str] = "google/owlvit-large-patch14"
    published_gb: ClassVar[float] = 1.7  # 434 M parameters, float32
    kind: ClassVar[str] = "owlvit"
    pads: ClassVar[bool] = False


def chosen(corners: np.ndarray, scores: np.ndarray, *, min_score: float, max_iou: float, most: int) -> FoundBoxes:
    """The boxes that remain, surest first: of a pixel or more, scores above the least, none overlapping a surer one."""
    real = (corners[:, 2:] - corners[:, :2] >= 1).all(axis=1)
    order = np.flatnonzero(real & (scores > min_score))
    order = order[np.argsort(-scores[order], kind="stable")][:MOST_BEFORE_NMS]
    tuples = [tuple(map(float, box)) for box in corners[order]]
    kept = order[geometry.nms(tuples, scores[order].tolist(), max_iou=max_iou)[:most]]  # pyright: ignore[reportArgumentType]
    return FoundBoxes(corners[kept].astype(np.float32), scores[kept].astype(np.float32))
