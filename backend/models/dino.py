"""DINO, DINOv2 and DINOv3: three encoders whose cosines are three scales."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backend.domain import ModelUnavailable, Prep
from backend.models.devices import torch_device, torch_dtype, transformers_for
from backend.models.loading import loaded
from backend.models.pictures import IMAGENET_COLOURS, EvenImages, embedded
from backend.models.places import ModelPlace
from backend.models.states import load_state

if TYPE_CHECKING:
    import torch

EPS = 1e-6  # facebookresearch/dino, vision_transformer.py; the converted checkpoints' config.json says 1e-12
GRID_NUDGE = 0.1  # the same file adds it to the grid, "to avoid floating point error in the interpolation"
HEAD_WIDTH = 64  # of all DINO networks: 6 heads for 384, 12 for 768


class DinoV1(EvenImages):
    """DINO ViT-B/16, 768 numbers: VBench's subject consistency. Takes pictures of any shape.

    Read from facebook/dino-vitb16 or from the published `dino_vitbase16_pretrain.pth`.
    """

    model_id: str = "dino-v1-vit-b-16"
    suggested: ClassVar[str] = "facebook/dino-vitb16"
    published_gb: ClassVar[float] = 0.34  # 86 M parameters, float32
    licence: ClassVar[str] = "Apache-2.0"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing or do not fit."""
        path = place.path()
        library = transformers_for("DINO")
        if path.is_file():
            self._model = _from_state(library, path).to(device=torch_device(device), dtype=torch_dtype(dtype)).eval()
        else:
            self._model = _from_folder(library, path, "vit", place.role, device=device, dtype=dtype)
        self._model.embeddings.interpolate_pos_encoding = _Positions(self._model.embeddings)
        self.fills_batches = self._model.device.type != "cpu"
        self.model_id = place.model_id(type(self).model_id)

    def images(self, frames: Sequence[np.ndarray], prep: Prep) -> np.ndarray:
        return embedded(frames, prep, IMAGENET_COLOURS, self._forward, batch=self.batch)

    def _forward(self, x_BCHW: "torch.Tensor") -> "torch.Tensor":
        pixels = x_BCHW.to(self._model.device, self._model.dtype)
        return self._model(pixel_values=pixels, interpolate_pos_encoding=True).last_hidden_state[:, 0]


class DinoV2(EvenImages):
    """DINOv2, the normalised class token: Phantom-Data's DINO. The papers name no size; ViT-B/14 is the default."""

    model_id: str = "dino-v2"
    suggested: ClassVar[str] = "facebook/dinov2-base"
    published_gb: ClassVar[float] = 0.35  # 87 M parameters, float32
    licence: ClassVar[str] = "Apache-2.0"
    kind: ClassVar[str] = "dinov2"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing or do not fit."""
        library = transformers_for("DINO")
        self._model = _from_folder(library, place.path(), self.kind, place.role, device=device, dtype=dtype)
        self.fills_batches = self._model.device.type != "cpu"
        self.model_id = place.model_id(type(self).model_id)

    def images(self, frames: Sequence[np.ndarray], prep: Prep) -> np.ndarray:
        return embedded(frames, prep, IMAGENET_COLOURS, self._forward, batch=self.batch)

    def _forward(self, x_BCHW: "torch.Tensor") -> "torch.Tensor":
        return self._model(pixel_values=x_BCHW.to(self._model.device, self._model.dtype)).pooler_output


class DinoV3(DinoV2):
    """DINOv3, the normalised class token: Gloria's DINO-I."""

    model_id: str = "dino-v3"
    suggested: ClassVar[str] = "facebook/dinov3-vitb16-pretrain-lvd1689m"
    published_gb: ClassVar[float] = 0.34  # 86 M parameters, float32
    licence: ClassVar[str] = "DINOv3 License (Meta)"
    kind: ClassVar[str] = "dinov3_vit"


class _Positions:
    """Position embeddings as DINO's own code stretches them: by a scale factor, not to a size.

    transformers' differ by up to 1e-2 on a grid that is not square.
    """

    def __init__(self, embeddings: Any) -> None:
        self._embeddings = embeddings

    def __call__(self, tokens: "torch.Tensor", height: int, width: int) -> "torch.Tensor":
        import torch

        positions_1ND, patch = self._embeddings.position_embeddings, self._embeddings.patch_size
        patch_rows, patch_columns = (patch, patch) if isinstance(patch, int) else patch
        num = positions_1ND.shape[1] - 1
        if tokens.shape[1] - 1 == num and height == width:
            return positions_1ND
        side = int(math.sqrt(num))
        grid_1DHW = positions_1ND[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
        factors = tuple((n + GRID_NUDGE) / math.sqrt(num) for n in (height // patch_rows, width // patch_columns))
        grid_1DHW = torch.nn.functional.interpolate(grid_1DHW, scale_factor=factors, mode="bicubic")
        return torch.cat((positions_1ND[:, :1], grid_1DHW.flatten(2).transpose(1, 2)), dim=1)


def _from_folder(library: Any, folder: Path, kind: str, role: str, *, device: str, dtype: str) -> Any:
    try:
        config = library.AutoConfig.from_pretrained(folder, local_files_only=True)
        if config.model_type != kind:
            raise ModelUnavailable(f"{folder} holds a {config.model_type} model; {role} needs {kind} weights")
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnavailable(f"{folder} cannot be loaded as {kind}: {error}") from error
    if kind != "vit":
        return loaded(library.AutoModel, folder, what=kind, device=device, dtype=dtype)
    config.layer_norm_eps = EPS
    more = {"config": config, "add_pooling_layer": False}
    return loaded(library.ViTModel, folder, what=kind, device=device, dtype=dtype, **more)


def _from_state(library: Any, path: Path) -> Any:
    """DINO's published file, its keys renamed; sizes are read from the shapes."""
    state = load_state(path)
    try:
        width, _, patch, _ = state["patch_embed.proj.weight"].shape
        config = library.ViTConfig(
            hidden_size=width,
            num_hidden_layers=1 + max(int(key.split(".")[1]) for key in state if key.startswith("blocks.")),
            num_attention_heads=width // HEAD_WIDTH,
            intermediate_size=state["blocks.0.mlp.fc1.weight"].shape[0],
            patch_size=patch,
            image_size=patch * math.isqrt(state["pos_embed"].shape[1] - 1),
            layer_norm_eps=EPS,
            qkv_bias=True,
        )
        model = library.ViTModel(config, add_pooling_layer=False)
        model.load_state_dict(renamed(state))
    except (KeyError, ValueError, RuntimeError) as error:
        raise ModelUnavailable(f"{path} is no DINO backbone: {error}") from error
    return model


def renamed(state: "Mapping[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """DINO's published keys as transformers' ViTModel names them. Raises KeyError for an unknown one."""
    outer = {
        "cls_token": "embeddings.cls_token",
        "pos_embed": "embeddings.position_embeddings",
        "patch_embed.proj": "embeddings.patch_embeddings.projection",
        "norm": "layernorm",
    }
    inner = {
        "norm1": "layernorm_before",
        "norm2": "layernorm_after",
        "attn.proj": "attention.o_proj",
        "mlp.fc1": "mlp.fc1",
        "mlp.fc2": "mlp.fc2",
    }
    found = {}
    for key, tensor in state.items():
        stem, _, last = key.rpartition(".")
        block = re.fullmatch(r"blocks\.(\d+)\.(.+)", stem)
        if block is None:
            found[outer[key] if key in outer else f"{outer[stem]}.{last}"] = tensor
        elif block[2] == "attn.qkv":
            for name, part in zip("qkv", tensor.chunk(3), strict=True):
                found[f"layers.{block[1]}.attention.{name}_proj.{last}"] = part
        else:
            found[f"layers.{block[1]}.{inner[block[2]]}.{last}"] = tensor
    return found
