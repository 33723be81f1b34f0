"""CurricularFace IR-101: identity embeddings of aligned faces, from `glint360k_curricular_face_r101_backbone.bin`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np

from backend.domain import ModelUnavailable
from backend.models.devices import torch_device, torch_dtype
from backend.models.places import ModelPlace
from backend.models.states import load_state

if TYPE_CHECKING:
    import torch
    from torch import nn

FILE = "glint360k_curricular_face_r101_backbone.bin"
IR_101 = (64,) * 3 + (128,) * 13 + (256,) * 30 + (512,) * 3  # output channels of its 49 units (CurricularFace)
ALIGNED_PX = 224  # OpenS2V-Nexus, eval/get_facesim.py: cut at 224, then scaled to the model's 112
INPUT_PX = 112
BATCH = 32


class CurricularFace:
    """Unit vectors of 512 numbers."""

    model_id: str = "curricularface-ir-1"
    suggested: ClassVar[str] = "BestWishYsh/OpenS2V-Weight"
    published_gb: ClassVar[float] = 0.26  # 65 M parameters, float32
    licence: ClassVar[str] = "Apache-2.0 code; weights trained on Glint360K, for research only"
    batch: int = BATCH

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        path = _file(place)
        state = load_state(path)
        self._network = backbone(_widths(state, path), stem=state["input_layer.0.weight"].shape[0])
        try:
            self._network.load_state_dict(state)
        except RuntimeError as error:
            raise ModelUnavailable(f"{path} is no CurricularFace backbone of 112 px and 512 numbers: {error}") from error
        self._device, self._dtype = torch_device(device), torch_dtype(dtype)
        self._network.to(device=self._device, dtype=self._dtype).eval()
        self.model_id = place.model_id(type(self).model_id)

    def align(self, frame: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """uint8 `(112, 112, 3)`: the similarity that brings the five points to ArcFace's, black outside the frame."""
        from insightface.utils import face_align

        upright = face_align.norm_crop(frame, landmark=keypoints, image_size=ALIGNED_PX)
        return cv2.resize(upright, (INPUT_PX, INPUT_PX))

    def embed(self, faces: np.ndarray) -> np.ndarray:
        import torch

        found = []
        with torch.inference_mode():
            for start in range(0, len(faces), self.batch):
                x_NHWC = torch.from_numpy(faces[start : start + self.batch]).to(self._device)
                x_NCHW = x_NHWC.permute(0, 3, 1, 2).float().div(255).sub(0.5).div(0.5)
                found.append(self._network(x_NCHW.to(self._dtype)).float().cpu().numpy())
        vectors = np.concatenate(found)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def backbone(widths: Sequence[int], *, stem: int = 64, dimension: int = 512) -> "nn.Module":
    """The improved residual network (ArcFace, section 3.1) with the published names of its weights.

    `widths` are the output channels of the units; the first unit and each that changes the channels halve the picture.
    """
    from torch import nn

    before = (stem, *widths[:-1])
    sides = INPUT_PX >> sum(i == 0 or old != new for i, (old, new) in enumerate(zip(before, widths, strict=True)))
    layers = {
        "input_layer": nn.Sequential(nn.Conv2d(3, stem, 3, 1, 1, bias=False), nn.BatchNorm2d(stem), nn.PReLU(stem)),
        "body": nn.Sequential(
            *(
                _unit(old, new, 2 if i == 0 or old != new else 1)
                for i, (old, new) in enumerate(zip(before, widths, strict=True))
            )
        ),
        "output_layer": nn.Sequential(
            nn.BatchNorm2d(widths[-1]),
            nn.Dropout(0.4),
            nn.Flatten(),
            nn.Linear(widths[-1] * sides * sides, dimension),
            nn.BatchNorm1d(dimension, affine=False),
        ),
    }
    network = nn.Sequential()
    for name, layer in layers.items():
        network.add_module(name, layer)
    return network


def _unit(old: int, new: int, stride: int) -> "nn.Module":
    from torch import nn

    class Unit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shortcut_layer = (
                nn.MaxPool2d(1, stride)
                if old == new
                else nn.Sequential(nn.Conv2d(old, new, 1, stride, bias=False), nn.BatchNorm2d(new))
            )
            self.res_layer = nn.Sequential(
                nn.BatchNorm2d(old),
                nn.Conv2d(old, new, 3, 1, 1, bias=False),
                nn.BatchNorm2d(new),
                nn.PReLU(new),
                nn.Conv2d(new, new, 3, stride, 1, bias=False),
                nn.BatchNorm2d(new),
            )

        def forward(self, x_BCHW: "torch.Tensor") -> "torch.Tensor":
            return self.res_layer(x_BCHW) + self.shortcut_layer(x_BCHW)

    return Unit()


def _file(place: ModelPlace) -> Path:
    found = place.path()
    path = found / FILE if found.is_dir() else found
    if not path.is_file():
        raise ModelUnavailable(f"models.{place.role} = {place.location!r} holds no {FILE}; put it there")
    return path


def _widths(state: Mapping[str, "torch.Tensor"], path: Path) -> list[int]:
    widths = []
    while (weight := state.get(f"body.{len(widths)}.res_layer.4.weight")) is not None:
        widths.append(weight.shape[0])
    if not widths or "input_layer.0.weight" not in state:
        raise ModelUnavailable(f"{path} is no CurricularFace backbone: it has no body.0.res_layer.4.weight")
    return widths
