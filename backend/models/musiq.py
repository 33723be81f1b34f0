"""MUSIQ trained on SPAQ: the technical quality of one frame."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from backend.domain import ModelUnavailable
from backend.models.devices import torch_device, torch_dtype
from backend.models.places import ModelPlace
from backend.models.states import load_state

if TYPE_CHECKING:
    import torch

FILE = "musiq_spaq_ckpt-358bb6af.pth"


class Musiq:
    """VBench's imaging quality, about 0 to 100."""

    model_id: str = "musiq-spaq"
    suggested: ClassVar[str] = "OpenGVLab/VBench_Used_Models"
    published_gb: ClassVar[float] = 0.11  # 27 M parameters, float32
    licence: ClassVar[str] = "Apache-2.0 (google-research); the converted file comes with pyiqa, for non-commercial use"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing or do not fit."""
        path = place.path()
        path = path / FILE if path.is_dir() else path
        if not path.exists():
            raise ModelUnavailable(f"{path} does not exist; set models.{place.role} to {FILE} or to its folder")
        state = load_state(path)
        from backend.models.musiq_network import MusiqNetwork, Sizes

        try:
            network = MusiqNetwork(Sizes.of(state))
            network.load_state_dict(state)
        except (KeyError, RuntimeError, ValueError) as error:
            raise ModelUnavailable(f"{path} is no MUSIQ with one output: {error}") from error
        self._device, self._dtype = torch_device(device), torch_dtype(dtype)
        self._network = network.to(device=self._device, dtype=self._dtype).eval()
        self.model_id = place.model_id(type(self).model_id)

    def quality(self, frame: np.ndarray, *, longest_px: int | None) -> float:
        import torch

        with torch.inference_mode():
            x_1CHW = torch.from_numpy(frame)[None].permute(0, 3, 1, 2).float()
            x_1CHW = _shrunk(x_1CHW, longest_px) / 255
            return float(self._network(x_1CHW.to(self._device, self._dtype))[0])


def _shrunk(x_1CHW: "torch.Tensor", longest_px: int | None) -> "torch.Tensor":
    """As VBench: sides truncated, bilinear without smoothing; smaller frames as they are."""
    height, width = x_1CHW.shape[-2:]
    if longest_px is None or max(height, width) <= longest_px:
        return x_1CHW
    from torchvision.transforms.functional import resize

    scale = longest_px / max(height, width)
    return resize(x_1CHW, [int(scale * height), int(scale * width)], antialias=False)
