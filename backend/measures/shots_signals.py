"""What shot detection sees of each frame: a thumbnail, and PySceneDetect's content value."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

THUMBNAIL = (32, 18)  # width, height: coarse enough that slow motion inside a shot moves it little
CONTENT_WIDTH = 160  # PySceneDetect scales 720p to about this width before it compares
DARK = 20  # 8-bit luma; limited-range black is 16, and compression lifts it by a few levels


@dataclass(frozen=True, slots=True)
class Signals:
    """Signals of consecutive frames: thumbnails uint8 `(T, 18, 32, 3)` and content values float64 `(T,)`."""

    thumbnails: np.ndarray
    content: np.ndarray

    def __len__(self) -> int:
        return len(self.thumbnails)

    def joined(self, later: "Signals") -> "Signals":
        return Signals(np.concatenate([self.thumbnails, later.thumbnails]), np.concatenate([self.content, later.content]))

    def since(self, first: int) -> "Signals":
        return Signals(self.thumbnails[first:], self.content[first:])

    def pictures(self) -> np.ndarray:
        """Thumbnails float32 `(T, D)` without the cells that stay dark throughout (black bars), if any picture remains."""
        lit = self.thumbnails.max(axis=(0, 3)) >= DARK
        if lit.mean() < 0.1:
            lit[:] = True
        return self.thumbnails[:, lit].reshape(len(self), -1).astype(np.float32)


def signals_of(chunks: Iterable[np.ndarray]) -> Iterator[Signals]:
    """Signals of each chunk of frames uint8 `(T, H, W, 3)`, RGB. The content value of the first frame is 0."""
    before: np.ndarray | None = None
    for frames in chunks:
        thumbnails = np.empty((len(frames), THUMBNAIL[1], THUMBNAIL[0], 3), np.uint8)
        content = np.zeros(len(frames))
        for i, frame in enumerate(frames):
            small = _reduced(np.ascontiguousarray(frame))
            thumbnails[i] = cv2.resize(small, THUMBNAIL, interpolation=cv2.INTER_AREA)
            colours = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
            if before is not None:
                content[i] = content_value(before, colours)
            before = colours
        yield Signals(thumbnails, content)


def content_value(before: np.ndarray, after: np.ndarray) -> float:
    """How far two pictures uint8 `(H, W, 3)` in OpenCV's HSV differ, to the bit as ContentDetector of PySceneDetect 0.7 says.

    That is the mean absolute difference of each channel, averaged. The class itself looks for edges too where its values are
    to be read, which by its weights count nothing.
    """
    num_pixels = float(before.shape[0] * before.shape[1])
    sums: Any = cv2.sumElems(cv2.absdiff(before, after))  # its stub knows no sequence
    hue, saturation, luma, _ = sums
    return (hue / num_pixels + saturation / num_pixels + luma / num_pixels) / 3.0


def _reduced(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    size = (min(width, CONTENT_WIDTH), max(1, round(height * min(1.0, CONTENT_WIDTH / width))))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
