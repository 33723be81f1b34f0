"""What an export is made of: typed rows, filled from the catalog by the workspace and written by each format.

They are also the lines of `export manifest`: one field here is one field there (docs/export-manifest.md).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from backend.api import ExportSummary
from backend.domain import ArtifactStore, Box


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportVideo:
    """A video that pairs come from. The file itself stays where it is; `content_hash` tells whether it is the same."""

    video_id: str
    content_hash: str
    uri: str
    num_frames: int
    fps: float
    duration_s: float
    width: int
    height: int
    source_id: str
    licence: str | None = None
    attribution: str | None = None
    consent: str | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportMask:
    """COCO compressed run lengths on the whole frame, column-major."""

    height: int
    width: int
    counts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPhrase:
    """A noun phrase of the side's caption: `caption[start:stop]`."""

    text: str
    start: int
    stop: int
    role: str
    category: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSide:
    """The target or the reference of a pair. An external picture has no video, clip, subject or frame."""

    appearance_id: str
    origin: str
    """video, generated or external."""
    source_uri: str
    box: Box
    """`(x0, y0, x1, y1)` in pixels of the displayed frame, half-open."""
    source_id: str | None = None
    licence: str | None = None
    attribution: str | None = None
    subject_id: str | None = None
    video_id: str | None = None
    video_hash: str | None = None
    clip_id: str | None = None
    start_frame: int | None = None
    """First frame of the clip; `stop_frame` is the first frame after it."""
    stop_frame: int | None = None
    start_s: float | None = None
    stop_s: float | None = None
    frame: int | None = None
    """Frame of the appearance, by presentation index of the video."""
    time_s: float | None = None
    mask: ExportMask | None = None
    crop: str | None = None
    """Name of an RGBA artifact of the box, alpha being the mask; lies at `artifacts/ab/NAME` of the export."""
    caption: str | None = None
    caption_author: str | None = None
    phrases: tuple[ExportPhrase, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportScore:
    """A score of the pair. Values of two producers are never on one scale; NULL stands with its reason."""

    name: str
    value: float | None
    producer: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPair:
    """A pair with all that a reader needs to use it without the project."""

    pair_id: str
    kind: str
    """in_pair, cross_frame, cross_video or generated."""
    status: str
    """machine, one, agreed, disputed or adjudicated: how far people have judged it."""
    verdict: str | None
    num_votes: int
    category: str | None
    phrase: str | None
    is_living: bool | None
    target: ExportSide
    reference: ExportSide
    scores: tuple[ExportScore, ...] = ()
    models: tuple[tuple[str, str], ...] = ()
    """Role and model id of every model that had a part in it."""
    licence: str | None = None
    """What holds for the pair: the stricter of both sides' (docs/privacy.md); None where one is not stated."""
    identity: str | None = None
    """Name of the identity cluster, where one is known; pairs of one cluster never fall into two splits."""
    split: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReference:
    """A reference of a sample: which subject of the clip it shows, and the exported pair that says so."""

    subject_id: str
    appearance_id: str
    pair_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportAnchor:
    """A picture that stands for a subject of a sample's clip, and how often it is to be drawn (Gloria, section 3)."""

    appearance_id: str
    kind: str
    """global, viewpoint or expression."""
    label: str
    """The side or the expression; empty for a global anchor."""
    inside: bool
    """Whether its frame lies inside the clip."""
    frame: int | None
    crop: str
    """Name of the picture's artifact; lies at `artifacts/ab/NAME` of the export."""
    weight: float
    """1 for as often as it is found; brings labels to the published shares, over all anchors of the project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSample:
    """A clip with references of its subjects: what training reads. Both sides of the pairs say where pictures lie."""

    sample_id: str
    kind: str
    """cross_pair (references from elsewhere) or in_pair (from the clip itself)."""
    clip_id: str
    video_id: str
    start_frame: int
    stop_frame: int
    caption: str | None
    references: tuple[ExportReference, ...]
    """Sorted by subject; every one's pair is exported, and nobody has denied it."""
    plate: str | None = None
    """Artifact of the clip's surroundings without its subjects; lies at `artifacts/ab/NAME` of the export."""
    anchors: tuple[ExportAnchor, ...] = ()
    """Sorted by kind, label and picture."""
    licence: str | None = None
    """The strictest of the clip's and of every picture's; None where one is not stated."""
    split: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportAppearance:
    """A subject of a clip on one frame of its video."""

    appearance_id: str
    subject_id: str
    phrase: str | None
    category: str | None
    frame: int
    box: Box
    mask: ExportMask | None
    scores: tuple[ExportScore, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportClip:
    """A clip with everything that the current plan keeps of it, for formats that are about clips and not about pairs."""

    clip_id: str
    video_id: str
    start_frame: int
    stop_frame: int
    index: str
    """Artifact of the video's frame index, for whoever reads frames."""
    crop: Box | None = None
    """The clip's picture free of borders and overlays, where it is less than the frame."""
    caption: str | None = None
    caption_author: str | None = None
    phrases: tuple[ExportPhrase, ...] = ()
    face_spans: tuple[tuple[int, int], ...] = ()
    """Frames `[start, stop)` in which a face can be seen, longest first; empty where no face was followed."""
    appearances: tuple[ExportAppearance, ...] = ()
    """By frame and subject."""
    plate: str | None = None
    plate_frame: int | None = None
    scores: tuple[ExportScore, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportStage:
    """A stage that the rows went through: its version, its settings by name, and the model of each of its roles."""

    name: str
    version: int
    settings: Mapping[str, Any]
    models: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportAbout:
    """Where an export comes from. Holds no time and no path, so that equal data give equal bytes."""

    project: str
    version: str
    """Of Subject Studio."""
    recipe: str
    profile: str
    purpose: str = ""
    """training, evaluation or publication: pairs whose people did not agree to it are left out."""
    where: str = ""
    split: str = ""
    gates: tuple[str, ...] = ()
    """The gates that held, in words: `pair.similarity >= 0.7`."""
    stages: tuple[ExportStage, ...] = ()
    """In the recipe's order."""
    left_out: tuple[tuple[str, int], ...] = ()
    """Reason and number of the pairs that were not exported."""
    catalog_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRows:
    """What an export is to hold. Each iterable is read once at most."""

    pairs: Iterable[ExportPair]
    videos: Iterable[ExportVideo]
    about: ExportAbout
    duplicates: Sequence[tuple[str, str]] = ()
    """Videos, by id, that show the same material."""
    samples: Iterable[ExportSample] = ()
    """Those whose pairs are given."""
    clips: Iterable[ExportClip] = ()
    """All that the plan keeps, in order of video and start."""


class Exporter(Protocol):
    """An entry of EXPORTS: writes rows into a folder. Only formats that are about `whole_clips` read clips.

    Raises ProjectError when the folder cannot be written, SettingsError for a wrong split.
    """

    whole_clips: ClassVar[bool]

    def write(self, rows: ExportRows, *, out: Path, artifacts: ArtifactStore) -> ExportSummary: ...
