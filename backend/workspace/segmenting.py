"""Masks of what a person points to: the frame read in a guarded child, the mask by the bound Segmenter."""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np

from backend.domain import Box, Clip, ModelUnavailable, ProjectError, Segmenter, SettingsError, Source, Video
from backend.domain.errors import ModelFailed
from backend.domain.model_work import PointPrompt, PromptedSegmenter, SegmentedFrame
from backend.engine.context import WorkContext, WorkerSettings
from backend.geometry import rle
from backend.media.guard import run_guarded
from backend.media.index import FrameIndex
from backend.media.reader import VideoReader
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog

SEGMENTER = "Segmenter"
KEPT_FRAMES = 4  # whoever points to something points again
READ_WALL_S = 60.0


class FrameSegmenter:
    """Segments frames of clips. `settings` says which Segmenter is bound and where models are asked."""

    def __init__(self, catalog: Catalog, artifacts: Artifacts, settings: Callable[[], WorkerSettings]) -> None:
        self._catalog = catalog
        self._artifacts = artifacts
        self._settings = settings
        self._frames: OrderedDict[tuple[str, int], np.ndarray] = OrderedDict()
        self._context: WorkContext | None = None
        self._made_for: WorkerSettings | None = None
        self._lock = threading.Lock()

    def __call__(self, clip_id: str, frame: int, *, points: Sequence[PointPrompt], box: Box | None) -> SegmentedFrame:
        """Raises SettingsError for places outside the frame or without any, ProjectError for an unknown clip."""
        clip, video = self._clip(clip_id, frame)
        _check(points, box, video)
        with self._lock:
            pixels = self._pixels(video, frame)
            segmenter = self._segmenter()
            mask, quality = _segmented(segmenter, pixels, points, box)
        model = str(getattr(segmenter, "model_id", ""))
        if mask.shape != pixels.shape[:2] or mask.dtype != bool or not math.isfinite(quality):
            raise ModelFailed(
                f"{model} gave a {mask.dtype} mask of {mask.shape} for a frame of {pixels.shape[:2]}, quality {quality};"
                f" bind another {SEGMENTER}",
                kind="answer",
            )
        return SegmentedFrame(
            clip_id=clip.id,
            frame=frame,
            height=mask.shape[0],
            width=mask.shape[1],
            counts=rle.encode(mask).decode("ascii"),
            area_px=int(mask.sum()),
            quality=float(np.clip(quality, 0.0, 1.0)),
            model=model,
        )

    def frame(self, clip_id: str, frame: int) -> np.ndarray:
        """A frame of a clip's source, uint8 `(H, W, 3)`. Raises as a call does."""
        _, video = self._clip(clip_id, frame)
        with self._lock:
            return self._pixels(video, frame)

    def close(self) -> None:
        if self._context is not None:
            self._context.close()

    def _clip(self, clip_id: str, frame: int) -> tuple[Clip, Video]:
        clips = self._catalog.records(Clip, "SELECT * FROM clip WHERE id = ? LIMIT 1", [clip_id])
        if not clips:
            raise ProjectError(f"clip {clip_id[:80]} is not in this project; ask for the pair again")
        clip = clips[0]
        if not clip.start_frame <= frame < clip.stop_frame:
            raise SettingsError(
                f"frame {frame} is not in clip {clip_id}, which has {clip.start_frame} to {clip.stop_frame - 1}"
            )
        return clip, self._catalog.records(Video, "SELECT * FROM video WHERE id = ? LIMIT 1", [clip.video_id])[0]

    def _pixels(self, video: Video, frame: int) -> np.ndarray:
        place = video.id, frame
        if place not in self._frames:
            source = self._catalog.records(Source, "SELECT * FROM source WHERE id = ?", [video.source_id])[0]
            arguments = (source.uri, self._artifacts.get(video.index), frame)
            self._frames[place] = run_guarded(read_frame, arguments, subject=source.uri, wall_s=READ_WALL_S)
        self._frames.move_to_end(place)
        while len(self._frames) > KEPT_FRAMES:
            self._frames.popitem(last=False)
        return self._frames[place]

    def _segmenter(self) -> object:
        settings = self._settings()
        if self._context is None or self._made_for != settings:
            self.close()
            self._context, self._made_for = WorkContext(settings), settings
        return self._context.role(SEGMENTER)


def read_frame(uri: str, index: bytes, frame: int) -> np.ndarray:
    """One frame, uint8 `(H, W, 3)`. Raises MediaError."""
    with VideoReader(uri, FrameIndex.from_bytes(index)) as reader:
        return reader.at([frame])[0]


def _segmented(
    segmenter: object, frame: np.ndarray, points: Sequence[PointPrompt], box: Box | None
) -> tuple[np.ndarray, float]:
    if isinstance(segmenter, PromptedSegmenter):
        return segmenter.segment_prompted(frame, points, box)
    if points or box is None:
        raise ModelUnavailable(
            f"the bound {SEGMENTER} ({type(segmenter).__name__}) takes boxes alone; give a box and no points"
        )
    masks, qualities = cast(Segmenter, segmenter).segment(frame, [box])
    return masks[0], float(qualities[0])


def _check(points: Sequence[PointPrompt], box: Box | None, video: Video) -> None:
    if box is None and not any(point.include for point in points):
        raise SettingsError("nothing is pointed to; give a box, or a point that the mask shall include")
    for point in points:
        if not (0 <= point.x < video.width and 0 <= point.y < video.height):
            raise SettingsError(f"point ({point.x:g}, {point.y:g}) is outside the frame of {video.width} x {video.height}")
    if box is not None:
        x0, y0, x1, y1 = box
        if not (0 <= x0 < x1 <= video.width and 0 <= y0 < y1 <= video.height):
            raise SettingsError(f"box {box} is empty or outside the frame of {video.width} x {video.height}")
