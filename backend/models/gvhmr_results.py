"""From which side a person is seen, by results that GVHMR wrote elsewhere: it needs CUDA, its own environment and SMPL.

A folder holds one result a video or clip, named by the video's content hash or the clip's id: `NAME.pt` or
`NAME/hmr4d_results.pt` as GVHMR writes it, or `NAME.npz` with `global_orient`, `transl` and, if known, `K_fullimg`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from backend.domain import Absent, Box, Facing, Footage, ModelUnavailable
from backend.geometry import boxes
from backend.geometry.viewpoint import azimuths
from backend.models.places import ModelPlace

RESULT = "hmr4d_results.pt"
PARAMETERS = "smpl_params_incam"
MARGIN = 0.15  # how far beyond a person's box the body's root may be projected, as a share of the box


class GvhmrResults:
    """Azimuths of GVHMR's `smpl_params_incam`. Where the camera is known, a body outside the person's box is no answer."""

    model_id: str = "gvhmr-results-1"
    suggested: ClassVar[str] = ""
    published_gb: ClassVar[float] = 0.0
    licence: ClassVar[str] = "non-commercial (GVHMR, and the SMPL body model that it rests on)"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable when the folder is missing. Device and dtype do not matter."""
        if not place.location:
            raise ModelUnavailable(
                f"role {place.role} reads results of GVHMR: set models.{place.role} in project.toml to a folder with"
                f' CONTENT_HASH.pt, or roles.{place.role} = "vitpose" to estimate them here'
            )
        self._folder = place.path()
        self.model_id = place.model_id(type(self).model_id)

    def facing(self, footage: Footage, frames: Sequence[int], boxes: Sequence[Box]) -> list[Facing | Absent]:
        """Raises ModelUnavailable when there is no result for the video, or one of another length."""
        bodies = self._bodies(footage)
        found = azimuths(bodies.global_orient, bodies.transl)
        return [
            self._answer(bodies, frame - bodies.first_frame, found, box) for frame, box in zip(frames, boxes, strict=True)
        ]

    def _answer(self, bodies: "_Bodies", row: int, found: np.ndarray, box: Box) -> Facing | Absent:
        if not np.isfinite(found[row]):
            return Absent("GVHMR's body looks straight up or down, or is made of no numbers")
        if not bodies.lies_in(box, row):
            return Absent("GVHMR followed somebody else")
        return Facing(float(found[row]), 1.0)

    def _bodies(self, footage: Footage) -> "_Bodies":
        video, clip = footage.video, footage.clip
        wanted = ((clip.id, clip.start_frame, footage.num_frames), (video.content_hash, 0, video.num_frames))
        for name, first, length in wanted:
            for path in (self._folder / f"{name}.pt", self._folder / name / RESULT, self._folder / f"{name}.npz"):
                if path.is_file():
                    return _read(path, first_frame=first, length=length)
        raise ModelUnavailable(
            f"{self._folder} holds no result of GVHMR for video {video.content_hash}; run it and put the result there as"
            f" {video.content_hash}.pt"
        )


@dataclass(frozen=True, slots=True)
class _Bodies:
    """One body a frame, from `first_frame` on: float64 `(T, 3)` each, and the camera `(3, 3)` where it is known."""

    global_orient: np.ndarray
    transl: np.ndarray
    camera: np.ndarray | None
    first_frame: int

    def lies_in(self, box: Box, row: int) -> bool:
        if self.camera is None or self.transl[row, 2] <= 0:
            return True
        x, y, z = self.camera @ self.transl[row]
        wide = boxes.expand(box, MARGIN)
        return wide[0] <= x / z < wide[2] and wide[1] <= y / z < wide[3]


def _read(path: Path, *, first_frame: int, length: int) -> _Bodies:
    arrays = _npz(path) if path.suffix == ".npz" else _pt(path)
    for name in ("global_orient", "transl"):
        array = arrays.get(name)
        if array is None or array.ndim != 2 or array.shape[1] != 3:
            shape = "missing" if array is None else f"of shape {array.shape}"
            raise ModelUnavailable(f"{path}: {PARAMETERS}.{name} is {shape} and must be (frames, 3); write it again")
        if len(array) != length:
            raise ModelUnavailable(
                f"{path} speaks of {len(array)} frames, the video has {length}; run GVHMR on every frame of this very file"
            )
    camera = arrays.get("K_fullimg")
    camera = None if camera is None else camera.reshape(-1, 3, 3)[0]
    return _Bodies(arrays["global_orient"], arrays["transl"], camera, first_frame)


def _npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            names = {"global_orient", "transl", "K_fullimg"}.intersection(file.files)
            return {name: np.asarray(file[name], np.float64) for name in names}
    except (OSError, ValueError, EOFError) as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}; write it again") from error


def _pt(path: Path) -> dict[str, np.ndarray]:
    """Reads tensors only: a file that would run code is refused."""
    import pickle

    try:
        import torch
    except ImportError as error:
        raise ModelUnavailable("results of GVHMR need the extra: pip install 'subject-studio[models]', or .npz") from error
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise ModelUnavailable(f"{path} cannot be read as tensors: {error}; write it again") from error
    if not isinstance(loaded, dict) or not isinstance(loaded.get(PARAMETERS), dict):
        raise ModelUnavailable(f"{path} holds no {PARAMETERS}; it is no {RESULT} of GVHMR")
    tensors = {**loaded[PARAMETERS], "K_fullimg": loaded.get("K_fullimg")}
    return {
        name: tensors[name].detach().to(torch.float64).numpy()
        for name in ("global_orient", "transl", "K_fullimg")
        if isinstance(tensors.get(name), torch.Tensor)
    }
