"""LaMa (Suvorov et al., WACV 2022) as the TorchScript file that it is commonly given out as."""

from typing import ClassVar

import numpy as np

from backend.domain import ModelUnavailable
from backend.models.devices import torch_device
from backend.models.places import ModelPlace
from backend.models.scripts import load_script

STRIDE = 8  # sides that the network halves three times


class Lama:
    """`big-lama.pt`: a picture and a hole in, the whole picture out. OpenS2V paints its backgrounds with it."""

    model_id: str = "lama"
    suggested: ClassVar[str] = "big-lama.pt (TorchScript), a file of 196 MB"
    published_gb: ClassVar[float] = 0.2
    licence: ClassVar[str] = "Apache-2.0"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Runs in float32 whatever `dtype` says: its Fourier units know no half precision on the CPU.

        Raises ModelUnavailable when the file is missing or no TorchScript.
        """
        path = place.path()
        self.network = load_script(path, device=device)
        import torch

        self._torch, self._device = torch, torch_device(device)
        self.model_id = place.model_id(type(self).model_id)

    def paint(self, frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """See `Inpainter.paint`. Sides are filled up to multiples of eight by mirroring, and cut off again."""
        torch = self._torch
        height, width = mask.shape
        grown = ((0, -height % STRIDE), (0, -width % STRIDE))
        picture = np.pad(frame, (*grown, (0, 0)), mode="symmetric")
        hole = np.pad(mask, grown, mode="symmetric")
        with torch.inference_mode():
            x = torch.from_numpy(picture).to(self._device).permute(2, 0, 1)[None].float() / 255
            m = torch.from_numpy(hole).to(self._device)[None, None].float()
            try:
                y = self.network(x, m)
            except RuntimeError as error:
                raise ModelUnavailable(f"{self.model_id} takes no picture with a mask: another network?") from error
        if y.shape != x.shape or not bool(torch.isfinite(y).all()):
            raise ModelUnavailable(
                f"{self.model_id} gave {tuple(y.shape)} with values that are no picture: another network?"
            )
        painted = (y[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().cpu().numpy()[:height, :width]
        return np.where(mask[..., None], painted, frame)
