"""Procedural footage for tests of detection: textured things that move over a textured, panning background."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from backend.domain import Box, Clip, Footage, FrameReader, Holding, Item, Region, Source, Video
from tests.backend.stages.answered_judges import MemoryAnswers


def natural(rng: np.random.Generator, height: int, width: int, *, exponent: float = 1.2) -> np.ndarray:
    """A picture uint8 `(height, width, 3)` whose spectrum falls like that of natural scenes."""
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    amplitude = 1 / np.maximum(np.hypot(fy, fx), 1 / max(height, width)) ** exponent
    planes = []
    for _ in range(3):
        phase = np.exp(2j * np.pi * rng.random((height, width)))
        plane = np.fft.ifft2(amplitude * phase).real
        planes.append((plane - plane.mean()) / plane.std())
    mixed = 0.7 * planes[0][..., None] + 0.3 * np.dstack(planes)
    return np.clip(128 + 45 * mixed, 0, 255).astype(np.uint8)


class MovingThings:
    """A FrameReader of ellipses with textures of their own. Each thing: start centre, speed, radii (pixels, a frame)."""

    def __init__(
        self, things: Sequence[tuple[tuple[float, float], tuple[float, float], tuple[int, int]]], *, seed: int = 1
    ):
        rng = np.random.default_rng(seed)
        self.num_frames, self.width, self.height = 48, 480, 270
        self.times_s = np.arange(self.num_frames) / 24
        self.things = things
        self._scene = natural(rng, 300, 640)
        tints = [(200, 80, 60), (60, 90, 200), (70, 170, 80)]
        self._skins = [
            np.clip(0.5 * natural(rng, 300, 300, exponent=1.0) + 0.5 * np.array(tints[i % 3]), 0, 255).astype(np.uint8)
            for i in range(len(things))
        ]

    def box(self, thing: int, frame: int) -> Box:
        (x, y), (vx, vy), (rx, ry) = self.things[thing]
        cx, cy = x + vx * frame, y + vy * frame
        return (max(0, cx - rx), max(0, cy - ry), min(self.width, cx + rx), min(self.height, cy + ry))

    def mask(self, thing: int, frame: int) -> np.ndarray:
        (x, y), (vx, vy), (rx, ry) = self.things[thing]
        canvas = np.zeros((self.height, self.width), np.uint8)
        centre = (round(x + vx * frame), round(y + vy * frame))
        return cv2.ellipse(canvas, centre, (rx, ry), 0, 0, 360, 1, -1).astype(bool)

    def at(self, indices: Sequence[int], *, size: tuple[int, int] | None = None) -> np.ndarray:
        frames = [self._frame(i) for i in indices]
        if size is not None:
            frames = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
        return np.stack(frames)

    def stream(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        step: int = 1,
        size: tuple[int, int] | None = None,
        chunk: int = 32,
    ) -> Iterator[tuple[int, np.ndarray]]:
        for i in range(start, self.num_frames if stop is None else stop, step):
            yield i, self.at([i], size=size)

    def _frame(self, index: int) -> np.ndarray:
        frame = self._scene[15 : 15 + self.height, 10 + 2 * index : 10 + 2 * index + self.width].copy()
        for thing, skin in enumerate(self._skins):
            mask = self.mask(thing, index)
            rows, columns = np.nonzero(mask)
            box = self.box(thing, index)
            frame[mask] = skin[(rows - int(box[1])) % 300, (columns - int(box[0])) % 300]
        return frame


VIDEO = Video(
    content_hash="moving", source_id="source_1", num_frames=48, fps=24.0, duration_s=2.0, width=480, height=270,
    rotation=0, codec="raw", has_audio=False, index="",
)  # fmt: skip
CLIP = Clip(video_id=VIDEO.id, start_frame=0, stop_frame=48, start_s=0.0, stop_s=2.0, opens_with="start")
WHOLE = (0.0, 0.0, 480.0, 270.0)


def footage_of(reader: MovingThings, *, overlays: tuple[Box, ...] = ()) -> Footage:
    return Footage(VIDEO, CLIP, reader, WHOLE, overlays)


def footage_of_file(reader: FrameReader) -> Footage:
    """A whole file as one clip at 24 frames a second."""
    video = replace(VIDEO, num_frames=reader.num_frames, width=reader.width, height=reader.height)
    clip = replace(CLIP, stop_frame=reader.num_frames)
    return Footage(video, clip, reader, (0.0, 0.0, float(reader.width), float(reader.height)))


def clip_item(*records: object) -> Item:
    found: dict[type, tuple] = {Video: (VIDEO,), Clip: (CLIP,), Source: ()}
    for record in (Region(clip_id=CLIP.id, kind="content", box=WHOLE, confidence=1.0), *records):
        found[type(record)] = (*found.get(type(record), ()), record)
    return Item(CLIP.id, found)


class FixedContext:
    """A Context over one reader with roles given by hand; artifacts are kept in a dictionary."""

    def __init__(self, reader: MovingThings, **roles: object) -> None:
        self.artifacts = _Kept()
        self.answers = MemoryAnswers()
        self._reader = reader
        self._roles = roles

    def path(self, video: Video, item: Item) -> str:
        raise AssertionError("these tests have no file")

    def frames(self, item: Item) -> MovingThings:
        return self._reader

    def footage(self, item: Item) -> Footage:
        overlays = tuple(region.box for region in item.all(Region) if region.kind == "overlay")
        return footage_of(self._reader, overlays=overlays)

    def role(self, name: str) -> object:
        return self._roles[name]

    def model_id(self, name: str) -> str:
        return getattr(self._roles.get(name), "model_id", "")

    def held(self, holding: Holding) -> None:
        """Nobody has one open."""

    def rng(self, item_id: str) -> np.random.Generator:
        return np.random.default_rng(0)


class _Kept:
    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, data: bytes, suffix: str) -> str:
        name = f"{len(self.files)}.{suffix}"
        self.files[name] = data
        return name

    def get(self, name: str) -> bytes:
        return self.files[name]
