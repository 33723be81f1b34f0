"""The faces that identity and speech metrics look at: on frames of a video, and on a case's references."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, cast

import numpy as np

from backend.domain import Absent, Case, MediaError
from backend.domain.roles_faces import AlignedFaceEmbedder, Face, FaceRecognizer
from backend.media.images import read_image, read_rgba
from metrics.framing import FramePlan, Linspace
from metrics.spec import Arrays, CaseFeature, Entry, Found, Roles, VideoFacts, VideoFeature

Embedder = Literal["arc", "cur"]
"""arc: the FaceRecognizer's own embedding; cur: the AlignedFaceEmbedder's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFaces(VideoFeature):
    """Faces of each frame, the largest first, padded with zeros to the most on one frame (K).

    Arrays: `num` int64 `(T,)`; `box` float32 `(T, K, 4)`; `score` float32 `(T, K)`; `embedding` float32 `(T, K, D)`.
    K and D are at least 1, so that a first column is there when there is no face at all.
    """

    name: ClassVar[str] = "frame_faces"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"
    per_frame: ClassVar[bool] = True

    embedder: Embedder = "arc"
    max_faces: int = 8  # more than any benchmark's references; a crowd behind them is of no interest
    frames: FramePlan = field(default_factory=Linspace)

    @property
    def roles(self) -> tuple[str, ...]:
        return _roles(self.embedder)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_FaceCollector":
        return _FaceCollector(roles, self.embedder, self.max_faces)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceFaces(CaseFeature):
    """Faces of each reference, as `FrameFaces`, with `reason` where there is none: missing, damaged, or no face.

    Transparent pixels become white, or keep the colour beneath (`dropped`), as upstream has it.
    """

    name: ClassVar[str] = "reference_faces"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "references"

    embedder: Embedder = "arc"
    alpha: Literal["white", "dropped"] = "white"
    max_faces: int = 8

    @property
    def roles(self) -> tuple[str, ...]:
        return _roles(self.embedder)

    def compute(self, case: Case, roles: Roles, given: Mapping[str, Found]) -> Found:
        if not case.references:
            return Absent("not applicable: the case has no references")
        collector = _FaceCollector(roles, self.embedder, self.max_faces)
        reasons = []
        for row, path in enumerate(case.references):
            try:
                picture = read_image(path) if self.alpha == "white" else np.ascontiguousarray(read_rgba(path)[..., :3])
            except MediaError as error:
                collector.skip()
                # Missing files have equal keys in all cases: the reason must not name one of them.
                why = "its file is missing" if error.kind == "missing" else str(error)
                reasons.append(f"failed: reference {row + 1}: {why}")
                continue
            num = collector.see(picture)
            reasons.append("" if num else f"no detection: no face on reference {row + 1}")
        found = collector.finish()
        return found if isinstance(found, Absent) else {**found, "reason": np.array(reasons)}


class _FaceCollector:
    def __init__(self, roles: Roles, embedder: Embedder, max_faces: int) -> None:
        self._recognizer = cast(FaceRecognizer, roles("FaceRecognizer"))
        self._aligned = cast(AlignedFaceEmbedder, roles("AlignedFaceEmbedder")) if embedder == "cur" else None
        self._max_faces = max_faces
        self._faces: list[list[Face]] = []
        self._crops: list[np.ndarray] = []

    def add(self, index: int, frame: np.ndarray) -> None:
        self.see(frame)

    def see(self, frame: np.ndarray) -> int:
        """The number of faces."""
        faces = self._recognizer.recognize(frame)[: self._max_faces]
        self._faces.append(faces)
        if self._aligned is not None:
            self._crops += [self._aligned.align(frame, face.keypoints) for face in faces]
        return len(faces)

    def skip(self) -> None:
        self._faces.append([])

    def finish(self) -> Found:
        vectors = [face.embedding for faces in self._faces for face in faces]
        if self._aligned is not None and vectors:
            vectors = list(self._aligned.embed(np.stack(self._crops)))
        if not all(np.isfinite(vector).all() for vector in vectors):
            return Absent("failed: a face's embedding is not finite; the model gave numbers that are none")
        return _padded(self._faces, vectors)


def _roles(embedder: Embedder) -> tuple[str, ...]:
    return ("FaceRecognizer", "AlignedFaceEmbedder") if embedder == "cur" else ("FaceRecognizer",)


def _padded(faces: Sequence[Sequence[Face]], embeddings: Sequence[np.ndarray]) -> Arrays:
    num = np.array([len(each) for each in faces], np.int64)
    most = max(1, int(num.max(initial=0)))
    boxes = np.zeros((len(faces), most, 4), np.float32)
    scores = np.zeros((len(faces), most), np.float32)
    vectors = np.zeros((len(faces), most, len(embeddings[0]) if len(embeddings) else 1), np.float32)
    left = iter(embeddings)
    for t, each in enumerate(faces):
        for k, face in enumerate(each):
            boxes[t, k], scores[t, k], vectors[t, k] = face.box, face.score, next(left)
    return {"num": num, "box": boxes, "score": scores, "embedding": vectors}
