"""Features of whole clips for FVD: I3D's logits from its TorchScript file, or VideoMAE from a transformers folder."""

from typing import Any, ClassVar

import numpy as np

from backend.domain import ModelUnavailable
from backend.models.borders import border
from backend.models.devices import torch_device, torch_dtype, transformers_for
from backend.models.loading import loaded
from backend.models.places import ModelPlace
from backend.models.scripts import load_script

I3D_FILE = "i3d_torchscript.pt"
I3D_FRAMES = 16  # the clip length that FVD is reported for; the network itself takes 9 and more
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH = 4


class I3d:
    """400 Kinetics logits, float32 `(N, 400)`, from the TorchScript file that StyleGAN-V published.

    The script resizes to 224 x 224 and scales to [-1, 1] itself, and is asked for what stands before its softmax.
    """

    model_id: str = "i3d-kinetics400-1"
    suggested: ClassVar[str] = I3D_FILE
    published_gb: ClassVar[float] = 0.051
    licence: ClassVar[str] = "Apache-2.0"
    batch: int = BATCH
    clip_frames: int = I3D_FRAMES

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        found = place.path()
        path = found / I3D_FILE if found.is_dir() else found
        if not path.is_file():
            raise ModelUnavailable(f"models.{place.role} = {place.location!r} holds no {I3D_FILE}; put it there")
        self._script: Any = load_script(path, device=device)
        self._device = torch_device(device)
        self.model_id = place.model_id(type(self).model_id)

    def features(self, clips: np.ndarray) -> np.ndarray:
        import torch

        found = []
        with torch.inference_mode():
            for start in range(0, len(clips), self.batch):
                border()
                x_NTHWC = torch.from_numpy(clips[start : start + self.batch]).to(self._device)
                x_NCTHW = x_NTHWC.permute(0, 4, 1, 2, 3).float().contiguous()
                found.append(self._script(x_NCTHW, rescale=True, resize=True, return_features=True).float().cpu().numpy())
        return np.concatenate(found)


class VideoMae:
    """What VideoMAE's classifier is given, float32 `(N, D)`, from a fine-tuned checkpoint.

    Frames are resized to the model's square, without antialiasing, and normalised as ImageNet's.
    """

    model_id: str = "videomae-1"
    suggested: ClassVar[str] = "MCG-NJU/videomae-base-finetuned-kinetics"
    published_gb: ClassVar[float] = 0.35  # 87 M parameters, float32
    licence: ClassVar[str] = "CC BY-NC 4.0"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        folder = place.path()
        kind = transformers_for("video features").VideoMAEForVideoClassification
        self._network = loaded(kind, folder, what="VideoMAE fine-tuned for classification", device=device, dtype=dtype)
        self._device, self._dtype = torch_device(device), torch_dtype(dtype)
        self.clip_frames: int = self._network.config.num_frames
        self.model_id = place.model_id(type(self).model_id)

    def features(self, clips: np.ndarray) -> np.ndarray:
        import torch

        side = self._network.config.image_size
        mean = torch.tensor(IMAGENET_MEAN, device=self._device)[:, None, None]
        std = torch.tensor(IMAGENET_STD, device=self._device)[:, None, None]
        found = []
        with torch.inference_mode():
            for clip in clips:
                x_TCHW = torch.from_numpy(clip).to(self._device).permute(0, 3, 1, 2).float() / 255
                x_TCHW = torch.nn.functional.interpolate(x_TCHW, (side, side), mode="bilinear", align_corners=False)
                tokens = self._network.videomae(((x_TCHW - mean) / std).to(self._dtype)[None])[0]
                norm = self._network.fc_norm
                pooled = tokens[:, 0] if norm is None else norm(tokens.mean(1))
                found.append(pooled.float().cpu().numpy())
        return np.concatenate(found)
