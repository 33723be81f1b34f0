"""AMT-S: the frame halfway between two."""

from typing import ClassVar

import numpy as np

from backend.domain import MediaError, ModelUnavailable
from backend.models.devices import torch_device, torch_dtype
from backend.models.places import ModelPlace
from backend.models.states import load_state

FILE = "amt-s.pth"
LEAST_PX = 128  # below, the coarsest of four correlation scales is one value wide


class AmtS:
    """What VBench's motion smoothness compares odd frames with. 2.99 million parameters."""

    model_id: str = "amt-s"
    suggested: ClassVar[str] = "lalala125/AMT"
    published_gb: ClassVar[float] = 0.012  # 3 M parameters, float32
    licence: ClassVar[str] = "CC BY-NC 4.0 weights"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing or do not fit."""
        path = place.path()
        path = path / FILE if path.is_dir() else path
        if not path.exists():
            raise ModelUnavailable(f"{path} does not exist; set models.{place.role} to {FILE} or to its folder")
        state = load_state(path)
        from backend.models.amt_network import AmtNetwork

        network = AmtNetwork()
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise ModelUnavailable(f"{path} is no AMT-S: {error}") from error
        self._device, self._dtype = torch_device(device), torch_dtype(dtype)
        self._network = network.to(device=self._device, dtype=self._dtype).eval()
        self.model_id = place.model_id(type(self).model_id)

    def between(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Sides are filled up to multiples of 16 with their border; values are truncated, as VBench does.

        Raises MediaError for frames smaller than LEAST_PX.
        """
        import torch
        from torch.nn import functional as F

        from backend.models.amt_network import MULTIPLE

        height, width = before.shape[:2]
        down, across = -height % MULTIPLE, -width % MULTIPLE
        if min(height + down, width + across) < LEAST_PX:
            raise MediaError(
                f"frames of {width} x {height} px are too small for AMT-S; it needs {LEAST_PX}", kind="too_small"
            )
        pads = (across // 2, across - across // 2, down // 2, down - down // 2)
        with torch.inference_mode():
            pair = torch.from_numpy(np.stack((before, after))).to(self._device).permute(0, 3, 1, 2).to(self._dtype) / 255
            pair = F.pad(pair, pads, mode="replicate")
            x_3HW = self._network(pair[:1], pair[1:])[0].float() * 255
        x_3HW = x_3HW[:, pads[2] : pads[2] + height, pads[0] : pads[0] + width]
        return x_3HW.permute(1, 2, 0).clamp(0, 255).to(torch.uint8).cpu().numpy()
