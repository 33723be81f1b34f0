"""The records that everything else speaks: frozen, keyword-only, with ids derived from content.

Conventions: boxes are `(x0, y0, x1, y1)` in pixels of the displayed source frame, half-open; spans are
`[start_frame, stop_frame)` in presentation order; times end in `_s`; masks are COCO run lengths; vectors are
float32 `(D,)` and L2-normalised. Every record has `id`; the fields that enter it are the record's key.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from backend.domain.ids import content_id

Box = tuple[float, float, float, float]


class Record(Protocol):
    """What every record has. `KIND` names its table."""

    KIND: ClassVar[str]

    @property
    def id(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that somebody asked to ingest, as it was listed; a changed file is a new Source."""

    KIND: ClassVar[str] = "source"
    uri: str
    num_bytes: int
    modified_ns: int
    licence: str | None = None
    attribution: str | None = None
    consent: str | None = None

    @property
    def id(self) -> str:
        return content_id("source", self.uri, self.num_bytes, self.modified_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What lies beside a source and speaks of it, as it was listed; when it changes, that is a new Sidecar."""

    KIND: ClassVar[str] = "sidecar"
    source_id: str
    digest: str
    """Of names and contents; empty when nothing lies there any more."""

    @property
    def id(self) -> str:
        return content_id("sidecar", self.source_id, self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A readable video, known by its content. Size is that of the displayed (rotated) frame."""

    KIND: ClassVar[str] = "video"
    content_hash: str
    source_id: str
    num_frames: int
    fps: float
    duration_s: float
    width: int
    height: int
    rotation: int
    codec: str
    has_audio: bool
    index: str
    """Artifact hash of the frame index (`backend.media.index`)."""
    warnings: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return content_id("video", self.content_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A span of one shot of a video."""

    KIND: ClassVar[str] = "clip"
    video_id: str
    start_frame: int
    stop_frame: int
    start_s: float
    stop_s: float
    opens_with: str
    """What stands at its start: start, cut, gradual, split (a long shot divided)."""

    @property
    def id(self) -> str:
        return content_id("clip", self.video_id, self.start_frame, self.stop_frame)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A rectangle that holds for a whole clip: its picture without borders or overlays, or something laid over it."""

    KIND: ClassVar[str] = "region"
    clip_id: str
    kind: str
    """content (inside the borders), overlay (text, logo, badge), clean (largest rectangle without overlays), crop (the
    clean one, where the recipe makes it the clip's picture)."""
    box: Box
    confidence: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", _as_stored(self.box))

    @property
    def id(self) -> str:
        return content_id("region", self.clip_id, self.kind, self.box)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """A description of a clip. `author` is a model id, `sidecar`, `template` or a person."""

    KIND: ClassVar[str] = "caption"
    clip_id: str
    author: str
    text: str
    language: str = "en"

    @property
    def id(self) -> str:
        return content_id("caption", self.clip_id, self.author, self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A noun phrase of a caption: `text == caption.text[start:stop]`. Roles: subject, object, background."""

    KIND: ClassVar[str] = "phrase"
    caption_id: str
    clip_id: str
    start: int
    stop: int
    text: str
    role: str
    category: str | None
    is_living: bool | None
    is_plural: bool = False

    @property
    def id(self) -> str:
        return content_id("phrase", self.caption_id, self.start, self.stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One face, person or object followed through a clip: `frames[i]` has `boxes[i]` and `scores[i]`."""

    KIND: ClassVar[str] = "track"
    clip_id: str
    kind: str
    frames: tuple[int, ...]
    boxes: tuple[Box, ...]
    scores: tuple[float, ...]

    @property
    def id(self) -> str:
        return content_id("track", self.clip_id, self.kind, self.frames, self.boxes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Somebody or something that a clip shows. `category` is a taxonomy id, `is_living` None when unknown."""

    KIND: ClassVar[str] = "subject"
    clip_id: str
    track_id: str
    phrase: str | None
    category: str | None
    is_living: bool | None

    @property
    def id(self) -> str:
        return content_id("subject", self.clip_id, self.track_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """A subject on one frame, or an external picture (then `subject_id` and `frame` are None)."""

    KIND: ClassVar[str] = "appearance"
    subject_id: str | None
    frame: int | None
    box: Box
    confidence: float
    origin: str
    """video, generated or external."""
    artifact: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", _as_stored(self.box))

    @property
    def id(self) -> str:
        return content_id("appearance", self.subject_id, self.frame, self.box, self.artifact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """An appearance's pixels, by one segmenter: COCO run lengths on the whole frame, and a cut-out crop."""

    KIND: ClassVar[str] = "mask"
    appearance_id: str
    author: str
    height: int
    width: int
    counts: bytes
    """COCO compressed run lengths, column-major (`backend.geometry.rle`)."""
    crop: str
    """Artifact hash of an RGBA image of the box; alpha is the mask."""

    @property
    def id(self) -> str:
        return content_id("mask", self.appearance_id, self.author, self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """An appearance chosen to stand for its subject: global, a viewpoint or an expression (Gloria, section 3)."""

    KIND: ClassVar[str] = "anchor"
    appearance_id: str
    clip_id: str
    kind: str
    label: str
    inside: bool
    """Whether its frame lies inside the clip that it is an anchor of."""

    @property
    def id(self) -> str:
        return content_id("anchor", self.appearance_id, self.clip_id, self.kind, self.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """A unit vector of an appearance. `space` is appearance, background, face or text; `model` fixes the scale."""

    KIND: ClassVar[str] = "embedding"
    appearance_id: str
    space: str
    model: str
    vector: np.ndarray = field(compare=False, repr=False)
    """float32 `(D,)`, L2-normalised."""

    @property
    def id(self) -> str:
        return content_id("embedding", self.appearance_id, self.space, self.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A target appearance and a reference appearance that should show the same subject."""

    KIND: ClassVar[str] = "pair"
    target_subject_id: str
    target_appearance_id: str
    reference_subject_id: str | None
    reference_appearance_id: str
    kind: str
    """in_pair (same clip), cross_frame, cross_video or generated."""

    @property
    def id(self) -> str:
        return content_id("pair", self.target_appearance_id, self.reference_appearance_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plate:
    """The surroundings of a clip without its subjects: one frame whose subjects were painted over."""

    KIND: ClassVar[str] = "plate"
    clip_id: str
    frame: int
    author: str
    """Model id of the painter."""
    artifact: str

    @property
    def id(self) -> str:
        return content_id("plate", self.clip_id, self.frame, self.author, self.artifact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What training reads: a clip, its caption, and references of its subjects. Parallel tuples describe references."""

    KIND: ClassVar[str] = "sample"
    clip_id: str
    kind: str
    """cross_pair (every reference from another clip, video or picture) or in_pair (from the clip itself)."""
    caption_id: str | None
    subject_ids: tuple[str, ...]
    """The clip's subject that each reference shows."""
    reference_ids: tuple[str, ...]
    """The appearances that are the references."""
    pair_ids: tuple[str, ...]
    """The pairs that say so."""
    plate_id: str | None = None

    @property
    def id(self) -> str:
        return content_id(
            "sample", self.clip_id, self.kind, self.caption_id, self.reference_ids, self.pair_ids, self.plate_id
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BankPart:
    """What one source adds to the retrieval banks: the views of its subjects, or of a picture, with their vectors."""

    KIND: ClassVar[str] = "bank_part"
    source_id: str
    artifact: str
    """Of an Arrow table of views (`backend.stages.banks`)."""
    num_views: int

    @property
    def id(self) -> str:
        return content_id("bank_part", self.source_id, self.artifact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One task of a benchmark: make a video of these references to this prompt. Parallel tuples describe references."""

    KIND: ClassVar[str] = "bench_case"  # `case` is a word of SQL
    benchmark: str
    name: str
    """Its id in the benchmark, as `singleobj_1`; generations are files of this name."""
    prompt: str
    references: tuple[str, ...] = ()
    """Absolute paths, whether or not the files are there."""
    hashes: tuple[str, ...] = ()
    """BLAKE2b of each reference's bytes; empty where the file is missing."""
    labels: tuple[str, ...] = ()
    """The class that each shows, as `Woman`."""
    kinds: tuple[str, ...] = ()
    """What each shows of its subject: `global`, `view:front`, `expression:happy`; empty where nobody said."""
    language: str = "en"
    category: str = ""
    """The name without its number, as `singleobj`."""
    domain: str = ""
    """open, human or single."""
    synthetic: bool | None = None
    first_frame: str | None = None
    audio: str | None = None
    audio_hash: str = ""
    duration_s: float | None = None
    subjects: tuple[int, ...] = ()
    """The number, from 1, of the subject that each reference shows; empty where each shows another."""
    inside: tuple[bool, ...] = ()
    """Whether each reference is from the clip that the prompt describes; empty where nobody said."""
    first_frame_hash: str = ""
    schedule: tuple[str, ...] = ()
    """What is to happen in each span of `schedule_s`: `expression:happy`, `view:back`, or a sentence."""
    schedule_s: tuple[tuple[float, float], ...] = ()
    caption_by: str = ""
    """Who wrote the prompt: a model's id, `sidecar` or a person; empty where nobody said."""

    @property
    def id(self) -> str:
        more = (self.subjects, self.first_frame_hash, self.schedule, self.schedule_s)
        return content_id(
            "case",
            self.benchmark,
            self.name,
            self.prompt,
            self.references,
            self.hashes,
            self.labels,
            self.kinds,
            self.language,
            self.first_frame,
            self.audio_hash,
            self.duration_s,
            *(more if any(more) else ()),  # so that a case without these has the id that it had before they existed
        )

    @property
    def content(self) -> str:
        """Names what a person approves: all that a system is given, wherever it lies and whatever the case is called."""
        return content_id(
            "content",
            self.prompt,
            self.language,
            self.hashes,
            self.labels,
            self.kinds,
            self.subjects,
            self.first_frame_hash,
            self.audio_hash,
            self.schedule,
            self.schedule_s,
            self.duration_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A video that a system made for a case."""

    KIND: ClassVar[str] = "generation"
    case_id: str
    system: str
    seed: int
    path: str
    content_hash: str
    num_bytes: int
    settings: str = ""
    """How it was made: the text of its `GenerationSettings`. Not in the id, so that more said of a video measures nothing anew."""

    @property
    def id(self) -> str:
        return content_id("generation", self.case_id, self.system, self.seed, self.content_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One number about one record, or NULL with a reason. `name` and its scale belong to `producer`."""

    KIND: ClassVar[str] = "score"
    target: str
    name: str
    value: float | None
    producer: str
    reason: str | None = None
    num_units: int = 1
    coverage: float = 1.0
    evidence: str | None = None

    @property
    def id(self) -> str:
        return content_id("score", self.target, self.name, self.producer)


MACHINE_RECORDS: tuple[type, ...] = (
    Source,
    Sidecar,
    Video,
    Clip,
    Region,
    Caption,
    Phrase,
    Track,
    Subject,
    Appearance,
    Mask,
    Anchor,
    Embedding,
    Pair,
    BankPart,
    Plate,
    Sample,
    Case,
    Generation,
    Score,
)
"""Every record that a machine finds; each is one append-only table of the catalog."""

PARENTS: dict[type, tuple[str, type]] = {
    Sidecar: ("source_id", Source),
    BankPart: ("source_id", Source),
    Video: ("source_id", Source),
    Clip: ("video_id", Video),
    Region: ("clip_id", Clip),
    Caption: ("clip_id", Clip),
    Phrase: ("clip_id", Clip),
    Track: ("clip_id", Clip),
    Subject: ("clip_id", Clip),
    Appearance: ("subject_id", Subject),
    Mask: ("appearance_id", Appearance),
    Embedding: ("appearance_id", Appearance),
    Anchor: ("appearance_id", Appearance),
    Pair: ("target_appearance_id", Appearance),
    Plate: ("clip_id", Clip),
    Sample: ("clip_id", Clip),
    Generation: ("case_id", Case),
}
"""The field that names a record's parent, and the parent's type. A record is shown only while its parent is."""


def _as_stored(box: Box) -> Box:
    """The box as its row gives it back, whatever numbers a model gave: the id hangs on it."""
    x0, y0, x1, y1 = map(float, box)
    return x0, y0, x1, y1
