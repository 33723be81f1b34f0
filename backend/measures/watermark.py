"""Watermarks of videos: an invisible one that outlives compression, scaling and cropping, and a visible label.

The invisible one is a spread spectrum (Cox et al. 1997) in the Fourier domain of a square tile that is repeated over the picture
(Kutter 1998), so that a cut picture still holds whole tiles. A key decides the phase of each frequency of a band. One part of the
frequencies, the sync, says where the tile begins; each other part is shifted against it, and its shift is the message (Kalker
et al. 1999). All frames carry the same tile, weaker where the picture is smooth and an eye would see it.

Detection looks at phases alone. Phases of the key are even and independent, so are their differences to any picture's that was
made without the key, and the chance of a false alarm is bounded whatever the picture shows (Hoeffding 1963): see `Detection.p`.
"""

import hashlib
import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

PUBLIC_KEY = b"subject-studio watermark 1"
"""Known to all, so that all can detect what was marked with it, and take it out."""
TILE = 128
"""Pixels; these numbers are our choice, tried on the sample world (docs/training.md)."""
LOW, HIGH = 7.0, 20.0  # cycles a tile, so waves of 18 to 6.4 pixels: H.264 keeps them, and three quarters of the size too
SYNC_SHARE = 3  # one frequency in three
PARTS = 4
STEP = 4  # pixels between shifts that mean different things
PART_BITS = 10  # (128 / 4)^2 shifts
MESSAGE_BITS = 32
CHECK_BITS = PARTS * PART_BITS - MESSAGE_BITS
STRENGTH = 0.25  # of the picture's own variation around a pixel
LEAST, MOST = 1.5, 3.2  # levels of 255
SMOOTH_PX = 9  # what counts as around a pixel
MAX_P = 1e-6  # above this, nothing is claimed
SMALLEST, LARGEST, SCALE_STEP = 0.4, 2.0, 0.0025
FINE_STEP, FINE_STEPS = 0.0002, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What looking for a watermark found. `z` is in standard deviations of pictures without one."""

    z: float
    p: float
    """At most the probability that a picture without this key's watermark gives as high a z anywhere that was looked."""
    scale: float
    """The picture's size beside the one that was marked."""
    message: int | None
    """32 bits; None where nothing was found, or the check bits do not fit."""

    @property
    def is_found(self) -> bool:
        return self.p <= MAX_P


def watermarked(frames: np.ndarray, message: int, *, key: bytes = PUBLIC_KEY, strength: float = 1.0) -> np.ndarray:
    """Frames uint8 `(T, H, W, 3)`, RGB, with a message of 32 bits in all of them; the same amount in each colour."""
    height, width = frames.shape[1:3]
    tile = _tile(message, key)
    pattern = np.tile(tile, (-(-height // TILE), -(-width // TILE)))[:height, :width] * strength
    found = np.empty_like(frames)
    for number, frame in enumerate(frames):
        luma = _luma(frame)
        around = luma - cv2.blur(luma, (SMOOTH_PX, SMOOTH_PX))
        change = pattern * np.clip(STRENGTH * _spread(around, SMOOTH_PX), LEAST, MOST)
        found[number] = np.clip(np.rint(frame + change[..., None]), 0, 255).astype(np.uint8)
    return found


def detect(frames: Iterable[np.ndarray], *, key: bytes = PUBLIC_KEY, any_scale: bool = True) -> Detection:
    """Looks for a key's watermark in frames uint8 `(H, W, 3)`, RGB, of one size; `any_scale`: also where the size was changed.

    Raises ValueError without frames.
    """
    return detect_in(residual(frames), key=key, any_scale=any_scale)


def residual(frames: Iterable[np.ndarray]) -> np.ndarray:
    """The sum over frames of what stands out from its surroundings, float32 `(H, W)`, in units of how much things stand out there.

    Raises ValueError without frames.
    """
    total: np.ndarray | None = None
    for frame in frames:
        luma = _luma(frame)
        fine = luma - cv2.GaussianBlur(luma, (0, 0), TILE / LOW / 2)
        spread = _spread(fine, 2 * SMOOTH_PX + 1) + 1.0
        total = fine / spread if total is None else total + fine / spread
    if total is None:
        raise ValueError("there are no frames to look for a watermark in")
    return total


def detect_in(found: np.ndarray, *, key: bytes = PUBLIC_KEY, any_scale: bool = True) -> Detection:
    """As `detect`, of what `residual` gave."""
    looked = 1
    best = (*_sync(found, key), 1.0)
    if any_scale and _bound(best[0], TILE * TILE) > MAX_P:
        scales = np.exp(np.arange(math.log(SMALLEST), math.log(LARGEST), SCALE_STEP))
        best = max((best, *((*_sync(_resized(found, scale), key), float(scale)) for scale in scales)))
        fine = best[2] * np.exp(np.arange(-FINE_STEPS, FINE_STEPS + 1) * FINE_STEP)
        best = max((best, *((*_sync(_resized(found, scale), key), float(scale)) for scale in fine)))
        looked += len(scales) + len(fine)
    z, at, scale = best
    p = _bound(z, TILE * TILE * looked)
    message = _message(_resized(found, scale), at, key) if p <= MAX_P else None
    return Detection(z=z, p=p, scale=scale, message=message)


def labelled(frames: np.ndarray, text: str = "AI-generated") -> np.ndarray:
    """Frames uint8 `(T, H, W, 3)` with a text in the lower right corner, readable from about 200 pixels of width on."""
    height, width = frames.shape[1:3]
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(height / 480))
    (text_width, text_height), _ = cv2.getTextSize(text, font, 1.0, thickness)
    size = min(max(height / 24, 7.0) / text_height, 0.9 * width / text_width)  # a 24th of the height, within the width
    (text_width, text_height), below = cv2.getTextSize(text, font, size, thickness)
    margin = max(2, text_height // 2)
    right, bottom = width - margin, height - margin
    left, top = max(0, right - text_width - margin), max(0, bottom - text_height - below - margin)
    found = frames.copy()
    for frame in found:
        box = frame[top:bottom, left:right]
        box[:] = box // 2
        cv2.putText(
            frame,
            text,
            (left + margin // 2, bottom - below - margin // 2),
            font,
            size,
            (255, 255, 255),
            thickness,
            cv2.LINE_AA,
        )
    return found


def _luma(frame: np.ndarray) -> np.ndarray:
    """float32 `(H, W)`; any weights do, since the colours are changed alike."""
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _spread(values: np.ndarray, side_px: int) -> np.ndarray:
    """Root mean square around each pixel; running sums may end a little below zero."""
    return np.sqrt(np.maximum(cv2.blur(values * values, (side_px, side_px)), 0))


@lru_cache(maxsize=4)
def _band(key: bytes) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]:
    """Rows, columns (of a half plane) and phases of the sync's frequencies and of each part's."""
    rows, columns = np.meshgrid(np.arange(-TILE // 2, TILE // 2), np.arange(1, TILE // 2), indexing="ij")
    radius = np.hypot(rows, columns)
    inside = (radius >= LOW) & (radius <= HIGH)
    rows, columns = rows[inside] % TILE, columns[inside]
    drawn = np.frombuffer(hashlib.shake_256(key).digest(8 * len(rows)), ">u4").reshape(2, -1)
    order = np.argsort(drawn[0], kind="stable")
    phases = drawn[1] * (2 * np.pi / 2**32)
    sync, rest = order[: len(order) // SYNC_SHARE], order[len(order) // SYNC_SHARE :]
    return tuple((rows[part], columns[part], phases[part]) for part in (sync, *(rest[n::PARTS] for n in range(PARTS))))


def _tile(message: int, key: bytes) -> np.ndarray:
    """float32 `(TILE, TILE)` of mean 0 and variance 1."""
    checked = message << CHECK_BITS | _check(message)
    spectrum = np.zeros((TILE, TILE // 2 + 1), np.complex128)
    for number, (rows, columns, phases) in enumerate(_band(key)):
        shift = 0 if number == 0 else checked >> (PART_BITS * (number - 1)) & (2**PART_BITS - 1)
        down, right = np.array(divmod(shift, TILE // STEP)) * STEP
        spectrum[rows, columns] = np.exp(1j * (phases - 2 * np.pi * (rows * down + columns * right) / TILE))
    tile = np.fft.irfft2(spectrum, s=(TILE, TILE))
    return (tile / tile.std()).astype(np.float32)


def _sync(found: np.ndarray, key: bytes) -> tuple[float, tuple[int, int]]:
    """The highest z of the sync, and the row and column at which the tile begins there."""
    surface = _matched(_folded(found), _band(key)[0])
    at = np.unravel_index(int(surface.argmax()), surface.shape)
    return float(surface[at]), (int(at[0]), int(at[1]))


def _message(found: np.ndarray, at: tuple[int, int], key: bytes) -> int | None:
    folded, checked = _folded(found), 0
    places = np.arange(0, TILE, STEP)
    for number, part in enumerate(_band(key)[1:]):
        surface = np.roll(_matched(folded, part), (-at[0], -at[1]), (0, 1))
        checked |= int(surface[np.ix_(places, places)].argmax()) << (PART_BITS * number)
    message = checked >> CHECK_BITS
    return message if checked & (2**CHECK_BITS - 1) == _check(message) else None


def _matched(folded: np.ndarray, part: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """z of a part for every shift `(TILE, TILE)`: the sum of cosines of phase differences, over its standard deviation."""
    rows, columns, phases = part
    values = np.fft.rfft2(folded)[rows, columns]
    amounts = np.abs(values)
    spectrum = np.zeros((TILE, TILE // 2 + 1), np.complex128)
    spectrum[rows, columns] = np.where(amounts > 0, values / np.maximum(amounts, 1e-12), 0) * np.exp(-1j * phases)
    # irfft2 divides by TILE^2 and counts each frequency twice; a cosine of an even phase has variance 1/2
    return np.fft.irfft2(spectrum, s=(TILE, TILE)) * (TILE * TILE / 2 * math.sqrt(2 / len(rows)))


def _folded(found: np.ndarray) -> np.ndarray:
    """All tiles on one another."""
    height, width = found.shape
    down, right = -(-height // TILE), -(-width // TILE)
    padded = np.zeros((down * TILE, right * TILE), np.float32)
    padded[:height, :width] = found
    return padded.reshape(down, TILE, right, TILE).sum(axis=(0, 2))


def _resized(found: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1.0:
        return found
    size = max(1, round(found.shape[1] / scale)), max(1, round(found.shape[0] / scale))
    return cv2.resize(found, size, interpolation=cv2.INTER_CUBIC)


def _bound(z: float, looked: int) -> float:
    """Of the probability that chance gives z or more in any of so many places (Hoeffding: exp(-z^2 / 2) in each)."""
    return min(1.0, looked * math.exp(-(max(z, 0.0) ** 2) / 2))


def _check(message: int) -> int:
    return zlib.crc32(message.to_bytes(MESSAGE_BITS // 8, "big")) & (2**CHECK_BITS - 1)
