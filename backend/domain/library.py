"""What the library shows: items of a project as rows of typed columns, and one item with all that is known of it."""

from dataclasses import dataclass, field

from backend.domain.records import Box

Value = str | int | float | bool | None
KINDS = ("video", "clip", "subject", "anchor", "pair")
"""The kinds of items, from the whole to its parts."""
KEPT, HELD_BACK, EXCLUDED = "kept", "held back", "excluded"
"""States of an item: in the current plan, held back by a gate of the recipe, or taken out by a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemColumn:
    """A column that can be filtered by and sorted by. `type` is text, number or bool."""

    name: str
    type: str
    meaning: str = ""
    choices: tuple[str, ...] = ()
    """The values of a text column that has few."""
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemKind:
    """One kind of item: its columns in the order of display, scores last, and how many of every kind are kept."""

    kind: str
    columns: tuple[ItemColumn, ...]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPage:
    """A window of the items that match. `rows[i]` has an id and a value for each of `columns`.

    Windows of one `moment` fit together; another moment means that the project has changed.
    """

    kind: str
    moment: str
    total: int
    offset: int
    columns: tuple[str, ...]
    ids: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A small picture of an item: `path`, or None with the `reason`."""

    item_id: str
    path: str | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Items of a kind by their ids, or all that `where` and `search` select."""

    kind: str
    ids: tuple[str, ...] = ()
    all_matching: bool = False
    where: str = ""
    search: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """Something followed through a clip: `boxes[i]` on source frame `frames[i]`; `points[i]` are its keypoints, empty without."""

    kind: str
    """subject, face, person or object."""
    label: str
    frames: tuple[int, ...]
    boxes: tuple[Box, ...]
    points: tuple[tuple[tuple[float, float], ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A subject on one source frame: its box, and its mask as COCO run lengths (ASCII), of the whole frame."""

    frame: int
    label: str
    box: Box
    counts: str = ""
    height: int = 0
    width: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """A clip that shows the item, and what was found in it. Frame i of the medium is source frame `start_frame + i`."""

    slot: str
    """clip, or the sides of a pair: target and reference."""
    clip_id: str | None
    clip_media: str | None
    picture_media: str | None
    """The item's own picture: a cut-out or a picture from outside."""
    start_frame: int = 0
    width: int = 0
    height: int = 0
    caption: str = ""
    focus_frame: int | None = None
    """The source frame that shows the item best."""
    focus_s: float | None = None
    """Where that frame is in the video."""
    source: str = ""
    """Where the file lies that the clip, or the picture from outside, is from; empty for what was made here."""
    licence: str = ""
    """Of that file; empty where none is stated."""
    trails: tuple[Trail, ...] = ()
    marks: tuple[Marked, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemScore:
    """A score of an item. `gates` are what the recipe asks of it, `passed` says whether all hold."""

    name: str
    value: float | None
    reason: str
    producer: str
    gates: tuple[str, ...] = ()
    passed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What made a record: the stage with its settings, the models of its roles, and the run."""

    record: str
    record_id: str
    stage: str
    version: int
    settings: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    run_id: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDetail:
    """All that is known of an item; `origins` begins with the item itself and goes up to its video."""

    kind: str
    item_id: str
    title: str
    state: str
    held_by: str
    """The gate that holds it back, in words; empty for none."""
    values: dict[str, Value]
    views: tuple[ItemView, ...]
    scores: tuple[ItemScore, ...]
    origins: tuple[Origin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """How many items were taken out, or taken in again."""

    items: int
    excluded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationAsked:
    """How many pairs were put first in the queue for the items that were chosen."""

    items: int
    pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSummary:
    """What an export wrote. `manifest` is the path of MANIFEST.sha256; `left_out` counts pairs by reason."""

    out: str
    format: str
    pairs: int
    files: int
    manifest: str
    left_out: dict[str, int] = field(default_factory=dict)
