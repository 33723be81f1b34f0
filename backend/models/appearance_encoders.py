"""Appearance vectors by learned encoders: a fine-tuned open_clip checkpoint, DINOv2 or v3, any of them projected.

Each sees the cut-out on white, padded to a square: surroundings do not speak for an identity, and nothing is stretched.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from PIL import Image

from backend.domain import Absent, Box, Embedder, ModelUnavailable
from backend.geometry import boxes
from backend.measures.projection import FittedProjection, project
from backend.models.classical_embedder import ClassicalAppearance
from backend.models.crop_embedders import CropEmbedding, DinoCrops, Seen
from backend.models.devices import torch_device, torch_dtype
from backend.models.dino import DinoV2, DinoV3
from backend.models.pictures import CLIP_COLOURS, Colours, evenly, unit
from backend.models.places import ModelPlace
from backend.models.states import load_state

if TYPE_CHECKING:
    import torch

MIN_MASK_PX = 256
"""Pixels of a mask under which an encoder would see more of the padding's edge than of the subject."""
CONFIG, PROJECTION, FACTS = "open_clip_config.json", "projection.npz", "projection.json"
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
PUBLISHED = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")


class OpenClipAppearance(CropEmbedding):
    """The vision tower of an open_clip checkpoint: Phantom-Data's encoder, fine-tuned for instances.

    A folder with `open_clip_config.json` and one file of weights, in one of three layouts: a whole model, a training
    checkpoint (`state_dict`, keys with `module.`), or a tower with a head (`backbone.*`, `fc1.*`) as the winners of
    Google's Universal Image Embedding challenge published theirs, whose vector is the head's 64 numbers.
    """

    model_id: str = "open-clip-appearance"
    space: ClassVar[str] = "appearance"
    suggested: ClassVar[str] = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"  # the base of the instance-tuned ones
    published_gb: ClassVar[float] = 3.9  # 986 M parameters, float32
    licence: ClassVar[str] = "of its weights; open_clip is MIT"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing, or the weights do not fit the configuration."""
        folder = place.path()
        model = _tower(folder)
        state = _plain(load_state(_weights_file(folder)))
        self._head = _loaded(model, state, folder)
        self._device, self._dtype = torch_device(device), torch_dtype(dtype)
        self.fills_batches = self._device.type != "cpu"
        self._tower = model.to(device=self._device, dtype=self._dtype).eval()
        size = model.image_size
        self._side = int(size[0] if isinstance(size, (tuple, list)) else size)
        self._colours = Colours(*(_colours(model, key, default) for key, default in _COLOURS))
        self.model_id = place.model_id(type(self).model_id)

    @staticmethod
    def cut(frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        return cut_on_white(frame, mask, box)

    def vectors(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        side = (self._side, self._side)
        pictures = [np.array(Image.fromarray(crop).resize(side, Image.Resampling.BICUBIC)) for crop in crops]
        return evenly(pictures, self._embedded, batch=self.batch, filled=self.fills_batches)

    def _embedded(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """float32 `(N, D)` of pictures uint8 `(side, side, 3)`, in one pass."""
        import torch

        x_BCHW = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
        mean, deviation = (torch.tensor(part).view(1, 3, 1, 1) for part in (self._colours.mean, self._colours.deviation))
        with torch.inference_mode():
            features = self._tower(((x_BCHW - mean) / deviation).to(self._device, self._dtype)).float()
            if self._head is not None:
                weight, bias = (None if part is None else part.to(self._device) for part in self._head)
                features = torch.nn.functional.linear(features, cast(Any, weight), bias)
        return unit(features)


class DinoV2Appearance(DinoCrops):
    """DINOv2's class token of the cut-out."""

    model_id: str = "dino-v2-appearance"
    space: ClassVar[str] = "appearance"
    suggested: ClassVar[str] = DinoV2.suggested
    published_gb: ClassVar[float] = DinoV2.published_gb
    licence: ClassVar[str] = DinoV2.licence
    encoder: ClassVar[type] = DinoV2

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when weights or library are missing or do not fit."""
        self._encoder = type(self).encoder(place, device=device, dtype=dtype)
        self.model_id = place.model_id(type(self).model_id)

    @staticmethod
    def cut(frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        return cut_on_white(frame, mask, box)


class DinoV3Appearance(DinoV2Appearance):
    """DINOv3's class token of the cut-out."""

    model_id: str = "dino-v3-appearance"
    suggested: ClassVar[str] = DinoV3.suggested
    published_gb: ClassVar[float] = DinoV3.published_gb
    licence: ClassVar[str] = DinoV3.licence
    encoder: ClassVar[type] = DinoV3


class ProjectedAppearance(CropEmbedding):
    """Another AppearanceEmbedder's vectors after a map that was fitted to people's verdicts (`write_projection`)."""

    model_id: str = "projected-appearance"
    space: ClassVar[str] = "appearance"
    suggested: ClassVar[str] = ""
    published_gb: ClassVar[float] = 0.0
    licence: ClassVar[str] = "of its base"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when the map cannot be read, or its base is not the one it was fitted to."""
        folder = place.path()
        facts, self._matrix = _read_projection(folder)
        self._base: Any = _base(facts, folder, device=device, dtype=dtype)
        if self._base.model_id != facts["base_model_id"]:
            raise ModelUnavailable(
                f"{folder} was fitted to vectors of {facts['base_model_id']}, and its base is {self._base.model_id}; fit it again"
            )
        self.takes_crops = getattr(self._base, "takes_crops", False)
        self.model_id = place.model_id(type(self).model_id)

    @staticmethod
    def cut(frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        """As every base that takes crops cuts them."""
        return cut_on_white(frame, mask, box)

    def vectors(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        self._base.batch = self.batch  # which goes down where memory runs out
        return np.stack([self._projected(vector) for vector in self._base.embed_crops(crops)])

    def embed_all(self, views: Sequence[Seen]) -> list[np.ndarray | Absent]:
        if self.takes_crops:
            return CropEmbedding.embed_all(self, views)
        found = [self._base.embed(*view) for view in views]
        return [vector if isinstance(vector, Absent) else self._projected(vector) for vector in found]

    def _projected(self, vector: np.ndarray) -> np.ndarray:
        if vector.shape != self._matrix.shape[1:]:
            raise ModelUnavailable(
                f"the base gives {vector.size} numbers, the map takes {self._matrix.shape[1]}; fit it again"
            )
        return project(vector, self._matrix)


def write_projection(
    folder: Path, fitted: FittedProjection, *, implementation: str, location: str, base_model_id: str
) -> None:
    """Writes a kept map as `ProjectedAppearance` reads it; `implementation` and `location` are its base's.

    Raises ValueError for a map that was refused.
    """
    if not fitted.kept:
        raise ValueError(f"a refused map is not written ({fitted.reason})")
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / PROJECTION, matrix=fitted.matrix)
    figures = {name: getattr(fitted, name) for name in ("num_same", "num_different", "num_components")}
    figures |= {"precision_before": fitted.precision_before, "precision_after": fitted.precision_after}
    about = {"implementation": implementation, "location": location, "base_model_id": base_model_id, **figures}
    (folder / FACTS).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def cut_on_white(frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
    """The masked pixels of the box on white, padded to a square: uint8 `(S, S, 3)`."""
    x0, y0, x1, y1 = boxes.to_pixels(box, frame.shape[1], frame.shape[0])
    inside = mask[y0:y1, x0:x1]
    if int(inside.sum()) < MIN_MASK_PX:
        return Absent(f"the mask holds {int(inside.sum())} px, needs {MIN_MASK_PX}")
    side = max(y1 - y0, x1 - x0)
    square = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - (y1 - y0)) // 2, (side - (x1 - x0)) // 2
    square[top : top + y1 - y0, left : left + x1 - x0][inside] = frame[y0:y1, x0:x1][inside]
    return square


_COLOURS = (("mean", CLIP_COLOURS.mean), ("std", CLIP_COLOURS.deviation))


def _tower(folder: Path) -> Any:
    """The untrained vision tower of a folder's configuration."""
    if not (folder / CONFIG).is_file():
        raise ModelUnavailable(f"{folder} has no {CONFIG}; write one that names the architecture of the weights")
    try:
        import open_clip
    except ImportError as error:
        raise ModelUnavailable("open_clip needs the extra: pip install 'subject-studio[models]'") from error
    library: Any = open_clip
    try:
        return library.create_model(f"local-dir:{folder}", load_weights=False, pretrained_text=False).visual
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailable(f"{folder / CONFIG} names no architecture of open_clip: {error}") from error


def _weights_file(folder: Path) -> Path:
    """The open_clip file by its published name (hubs keep transformers' beside it), else the only one."""
    for name in PUBLISHED:
        if (folder / name).is_file():
            return folder / name
    found = sorted(path for path in folder.iterdir() if path.suffix in WEIGHTS)
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ModelUnavailable(f"{folder} holds {len(found)} files of weights ({names}); leave the one to load")
    return found[0]


def _plain(state: "Mapping[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """Keys without the `module.` that distributed training puts before them."""
    return {key.removeprefix("module."): tensor for key, tensor in state.items()}


def _loaded(
    tower: Any, state: "Mapping[str, torch.Tensor]", folder: Path
) -> "tuple[torch.Tensor, torch.Tensor | None] | None":
    """Fills the tower; gives weight and bias of the head where there is one."""
    prefix = next((p for p in ("backbone.", "visual.") if any(key.startswith(p) for key in state)), None)
    if prefix is None:
        first = next(iter(state), "nothing")
        raise ModelUnavailable(f"{folder} holds no vision tower: its weights begin with {first}, not visual. or backbone.")
    try:
        tower.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    except RuntimeError as error:
        problem = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise ModelUnavailable(f"{folder}: weights and {CONFIG} are of different architectures: {problem[:200]}") from error
    weight = state.get("fc1.weight")
    return None if weight is None else (weight.float(), None if "fc1.bias" not in state else state["fc1.bias"].float())


def _colours(tower: Any, key: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
    values = (getattr(tower, "preprocess_cfg", None) or {}).get(key) or default
    return cast(tuple[float, float, float], tuple(float(value) for value in values))


def _read_projection(folder: Path) -> tuple[dict[str, Any], np.ndarray]:
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        with np.load(folder / PROJECTION, allow_pickle=False) as stored:
            matrix = np.asarray(stored["matrix"], np.float32)
        complete = isinstance(facts, dict) and {"implementation", "location", "base_model_id"} <= facts.keys()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelUnavailable(f"{folder} holds no projection that can be read ({error}); fit it again") from error
    if not complete or matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise ModelUnavailable(f"{folder} holds a projection of shape {matrix.shape}; fit it again")
    return facts, matrix


def _base(facts: Mapping[str, Any], folder: Path, *, device: str, dtype: str) -> Embedder:
    made = BASES.get(facts["implementation"])
    if made is None:
        raise ModelUnavailable(
            f"{folder}: base {facts['implementation']!r:.40} is none of {', '.join(BASES)}; fit it again"
        )
    place = ModelPlace("AppearanceEmbedder", facts["location"], getattr(made, "suggested", ""))
    return made() if not hasattr(made, "suggested") else made(place, device=device, dtype=dtype)


BASES: dict[str, Any] = {
    "embedded": ClassicalAppearance,
    "paper": OpenClipAppearance,
    "dinov2": DinoV2Appearance,
    "dinov3": DinoV3Appearance,
}
"""What may be projected, by the name that it has under AppearanceEmbedder."""
