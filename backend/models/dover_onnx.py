"""TechnicalScorer by DOVER's technical branch, from the ONNX file that its authors' convert_to_onnx.py writes."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from backend.domain import Absent, Footage, ModelUnavailable
from backend.measures.fragments import CLIP_FRAMES, VIEW_PX, clip_frames, normalised, technical_view
from backend.models.onnx_session import onnx_session
from backend.models.places import ModelPlace

AESTHETIC, TECHNICAL = "aes_view", "tech_view"
"""Inputs of the published graph, float32 `(N, 3, 32, 224, 224)` each."""
OUTPUTS = 2
"""The aesthetic and then the technical score, one for each clip."""
VIEW = (3, CLIP_FRAMES, VIEW_PX, VIEW_PX)
MEAN_SCORE, DEVIATION = 0.1107, 0.07355  # DOVER, evaluate_a_set_of_videos.py: fuse_results, of the technical branch


class DoverOnnx:
    """How many deviations the technical score lies over that of the videos which DOVER's authors rescale by; more is better.

    Of three clips of 32 frames the mean is taken, as upstream does; upstream's own `technical` is the logistic function of this.
    Open-Sora-Plan and OpenS2V-Nexus keep this number as `tech` (2.082 in OpenS2V-Nexus's example), where the graph
    itself answers about -.2 to .3 and the logistic function 0 to 1.
    The aesthetic half of the graph is given an empty view and its answer is dropped: the halves share nothing.
    """

    model_id: str = "dover-onnx-2"  # 1 was the graph's own answer
    suggested: ClassVar[str] = "DOVER's onnx_dover.onnx"
    published_gb: ClassVar[float] = 0.22  # 56 M parameters, float32
    licence: ClassVar[str] = "S-Lab License 1.0, for non-commercial use"

    def __init__(self, place: ModelPlace, *, device: str, dtype: str) -> None:
        """Raises ModelUnavailable for a file that is missing, no ONNX model, or one of another signature."""
        path = _file(place)
        self._session = onnx_session(path, device=device, what="technical scores by DOVER")
        self._batches = self._checked(path)
        self.model_id = place.model_id(type(self).model_id)

    def score_footage(self, footage: Footage) -> float | Absent:
        """Of the clip's picture inside its borders. Raises MediaError when a frame cannot be decoded."""
        x0, y0, x1, y1 = (round(edge) for edge in footage.content)
        views = []
        for numbers in clip_frames(footage.num_frames):  # a clip at a time: 32 frames of 1080p take 200 MB
            frames = footage.reader.at([footage.clip.start_frame + int(n) for n in numbers])
            views.append(technical_view(list(frames[:, y0:y1, x0:x1])))
        return self._mean(np.stack(views))

    def score(self, frames: np.ndarray) -> float | Absent:
        """Of frames uint8 `(T, H, W, 3)` as if they were all of a clip, repeated until they fill one."""
        if len(frames) == 0:
            return Absent("no frames")
        numbers = np.arange(CLIP_FRAMES) % len(frames)
        return self._mean(technical_view(list(frames))[numbers][None])

    def _mean(self, views: np.ndarray) -> float | Absent:
        scores = np.concatenate([self._scores(view[None]) for view in views])
        if not np.isfinite(scores).all():
            return Absent("DOVER gave no number")
        return float((scores.mean() - MEAN_SCORE) / DEVIATION)

    def _scores(self, views: np.ndarray) -> np.ndarray:
        """The technical score of one view; a graph of a fixed batch is given it as often as it wants."""
        inputs = normalised(views).repeat(self._batches[TECHNICAL], axis=0)
        empty = np.zeros((self._batches[AESTHETIC], *VIEW), np.float32)
        return self._session.run(None, {AESTHETIC: empty, TECHNICAL: inputs})[1].reshape(-1)[:1].astype(np.float64)

    def _checked(self, path: Path) -> dict[str, int]:
        """The batch that each input wants, 1 where it takes any."""
        inputs = {given.name: list(given.shape) for given in self._session.get_inputs()}
        wanted = f"{AESTHETIC} and {TECHNICAL} of (N, {', '.join(map(str, VIEW))}) and {OUTPUTS} outputs"
        fits = set(inputs) == {AESTHETIC, TECHNICAL} and all(
            len(shape) == len(VIEW) + 1 and all(not isinstance(a, int) or a == b for a, b in zip(shape[1:], VIEW))
            for shape in inputs.values()
        )
        if not fits or len(self._session.get_outputs()) != OUTPUTS:
            raise ModelUnavailable(
                f"{path} takes {inputs} and gives {len(self._session.get_outputs())} outputs, DOVER's graph {wanted}; "
                "write it with DOVER's convert_to_onnx.py"
            )
        return {name: shape[0] if isinstance(shape[0], int) else 1 for name, shape in inputs.items()}


def _file(place: ModelPlace) -> Path:
    found = place.path()
    if found.is_file():
        return found
    files = sorted(found.glob("*dover*.onnx"))
    if not files:
        raise ModelUnavailable(
            f"models.{place.role} = {place.location!r} holds no *dover*.onnx; DOVER's convert_to_onnx.py writes one"
        )
    return files[0]
