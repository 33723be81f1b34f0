"""What two cut-outs share, patch by patch: log colours and directions of texture at like heights, seen from any side.

A subject that turns keeps what lies at each height (legs, belt, collar), not what lies left and right of it. So the
upright position of a patch counts and the other does not. Colours are logarithms: another light or exposure adds one
vector to all of them, which is found while matching and taken away, within bounds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

HEIGHT_PX = 160  # a whole subject is this high; 10 px are then a head's features or a stripe of a shirt and its neighbours
CELL_PX, STEP_PX = 10, 5
DIRECTIONS = 6
SCALES_PX = (0.8, 1.8)  # fine print and stripes; broad stripes and markings
DARK_LEVELS = 8.0  # added before a logarithm, so that noise in black is no colour
LEAST_COVER = 0.5  # of a patch that lies on the subject
LEAST_PATCHES = 8
WIDEST = 3.0  # a cut-out wider than this many heights is squeezed
ROUNDS = 4  # of matching and moving the light: later ones change nothing
BLOCK = 128  # points whose products with all others lie in the processor's cache

# Scales of the distance, chosen on sample worlds 2000 and 2001: a fifth of the height counts as a step of .3 in chroma.
HEIGHT_WEIGHT, LIGHT_WEIGHT, CHROMA_WEIGHT, TEXTURE_WEIGHT = 3.0, 0.7, 2.0, 2.0
COLOUR_WEIGHTS = np.array([LIGHT_WEIGHT, CHROMA_WEIGHT, CHROMA_WEIGHT], np.float32)
COLOUR = np.s_[-3:]  # of a point
MOST_LIGHT, MOST_TINT = 0.9, 0.5  # log steps: two and a half times as bright; a lamp's tint beside the sky's


@dataclass(frozen=True, slots=True)
class Patches:
    """N patches of a cut-out: `height` of their middles `(N,)`, 0 at the top and 1 at the bottom; `colour` `(N, 3)`.

    Colour is the mean log brightness, log red over green, log blue over both; `texture` `(N, 12)` the mean slope of
    the three in each direction at two scales. All float32.
    """

    height: np.ndarray
    colour: np.ndarray
    texture: np.ndarray

    @property
    def busyness(self) -> float:
        """Mean sum of the roots of a patch's texture: the busier two cut-outs are, the more stays unexplained by chance."""
        return float(np.sqrt(self.texture).sum(axis=1).mean())

    @property
    def enough(self) -> bool:
        """Whether there are LEAST_PATCHES."""
        return len(self.height) >= LEAST_PATCHES


@dataclass(frozen=True, slots=True)
class Residue:
    """What matching leaves unexplained of the first patches (`there`) and of the second (`back`); 0 is all explained.

    `there`, `back` are medians of the patches' distances and `mean` the sum of both means; `shift_there`, `shift_back`
    how far in height the matches lie, as shares; `light` the size of the change in brightness, in log steps; `busyness`
    that of the plainer side.
    """

    there: float
    back: float
    mean: float
    shift_there: float
    shift_back: float
    light: float
    busyness: float


def describe(picture: np.ndarray, mask: np.ndarray, *, above: float = 0.0, below: float = 0.0) -> Patches:
    """Patches of an RGB uint8 picture under a bool mask `(H, W)`, scaled so that the mask is HEIGHT_PX high.

    `above` and `below` are shares of the mask's height that are left out first: what a nearer camera would not have
    shown, or what a cut-out has too much.
    """
    crop, cover = _scaled(picture, _within(mask, above, below))
    if crop.size == 0:
        return Patches(np.zeros(0, np.float32), np.zeros((0, 3), np.float32), np.zeros((0, 2 * DIRECTIONS), np.float32))
    inside = (cover > 0.6).astype(np.float32)
    log = np.log(crop.astype(np.float32) + DARK_LEVELS)
    light = log.mean(axis=-1)
    channels = [light, log[..., 0] - log[..., 1], log[..., 2] - (log[..., 0] + log[..., 1]) / 2]
    share = _cell_mean(inside)
    colour = [_cell_mean(channel * inside) / np.maximum(share, 1e-6) for channel in channels]
    inner = cv2.erode(inside, np.ones((3, 3), np.uint8))
    inner_share = np.maximum(_cell_mean(inner), 1e-6)
    texture = [_cell_mean(slope) / inner_share for slope in _slopes(channels, inside, inner)]
    y, x = _grid(*inside.shape)
    kept = share[y, x] > LEAST_COVER
    y, x = y[kept], x[kept]
    return Patches(
        (y / HEIGHT_PX).astype(np.float32),
        np.stack([values[y, x] for values in colour], axis=1).astype(np.float32),
        np.maximum(np.stack([values[y, x] for values in texture], axis=1), 0.0).astype(np.float32),
    )


def match(a: Patches, b: Patches) -> Residue:
    """The residue of both sets after each patch took its likest of the other set. Raises ValueError on too few."""
    if not (a.enough and b.enough):
        raise ValueError(f"{len(a.height)} and {len(b.height)} patches, needs {LEAST_PATCHES} of each")
    ours, theirs = _points(a), _points(b)
    first, second = ours[:, COLOUR], theirs[:, COLOUR].copy()  # what is moved starts from where it was
    bound = np.array([MOST_LIGHT, MOST_TINT, MOST_TINT], np.float32) * COLOUR_WEIGHTS
    # Brightness is set out from whole to whole; chroma only half: what is redder may be another thing.
    light = np.clip((np.median(first, axis=0) - np.median(second, axis=0)) * (1.0, 0.5, 0.5), -bound, bound)
    for left in reversed(range(ROUNDS)):
        theirs[:, COLOUR] = second + light
        there, back = _likest(ours, theirs), _likest(theirs, ours)
        if left:
            steps = np.concatenate([first - second[there], first[back] - second])
            light = np.clip(np.median(steps, axis=0), -bound, bound)
    unlike = np.linalg.norm(ours - theirs[there], axis=1)
    unlike_back = np.linalg.norm(ours[back] - theirs, axis=1)
    return Residue(
        there=float(np.median(unlike)),
        back=float(np.median(unlike_back)),
        mean=float(unlike.mean() + unlike_back.mean()),
        shift_there=float(np.abs(a.height - b.height[there]).mean()),
        shift_back=float(np.abs(a.height[back] - b.height).mean()),
        light=float(abs(light[0]) / LIGHT_WEIGHT),
        busyness=min(a.busyness, b.busyness),
    )


def _within(mask: np.ndarray, above: float, below: float) -> np.ndarray:
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0 or not (above or below):
        return mask
    height = rows[-1] - rows[0] + 1
    kept = np.zeros_like(mask)
    part = slice(rows[0] + round(above * height), rows[-1] + 1 - round(below * height))
    kept[part] = mask[part]
    return kept


def _scaled(picture: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mask's box of the picture and its cover float32, HEIGHT_PX rows high."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return picture[:0, :0], np.zeros((0, 0), np.float32)
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    crop, inside = picture[part], mask[part].astype(np.float32)
    width = int(np.clip(round(crop.shape[1] * HEIGHT_PX / crop.shape[0]), CELL_PX, WIDEST * HEIGHT_PX))
    how = cv2.INTER_AREA if crop.shape[0] > HEIGHT_PX else cv2.INTER_LINEAR
    crop = cv2.resize(np.ascontiguousarray(crop), (width, HEIGHT_PX), interpolation=how)
    return crop, cv2.resize(inside, (width, HEIGHT_PX), interpolation=cv2.INTER_AREA)


def _slopes(channels: list[np.ndarray], inside: np.ndarray, inner: np.ndarray) -> Iterator[np.ndarray]:
    """Size of the slope in each direction, soft in angle, summed over channels, at each scale; 0 outside of `inner`."""
    for scale in SCALES_PX:
        total = [np.zeros(inside.shape, np.float32) for _ in range(DIRECTIONS)]
        cover = np.maximum(cv2.GaussianBlur(inside, (0, 0), scale), 1e-3)
        for channel in channels:
            smooth = cv2.GaussianBlur(channel * inside, (0, 0), scale) / cover
            dx, dy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
            size = np.hypot(dx, dy) * inner * (scale / 4)
            place = np.arctan2(dy, dx) / np.pi % 1.0 * DIRECTIONS
            for k in range(DIRECTIONS):
                apart = np.abs(place - k)
                total[k] += np.clip(1.0 - np.minimum(apart, DIRECTIONS - apart), 0.0, 1.0) * size
        yield from total


def _cell_mean(values: np.ndarray) -> np.ndarray:
    return cv2.boxFilter(values, -1, (CELL_PX, CELL_PX), borderType=cv2.BORDER_CONSTANT)


def _grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    half = CELL_PX // 2
    rows = np.arange(half, max(height - half, half) + 1, STEP_PX)
    columns = np.arange(min(half, width // 2), max(width - half, width // 2) + 1, STEP_PX)
    y, x = np.meshgrid(rows[rows < height], columns[columns < width], indexing="ij")
    return y.ravel(), x.ravel()


def _points(patches: Patches) -> np.ndarray:
    """Height, texture and colour, scaled, `(N, 16)`. The root of a slope: a stripe twice as strong is not twice as unlike."""
    place, texture = HEIGHT_WEIGHT * patches.height[:, None], TEXTURE_WEIGHT * np.sqrt(patches.texture)
    return np.hstack([place, texture, patches.colour * COLOUR_WEIGHTS])


def _likest(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The nearest of the others to each point `(N,)`; of equally near ones the first."""
    lengths = (others**2).sum(axis=1)
    asked = np.hstack([points, np.full((len(points), 1), -0.5, np.float32)])
    given = np.hstack([others, lengths[:, None]]).T  # the larger a product, the nearer they are
    found = np.empty(len(points), np.intp)
    products = np.empty((min(BLOCK, len(points)), len(others)), np.float32)
    for start in range(0, len(points), BLOCK):
        block = np.s_[start : start + BLOCK]
        part = products[: len(asked[block])]
        np.matmul(asked[block], given, out=part).argmax(axis=1, out=found[block])
    return found
