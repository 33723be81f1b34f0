"""Aesthetic heads on CLIP ViT-L/14 embeddings: both are affine maps of 769 numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from backend.domain import ModelUnavailable
from backend.models.places import ModelPlace
from backend.models.states import load_state

if TYPE_CHECKING:
    import torch

MLP_LAYERS = (
    "layers.0",
    "layers.2",
    "layers.4",
    "layers.6",
    "layers.7",
)  # improved-aesthetic-predictor: 768-1024-128-64-16-1


class AestheticMlp:
    """`sac+logos+ava1-l14-linearMSE.pth` (OpenS2V's `aesthetic-model.pth`): five layers without activations.

    A chain of affine maps is one; folded in float64 it differs from the chain by 5e-9. The file whose name ends in
    `-relu` has activations, and the same keys: it must not be given here.
    """

    model_id: str = "aesthetic-mlp-linear-mse"
    suggested: ClassVar[str] = "BestWishYsh/OpenS2V-Weight"
    published_gb: ClassVar[float] = 0.0037  # 0.9 M parameters, float32
    licence: ClassVar[str] = "Apache-2.0"
    files: ClassVar[tuple[str, ...]] = ("aesthetic-model.pth", "sac+logos+ava1-l14-linearMSE.pth")
    layers: ClassVar[tuple[str, ...]] = MLP_LAYERS

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when the file is missing or holds another head. `device` and `dtype` are of no use."""
        path = _file(place, self.files)
        if "relu" in path.name.lower():
            raise ModelUnavailable(f"{path} has activations; models.{place.role} needs {self.files[-1]}")
        self._weight, self._bias = folded(load_state(path), self.layers, path)
        self.model_id = place.model_id(type(self).model_id)

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """float64 `(N,)` of unit vectors `(N, D)`."""
        if embeddings.shape[1] != len(self._weight):
            raise ModelUnavailable(
                f"the aesthetic head takes {len(self._weight)} numbers and got {embeddings.shape[1]}; "
                "set models.ClipL14 to ViT-L/14 weights"
            )
        return embeddings.astype(np.float64) @ self._weight + self._bias


class AestheticLinear(AestheticMlp):
    """`sa_0_4_vit_l_14_linear.pth`: LAION's one layer, which VBench takes."""

    model_id: str = "aesthetic-linear"
    suggested: ClassVar[str] = "OpenGVLab/VBench_Used_Models"
    published_gb: ClassVar[float] = 0.000004  # 769 parameters
    licence: ClassVar[str] = "MIT"
    files: ClassVar[tuple[str, ...]] = ("sa_0_4_vit_l_14_linear.pth",)
    layers: ClassVar[tuple[str, ...]] = ("",)


def folded(state: "Mapping[str, torch.Tensor]", layers: tuple[str, ...], path: Path) -> tuple[np.ndarray, float]:
    """Weight float64 `(D,)` and bias of the one affine map that a chain of them is.

    Raises ModelUnavailable when the state's keys are not those of the layers, or its last layer gives several numbers.
    """
    stems = [f"{name}." if name else "" for name in layers]
    wanted = {f"{stem}{part}" for stem in stems for part in ("weight", "bias")}
    if set(state) != wanted:
        odd = sorted(wanted ^ set(state))[0]
        raise ModelUnavailable(f"{path} is not the expected aesthetic head: {odd} is missing or too much")
    weight = bias = None
    for stem in stems:
        w, b = (state[f"{stem}{part}"].double().numpy() for part in ("weight", "bias"))
        weight, bias = (w, b) if weight is None else (w @ weight, w @ bias + b)
    assert weight is not None and bias is not None, "a head has a layer"
    if weight.shape[0] != 1:
        raise ModelUnavailable(f"{path} gives {weight.shape[0]} numbers; an aesthetic head gives one")
    return weight[0], float(bias[0])


def _file(place: ModelPlace, names: tuple[str, ...]) -> Path:
    path = place.path()
    if path.is_file():
        return path
    for name in names:
        for found in sorted(path.rglob(name)):
            return found
    raise ModelUnavailable(f"{path} holds none of {', '.join(names)}; set models.{place.role} to the file")
