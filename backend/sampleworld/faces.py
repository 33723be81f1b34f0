"""Draws faces: a front texture for a head, with eight expressions, a mouth that opens and eyes that blink."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from backend.sampleworld.noise import Color, patch

FACE_PX = 320
EXPRESSIONS = ("surprise", "angry", "disgust", "fear", "contempt", "sad", "neutral", "happy")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceShape:
    """A person's own features, in units of half the head's width and height."""

    skin: Color
    hair: Color
    iris: Color
    lips: Color
    eye_x: float = 0.40
    eye_y: float = 0.06
    eye_size: float = 0.19
    brow_y: float = 0.26
    brow_width: float = 0.05
    nose_y: float = -0.27
    nose_width: float = 0.15
    mouth_y: float = -0.52
    mouth_width: float = 0.30
    lip_height: float = 0.055
    beard: float = 0.0
    glasses: bool = False
    freckles: float = 0.0
    wrinkles: float = 0.0


@dataclass(frozen=True, slots=True)
class _Mood:
    """How an expression moves the features, same units."""

    brow_up: float = 0.0
    brow_tilt: float = 0.0
    """Positive lifts the inner ends (sad), negative lowers them (angry)."""
    lid: float = 1.0
    curve: float = 0.0
    """Mouth corners up (positive) or down."""
    width: float = 1.0
    open: float = 0.0
    skew: float = 0.0
    wrinkle: float = 0.0


_MOODS = {
    "surprise": _Mood(brow_up=0.13, lid=1.4, width=0.72, open=0.16),
    "angry": _Mood(brow_up=-0.07, brow_tilt=-0.13, lid=0.8, curve=-0.05, width=0.92, wrinkle=0.6),
    "disgust": _Mood(brow_up=-0.06, brow_tilt=-0.04, lid=0.62, curve=-0.08, width=0.9, open=0.03, wrinkle=1.0),
    "fear": _Mood(brow_up=0.09, brow_tilt=0.10, lid=1.3, curve=-0.05, width=1.15, open=0.07),
    "contempt": _Mood(lid=0.78, curve=0.02, skew=0.10, brow_tilt=-0.02),
    "sad": _Mood(brow_up=0.02, brow_tilt=0.13, lid=0.75, curve=-0.10, width=0.9),
    "neutral": _Mood(),
    "happy": _Mood(brow_up=0.03, lid=0.82, curve=0.15, width=1.28, open=0.05),
}


def paint_face(
    shape: FaceShape, expression: str, *, mouth_open: float = 0.0, blink: float = 0.0, gaze: float = 0.0, seed: int = 0
) -> np.ndarray:
    """The head's front, float32 (320, 320, 3), 0 to 1; the picture spans x and y from -1 to 1, y up.

    `mouth_open` and `blink` lie in 0 to 1, `gaze` in -1 to 1 (to the image's right).
    """
    mood = _MOODS[expression]
    mood = replace(mood, open=mood.open + 0.15 * mouth_open, lid=mood.lid * (1 - blink))
    rng = np.random.default_rng([seed, 77])
    canvas = _skin(shape, mood, rng)
    for side in (-1, 1):
        _eye(canvas, shape, mood, side, gaze)
        _brow(canvas, shape, mood, side)
    _nose(canvas, shape, mood)
    _mouth(canvas, shape, mood)
    if shape.glasses:
        _glasses(canvas, shape)
    return np.clip(canvas, 0.01, 1)


def _point(x: float, y: float) -> tuple[float, float]:
    return (x + 1) / 2 * FACE_PX, (1 - y) / 2 * FACE_PX


def _stamp(canvas: np.ndarray, points: np.ndarray, color: Color, *, blur: float = 0.8, opacity: float = 1.0) -> None:
    """Fills a polygon given in face units, with a soft edge."""
    pixels = np.stack([(points[:, 0] + 1) / 2 * FACE_PX, (1 - points[:, 1]) / 2 * FACE_PX], axis=1)
    reach = int(3 * blur + 3)
    low = np.maximum(np.floor(pixels.min(axis=0)).astype(int) - reach, 0)
    high = np.minimum(np.ceil(pixels.max(axis=0)).astype(int) + reach, FACE_PX)
    if (high <= low).any():
        return
    mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.float32)
    fixed = np.round((pixels - low) * 16).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 1.0, cv2.LINE_8, 4)
    mask = cv2.GaussianBlur(mask, (0, 0), blur)[..., None] * opacity
    area = canvas[low[1] : high[1], low[0] : high[0]]
    area += (np.array(color, np.float32) - area) * mask


def _oval(x: float, y: float, rx: float, ry: float, *, turn: float = 0.0) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    px, py = rx * np.cos(t), ry * np.sin(t)
    return np.stack([x + px * np.cos(turn) - py * np.sin(turn), y + px * np.sin(turn) + py * np.cos(turn)], axis=1)


def _darker(color: Color, gain: float) -> Color:
    return color[0] * gain, color[1] * gain * 0.96, color[2] * gain * 0.93


def _brighter(color: Color, gain: float) -> Color:
    return min(1.0, color[0] * gain), min(1.0, color[1] * gain), min(1.0, color[2] * gain)


def _skin(shape: FaceShape, mood: _Mood, rng: np.random.Generator) -> np.ndarray:
    size = (FACE_PX, FACE_PX)
    grain = 1 + 0.02 * patch(rng, size, slope=0.5) + 0.025 * patch(rng, size, slope=1.5)
    canvas = np.array(shape.skin, np.float32) * grain[..., None].astype(np.float32)
    red = (min(1.0, shape.skin[0] * 1.04), shape.skin[1] * 0.80, shape.skin[2] * 0.78)
    bright = _brighter(shape.skin, 1.16 if max(shape.skin) > 0.6 else 1.32)
    lift = 0.05 if mood.curve > 0.1 else 0.0
    for side in (-1, 1):
        _stamp(canvas, _oval(side * 0.47, -0.24 + lift, 0.22, 0.16), red, blur=16, opacity=0.40)
        _stamp(canvas, _oval(side * 0.43, -0.12 + lift, 0.17, 0.09), bright, blur=10, opacity=0.55)
        # Sockets darker than cheeks and forehead: what makes a face a face to Haar-like features.
        _stamp(
            canvas,
            _oval(side * shape.eye_x, shape.eye_y + 0.07, 0.27, 0.15),
            _darker(shape.skin, 0.50),
            blur=9,
            opacity=0.72,
        )
    _stamp(canvas, _oval(0, 0.60, 0.45, 0.20), bright, blur=18, opacity=0.45)
    _stamp(canvas, _oval(0, -0.80, 0.20, 0.09), bright, blur=10, opacity=0.35)
    _marks(canvas, shape, rng)
    for side in (-1, 1):
        fold = [(side * 0.19, -0.28), (side * 0.33, -0.42), (side * (0.38 + 0.1 * max(mood.curve, 0)), -0.55)]
        _stroke(
            canvas,
            fold,
            _darker(shape.skin, 0.66),
            width=0.02,
            opacity=0.28 + 0.4 * mood.wrinkle + 0.4 * shape.wrinkles + max(0, mood.curve),
        )
    if mood.wrinkle:
        for side in (-1, 1):
            _stroke(
                canvas,
                [(side * 0.05, 0.14), (side * 0.07, 0.30)],
                _darker(shape.skin, 0.5),
                width=0.02,
                opacity=0.7 * mood.wrinkle,
            )
    return canvas


def _marks(canvas: np.ndarray, shape: FaceShape, rng: np.random.Generator) -> None:
    """Freckles, wrinkles of the forehead and a beard."""
    if shape.freckles:
        for x, y in rng.uniform((-0.6, -0.4), (0.6, 0.0), (int(40 * shape.freckles), 2)):
            _stamp(canvas, _oval(x, y, 0.012, 0.012), _darker(shape.skin, 0.6), blur=0.8, opacity=0.6)
    if shape.wrinkles:
        for y in (0.50, 0.60, 0.69):
            _stroke(
                canvas,
                [(-0.4, y), (0, y + 0.03), (0.4, y)],
                _darker(shape.skin, 0.7),
                width=0.012,
                opacity=0.6 * shape.wrinkles,
            )
    if shape.beard:
        jaw = np.array(
            [
                (-0.98, -0.1),
                (-0.72, -0.42),
                (-0.45, -0.40),
                (0, -0.36),
                (0.45, -0.40),
                (0.72, -0.42),
                (0.98, -0.1),
                (0.98, -1),
                (-0.98, -1),
            ]
        )
        _stamp(canvas, jaw, _darker(shape.hair, 1.1), blur=7, opacity=shape.beard)
        canvas *= 1 + 0.03 * patch(rng, (FACE_PX, FACE_PX), slope=0.2)[..., None]


def _stroke(
    canvas: np.ndarray, points: list[tuple[float, float]], color: Color, *, width: float, opacity: float = 1.0
) -> None:
    line = np.array(points)
    t = np.linspace(0, 1, 16)
    x = np.interp(t, np.linspace(0, 1, len(line)), line[:, 0])
    y = np.interp(t, np.linspace(0, 1, len(line)), line[:, 1])
    if len(line) == 3:
        (x0, y0), (x1, y1), (x2, y2) = line
        cx, cy = 2 * x1 - (x0 + x2) / 2, 2 * y1 - (y0 + y2) / 2
        x = (1 - t) ** 2 * x0 + 2 * t * (1 - t) * cx + t**2 * x2
        y = (1 - t) ** 2 * y0 + 2 * t * (1 - t) * cy + t**2 * y2
    dx, dy = np.gradient(x), np.gradient(y)
    norm = np.hypot(dx, dy) + 1e-9
    taper = width / 2 * (0.45 + 0.55 * np.sin(np.pi * np.clip(t, 0.04, 0.96)))
    upper = np.stack([x - dy / norm * taper, y + dx / norm * taper], axis=1)
    lower = np.stack([x + dy / norm * taper, y - dx / norm * taper], axis=1)
    _stamp(canvas, np.concatenate([upper, lower[::-1]]), color, blur=1.0, opacity=opacity)


def _eye(canvas: np.ndarray, shape: FaceShape, mood: _Mood, side: int, gaze: float) -> None:
    x, y, size = side * shape.eye_x, shape.eye_y, shape.eye_size
    height = 0.42 * size * mood.lid
    _stamp(canvas, _oval(x, y - 0.07, size * 0.95, 0.03), _darker(shape.skin, 0.72), blur=3, opacity=0.5)
    if height < 0.015:
        _stroke(canvas, [(x - size, y), (x, y - 0.035), (x + size, y)], (0.08, 0.05, 0.04), width=0.045)
        return
    t = np.linspace(0, np.pi, 20)
    upper = np.stack([x + size * np.cos(t), y + height * 1.15 * np.sin(t)], axis=1)
    lower = np.stack([x - size * np.cos(t), y - height * 0.75 * np.sin(t)], axis=1)
    white = np.concatenate([upper, lower])
    before = canvas.copy()
    _stamp(canvas, white, (0.88, 0.86, 0.83), blur=0.8)
    look = x + gaze * size * 0.3
    iris = size * 0.50
    _stamp(canvas, _oval(look, y + 0.012, iris, iris), _darker(shape.iris, 0.45), blur=0.7)
    _stamp(canvas, _oval(look, y + 0.012, iris * 0.86, iris * 0.86), shape.iris, blur=0.9)
    _stamp(canvas, _oval(look, y + 0.012, iris * 0.48, iris * 0.48), (0.02, 0.02, 0.02), blur=0.6)
    _stamp(canvas, _oval(look - 0.03, y + 0.045, 0.022, 0.022), (1, 1, 1), blur=0.6)
    mask = np.zeros(canvas.shape[:2], np.float32)
    pixels = np.array([_point(px, py) for px, py in white])
    cv2.fillPoly(mask, [np.round(pixels * 16).astype(np.int32)], 1.0, cv2.LINE_8, 4)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.8)[..., None]
    canvas[:] = before + (canvas - before) * mask
    lash = [(x - size * 1.06, y), (x, y + height * 1.15), (x + size * 1.06, y)]
    _stroke(canvas, lash, (0.06, 0.04, 0.04), width=0.06)
    _stroke(
        canvas, [(x - size, y), (x, y - height * 0.75), (x + size, y)], _darker(shape.skin, 0.5), width=0.02, opacity=0.7
    )
    _stroke(
        canvas,
        [(x - size, y + 0.07), (x, y + height * 1.15 + 0.055), (x + size, y + 0.07)],
        _darker(shape.skin, 0.5),
        width=0.02,
        opacity=0.6,
    )


def _brow(canvas: np.ndarray, shape: FaceShape, mood: _Mood, side: int) -> None:
    base = shape.brow_y + mood.brow_up
    lift = 0.06 if mood.skew and side > 0 else 0.0
    inner = (side * (shape.eye_x - 0.22), base + mood.brow_tilt + lift)
    middle = (side * (shape.eye_x + 0.03), base + 0.055 + mood.brow_tilt * 0.2 + lift)
    outer = (side * (shape.eye_x + 0.27), base - 0.03 - mood.brow_tilt * 0.4 + lift)
    color = _darker(shape.hair, 0.8)
    _stroke(
        canvas,
        [inner, middle, outer],
        _brighter(color, min(1.0, 0.40 / max(color))),
        width=shape.brow_width * 2,
        opacity=0.92,
    )


def _nose(canvas: np.ndarray, shape: FaceShape, mood: _Mood) -> None:
    bright = _brighter(shape.skin, 1.2)
    y, w = shape.nose_y, shape.nose_width
    bridge = np.array([(-0.05, 0.16), (0.05, 0.16), (0.07, y + 0.05), (-0.07, y + 0.05)])
    _stamp(canvas, bridge, bright, blur=5, opacity=0.75)
    for side in (-1, 1):
        _stroke(
            canvas,
            [(side * 0.10, 0.12), (side * 0.10, -0.06), (side * w * 0.95, y + 0.03)],
            _darker(shape.skin, 0.62),
            width=0.05,
            opacity=0.32,
        )
        _stamp(canvas, _oval(side * w * 0.55, y - 0.055, w * 0.30, 0.028), _darker(shape.skin, 0.22), blur=1.6, opacity=0.9)
    _stamp(canvas, _oval(0, y - 0.09, w * 0.9, 0.035), _darker(shape.skin, 0.55), blur=4, opacity=0.6)
    _stamp(canvas, _oval(0, y + 0.03, w * 0.45, 0.07), bright, blur=4, opacity=0.7)


def _mouth(canvas: np.ndarray, shape: FaceShape, mood: _Mood) -> None:
    y, half = shape.mouth_y, shape.mouth_width * mood.width
    lip, gap = shape.lip_height, mood.open
    corner_l, corner_r = mood.curve + (mood.skew if mood.skew < 0 else 0), mood.curve + max(mood.skew, 0)
    t = np.linspace(-1, 1, 25)
    bend = np.where(t < 0, corner_l, corner_r) * t**2 - mood.curve * 0.35
    arch = np.sqrt(np.clip(1 - t**2, 0, 1))
    cupid = 1 - 0.25 * np.exp(-((t / 0.18) ** 2))
    x = t * half
    upper_out = y + bend + lip * arch * cupid + gap * 0.35 * arch
    upper_in = y + bend + gap * 0.35 * arch
    lower_in = y + bend - gap * 0.65 * arch - 0.004
    lower_out = lower_in - lip * 1.25 * arch

    def ring(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.concatenate([np.stack([x, a], axis=1), np.stack([x, b], axis=1)[::-1]])

    _stamp(
        canvas, _oval(0, float(lower_out.min()) - 0.07, half * 0.6, 0.035), _darker(shape.skin, 0.6), blur=4, opacity=0.55
    )
    _stamp(canvas, ring(upper_out, lower_out), shape.lips, blur=1.2)
    _stamp(canvas, ring(upper_out, upper_in), _darker(shape.lips, 0.72), blur=1.2, opacity=0.8)
    if gap > 0.02:
        _stamp(canvas, ring(upper_in, lower_in), (0.12, 0.03, 0.03), blur=1.0)
        teeth = upper_in - np.minimum(gap * 0.32, 0.05) * arch
        _stamp(canvas, ring(upper_in, teeth), (0.88, 0.86, 0.82), blur=1.0, opacity=0.9)
        if gap > 0.09:
            _stamp(canvas, _oval(0, y - gap * 0.5 - mood.curve * 0.35, half * 0.5, gap * 0.18), (0.62, 0.22, 0.22), blur=2)
    else:
        _stamp(canvas, ring(upper_in + 0.012, lower_in - 0.008), (0.22, 0.07, 0.07), blur=1.0, opacity=0.9)


def _glasses(canvas: np.ndarray, shape: FaceShape) -> None:
    frame = (0.05, 0.05, 0.06)
    for side in (-1, 1):
        ring = _oval(side * shape.eye_x, shape.eye_y - 0.02, 0.27, 0.20)
        pixels = np.array([_point(x, y) for x, y in ring])
        layer = np.zeros(canvas.shape[:2], np.float32)
        cv2.polylines(layer, [np.round(pixels * 16).astype(np.int32)], True, 1.0, 4, cv2.LINE_8, 4)
        layer = cv2.GaussianBlur(layer, (0, 0), 0.9)[..., None]
        canvas += (np.array(frame, np.float32) - canvas) * layer
        _stroke(canvas, [(side * 0.66, shape.eye_y), (side * 0.98, shape.eye_y + 0.02)], frame, width=0.05)
    _stroke(canvas, [(-0.14, shape.eye_y), (0, shape.eye_y + 0.04), (0.14, shape.eye_y)], frame, width=0.04)
