"""What one sequence of the transformer holds: a stream of video latents, and anchors beside it.

The *stream* is the clip in time: first frame, prefix, video, in this order. *Anchors* are single pictures that the stream
attends to: references (Phantom, Kaleido), and the global, view and expression anchors of Gloria, section 4.1. Both are
patchified by one shared layer and concatenated for self-attention. Attention has no order of its own: only position ids,
given by a scheme of `training.positions`, tell segments apart.

Shapes: S tokens of the sequence, T latent frames, H W rows and columns of a latent (before patchify).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

STREAM_ROLES = ("first_frame", "prefix", "video")
ANCHOR_ROLES = ("reference", "global", "view", "expression")
VIEWS = ("front", "back", "left", "right")  # Gloria, section 3
EXPRESSIONS = ("surprise", "angry", "disgust", "fear", "contempt", "sad", "neutral", "happy")  # Gloria, section 3
CATEGORIES = {"view": VIEWS, "expression": EXPRESSIONS}
PREFIX_LATENTS = 4  # Gloria, section 4.3
WAN_PATCH = (1, 2, 2)  # Wan 2.1: latent frames, rows and columns of one token

Span = tuple[int, int, int]
"""First token, the token after the last, and the row of the timestep that modulates them."""

AnchorKind = tuple[str, str, tuple[int, int]]
"""Role, category (empty where the role has none), and rows and columns of the latent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One latent (C, T, H, W) of the sequence, without its values. Raises ValueError for an impossible one."""

    role: str
    size: tuple[int, int, int]
    """T, H, W."""
    category: str = ""
    """Of a view or an expression."""
    slot: int = 0
    """Of an anchor: its number among the anchors, as `anchor_segments` counts them. It, not the order in the sequence, makes
    the position, where the category does not."""
    timestep: float | None = None
    """0 (clean) to 1000 (noise), whatever the video's is. None: as the video's."""

    def __post_init__(self) -> None:
        if self.role not in STREAM_ROLES + ANCHOR_ROLES:
            raise ValueError(f"a segment is one of {', '.join(STREAM_ROLES + ANCHOR_ROLES)}, not {self.role!r}")
        if min(self.size) < 1:
            raise ValueError(f"a {self.role} of {self.size} latent frames, rows and columns holds nothing")
        if self.role in ANCHOR_ROLES and self.size[0] != 1:
            raise ValueError(f"a {self.role} is one picture, encoded alone: 1 latent frame, not {self.size[0]}")
        wanted = CATEGORIES.get(self.role, ("",))
        if self.category not in wanted:
            raise ValueError(f"a {self.role} has a category of {wanted}, not {self.category!r}")

    @property
    def in_loss(self) -> bool:
        """Whether the model is asked for it: what is given clean teaches nothing."""
        return self.role == "video"


@dataclass(frozen=True, slots=True)
class Grid:
    """Tokens along time, height and width."""

    frames: int
    rows: int
    columns: int

    @property
    def tokens(self) -> int:
        return self.frames * self.rows * self.columns


class PositionScheme(Protocol):
    """Where anchors stand beside the stream, whose tokens always count from (0, 0, 0)."""

    def origin(self, anchor: Segment, stream: Grid) -> tuple[float, float, float]:
        """The (t, h, w) id of the anchor's first token, in tokens."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceLayout:
    """The segments of a sequence in order, with position ids, rows of timesteps, and what is in the loss.

    Frozen and hashable, so that tables can be kept by layout. Raises ValueError where the stream is no clip, a size is no
    multiple of the patch, or two anchors share role, category and slot.
    """

    stream: tuple[Segment, ...]
    anchors: tuple[Segment, ...] = ()
    scheme: PositionScheme
    anchors_first: bool = False
    """Kaleido and Gloria put them before the video, Phantom after it; it changes no value beyond rounding."""
    patch: tuple[int, int, int] = WAN_PATCH
    fixed_timesteps: tuple[float, ...] = field(init=False)
    """Distinct timesteps of segments that have their own: rows 1, 2, ... Row 0 is the video's."""

    def __post_init__(self) -> None:
        _check_stream(self.stream)
        for segment in self.segments:
            if any(length % patch for length, patch in zip(segment.size, self.patch)):
                raise ValueError(f"a {segment.role} of {segment.size} latents is no multiple of the patch {self.patch}")
        named = [(anchor.role, anchor.category, anchor.slot) for anchor in self.anchors]
        if len(set(named)) < len(named) or any(anchor.role not in ANCHOR_ROLES for anchor in self.anchors):
            raise ValueError(f"anchors need roles of {ANCHOR_ROLES} and slots of their own, not {named}")
        fixed = dict.fromkeys(segment.timestep for segment in self.segments if segment.timestep is not None)
        object.__setattr__(self, "fixed_timesteps", tuple(fixed))

    @property
    def segments(self) -> tuple[Segment, ...]:
        return self.anchors + self.stream if self.anchors_first else self.stream + self.anchors

    @property
    def num_frames(self) -> int:
        """Latent frames of the stream."""
        return sum(segment.size[0] for segment in self.stream)

    @property
    def video_frames(self) -> slice:
        """The latent frames of the stream that the model is asked for: those in the loss."""
        return slice(self.num_frames - self.stream[-1].size[0], self.num_frames)

    @property
    def stream_grid(self) -> Grid:
        frames = sum(self.grid(segment).frames for segment in self.stream)
        whole = self.grid(self.stream[0])
        return Grid(frames, whole.rows, whole.columns)

    @property
    def stream_tokens(self) -> slice:
        """Where the stream lies in the sequence."""
        start = sum(self.grid(anchor).tokens for anchor in self.anchors) if self.anchors_first else 0
        return slice(start, start + self.stream_grid.tokens)

    @property
    def num_tokens(self) -> int:
        return sum(self.grid(segment).tokens for segment in self.segments)

    def grid(self, segment: Segment) -> Grid:
        """How many tokens a segment has along each axis."""
        return Grid(*(length // patch for length, patch in zip(segment.size, self.patch)))

    def position_ids(self) -> np.ndarray:
        """float64 (S, 3): t, h, w of every token, in the order of the sequence; row-major within a segment."""
        origins = dict(_stream_origins(self))
        parts = []
        for segment in self.segments:
            origin = origins.get(segment) if segment.role in STREAM_ROLES else None
            start = self.scheme.origin(segment, self.stream_grid) if origin is None else origin
            size = self.grid(segment)
            axes = [
                np.arange(n, dtype=np.float64) + first for n, first in zip((size.frames, size.rows, size.columns), start)
            ]
            parts.append(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3))
        return np.concatenate(parts)

    def row(self, segment: Segment) -> int:
        """The row of the timestep that modulates a segment."""
        return 0 if segment.timestep is None else 1 + self.fixed_timesteps.index(segment.timestep)

    def spans(self, segments: Sequence[Segment], *, start: int = 0, stop: int | None = None) -> tuple[Span, ...]:
        """Runs of tokens with one timestep, of these segments one after another; cut to [start, stop) and counted from start."""
        found: list[Span] = []
        at = 0
        for segment in segments:
            end = at + self.grid(segment).tokens
            low, high = max(at, start), end if stop is None else min(end, stop)
            at = end
            if low >= high:
                continue
            span = (low - start, high - start, self.row(segment))
            if found and found[-1][2] == span[2]:
                span = (found.pop()[0], span[1], span[2])
            found.append(span)
        return tuple(found)

    def without_anchors(self, roles: Sequence[str]) -> "SequenceLayout":
        """The same sequence with the anchors of these roles left out; ids of the others stay."""
        return replace(self, anchors=tuple(anchor for anchor in self.anchors if anchor.role not in roles))


def clip_segments(size: tuple[int, int, int], *, first_frame: bool = False, prefix: int = 0) -> tuple[Segment, ...]:
    """The stream of a clip of `size` (T, H, W) latents whose start may be given clean, at timestep 0.

    Clean latents at timestep 0 inside the stream are how Wan 2.2 TI2V conditions on a first frame; Gloria does not say
    which timestep its four prefix latents get, so 0 is our choice.
    """
    frames, rows, columns = size
    known = max(int(first_frame), prefix)
    if known >= frames:
        raise ValueError(f"{known} latents are given of a clip of {frames}: nothing is left to generate")
    video = Segment(role="video", size=(frames - known, rows, columns))
    if not known:
        return (video,)
    role = "prefix" if prefix else "first_frame"
    return (Segment(role=role, size=(known, rows, columns), timestep=0.0), video)


def anchor_segments(anchors: Sequence[AnchorKind], *, timestep: float | None) -> tuple[Segment, ...]:
    """Segments of pictures that are shown together, in the order given; `timestep`: of each, see `Segment`.

    Slots count references first, as they come, then the others by role and category. So equal anchors stand at equal places in
    training, which draws them, and in generation, where a case lists them. Raises ValueError as `Segment` does.
    """
    found = [Segment(role=role, category=category, size=(1, *size), timestep=timestep) for role, category, size in anchors]
    ordered = sorted(range(len(found)), key=lambda place: _kind_number(found[place]))  # stable: references as they come
    slots = {place: slot for slot, place in enumerate(ordered)}
    return tuple(replace(segment, slot=slots[place]) for place, segment in enumerate(found))


def _kind_number(anchor: Segment) -> tuple[int, int]:
    return ANCHOR_ROLES.index(anchor.role), CATEGORIES.get(anchor.role, ("",)).index(anchor.category)


def _check_stream(stream: tuple[Segment, ...]) -> None:
    roles = [segment.role for segment in stream]
    if not roles or roles[-1] != "video" or sorted(set(roles), key=STREAM_ROLES.index) != roles:
        raise ValueError(f"a stream is a first frame, a prefix and a video, the first two optional, not {roles}")
    if len({segment.size[1:] for segment in stream}) > 1:
        raise ValueError(f"the stream's segments differ in rows or columns: {[segment.size for segment in stream]}")


def _stream_origins(layout: SequenceLayout) -> Iterator[tuple[Segment, tuple[float, float, float]]]:
    frame = 0
    for segment in layout.stream:
        yield segment, (float(frame), 0.0, 0.0)
        frame += layout.grid(segment).frames
