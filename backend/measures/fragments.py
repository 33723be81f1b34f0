"""DOVER's technical view: small squares of a picture in its own size, laid side by side (DOVER, section 4.1; FAST-VQA's
grid mini-patch sampling). Upstream draws where in its cell each square lies; here it is the middle, so that a clip has one
score."""

from collections.abc import Sequence

import cv2
import numpy as np

GRID = 7  # DOVER, dover.yml: fragments_h, fragments_w
SQUARE_PX = 32  # DOVER, dover.yml: fsize_h, fsize_w
VIEW_PX = GRID * SQUARE_PX
CLIP_FRAMES, INTERVAL, NUM_CLIPS = 32, 2, 3  # DOVER, dover.yml: clip_len, frame_interval, num_clips
MEAN = np.array([123.675, 116.28, 103.53], np.float32)  # DOVER, onnx_inference.py
DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)


def clip_frames(num_frames: int) -> np.ndarray:
    """Frame numbers int64 `(NUM_CLIPS, CLIP_FRAMES)`: every second one from the middle of each third.

    What is shorter than a clip goes on from its beginning, as upstream's does. Raises ValueError for no frames.
    """
    if num_frames < 1:
        raise ValueError("a clip of 0 frames has no view")
    third, span = num_frames // NUM_CLIPS, CLIP_FRAMES * INTERVAL
    starts = np.arange(NUM_CLIPS) * third + max(0, (third - span) // 2)
    return (starts[:, None] + np.arange(CLIP_FRAMES) * INTERVAL) % num_frames


def square_starts(side_px: int) -> list[int]:
    """Where the squares of a row or column begin: each in the middle of its seventh. Raises ValueError under VIEW_PX."""
    if side_px < VIEW_PX:
        raise ValueError(f"a side of {side_px} px has no room for {GRID} squares of {SQUARE_PX} px; enlarge it first")
    cell = side_px // GRID
    return [cell * k + (cell - SQUARE_PX) // 2 for k in range(GRID)]


def technical_view(frames: Sequence[np.ndarray]) -> np.ndarray:
    """uint8 `(T, VIEW_PX, VIEW_PX, 3)` of frames uint8 `(H, W, 3)`; smaller ones are enlarged until their squares fit."""
    return np.stack([_fragments(frame) for frame in frames])


def normalised(views: np.ndarray) -> np.ndarray:
    """float32 `(N, 3, T, VIEW_PX, VIEW_PX)` of views uint8 `(N, T, VIEW_PX, VIEW_PX, 3)`, by ImageNet's mean and deviation."""
    return np.ascontiguousarray(((views.astype(np.float32) - MEAN) / DEVIATION).transpose(0, 4, 1, 2, 3))


def _fragments(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    ratio = min(height, width) / VIEW_PX
    if ratio < 1:
        size = max(VIEW_PX, int(width / ratio)), max(VIEW_PX, int(height / ratio))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
    rows = np.add.outer(square_starts(frame.shape[0]), np.arange(SQUARE_PX)).ravel()
    columns = np.add.outer(square_starts(frame.shape[1]), np.arange(SQUARE_PX)).ravel()
    return frame[rows[:, None], columns[None]]
