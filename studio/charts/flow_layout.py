"""Where everything of a picture of flow stands: a lane for each kind of record, a row for each stage, bands as wide as their counts.

Pure geometry in pixels; `flow_plot` draws it. Counts of one kind are on one scale, so that a lane narrows where items leave it;
kinds have scales of their own, because a thousand clips may come of one video.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.jobs import StageFlow

LABELS_PX, WORDS_PX = 190, 330
"""At the left, names of stages; at the right, what left them."""
ROW_PX, TOP_PX, NODE_PX = 50, 46, 15
NODE_DOWN_PX = 10
"""From the top of a row to its node."""
LANE_PX, LEAST_LANE_PX, GAP_PX = 190, 58, 20
"""Widest and narrowest lane, and what is free between two."""
LEAST_BAND_PX = 2.0
ARRIVE_PX = 9
"""How far above a node the records that were born for it arrive."""
PARTS = ("passed", "filtered", "failed", "pending")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a node: what became of so many items."""

    what: str
    count: int
    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A stage in its lane."""

    stage: int
    x: float
    y: float
    width: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Items on their way down, from `(x0, y0)` of width `w0` to `(x1, y1)` of width `w1`. `what` is on, held (they leave here) or born."""

    what: str
    x0: float
    y0: float
    w0: float
    x1: float
    y1: float
    w1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Records of one kind; `most` is what its full width stands for."""

    kind: str
    x: float
    width: float
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPicture:
    """The whole picture."""

    width: float
    height: float
    lanes: tuple[Lane, ...]
    nodes: tuple[Node, ...]
    bands: tuple[Band, ...]


def arrange(stages: Sequence[StageFlow], width: float) -> FlowPicture:
    """The picture of stages in their order of work, within `width` pixels where that is enough for every lane."""
    kinds = tuple(dict.fromkeys(stage.over for stage in stages))
    room = (width - LABELS_PX - WORDS_PX) / max(1, len(kinds))
    pitch = min(max(room, LEAST_LANE_PX), LANE_PX + GAP_PX)
    lanes = {
        kind: Lane(kind=kind, x=LABELS_PX + n * pitch, width=pitch - GAP_PX, most=_most(stages, kind))
        for n, kind in enumerate(kinds)
    }
    nodes = tuple(_node(n, stage, lanes[stage.over]) for n, stage in enumerate(stages))
    bands = [band for n in range(len(stages)) for band in (*_on(stages, nodes, lanes, n), *_born(stages, nodes, lanes, n))]
    right = LABELS_PX + pitch * len(kinds)
    return FlowPicture(
        width=max(width, right + WORDS_PX),
        height=TOP_PX + ROW_PX * len(stages) + 8,
        lanes=tuple(lanes.values()),
        nodes=nodes,
        bands=tuple(bands),
    )


def band_width(count: int, lane: Lane) -> float:
    """Pixels for so many records of a lane: none for none, and never too thin to be seen."""
    return 0.0 if count <= 0 else max(LEAST_BAND_PX, lane.width * min(1.0, count / lane.most))


def _most(stages: Sequence[StageFlow], kind: str) -> int:
    entering = [stage.entering for stage in stages if stage.over == kind]
    return max([1, *entering, *(stage.gives.get(kind, 0) for stage in stages)])


def _node(number: int, stage: StageFlow, lane: Lane) -> Node:
    counts = {what: getattr(stage, what) for what in PARTS}
    widths = {what: band_width(count, lane) for what, count in counts.items()}
    widest = max(widths, key=lambda what: widths[what])
    widths[widest] -= max(0.0, sum(widths.values()) - band_width(stage.entering, lane))  # the least took it from the most
    parts, x = [], lane.x
    for what, wide in widths.items():
        if wide > 0:
            parts.append(Part(what=what, count=counts[what], x=x, width=wide))
            x += wide
    y = TOP_PX + number * ROW_PX + NODE_DOWN_PX
    return Node(stage=number, x=lane.x, y=y, width=x - lane.x, parts=tuple(parts))


def _next_over(stages: Sequence[StageFlow], number: int, kind: str) -> int | None:
    return next((n for n in range(number + 1, len(stages)) if stages[n].over == kind), None)


def _on(stages: Sequence[StageFlow], nodes: Sequence[Node], lanes: dict[str, Lane], number: int) -> list[Band]:
    """Items that the next stage over the same kind takes as well, and those that leave before it."""
    stage, node, lane = stages[number], nodes[number], lanes[stages[number].over]
    below = _next_over(stages, number, stage.over)
    if below is None:
        return []
    target = nodes[below]
    go_on = band_width(min(stage.entering, stages[below].entering), lane)
    top = node.y + NODE_PX
    found = []
    if go_on:
        found.append(Band(what="on", x0=node.x, y0=top, w0=go_on, x1=node.x, y1=target.y, w1=go_on))
    leaving = node.width - go_on
    if leaving >= LEAST_BAND_PX:
        x = node.x + go_on
        found.append(Band(what="held", x0=x, y0=top, w0=leaving, x1=x + leaving, y1=top + ROW_PX * 0.42, w1=0.0))
    return found


def _born(stages: Sequence[StageFlow], nodes: Sequence[Node], lanes: dict[str, Lane], number: int) -> list[Band]:
    """Records of other lanes that a stage gives, and those of them that gates hold back before they are worked on."""
    stage, node = stages[number], nodes[number]
    found = []
    for kind, count in stage.gives.items():
        below = _next_over(stages, number, kind)
        if kind == stage.over or below is None or not count:
            continue
        lane, target = lanes[kind], nodes[below]
        wide = band_width(count, lane)
        start = node.parts[0].width if node.parts else 0.0
        y = target.y - ARRIVE_PX
        found.append(Band(what="born", x0=node.x, y0=node.y + NODE_PX, w0=start, x1=lane.x, y1=y, w1=wide))
        taken = min(wide, band_width(stages[below].entering, lane))
        if taken:
            found.append(Band(what="on", x0=lane.x, y0=y, w0=taken, x1=lane.x, y1=target.y, w1=taken))
        if wide - taken >= LEAST_BAND_PX:
            x = lane.x + taken
            found.append(Band(what="held", x0=x, y0=y, w0=wide - taken, x1=x + wide - taken, y1=target.y + 6, w1=0.0))
    return found
