"""Roles: what stages ask models for. Every array is numpy; frames are RGB uint8 `(T, H, W, 3)`.

A role is served by an implementation named in `backend.models.MODELS[role]`, chosen by the profile. `model_id`
names the implementation and its version; scores and embeddings carry it, so that scales are never mixed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from backend.domain.records import Box, Clip, Video
from backend.domain.results import Absent, Item, Result


class FrameReader(Protocol):
    """Frames of one video by presentation index, upright, RGB uint8."""

    num_frames: int
    width: int
    height: int
    times_s: np.ndarray
    """float64 `(num_frames,)`, presentation times from the first displayed frame."""

    def at(self, indices: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
        """Frames `(len(indices), H, W, 3)` in the order asked for; `size` is `(width, height)` to scale to.

        Raises IndexError outside `[0, num_frames)` and MediaError when a frame cannot be decoded.
        """
        ...

    def stream(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        step: int = 1,
        size: tuple[int, int] | None = None,
        chunk: int = 32,
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Pairs of first index and up to `chunk` frames of `range(start, stop, step)`, decoding once, in order."""
        ...


KEY_FRACTIONS = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
"""Where stages look at frames of a clip in their own size: Phantom-Data's .05, .5 and .95 and evenly between them.
Whoever keeps to these has them decoded together with the rest."""


@dataclass(frozen=True, slots=True)
class Footage:
    """The frames of one clip: absolute frame indices of the video, within the clip's span."""

    video: Video
    clip: Clip
    reader: FrameReader
    content: Box
    """The picture inside any borders."""
    overlays: tuple[Box, ...] = ()
    """Text, logos and badges laid over the picture."""

    @property
    def num_frames(self) -> int:
        return self.clip.stop_frame - self.clip.start_frame

    def linspace(self, num: int) -> list[int]:
        """`num` indices spread evenly over the clip, first and last frame included (fewer when the clip is shorter)."""
        num = min(num, self.num_frames)
        return [int(i) for i in np.linspace(self.clip.start_frame, self.clip.stop_frame - 1, num).round()]

    def fractions(self, at: Sequence[float]) -> list[int]:
        """Indices at fractions of the clip (0 first, 1 last frame)."""
        return [self.clip.start_frame + int(f * (self.num_frames - 1)) for f in at]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """A box on one frame. `kind` is person, face, animal, object or unlabelled; `label` the phrase it answers."""

    frame: int
    box: Box
    score: float
    kind: str
    label: str | None = None
    track: int | None = None
    """Detections of one clip with an equal track number are one subject."""


class Model(Protocol):
    """What every implementation of a role has."""

    model_id: ClassVar[str]


class Detector(Protocol):
    """Boxes of possible subjects on chosen frames of a clip, linked across the frames by `track`."""

    model_id: ClassVar[str]

    def detect(self, footage: Footage, frames: Sequence[int], phrases: Sequence[str]) -> list[Detection]: ...


class Segmenter(Protocol):
    """Masks bool `(N, H, W)` for boxes on one frame uint8 `(H, W, 3)`, with a quality in [0, 1] each."""

    model_id: ClassVar[str]

    def segment(self, frame: np.ndarray, boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]: ...


@runtime_checkable
class MovingSegmenter(Protocol):
    """A Segmenter that also looks at the frames around: what moves together belongs together."""

    def segment_moving(self, footage: Footage, frame: int, boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]: ...


class FaceAnalyzer(Protocol):
    """Faces on one frame, best first."""

    model_id: ClassVar[str]

    def faces(self, frame: np.ndarray) -> list[Detection]: ...


class Embedder(Protocol):
    """Unit vectors float32 `(D,)` of crops: an RGB uint8 frame with the subject's mask bool `(H, W)` and box."""

    model_id: ClassVar[str]
    space: ClassVar[str]

    def embed(self, frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent: ...


class CropEmbedder(Embedder, Protocol):
    """An Embedder that needs but a crop of the frame, and takes many at a time: where `takes_crops` says so."""

    takes_crops: bool

    @staticmethod
    def cut(frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        """What the model is to see of a frame, uint8 `(h, w, 3)`, or why there is nothing. Asks no model."""
        ...

    def embed_crops(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The vector of each, as `embed` gives it: the same bits whichever others are asked with it."""
        ...


class ImageScorer(Protocol):
    """AestheticScorer and TechnicalScorer: one value for frames uint8 `(T, H, W, 3)`, on the model's own scale."""

    model_id: ClassVar[str]

    def score(self, frames: np.ndarray) -> float | Absent: ...


class CropScorer(ImageScorer, Protocol):
    """An ImageScorer that takes many pictures at a time: where `takes_crops` says so."""

    takes_crops: bool

    def score_crops(self, crops: Sequence[np.ndarray]) -> list[float | Absent]:
        """What `score` gives of each picture uint8 `(H, W, 3)` alone: the same bits whichever others are asked with it."""
        ...


class TextSpotter(Protocol):
    """Text, logos and badges laid over a clip, as boxes that hold for the whole clip, best first."""

    model_id: ClassVar[str]

    def spot(self, footage: Footage) -> list[tuple[Box, float]]: ...


class Captioner(Protocol):
    """A description of a clip in one or two sentences, or why there is none."""

    model_id: ClassVar[str]

    def caption(self, footage: Footage) -> str | Absent: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseSpan:
    """A noun phrase `text[start:stop]` with what the taxonomy knows of it."""

    start: int
    stop: int
    role: str
    category: str | None
    is_living: bool | None
    is_plural: bool


class PhraseExtractor(Protocol):
    """Noun phrases of a caption, in order, at most eight."""

    model_id: ClassVar[str]

    def phrases(self, text: str) -> list[PhraseSpan]: ...


class ArtifactStore(Protocol):
    """Content-addressed files."""

    def put(self, data: bytes, suffix: str) -> str:
        """Stores bytes durably and gives their name, `HASH.suffix`; equal bytes give the equal name."""
        ...

    def get(self, name: str) -> bytes:
        """The bytes. Raises StoreError when missing or damaged."""
        ...


class AnswerStore(Protocol):
    """What models that are asked said, by a key that names the model and all that it was given."""

    def get(self, key: str) -> dict[str, Any] | None:
        """What was kept, with the answer as it came as `raw`; None where nothing is."""
        ...

    def put(self, key: str, kept: Mapping[str, Any]) -> None: ...


class Holding(Protocol):
    """Something that stages ask and nobody changes, opened from artifacts: of a cluster, one process may hold it for all.

    Travels by pickling. Equal holdings are one.
    """

    @property
    def name(self) -> str:
        """What people call it, as `shard 2 of 4 of the banks`."""
        ...

    @property
    def ram_gib(self) -> float:
        """What it takes while it is open."""
        ...

    def open(self, artifacts: ArtifactStore) -> Callable[[Any], Any]:
        """Gives what answers a question; any number of threads may ask. Raises StudioError when an artifact is missing or damaged."""
        ...


class Context(Protocol):
    """What a stage may ask for while it works."""

    @property
    def artifacts(self) -> ArtifactStore: ...

    @property
    def answers(self) -> AnswerStore:
        """The project's own: no question is put twice."""
        ...

    def path(self, video: Video, item: Item) -> str:
        """The video's file."""
        ...

    def frames(self, item: Item) -> FrameReader:
        """Frames of the item's video; decoded frames are shared by the items of a batch."""
        ...

    def footage(self, item: Item) -> Footage:
        """Frames of the item's clip with its content rectangle and overlays."""
        ...

    def role(self, name: str) -> object:
        """The implementation bound to a role. Raises ModelUnavailable."""
        ...

    def model_id(self, name: str) -> str:
        """Names what is bound to a role and its weights, without loading it."""
        ...

    def held(self, holding: Holding) -> Callable[[Any], Any] | None:
        """What answers for a holding that another process has open. None where there is none: the stage opens it itself."""
        ...

    def rng(self, item_id: str) -> np.random.Generator:
        """A generator seeded by the run's seed and the item's id."""
        ...


@dataclass(frozen=True, slots=True)
class Resources:
    """What a stage needs while it works, for scheduling."""

    cpu: float = 1.0
    gpu: float = 0.0
    ram_gib: float = 1.0


class Stage(Protocol):
    """A frozen dataclass whose fields are its settings and whose call maps items to results.

    `over` is the record it maps. Items carry the record, its ancestors (`PARENTS`), and what `gathers` names:
    every kept descendant of the record (for Score: every kept score about the record or its gathered descendants; for
    Sidecar: what was listed beside the record's source).
    With `gathers` the work key depends on the gathered ids, so a changed group is worked on again.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    over: ClassVar[type]
    gathers: ClassVar[tuple[type, ...]]
    makes: ClassVar[tuple[type, ...]]
    roles: ClassVar[tuple[str, ...]]
    resources: ClassVar[Resources]

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]: ...


@runtime_checkable
class SurveyingStage(Stage, Protocol):
    """A stage over sources that looks at what came of the sources listed before its item: `surveys` names the records.

    Its items carry a `Survey`, and their work keys depend on the surveyed ids before them. A new source is thus pending
    and those before it are not: of any two sources the later one looks at the earlier.
    """

    surveys: ClassVar[tuple[type, ...]]
    """The first kind decides who is listed and enters the keys; the others, Source itself among them, are shown along."""


@runtime_checkable
class HoldingStage(Stage, Protocol):
    """A stage that asks holdings. Whoever has several machines opens each of them on one, before the stage is called."""

    def holdings(self, items: Sequence[Item], artifacts: ArtifactStore) -> Sequence[Holding]:
        """What the stage will ask `Context.held` for when it is called with these items. Raises StudioError as the call would."""
        ...
