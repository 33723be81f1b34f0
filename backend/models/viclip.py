"""ViCLIP-L/14: videos of eight frames and texts of 32 tokens in one space."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from backend.domain import ModelUnavailable, Prep
from backend.models.devices import torch_device, torch_dtype
from backend.models.pictures import CLIP_COLOURS, prepared, unit
from backend.models.places import ModelPlace
from backend.models.states import load_state

FILE = "ViClip-InternVid-10M-FLT.pth"


class ViClip:
    """768 numbers: VBench's overall consistency, Kaleido's ViCLIP score."""

    model_id: str = "viclip-l-14"
    suggested: ClassVar[str] = "OpenGVLab/VBench_Used_Models"
    published_gb: ClassVar[float] = 1.7  # 430 M parameters, float32
    licence: ClassVar[str] = "Apache-2.0 code; weights CC BY-NC-SA 4.0"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing or do not fit."""
        path = place.path()
        path = path / FILE if path.is_dir() else path
        if not path.exists():
            raise ModelUnavailable(f"{path} does not exist; set models.{place.role} to {FILE} or to its folder")
        state = load_state(path)
        try:
            from open_clip.tokenizer import SimpleTokenizer

            from backend.models.viclip_network import Sizes, ViClipNetwork
        except ImportError as error:
            raise ModelUnavailable("ViCLIP needs the extra: pip install 'subject-studio[models]'") from error
        try:
            sizes = Sizes.of(state)
            network = ViClipNetwork(sizes)
            network.load_state_dict(state)
        except (KeyError, RuntimeError, ValueError) as error:
            raise ModelUnavailable(f"{path} is no ViCLIP: {error}") from error
        self.num_frames = sizes.num_frames
        self._tokenizer = SimpleTokenizer(context_length=sizes.context)  # CLIP's vocabulary, shipped by open_clip
        self._context = sizes.context
        self._device, self._dtype = torch_device(device), torch_dtype(dtype)
        self._network = network.to(device=self._device, dtype=self._dtype).eval()
        self.model_id = place.model_id(type(self).model_id)

    def video(self, frames: Sequence[np.ndarray], prep: Prep) -> np.ndarray:
        import torch

        if len(frames) != self.num_frames:
            raise ValueError(f"ViCLIP takes {self.num_frames} frames and got {len(frames)}")
        with torch.inference_mode():
            x_TCHW = torch.cat([prepared(frame, prep, CLIP_COLOURS) for frame in frames])
            x_1CTHW = x_TCHW.transpose(0, 1)[None].to(self._device, self._dtype)
            return unit(self._network.vision_encoder(x_1CTHW))[0]

    def texts(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        import torch

        lengths = [len(self._tokenizer.encode(text)) + 2 for text in texts]  # start and end are added
        with torch.inference_mode():
            features = self._network.text_encoder(self._tokenizer(list(texts)).to(self._device))
        return unit(features), np.array(lengths) > self._context
