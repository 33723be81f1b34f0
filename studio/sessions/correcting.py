"""A person putting right where a subject lies: its box, and its mask by points and brush. Knows no Qt and no service."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from backend.domain import Box
from backend.domain.corrections import Correction, Outline
from backend.domain.model_work import PointPrompt
from backend.geometry import boxes, rle

TOOLS = ("box", "points", "brush")
EDGES = {"tl": (0, 1), "tr": (2, 1), "bl": (0, 3), "br": (2, 3), "t": (1,), "b": (3,), "l": (0,), "r": (2,)}
"""Handles of a box, and which of its four numbers each moves."""
LEAST_PX = 4.0
"""A box keeps this width and height under the mouse."""
MOST_UNDONE = 60


@dataclass(frozen=True, slots=True)
class _Moment:
    box: Box
    mask: np.ndarray | None
    points: tuple[PointPrompt, ...]


@dataclass(slots=True, kw_only=True)
class CorrectingSession:
    """One appearance being corrected. Places are pixels of the source frame; every change can be undone."""

    outline: Outline
    tool: str = "box"
    radius: float = 0.0
    """Of the brush, in pixels of the source."""
    cursor: tuple[float, float] = (0.0, 0.0)
    """Where the keyboard points or paints."""
    box: Box = (0.0, 0.0, 0.0, 0.0)
    mask: np.ndarray | None = None
    """bool (H, W) of the whole frame; None where there is none to correct."""
    points: tuple[PointPrompt, ...] = ()
    _past: list[_Moment] = field(default_factory=list)
    _given: _Moment | None = None

    def __post_init__(self) -> None:
        outline = self.outline
        self.box = outline.box
        if outline.counts:
            self.mask = rle.decode(outline.counts.encode("ascii"), outline.height, outline.width)
        x0, y0, x1, y1 = outline.box
        self.cursor = ((x0 + x1) / 2, (y0 + y1) / 2)
        self.radius = max(3.0, min(x1 - x0, y1 - y0) / 12)
        self._given = self._moment()

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    @property
    def is_changed(self) -> bool:
        return self._changed_box or self._changed_mask

    def begin(self) -> None:
        """What comes until the next call is one step of undo: a drag, a stroke, a key."""
        self._past = [*self._past, self._moment()][-MOST_UNDONE:]

    def undo(self) -> None:
        """Takes the last step back."""
        if self._past:
            last = self._past.pop()
            self.box, self.mask, self.points = last.box, last.mask, last.points

    def move_box(self, dx: float, dy: float) -> None:
        """Moves the whole box, as far as the frame allows."""
        x0, y0, x1, y1 = self.box
        dx = min(max(dx, -x0), self.outline.width - x1)
        dy = min(max(dy, -y0), self.outline.height - y1)
        self.box = (x0 + dx, y0 + dy, x1 + dx, y1 + dy)

    def pull(self, handle: str, dx: float, dy: float) -> None:
        """Moves a handle of `EDGES`; the box stays in the frame and keeps a size."""
        sides = list(self.box)
        for side in EDGES[handle]:
            sides[side] += dx if side % 2 == 0 else dy
        width, height = self.outline.width, self.outline.height
        if 0 in EDGES[handle]:
            sides[0] = min(max(sides[0], 0.0), sides[2] - LEAST_PX)
        if 2 in EDGES[handle]:
            sides[2] = max(min(sides[2], float(width)), sides[0] + LEAST_PX)
        if 1 in EDGES[handle]:
            sides[1] = min(max(sides[1], 0.0), sides[3] - LEAST_PX)
        if 3 in EDGES[handle]:
            sides[3] = max(min(sides[3], float(height)), sides[1] + LEAST_PX)
        self.box = (sides[0], sides[1], sides[2], sides[3])

    def move_cursor(self, dx: float, dy: float) -> None:
        """Moves where the keyboard points, inside the frame."""
        x, y = self.cursor
        self.cursor = (
            min(max(x + dx, 0.0), self.outline.width - 1.0),
            min(max(y + dy, 0.0), self.outline.height - 1.0),
        )

    def point(self, x: float, y: float, *, include: bool) -> None:
        """Points to what belongs to the subject, or to what does not; `taken` brings the mask of it."""
        self.begin()
        self.points = (*self.points, PointPrompt(x=float(x), y=float(y), include=include))

    def taken(self, counts: str) -> None:
        """The mask that a model made of points and box; part of the step that asked for it."""
        self.mask = rle.decode(counts.encode("ascii"), self.outline.height, self.outline.width)

    def paint(self, start: tuple[float, float], stop: tuple[float, float], *, include: bool) -> None:
        """Adds to the mask, or takes from it, what a round brush passes from one place to another."""
        if self.mask is None:
            return
        (x0, y0), (x1, y1) = start, stop
        edge = self.radius + 1
        left, right = max(0, int(min(x0, x1) - edge)), min(self.outline.width, int(max(x0, x1) + edge) + 1)
        top, bottom = max(0, int(min(y0, y1) - edge)), min(self.outline.height, int(max(y0, y1) + edge) + 1)
        if left >= right or top >= bottom:
            return
        ys, xs = np.mgrid[top:bottom, left:right] + 0.5  # centres of pixels
        along_x, along_y = x1 - x0, y1 - y0
        length = along_x**2 + along_y**2
        share = np.clip(((xs - x0) * along_x + (ys - y0) * along_y) / length, 0, 1) if length else np.zeros_like(xs)
        passed = (xs - x0 - share * along_x) ** 2 + (ys - y0 - share * along_y) ** 2 <= self.radius**2
        self.mask = self.mask.copy()  # the one before is a step of undo
        self.mask[top:bottom, left:right][passed] = include

    def resize_brush(self, factor: float) -> None:
        """A larger or a smaller brush, from a pixel to a quarter of the frame."""
        self.radius = min(max(self.radius * factor, 1.0), min(self.outline.width, self.outline.height) / 4)

    def corrections(
        self, words: dict[str, str], *, rater: str, now: str, new_id: Callable[[], str]
    ) -> tuple[Correction, ...]:
        """What was changed, to be stored: `words` are caption, phrase and category as they stand in the fields.

        A mask that reaches out of the box takes the box along.
        """
        outline, made = self.outline, []

        def say(kind: str, item_id: str, **value) -> None:
            made.append(Correction(id=new_id(), rev=1, kind=kind, item_id=item_id, rater=rater, made_at=now, **value))

        box = self.box
        if self._changed_mask and self.mask is not None:
            bounds = boxes.of_mask(self.mask)
            box = boxes.union(box, bounds) if bounds is not None and not self._changed_box else box
        if box != outline.box:
            say("box", outline.appearance_id, box=box)
        if self._changed_mask and self.mask is not None:
            say("mask", outline.appearance_id, counts=rle.encode(self.mask).decode("ascii"))
        for kind, item_id, before in (
            ("caption", outline.clip_id, outline.caption),
            ("phrase", outline.subject_id, outline.phrase),
            ("category", outline.subject_id, outline.category),
        ):
            after = words.get(kind, before).strip()
            if after and after != before:
                say(kind, item_id, text=after)
        return tuple(made)

    @property
    def _changed_box(self) -> bool:
        return self.box != self.outline.box

    @property
    def _changed_mask(self) -> bool:
        assert self._given is not None, "kept when the session was made"
        before = self._given.mask
        return self.mask is not None and before is not None and not np.array_equal(self.mask, before)

    def _moment(self) -> _Moment:
        return _Moment(self.box, self.mask, self.points)
