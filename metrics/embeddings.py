"""Features of image, text and video encoders: what is asked for with the same encoder, preparation and frames is one.

The roles are asked by name, so that a metric's `encoder` is a field and enters its key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    CLIP_PREP,
    PREPARED,
    VBENCH_VICLIP_PREP,
    Absent,
    AestheticPredictor,
    Case,
    ImageEncoder,
    MediaError,
    Prep,
    TextEmbedder,
    VideoTextEncoder,
)
from backend.media.images import read_image
from backend.models.pictures import sized
from metrics.framing import AllFrames, FramePlan, Middle
from metrics.spec import Arrays, CaseFeature, Entry, Feature, FileFeature, Found, Roles, VideoFacts, VideoFeature

FLUSH = 16  # pictures held until they are encoded, 0.6 MiB each, shared by all encoders that look at them


@dataclass(frozen=True, slots=True)
class Sized:
    """Frames resized and cropped for encoders, float32 `(h, w, 3)`."""

    prep: Prep

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        return sized(frame, self.prep)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameEmbeddings(VideoFeature):
    """`embedding`: unit vectors float32 `(T, D)` of whole frames."""

    name: ClassVar[str] = "frame_embeddings"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"
    per_frame: ClassVar[bool] = True

    encoder: str
    prep: Prep = CLIP_PREP
    frames: FramePlan = field(default_factory=AllFrames)

    @property
    def roles(self) -> tuple[str, ...]:
        return (self.encoder,)

    @property
    def view(self) -> Sized:
        return Sized(self.prep)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "FlushingCollector":
        encoder = cast(ImageEncoder, roles(self.encoder))
        return FlushingCollector("embedding", lambda pictures: encoder.images(pictures, PREPARED))


class FlushingCollector:
    """Gives one array, a row a frame, and holds FLUSH frames at most. `rows` turns a list of frames into their rows."""

    def __init__(self, name: str, rows: Callable[[list[np.ndarray]], np.ndarray], *, flush: int = FLUSH) -> None:
        self._name, self._rows, self._flush = name, rows, flush
        self._waiting: list[np.ndarray] = []
        self._done: list[np.ndarray] = []

    def add(self, index: int, frame: np.ndarray) -> None:
        self._waiting.append(frame)
        if len(self._waiting) == self._flush:
            self._encode()

    def finish(self) -> Found:
        if self._waiting:
            self._encode()
        return {self._name: np.concatenate(self._done)}

    def _encode(self) -> None:
        self._done.append(self._rows(self._waiting))
        self._waiting = []


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceEmbeddings(CaseFeature):
    """`embedding`: unit vectors float32 `(R, D)` of whole references; `readable`: bool `(R,)`, without which a row is NaN.

    Absent when none can be read.
    """

    name: ClassVar[str] = "reference_embeddings"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "references"

    encoder: str
    prep: Prep = CLIP_PREP

    @property
    def roles(self) -> tuple[str, ...]:
        return (self.encoder,)

    def compute(self, case: Case, roles: Roles, given: Mapping[str, Found]) -> Found:
        pictures: dict[int, np.ndarray] = {}
        reasons = []
        for n, path in enumerate(case.references):
            try:
                pictures[n] = read_image(path)
            except MediaError as error:
                reasons.append(str(error))
        if not pictures:
            return Absent(f"failed: no reference of case {case.name} can be read: {'; '.join(reasons)}")
        vectors = cast(ImageEncoder, roles(self.encoder)).images(list(pictures.values()), self.prep)
        embedding = np.full((len(case.references), vectors.shape[1]), np.nan, np.float32)
        embedding[list(pictures)] = vectors
        return {"embedding": embedding, "readable": np.isin(np.arange(len(case.references)), list(pictures))}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptEmbedding(CaseFeature):
    """`embedding`: the prompt's unit vector float32 `(D,)`; `truncated`: whether the encoder read only its beginning."""

    name: ClassVar[str] = "prompt_embedding"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "prompt"

    encoder: str

    @property
    def roles(self) -> tuple[str, ...]:
        return (self.encoder,)

    def compute(self, case: Case, roles: Roles, given: Mapping[str, Found]) -> Found:
        vectors, truncated = cast(TextEmbedder, roles(self.encoder)).texts([case.prompt])
        return {"embedding": vectors[0], "truncated": truncated[:1]}


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoEmbedding(VideoFeature):
    """`embedding`: one unit vector float32 `(D,)` of a video's frames, in order; `frame`: their indices."""

    name: ClassVar[str] = "video_embedding"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"

    encoder: str = "ViClip"
    prep: Prep = VBENCH_VICLIP_PREP
    frames: FramePlan = field(default_factory=Middle)

    @property
    def roles(self) -> tuple[str, ...]:
        return (self.encoder,)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_VideoCollector":
        indices = self.frames.indices(facts.num_frames, facts.fps)
        return _VideoCollector(cast(VideoTextEncoder, roles(self.encoder)), self.prep, indices)


class _VideoCollector:
    def __init__(self, encoder: VideoTextEncoder, prep: Prep, indices: list[int]) -> None:
        self._encoder, self._prep, self._indices = encoder, prep, indices
        self._frames: dict[int, np.ndarray] = {}

    def add(self, index: int, frame: np.ndarray) -> None:
        self._frames[index] = frame

    def finish(self) -> Found:
        frames = [self._frames[index] for index in self._indices]
        return {"embedding": self._encoder.video(frames, self._prep), "frame": np.array(self._indices, np.int64)}


@dataclass(frozen=True, slots=True, kw_only=True)
class AestheticScores(FileFeature):
    """`score`: a head's value of each frame's embedding, float64 `(T,)`; `frame`: their indices."""

    name: ClassVar[str] = "aesthetic_scores"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video"

    head: str
    embeddings: FrameEmbeddings

    @property
    def roles(self) -> tuple[str, ...]:
        return (self.head,)

    @property
    def inputs(self) -> Mapping[str, Feature]:
        return {"embeddings": self.embeddings}

    def read(self, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> Found:
        found = given["embeddings"]
        if isinstance(found, Absent):
            return found
        scores = cast(AestheticPredictor, roles(self.head)).score(found["embedding"])
        return {"score": scores, "frame": found["frame"]}


def cosines(frames: Arrays, others: np.ndarray) -> np.ndarray:
    """float64 `(T, R)` of a video's embeddings with vectors `(R, D)`."""
    return frames["embedding"].astype(np.float64) @ others.astype(np.float64).T
