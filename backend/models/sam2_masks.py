"""Masks of boxes, by SAM 2 (transformers)."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from backend.domain import Box, ModelUnavailable
from backend.domain.model_work import PointPrompt
from backend.models.devices import transformers_for
from backend.models.loading import loaded
from backend.models.places import ModelPlace


class Sam2Masks:
    """Masks of boxes, by SAM 2: one mask for each box, its quality the model's own estimate of the IoU."""

    model_id: str = "sam2"
    suggested: ClassVar[str] = "facebook/sam2.1-hiera-large"
    published_gb: ClassVar[float] = 0.9  # 224 M parameters, float32
    licence: ClassVar[str] = "Apache-2.0"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, damaged or of another kind."""
        folder = place.path()
        library = transformers_for("SAM 2")
        try:
            self._processor = library.Sam2Processor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{folder} cannot be loaded as SAM 2: {error}") from error
        self._model = loaded(library.Sam2Model, folder, what="SAM 2", device=device, dtype=dtype)
        self.model_id = place.model_id(type(self).model_id)

    def segment(self, frame: np.ndarray, boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]:
        """Masks bool `(N, H, W)` of an RGB uint8 frame and qualities float32 `(N,)` in [0, 1], 0 for an empty mask."""
        import torch

        if not boxes:
            return np.zeros((0, *frame.shape[:2]), bool), np.zeros(0, np.float32)
        inputs = self._processor(
            images=frame, input_boxes=[[list(map(float, box)) for box in boxes]], return_tensors="pt"
        ).to(self._model.device)
        with torch.inference_mode():
            outputs = self._model(
                pixel_values=inputs["pixel_values"].to(self._model.dtype),
                input_boxes=inputs["input_boxes"].to(self._model.dtype),
                multimask_output=False,
            )
            logits = outputs.pred_masks.float().cpu()
            masks = self._processor.post_process_masks(logits, inputs["original_sizes"].cpu())[0][:, 0].numpy()
            qualities = outputs.iou_scores.float().cpu().numpy()[0, :, 0]
        qualities = np.where(masks.any(axis=(1, 2)), np.clip(qualities, 0.0, 1.0), 0.0)
        return masks.astype(bool), qualities.astype(np.float32)

    def segment_prompted(
        self, frame: np.ndarray, points: Sequence[PointPrompt], box: Box | None
    ) -> tuple[np.ndarray, float]:
        """A mask bool `(H, W)` of what points and a box show, and its quality in [0, 1].

        One point alone may mean a part or the whole: of the three masks that SAM 2 then gives, the surest is taken.
        """
        import torch

        prompts: dict[str, Any] = {}
        if points:
            prompts["input_points"] = [[[[float(point.x), float(point.y)] for point in points]]]
            prompts["input_labels"] = [[[int(point.include) for point in points]]]
        if box is not None:
            prompts["input_boxes"] = [[list(map(float, box))]]
        inputs = self._processor(images=frame, return_tensors="pt", **prompts).to(self._model.device)
        for name in ("pixel_values", "input_points", "input_boxes"):
            if name in inputs:
                inputs[name] = inputs[name].to(self._model.dtype)
        sizes = inputs.pop("original_sizes")
        with torch.inference_mode():
            outputs = self._model(**inputs, multimask_output=box is None and len(points) == 1)
        logits = outputs.pred_masks.float().cpu()
        masks = self._processor.post_process_masks(logits, sizes.cpu())[0][0].numpy().astype(bool)
        qualities = np.clip(outputs.iou_scores.float().cpu().numpy()[0, 0], 0.0, 1.0)
        surest = int(qualities.argmax())
        return masks[surest], float(qualities[surest]) if masks[surest].any() else 0.0
