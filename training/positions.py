"""Where anchors stand in the rotary position space: one scheme a paper or model, by name in `POSITIONS`.

All ids are in tokens (a latent of 60 rows with patch 2 has h from 0 to 29). The stream always counts from (0, 0, 0).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from training.layout import CATEGORIES, Grid, PositionScheme, Segment


@dataclass(frozen=True, slots=True)
class Concat:
    """After the video in time, space from 0: Phantom, whose rotary embedding is Wan's untouched."""

    def origin(self, anchor: Segment, stream: Grid) -> tuple[float, float, float]:
        return (float(stream.frames + anchor.slot), 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Shifted:
    """t = slot, and space beyond the video's: R-RoPE of Kaleido, equation 4, and the ablations of its table 2."""

    axes: Literal["h", "w", "hw"] = "hw"
    spatial_origin: int | None = None
    """Where shifted axes start; None: at the video's own extent, as the paper says. Kaleido's published code has 80."""

    def origin(self, anchor: Segment, stream: Grid) -> tuple[float, float, float]:
        beyond = (stream.rows, stream.columns) if self.spatial_origin is None else (self.spatial_origin,) * 2
        row, column = (float(edge if axis in self.axes else 0) for axis, edge in zip("hw", beyond))
        return (float(anchor.slot), row, column)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakCondition:
    """t = base of the role + stride * number of the category, space from 0: RoPE as weak condition of Gloria, section 4.1.

    The paper gives the form only; every number here is our choice. A role is bound to one position whatever the clip's
    length, so the first base is the next multiple of ten beyond the longest clip (30 for 21 latents). References alone, which
    the paper has none of, are told apart by their slots.
    """

    max_frames: int = 21  # 81 frames, Wan 2.1
    stride: float = 1.0
    """Between categories; 22 temporal frequencies tell neighbours at distance 1 hardly apart, so it is worth an ablation."""

    def __post_init__(self) -> None:
        if not 0 < self.stride <= MAX_STRIDE:
            raise ValueError(f"a stride of {self.stride} lets roles run into each other: more than 0, at most {MAX_STRIDE}")
        if self.max_frames < 1:
            raise ValueError(f"{self.max_frames} latent frames are no clip; at least 1")

    def origin(self, anchor: Segment, stream: Grid) -> tuple[float, float, float]:
        """Raises ValueError for a stream that reaches into the anchors' positions."""
        base = 10 * math.ceil((self.max_frames + 1) / 10)
        if stream.frames > self.max_frames:
            raise ValueError(
                f"a clip of {stream.frames} latent frames may reach the anchors at {base}: the model was trained for "
                f"{self.max_frames} (model.longest_latents); make chunks that are no longer (video.chunk_frames)"
            )
        order = CATEGORIES.get(anchor.role)
        number = order.index(anchor.category) if order else anchor.slot if anchor.role == "reference" else 0
        return (base + ROLE_BASES[anchor.role] + self.stride * number, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTime:
    """One far time for all anchors, space from 0: Wan 2.2 S2V, which also gives them timestep 0."""

    time: int = 30  # Wan 2.2 S2V

    def origin(self, anchor: Segment, stream: Grid) -> tuple[float, float, float]:
        return (float(self.time), 0.0, 0.0)


ROLE_BASES = {"global": 0, "view": 10, "expression": 30, "reference": 70}  # our choice: room for a stride of 5
MAX_STRIDE = 5.0  # 3 strides of views stay below 20, 7 of expressions below 40

POSITIONS: Mapping[str, PositionScheme] = {
    "concat": Concat(),
    "shift_w": Shifted("w"),
    "shift_h": Shifted("h"),
    "rrope": Shifted("hw"),
    "rrope_fixed": Shifted("hw", 80),  # Kaleido's code: 1280 pixels / 8 / 2
    "weak_condition": WeakCondition(),
    "wan_s2v": OneTime(),
}


def position_scheme(name: str, *, stride: float = 1.0, max_frames: int = 21) -> PositionScheme:
    """The scheme of this name; the numbers are weak_condition's. Raises ValueError naming the schemes there are."""
    if name not in POSITIONS:
        raise ValueError(f"no position scheme {name!r}; there are {', '.join(POSITIONS)}")
    scheme = POSITIONS[name]
    return WeakCondition(stride=stride, max_frames=max_frames) if isinstance(scheme, WeakCondition) else scheme
