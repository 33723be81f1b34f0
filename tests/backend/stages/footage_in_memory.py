"""A frame reader and a stage context over arrays, for stages that look at clips."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from backend.domain import Box, Clip, Footage, FrameReader, Holding, Item, MediaError, Video
from tests.backend.stages.answered_judges import MemoryAnswers


class ArrayReader:
    """Frames uint8 `(T, H, W, 3)` behind the FrameReader protocol; frames in `broken` cannot be decoded."""

    def __init__(self, frames: np.ndarray, *, fps: float = 25.0, broken: frozenset[int] = frozenset()) -> None:
        self._frames, self._broken = frames, broken
        self.num_frames, self.height, self.width = frames.shape[:3]
        self.times_s = np.arange(self.num_frames) / fps

    def at(self, indices: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
        if self._broken.intersection(indices):
            raise MediaError("frame cannot be decoded", kind="truncated")
        if size is None:
            return self._frames[list(indices)].copy()
        return np.stack([cv2.resize(self._frames[i], size, interpolation=cv2.INTER_AREA) for i in indices])

    def stream(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        step: int = 1,
        size: tuple[int, int] | None = None,
        chunk: int = 32,
    ) -> Iterator[tuple[int, np.ndarray]]:
        wanted = range(start, self.num_frames if stop is None else stop, step)
        for first in range(0, len(wanted), chunk):
            yield wanted[first], self.at(wanted[first : first + chunk], size=size)


class MemoryArtifacts:
    """Artifacts in a dict, named by their count."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}

    def put(self, data: bytes, suffix: str) -> str:
        name = f"{len(self.stored)}{suffix}"
        self.stored[name] = data
        return name

    def get(self, name: str) -> bytes:
        return self.stored[name]


class StageContext:
    """One video's frames, and the roles that a test binds."""

    def __init__(
        self,
        reader: FrameReader,
        *,
        roles: dict[str, object] | None = None,
        content: Box | None = None,
        overlays: tuple[Box, ...] = (),
    ) -> None:
        self._reader, self._roles = reader, roles or {}
        self._content = content or (0.0, 0.0, float(reader.width), float(reader.height))
        self._overlays = overlays
        self.artifacts = MemoryArtifacts()
        self.answers = MemoryAnswers()

    def path(self, video: Video, item: Item) -> str:
        raise AssertionError("frames stand in memory, there is no file")

    def frames(self, item: Item) -> FrameReader:
        return self._reader

    def footage(self, item: Item) -> Footage:
        return Footage(item.one(Video), item.one(Clip), self._reader, self._content, self._overlays)

    def role(self, name: str) -> object:
        return self._roles[name]

    def model_id(self, name: str) -> str:
        return ""

    def held(self, holding: Holding) -> None:
        """Nobody has one open."""

    def rng(self, item_id: str) -> np.random.Generator:
        return np.random.default_rng(0)


def video_of(frames: np.ndarray, *, fps: float = 25.0) -> Video:
    num, height, width = frames.shape[:3]
    return Video(
        content_hash="0" * 64,
        source_id="source_0",
        num_frames=num,
        fps=fps,
        duration_s=num / fps,
        width=width,
        height=height,
        rotation=0,
        codec="raw",
        has_audio=False,
        index="none",
    )


def clip_item(frames: np.ndarray, *, fps: float = 25.0) -> Item:
    """An item over one clip that is the whole video."""
    video = video_of(frames, fps=fps)
    clip = Clip(
        video_id=video.id,
        start_frame=0,
        stop_frame=len(frames),
        start_s=0.0,
        stop_s=len(frames) / fps,
        opens_with="start",
    )
    return Item(clip.id, {Clip: (clip,), Video: (video,)})
