"""SAM 2 by its authors' package `sam2`, for checkpoints in their own layout.

The package's wheel installs a top-level package `training` beside its own, which hides or overwrites this project's: where
that is so the package is refused. It runs in an environment of its own (docs/models.md). Weights are a folder with one
checkpoint (`sam2.1_hiera_large.pt`) and, for any other than the published ones, its config (`*.yaml`, which names the
classes that are made: none but the network's own parts).
"""

from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from backend.domain import Box, ModelUnavailable
from backend.domain.model_work import PointPrompt
from backend.models.devices import torch_device
from backend.models.places import ModelPlace
from backend.models.plain_configs import check_targets
from backend.models.states import load_state

THEIRS = "loss_fns.py"
"""A file of sam2's `training` that ours has not."""
CONFIGS = {
    f"{kind}_{long}.pt": f"configs/{kind.removesuffix('_hiera')}/{kind}_{short}.yaml"
    for kind in ("sam2_hiera", "sam2.1_hiera")
    for long, short in (("tiny", "t"), ("small", "s"), ("base_plus", "b+"), ("large", "l"))
}
"""Which config of the package belongs to a published checkpoint (sam2/build_sam.py)."""
PARTS = frozenset(
    f"sam2.modeling.{name}"
    for name in (
        "sam2_base.SAM2Base",
        "backbones.image_encoder.ImageEncoder",
        "backbones.image_encoder.FpnNeck",
        "backbones.hieradet.Hiera",
        "position_encoding.PositionEmbeddingSine",
        "memory_attention.MemoryAttention",
        "memory_attention.MemoryAttentionLayer",
        "memory_encoder.MemoryEncoder",
        "memory_encoder.MaskDownSampler",
        "memory_encoder.Fuser",
        "memory_encoder.CXBlock",
        "sam.transformer.RoPEAttention",
    )
)
"""What the published configs make. A dotted name can lead anywhere, through what a module has imported."""
STABLE = {
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}
"""What `build_sam2` adds to every config: an unstable single mask gives way to the best of three."""


class Sam2Package:
    """Masks of boxes, by the package sam2: one mask for each box, its quality the model's own estimate; float32 only."""

    model_id: str = "sam2-package"
    suggested: ClassVar[str] = ""
    published_gb: ClassVar[float] = 0.0
    licence: ClassVar[str] = "Apache-2.0"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when the package is missing or hides this project's own, or the weights are not its."""
        found = place.path()
        if _hides_ours():
            raise ModelUnavailable(
                f'roles.{place.role} = "sam2_package" is refused: the wheel of sam2 has put its package `training` over this'
                " project's own; delete that folder from the environment and install this project again (docs/models.md), or"
                f' take roles.{place.role} = "paper", the same model of transformers'
            )
        try:
            import sam2  # pyright: ignore[reportMissingImports]
            from hydra.errors import HydraException  # pyright: ignore[reportMissingImports]
            from hydra.utils import instantiate  # pyright: ignore[reportMissingImports]
            from omegaconf import OmegaConf  # pyright: ignore[reportMissingImports]
            from omegaconf.errors import OmegaConfBaseException  # pyright: ignore[reportMissingImports]
            from sam2.sam2_image_predictor import SAM2ImagePredictor  # pyright: ignore[reportMissingImports]
            from yaml import YAMLError
        except ImportError as error:
            raise ModelUnavailable(
                f'roles.{place.role} = "sam2_package" needs a package that is not installed ({error.name}): sam2==1.1.0, in an'
                f' environment of its own (docs/models.md); or take roles.{place.role} = "paper", the same model of transformers'
            ) from error
        checkpoint = found if found.is_file() else _checkpoint_in(found)
        config = _config_of(checkpoint, Path(sam2.__path__[0]))
        try:
            settings: Any = OmegaConf.load(config)
            OmegaConf.update(settings, "model.sam_mask_decoder_extra_args", STABLE, force_add=True)
            OmegaConf.resolve(settings)
            check_targets(OmegaConf.to_container(settings), PARTS, config, forbidden=("weights_path",))
            model = instantiate(settings.model, _recursive_=True)
            model.load_state_dict(load_state(checkpoint))
        except (HydraException, OmegaConfBaseException, YAMLError, OSError, RuntimeError) as error:
            raise ModelUnavailable(f"{checkpoint} cannot be loaded by sam2 with {config.name}: {error}") from error
        self._predictor = SAM2ImagePredictor(model.to(torch_device(device)).eval())
        self.model_id = place.model_id(type(self).model_id)

    def segment(self, frame: np.ndarray, boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]:
        """Masks bool `(N, H, W)` of an RGB uint8 frame and qualities float32 `(N,)` in [0, 1], 0 for an empty mask."""
        if not boxes:
            return np.zeros((0, *frame.shape[:2]), bool), np.zeros(0, np.float32)
        self._predictor.set_image(np.ascontiguousarray(frame))
        masks, qualities, _ = self._predictor.predict(box=np.array(boxes, np.float32), multimask_output=False)
        masks = masks.reshape(len(boxes), *frame.shape[:2]) > 0
        qualities = np.clip(qualities.reshape(len(boxes)), 0.0, 1.0)
        return masks, np.where(masks.any(axis=(1, 2)), qualities, 0.0).astype(np.float32)

    def segment_prompted(
        self, frame: np.ndarray, points: Sequence[PointPrompt], box: Box | None
    ) -> tuple[np.ndarray, float]:
        """A mask bool `(H, W)` of what points and a box show, and its quality in [0, 1]; of one point alone the surest of
        three masks."""
        self._predictor.set_image(np.ascontiguousarray(frame))
        masks, qualities, _ = self._predictor.predict(
            point_coords=np.array([(p.x, p.y) for p in points], np.float32) if points else None,
            point_labels=np.array([p.include for p in points], np.int32) if points else None,
            box=None if box is None else np.array(box, np.float32),
            multimask_output=box is None and len(points) == 1,
        )
        surest = int(qualities.argmax())
        mask = masks[surest] > 0
        return mask, float(np.clip(qualities[surest], 0.0, 1.0)) if mask.any() else 0.0


def _hides_ours() -> bool:
    spec = PathFinder.find_spec("training")
    folders = (spec and spec.submodule_search_locations) or ()
    return any((Path(folder) / THEIRS).is_file() for folder in folders)


def _checkpoint_in(folder: Path) -> Path:
    found = sorted(folder.glob("*.pt"))
    if len(found) != 1:
        raise ModelUnavailable(f"{folder} holds {len(found)} files *.pt; put exactly one there")
    return found[0]


def _config_of(checkpoint: Path, package: Path) -> Path:
    beside = sorted(checkpoint.parent.glob("*.yaml"))
    if len(beside) == 1:
        return beside[0]
    if checkpoint.name not in CONFIGS:
        raise ModelUnavailable(
            f"{checkpoint} has no config: {len(beside)} files *.yaml lie beside it, and its name is none of {', '.join(CONFIGS)}"
        )
    return package / CONFIGS[checkpoint.name]
