"""SyncNet: do lips follow the sound? Our own module under the names of `syncnet_v2.model`'s weights."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from backend.domain import Absent, ModelUnavailable
from backend.measures.lips import MAX_SHIFT, SAMPLES_PER_FRAME, WINDOW
from backend.models.devices import torch_device, torch_dtype
from backend.models.mfcc import mfcc
from backend.models.places import ModelPlace
from backend.models.states import load_state

if TYPE_CHECKING:
    from torch import nn

FILE = "syncnet_v2.model"
BATCH = 20


class SyncNet:
    """Distances of lips and sound in the common space of 1024 numbers."""

    model_id: str = "syncnet-1"
    least_confidence: ClassVar[float] = 3.0  # research default; syncnet_python's talking faces reach 5 to 10
    suggested: ClassVar[str] = FILE
    published_gb: ClassVar[float] = 0.055
    licence: ClassVar[str] = "MIT code; weights trained on VoxCeleb and BBC footage, for research only"
    batch: int = BATCH

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        path = _file(place)
        state = load_state(path)
        self._network = network()
        try:
            self._network.load_state_dict(state)
        except RuntimeError as error:
            raise ModelUnavailable(f"{path} is no SyncNet: {error}") from error
        self._device, self._dtype = torch_device(device), torch_dtype(dtype)
        self._network.to(device=self._device, dtype=self._dtype).eval()
        self.model_id = place.model_id(type(self).model_id)

    def distances(self, crops: np.ndarray, samples: np.ndarray) -> np.ndarray | Absent:
        """Distances float32 `(n, 31)`, n = min(frames, samples // 640) - 5.

        As upstream, sound beyond either end is the zero vector, and 1e-6 is added to every difference.
        """
        import torch

        num = min(len(crops), len(samples) // SAMPLES_PER_FRAME) - WINDOW
        if num < 1:
            return Absent(f"not applicable: {len(crops)} frames with sound are too few; {WINDOW + 1} are needed")
        with torch.inference_mode():
            lips_ND, sound_ND = self._lips(crops, num), self._sound(samples, num)
            padded_ND = torch.nn.functional.pad(sound_ND, (0, 0, MAX_SHIFT, MAX_SHIFT))
            columns = [
                torch.nn.functional.pairwise_distance(lips_ND, padded_ND[shift : shift + num], eps=1e-6)
                for shift in range(2 * MAX_SHIFT + 1)
            ]
        return torch.stack(columns, 1).cpu().numpy()

    def _lips(self, crops: np.ndarray, num: int):
        """Windows share frames: the first layer alone looks across time, so a run of frames gives a run of windows."""
        import torch

        found = []
        for start in range(0, num, self.batch):
            bgr = np.ascontiguousarray(crops[start : min(start + self.batch, num) + WINDOW - 1, ..., ::-1])
            x_TCHW = torch.from_numpy(bgr).permute(0, 3, 1, 2).to(device=self._device, dtype=self._dtype)
            maps_CT = self._network.get_submodule("netcnnlip")(x_TCHW.transpose(0, 1)[None])[0, :, :, 0, 0]
            found.append(self._network.get_submodule("netfclip")(maps_CT.T).float())
        return torch.cat(found)

    def _sound(self, samples: np.ndarray, num: int):
        import torch

        cepstra_TC = torch.from_numpy(mfcc(samples)).to(device=self._device, dtype=self._dtype)
        found = []
        for start in range(0, num, self.batch):
            windows = [cepstra_TC[4 * i : 4 * i + 4 * WINDOW].T[None] for i in range(start, min(start + self.batch, num))]
            maps_NC = self._network.get_submodule("netcnnaud")(torch.stack(windows)).flatten(1)
            found.append(self._network.get_submodule("netfcaud")(maps_NC).float())
        return torch.cat(found)


def network() -> "nn.Module":
    """Two towers, `netcnnaud` for cepstra `(N, 1, 13, 20)` and `netcnnlip` for BGR frames `(N, 3, T, 224, 224)` in
    [0, 255], with a head each, `netfcaud` and `netfclip` (Chung and Zisserman, Out of time, 2016)."""
    from torch import nn

    def heard(old: int, new: int, kernel: tuple[int, int] = (3, 3), padding: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(old, new, kernel, padding=padding), nn.BatchNorm2d(new), nn.ReLU()]

    def seen(old: int, new: int, kernel: tuple[int, int, int], stride: int = 1, padding: int = 0) -> list[nn.Module]:
        steps, edges = (1, stride, stride), (0, padding, padding)
        return [nn.Conv3d(old, new, kernel, steps, edges), nn.BatchNorm3d(new), nn.ReLU()]

    def head() -> nn.Module:
        return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1024))

    sound = [*heard(1, 64), nn.MaxPool2d(1, 1), *heard(64, 192), nn.MaxPool2d(3, (1, 2)), *heard(192, 384)]
    sound += [*heard(384, 256), *heard(256, 256), nn.MaxPool2d(3, 2), *heard(256, 512, (5, 4), 0)]
    lips = [*seen(3, 96, (5, 7, 7), 2), nn.MaxPool3d((1, 3, 3), (1, 2, 2))]
    lips += [*seen(96, 256, (1, 5, 5), 2, 1), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))]
    lips += [*seen(256, 256, (1, 3, 3), 1, 1), *seen(256, 256, (1, 3, 3), 1, 1), *seen(256, 256, (1, 3, 3), 1, 1)]
    lips += [nn.MaxPool3d((1, 3, 3), (1, 2, 2)), *seen(256, 512, (1, 6, 6))]
    return nn.ModuleDict(
        {"netcnnaud": nn.Sequential(*sound), "netfcaud": head(), "netfclip": head(), "netcnnlip": nn.Sequential(*lips)}
    )


def _file(place: ModelPlace) -> Path:
    found = place.path()
    path = found / FILE if found.is_dir() else found
    if not path.is_file():
        raise ModelUnavailable(f"models.{place.role} = {place.location!r} holds no {FILE}; put it there")
    return path
