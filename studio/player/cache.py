"""Decoded frames, bounded in bytes: the least recently used go first."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

Key = tuple[str, int]
"""Path of the clip and frame index."""


@dataclass(slots=True, kw_only=True)
class FrameCache:
    """uint8 `(H, W, 3)` RGB frames by clip and index; safe to use from several threads."""

    max_bytes: int = 1 << 30
    used_bytes: int = 0
    _frames: OrderedDict[Key, np.ndarray] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, path: str, index: int) -> np.ndarray | None:
        """The frame, which becomes the most recently used; None when it is not held."""
        with self._lock:
            frame = self._frames.get((path, index))
            if frame is not None:
                self._frames.move_to_end((path, index))
            return frame

    def has(self, path: str, index: int) -> bool:
        """Whether the frame is held; does not count as use."""
        with self._lock:
            return (path, index) in self._frames

    def put(self, path: str, index: int, frame: np.ndarray) -> None:
        """Adds a frame and drops the least recently used beyond `max_bytes` (never the one just added)."""
        with self._lock:
            old = self._frames.pop((path, index), None)
            self.used_bytes += frame.nbytes - (0 if old is None else old.nbytes)
            self._frames[path, index] = frame
            while self.used_bytes > self.max_bytes and len(self._frames) > 1:
                _, dropped = self._frames.popitem(last=False)
                self.used_bytes -= dropped.nbytes

    def clear(self) -> None:
        """Gives every frame back."""
        with self._lock:
            self._frames.clear()
            self.used_bytes = 0
