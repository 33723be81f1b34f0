"""Inception-v3 features of 2048 numbers for FID, from the weights of pytorch-fid or of torchvision."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backend.domain import ModelUnavailable
from backend.models.devices import torch_device, torch_dtype
from backend.models.places import ModelPlace
from backend.models.states import load_state

if TYPE_CHECKING:
    import torch
    from torch import nn

FILES = ("pt_inception-2015-12-05-6726825d.pth", "inception_v3_google-0cc3c7bd.pth")
"""The port of TensorFlow's network of 2015, on which FID is defined (pytorch-fid), and torchvision's."""
FID_CLASSES = 1008  # of the network of 2015; torchvision's has 1000
SIDE = 299
BATCH = 16
AVERAGED = ("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7b")
"""Blocks of the network of 2015 whose mean leaves the border out; Mixed_7c takes the maximum instead (pytorch-fid)."""


class InceptionFeatures:
    """The pooled activations before the classifier, float32 `(N, 2048)`.

    Frames are resized to 299 x 299 without antialiasing and scaled to [-1, 1], as pytorch-fid does. The file decides the
    network: FID of torchvision's weights is another scale, which the model id tells.
    """

    model_id: str = "inception-v3-1"
    suggested: ClassVar[str] = FILES[0]
    published_gb: ClassVar[float] = 0.096
    licence: ClassVar[str] = "Apache-2.0 (TensorFlow's weights), BSD-3-Clause (torchvision's)"
    batch: int = BATCH

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        path = _file(place)
        state = load_state(path)
        try:
            self._network: Any = network(state)
        except (RuntimeError, KeyError) as error:
            raise ModelUnavailable(f"{path} is no Inception-v3: {error}") from error
        self._device, self._dtype = torch_device(device), torch_dtype(dtype)
        self._network.to(device=self._device, dtype=self._dtype)
        self.model_id = place.model_id(type(self).model_id)

    def features(self, frames: np.ndarray) -> np.ndarray:
        import torch

        found = []
        with torch.inference_mode():
            for start in range(0, len(frames), self.batch):
                x_NHWC = torch.from_numpy(frames[start : start + self.batch]).to(self._device)
                x_NCHW = x_NHWC.permute(0, 3, 1, 2).float() / 255
                x_NCHW = torch.nn.functional.interpolate(x_NCHW, (SIDE, SIDE), mode="bilinear", align_corners=False)
                found.append(self._network((2 * x_NCHW - 1).to(self._dtype)).float().cpu().numpy())
        return np.concatenate(found)


def network(state: "Mapping[str, torch.Tensor]") -> "nn.Module":
    """The network that a state dict is of, without its classifier. Raises KeyError or RuntimeError for another one's."""
    from torch import nn
    from torchvision.models import inception_v3

    classes = state["fc.weight"].shape[0]
    has_auxiliary = any(name.startswith("AuxLogits") for name in state)
    found: Any = inception_v3(weights=None, init_weights=False, num_classes=classes, aux_logits=has_auxiliary)
    found.load_state_dict(state)
    if classes == FID_CLASSES:
        for name in AVERAGED:
            setattr(found, name, pooled_otherwise(getattr(found, name), "mean"))
        found.Mixed_7c = pooled_otherwise(found.Mixed_7c, "max")
    found.fc = nn.Identity()
    return found.eval()


def pooled_otherwise(block: Any, how: str) -> "nn.Module":
    """An Inception block whose pooling branch, its last, pools 3 x 3 by the mean without the border or the maximum."""
    import torch
    from torch import nn

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = block

        def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
            branches = self.block._forward(x_BCHW)
            if how == "max":
                pooled = nn.functional.max_pool2d(x_BCHW, 3, 1, 1)
            else:
                pooled = nn.functional.avg_pool2d(x_BCHW, 3, 1, 1, count_include_pad=False)
            return torch.cat([*branches[:-1], self.block.branch_pool(pooled)], 1)

    return Pooled()


def _file(place: ModelPlace) -> Path:
    found = place.path()
    path = next((found / name for name in FILES if (found / name).is_file()), None) if found.is_dir() else found
    if path is None:
        raise ModelUnavailable(f"models.{place.role} = {place.location!r} holds neither {' nor '.join(FILES)}")
    return path
