"""Text, logos and badges laid over a picture: what stays in place, edge for edge, while the picture behind it moves.

The mean of the gradients over a shot keeps the edges of an overlay and blurs those of whatever moves (the first step
of watermark estimation in Dekel et al., "On the Effectiveness of Visible Watermarks", CVPR 2017, there over many
photos). Where the picture itself stands still this says little; then count what outlasts the shot elsewhere in the video,
and, with less confidence, marks near the upper and lower side that are much sharper than all around them. Overlays that
scroll, fade or change are not found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from backend.domain import Box
from backend.geometry import boxes

PixelBox = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayRules:
    """Thresholds; gradients in 8-bit levels a pixel, lengths in parts of the picture's longer side.

    Measured on 75 shots of sample worlds (seeds 0 to 3) and 70 of real video at 640 pixels.
    """

    gradients: tuple[float, ...] = (8.0, 16.0, 32.0, 56.0)
    """Least mean gradient of an edge; marks are sought at each, for strong ones stand free of what is faint."""
    min_steady: float = 0.75
    """Least part of an edge's gradient that survives the mean over time: 1 stands still, .2 is chance at 24 frames."""
    min_elsewhere: float = 0.4
    """What outlasts a shot has at least this part of its gradient on either side, whatever lies behind it."""
    lasting_steadiness: float = 2.2
    """Least steadiness of what outlasts a shot, a logarithm as below: scenes that meet by chance stay under 1.9."""
    noise_gradient: float = 1.0
    """Added to every gradient, so that noise in flat areas is not called steady."""
    flat_gradient: float = 3.0
    """Gradients around a mark under this tell nothing of motion."""
    line_length: float = 0.08
    """Longer straight edges belong to the scene (horizons, shelves): no stroke of a letter is as long."""
    letter_gap: float = 0.02
    """Marks this near on a line are one word."""
    height: tuple[float, float] = (0.009, 0.16)
    width: tuple[float, float] = (0.015, 0.7)
    min_mix: float = 0.28
    """Least energy of the weaker of horizontal and vertical gradients, relative to the stronger."""
    max_polarity: float = 0.2
    """Strokes have two sides: greatest net gradient, relative to the sum of all. A step edge has 1."""
    min_density: float = 0.15
    """Least part of the box covered by steady edges."""
    plate_gradient: float = 12.0
    """Least mean gradient of a plate's side."""
    margin: float = 0.12
    """Overlays stand this near the upper or lower side as a rule (cosmos-curate, corner text: 10 %)."""
    lone_steadiness: float = 1.9
    """How much steadier than around it a mark must be, and how much sharper, as natural logarithms of ratios; what
    one exceeds the other may lack."""
    lone_sharpness: float = 0.4
    line_bonus: float = 0.6
    """Added for a line of letters in the margin."""
    logo_malus: float = 0.3
    """Taken off for any other mark in the margin."""
    outside_malus: float = 0.8
    """Taken off for a mark that stands in no margin."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A group of steady edges that could be an overlay, with what tells it from the scene."""

    box: Box
    steadiness: float
    """Logarithm of how much less its edges change over time than those around it."""
    sharpness: float
    """Logarithm of its mean gradient relative to what 95 % of the picture around it stay under."""
    num_edges: int
    """How many of its pixels are steady edges."""
    in_margin: bool
    """Near the upper or lower side."""
    is_line: bool
    """At least twice as wide as tall."""

    @property
    def rank(self) -> float:
        """Which of overlapping marks shows an overlay best: whole words before their letters, without scene beside them."""
        return self.steadiness + self.sharpness + 0.5 * float(np.log(self.num_edges))

    def confidence(self, rules: OverlayRules) -> float:
        """In (0, 1); .5 where steadiness and sharpness together just suffice."""
        spare = self.steadiness - rules.lone_steadiness + self.sharpness - rules.lone_sharpness
        if not self.in_margin:
            spare -= rules.outside_malus
        else:
            spare += rules.line_bonus if self.is_line else -rules.logo_malus
        return float(1 / (1 + np.exp(-2 * spare)))


@dataclass(frozen=True, slots=True)
class SteadyEdges:
    """Gradients over time, float32 `(H, W)`: their mean's parts and length, and the mean of their lengths."""

    across: np.ndarray
    down: np.ndarray
    length: np.ndarray
    lengths: np.ndarray


def find_overlays(
    frames: np.ndarray,
    *,
    elsewhere: np.ndarray | None = None,
    min_confidence: float = 0.5,
    rules: OverlayRules | None = None,
) -> list[tuple[Box, float]]:
    """Overlays in frames uint8 `(T, H, W, 3)`, RGB, of one shot, as boxes in their pixels with confidence, best first.

    The frames should lie over the whole shot, at about 640 pixels of width. Frames of the same size from `elsewhere`
    in the video, if any, show what outlasts the shot. Lines of one block share a box.
    """
    rules = rules or OverlayRules()
    edges = steady_edges(frames)
    marks = marks_of(edges, rules=rules)
    if elsewhere is not None and len(elsewhere):
        lasting = marks_of(_both(edges, steady_edges(elsewhere), rules.min_elsewhere), rules=rules)
        marks += [mark for mark in lasting if mark.steadiness >= rules.lasting_steadiness]
    steady = _steady(edges, rules)
    best: list[tuple[Box, float]] = []
    for mark in sorted(marks, key=lambda mark: -mark.rank):
        confidence = mark.confidence(rules)
        if confidence >= min_confidence and not any(_same(mark.box, other) for other, _ in best):
            best.append((_with_plate(mark.box, steady & (edges.length >= rules.plate_gradient)), confidence))
    return _blocks(best)


def steady_edges(frames: np.ndarray) -> SteadyEdges:
    """What gradients have in common over frames uint8 `(T, H, W, 3)`, RGB. Raises ValueError without frames."""
    if not len(frames):
        raise ValueError("overlays are sought in at least one frame, got none")
    across, down, lengths = (np.zeros(frames[0].shape[:2], np.float32) for _ in range(3))
    for frame in frames:
        luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        x = cv2.Sobel(luma, cv2.CV_32F, 1, 0, scale=0.25)
        y = cv2.Sobel(luma, cv2.CV_32F, 0, 1, scale=0.25)
        across += x
        down += y
        lengths += cv2.magnitude(x, y)
    across, down, lengths = across / len(frames), down / len(frames), lengths / len(frames)
    return SteadyEdges(across, down, cv2.magnitude(across, down), lengths)


def marks_of(edges: SteadyEdges, *, rules: OverlayRules | None = None) -> list[Mark]:
    """Groups of steady edges as wide, tall, dense and mixed in direction as text and logos; they may overlap."""
    rules = rules or OverlayRules()
    side = max(edges.length.shape)
    steady = _steady(edges, rules)
    marks: list[Mark] = []
    for gradient in rules.gradients:
        mask = (steady & (edges.length >= gradient)).astype(np.uint8)
        mask = _without_lines(mask, max(8, round(rules.line_length * side)))
        marks += [mark for box in _words(mask, side, rules) if (mark := _mark(box, mask, edges, rules)) is not None]
    return marks


def _steady(edges: SteadyEdges, rules: OverlayRules) -> np.ndarray:
    return edges.length >= rules.min_steady * (edges.lengths + rules.noise_gradient)


def _both(here: SteadyEdges, elsewhere: SteadyEdges, least_part: float) -> SteadyEdges:
    """What both have, as if of equally many frames; what one has far weaker than the other has no steady gradient."""
    shared = np.minimum(here.length, elsewhere.length) >= least_part * np.maximum(here.length, elsewhere.length)
    across, down = (here.across + elsewhere.across) / 2 * shared, (here.down + elsewhere.down) / 2 * shared
    return SteadyEdges(across, down, cv2.magnitude(across, down), (here.lengths + elsewhere.lengths) / 2)


def _without_lines(mask: np.ndarray, length: int) -> np.ndarray:
    """Steady edges that lie on no long horizontal or vertical line, nor beside one."""
    lines = np.zeros_like(mask)
    for kernel in (np.ones((1, length), np.uint8), np.ones((length, 1), np.uint8)):
        lines |= cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
    return mask & (1 - cv2.dilate(lines, np.ones((3, 3), np.uint8)))


def _words(mask: np.ndarray, side: int, rules: OverlayRules) -> Iterator[PixelBox]:
    """Boxes of edges joined along lines, and of lines joined to blocks."""
    gap = max(3, round(rules.letter_gap * side)) | 1
    for down in (3, gap):
        joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((down, gap), np.uint8))
        _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
        for x, y, w, h, _ in stats[1:].tolist():
            sized = rules.height[0] * side <= h <= rules.height[1] * side
            if sized and rules.width[0] * side <= w <= rules.width[1] * side:
                yield x, y, x + w, y + h


def _mark(box: PixelBox, mask: np.ndarray, edges: SteadyEdges, rules: OverlayRules) -> Mark | None:
    x0, y0, x1, y1 = box
    height, width = mask.shape
    inside = np.s_[y0:y1, x0:x1]
    own = mask[inside].astype(bool)
    if own.mean() < rules.min_density:
        return None
    across, down, length = edges.across[inside][own], edges.down[inside][own], edges.length[inside][own]
    energies = float((across**2).sum()), float((down**2).sum())
    polarity = np.hypot(across.sum(), down.sum()) / length.sum()
    if min(energies) < rules.min_mix * max(energies) or polarity > rules.max_polarity:
        return None
    # A plate ends within half a line's height of its text: what is around begins beyond.
    near, far = round(0.6 * (y1 - y0)) + 2, round(1.5 * (y1 - y0)) + 8
    around = np.s_[max(0, y0 - far) : y1 + far, max(0, x0 - far) : x1 + far]
    outside = np.ones((height, width), bool)
    outside[max(0, y0 - near) : y1 + near, max(0, x0 - near) : x1 + near] = False
    length_around, lengths_around = (part[around][outside[around]] for part in (edges.length, edges.lengths))
    gradient_around = float(np.percentile(length_around, 95)) if len(length_around) else 0.0
    steady = _steadiness(length, edges.lengths[inside][own], rules.flat_gradient)
    steady_around = _steadiness(length_around, lengths_around, rules.flat_gradient)
    return Mark(
        box=(float(x0), float(y0), float(x1), float(y1)),
        steadiness=float(np.log((1 - steady_around + 0.02) / (1 - steady + 0.02))),
        sharpness=float(np.log(length.mean() / (gradient_around + 4))),
        num_edges=int(own.sum()),
        in_margin=y0 <= rules.margin * height or y1 >= (1 - rules.margin) * height,
        is_line=x1 - x0 >= 2 * (y1 - y0),
    )


def _steadiness(length: np.ndarray, lengths: np.ndarray, flat: float) -> float:
    """Part of the gradient that survives the mean over time; strong edges count most, a flat area is steady."""
    floor = flat**2 * max(1, len(length))
    return float(np.sqrt((np.square(length).sum() + floor) / (np.square(lengths).sum() + floor)))


def _same(box: Box, other: Box) -> bool:
    shared = boxes.intersection(box, other)
    return shared is not None and boxes.area(shared) >= 0.3 * min(boxes.area(box), boxes.area(other))


def _with_plate(box: Box, steady: np.ndarray) -> Box:
    """The box of a plate whose straight sides stand round some words, else the box of the words.

    At least three sides must be seen, each within a line's height of the words and along most of them.
    """
    x0, y0, x1, y1 = (int(edge) for edge in box)
    reach = y1 - y0 + 2
    rows, columns = steady[:, x0:x1].mean(axis=1) >= 0.6, steady[y0:y1].mean(axis=0) >= 0.6
    sides = [
        _first(columns[max(0, x0 - reach) : x0][::-1]),
        _first(rows[max(0, y0 - reach) : y0][::-1]),
        _first(columns[x1 : x1 + reach]),
        _first(rows[y1 : y1 + reach]),
    ]
    if sum(side > 0 for side in sides) < 3:
        return box
    left, top, right, bottom = sides
    return float(x0 - left), float(y0 - top), float(x1 + right), float(y1 + bottom)


def _first(marked: np.ndarray) -> int:
    """How far the first marked place is, counted from 1; 0 when there is none."""
    return int(marked.argmax()) + 1 if marked.any() else 0


def _blocks(found: Sequence[tuple[Box, float]]) -> list[tuple[Box, float]]:
    """Joins words of a line and lines of a block, each under its best confidence."""
    blocks: list[tuple[Box, float]] = []
    for box, confidence in found:
        while (other := next((one for one in blocks if _adjoin(one[0], box)), None)) is not None:
            blocks.remove(other)
            box, confidence = boxes.union(box, other[0]), max(confidence, other[1])
        blocks.append((box, confidence))
    return sorted(blocks, key=lambda one: -one[1])


def _adjoin(a: Box, b: Box) -> bool:
    """Whether two marks overlap along one axis and are nearer than a line's height along the other."""
    height = min(a[3] - a[1], b[3] - b[1])
    apart_x, apart_y = max(a[0], b[0]) - min(a[2], b[2]), max(a[1], b[1]) - min(a[3], b[3])
    if apart_x > 0:
        return apart_x <= height and apart_y <= -0.5 * height
    return apart_y <= 0.8 * height and -apart_x >= 0.5 * min(a[2] - a[0], b[2] - b[0])
