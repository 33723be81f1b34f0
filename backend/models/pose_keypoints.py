"""From which side a person is seen, by the 17 key points of ViTPose and the geometry of shoulders, hips and faces."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from backend.domain import Absent, Box, Facing, Footage, ModelUnavailable
from backend.geometry import boxes as box_geometry
from backend.geometry.viewpoint import azimuth_of_keypoints
from backend.models.devices import torch_device, torch_dtype, transformers_for
from backend.models.loading import loaded
from backend.models.places import ModelPlace

NUM_POINTS = 17  # COCO's


class VitPoseFacing:
    """A PoseEstimator over a VitPose folder of transformers that predicts COCO's 17 points."""

    model_id: str = "vitpose-facing-1"
    suggested: ClassVar[str] = "usyd-community/vitpose-base-simple"
    published_gb: ClassVar[float] = 0.34  # 86 M parameters, float32
    licence: ClassVar[str] = "Apache-2.0"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable for a folder that holds no such model, or one of other points."""
        folder = place.path()
        library = transformers_for("a finder of poses")
        self._device, self._dtype = torch_device(device), torch_dtype(dtype)
        self._model: Any = loaded(
            library.VitPoseForPoseEstimation, folder, what="a VitPose model", device=device, dtype=dtype
        )
        try:
            self._processor: Any = library.AutoImageProcessor.from_pretrained(
                str(folder), local_files_only=True, backend="pil"
            )
        except (OSError, ValueError) as error:
            raise ModelUnavailable(f"{folder} holds no image processor: {error}") from error
        if self._model.config.num_labels != NUM_POINTS:
            raise ModelUnavailable(
                f"{folder} predicts {self._model.config.num_labels} points and {NUM_POINTS} are needed; take one of COCO"
            )
        self.model_id = place.model_id(type(self).model_id)

    def facing(self, footage: Footage, frames: Sequence[int], boxes: Sequence[Box]) -> list[Facing | Absent]:
        pictures = dict(zip(unique := sorted(set(frames)), footage.reader.at(unique), strict=True))
        return [self._facing(pictures[frame], box) for frame, box in zip(frames, boxes, strict=True)]

    def keypoints(self, picture: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
        """Points float64 `(17, 2)` in pixels of a frame uint8 `(H, W, 3)`, and their scores `(17,)`, of one person."""
        import torch

        x0, y0, x1, y1 = box
        corner_and_size = [[[x0, y0, x1 - x0, y1 - y0]]]
        inputs = self._processor(images=[picture], boxes=corner_and_size, return_tensors="pt")
        with torch.inference_mode():
            outputs = self._model(inputs["pixel_values"].to(device=self._device, dtype=self._dtype))
        outputs.heatmaps = outputs.heatmaps.float().cpu()
        ((pose,),) = self._processor.post_process_pose_estimation(outputs, boxes=corner_and_size)
        # Points below the processor's threshold are left out of its answer; here each keeps its place.
        points, scores = np.zeros((NUM_POINTS, 2)), np.zeros(NUM_POINTS)
        labels = pose["labels"].numpy()
        points[labels], scores[labels] = pose["keypoints"].numpy()[:, :2], pose["scores"].numpy()
        return points, scores

    def _facing(self, picture: np.ndarray, box: Box) -> Facing | Absent:
        height, width = picture.shape[:2]
        if box_geometry.intersection(box, (0.0, 0.0, float(width), float(height))) is None:
            return Absent("the box lies outside the frame")
        points, scores = self.keypoints(picture, box)
        if not (np.isfinite(points).all() and np.isfinite(scores).all()):
            return Absent("the model gave points that are no numbers")
        found = azimuth_of_keypoints(points, scores)
        return Absent("too few points of the body are seen") if found is None else Facing(*found)
