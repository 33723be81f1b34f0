"""Procedural shots for the tests of clip measures: textured worlds under a moving camera."""

import cv2
import numpy as np


def shot(seed: int, num: int, *, speed: float = 1.0, height: int = 180, width: int = 320) -> np.ndarray:
    """A pan over smooth coloured texture, uint8 `(num, height, width, 3)`, `speed` pixels a frame."""
    rng = np.random.default_rng(seed)
    margin = int(abs(speed) * num) + 2
    world = np.zeros((height, width + margin, 3), np.float32)
    for sigma, weight in ((40, 1.0), (12, 0.5), (4, 0.35), (1, 0.1)):
        layer = cv2.GaussianBlur(rng.normal(size=world.shape).astype(np.float32), (0, 0), sigma)
        world += weight * (layer - layer.mean()) / layer.std()
    tint = rng.uniform(80, 170, 3)
    world = np.clip(tint + 40 * world, 0, 255)
    frames = []
    for i in range(num):
        shift = np.array([[1, 0, -abs(speed) * i], [0, 1, 0]], np.float32)
        frames.append(cv2.warpAffine(world, shift, (width, height), flags=cv2.INTER_LINEAR))
    stack = np.stack(frames if speed >= 0 else frames[::-1])
    return stack.round().astype(np.uint8)


def dissolve(first: np.ndarray, second: np.ndarray, num: int) -> np.ndarray:
    """Two shots joined by `num` mixed frames, made of the last of one and the first of the other."""
    mix = np.linspace(0, 1, num + 2)[1:-1, None, None, None]
    blended = (1 - mix) * first[-num:] + mix * second[:num]
    return np.concatenate([first[:-num], blended.round().astype(np.uint8), second[num:]])


def fade(frames: np.ndarray, gain: np.ndarray, *, colour: int = 0) -> np.ndarray:
    """Frames mixed with a flat colour: gain 1 is the frame, 0 the colour."""
    gain = gain[:, None, None, None]
    return (gain * frames + (1 - gain) * colour).round().astype(np.uint8)
