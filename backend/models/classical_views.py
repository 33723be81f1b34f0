"""What the embedded detector sees of one frame: a small picture with maps of motion and saliency, and faces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from backend.domain import Box, Footage
from backend.geometry import boxes
from backend.measures.saliency import background_saliency
from backend.models.classical_faces import ClassicalFaceAnalyzer
from backend.models.classical_motion import motion_map, unit_motion

HISTOGRAM_BINS = 8


@dataclass(frozen=True, slots=True)
class View:
    """One frame inside the clip's borders, scaled by `factor`; everything below is in its pixels."""

    frame: int
    rgb: np.ndarray
    """uint8 `(H, W, 3)`."""
    motion: np.ndarray
    """float32 `(H, W)` in [0, 1]: moves otherwise than the camera."""
    flow: np.ndarray
    """float32 `(H, W, 2)`: where it moves, in pixels of the motion search."""
    saliency: np.ndarray
    """float32 `(H, W)` in [0, 1]: unlike what holds on to the edge."""
    blocked: np.ndarray
    """bool `(H, W)`: laid over the picture, no part of it."""
    colours: np.ndarray
    """int32 `(H, W)`: which of the 8 x 8 x 8 bins of Lab each pixel falls into."""
    edges: np.ndarray
    """float32 `(H, W)` in [0, 1]: gradient over the picture's 90th percentile."""
    faces: tuple[tuple[Box, float], ...]
    origin: tuple[float, float]
    factor: float

    @property
    def bounds(self) -> Box:
        height, width = self.blocked.shape
        return 0.0, 0.0, float(width), float(height)

    def to_source(self, box: Box) -> Box:
        """A box of this view in pixels of the source frame."""
        x, y = self.origin
        x0, y0, x1, y1 = boxes.scale(box, 1 / self.factor, 1 / self.factor)
        return x0 + x, y0 + y, x1 + x, y1 + y

    def from_source(self, box: Box) -> Box:
        """A box of the source frame in this view, clipped to it."""
        x, y = self.origin
        moved = (box[0] - x, box[1] - y, box[2] - x, box[3] - y)
        return boxes.clip(boxes.scale(moved, self.factor, self.factor), self.bounds)


@dataclass(frozen=True)
class Viewer:
    """Makes views. Sizes are of the longer side."""

    view_px: int = 160
    motion_px: int = 320
    face_px: int = 384
    offsets_s: tuple[float, ...] = (0.12, 0.4, 0.8)
    """How far before and after a frame motion is looked for: a step of a walk, and the slower sway of a talker."""

    def views(self, footage: Footage, frames: Sequence[int]) -> list[View]:
        """Views of the frames, decoding them and their neighbours once. Raises MediaError."""
        around = {frame: self._neighbours(footage, frame) for frame in frames}
        wanted = sorted({i for frame, (before, after) in around.items() for i in (frame, *before, *after)})
        size, factor = _scaled(footage.reader.width, footage.reader.height, self.face_px)
        pictures = dict(zip(wanted, footage.reader.at(wanted, size=size), strict=True))
        area = boxes.to_pixels(boxes.scale(footage.content, factor, factor), *size)
        inside = {i: picture[area[1] : area[3], area[0] : area[2]] for i, picture in pictures.items()}
        gray = {i: self._gray(picture) for i, picture in inside.items()}
        return [
            self._view(footage, frame, inside[frame], motion_map(gray[frame], *_picked(gray, around[frame])), factor)
            for frame in frames
        ]

    def _neighbours(self, footage: Footage, frame: int) -> tuple[list[int], list[int]]:
        steps = sorted({max(1, round(offset * footage.video.fps)) for offset in self.offsets_s})
        before = [frame - step for step in steps if frame - step >= footage.clip.start_frame]
        after = [frame + step for step in steps if frame + step < footage.clip.stop_frame]
        return before, after

    def _gray(self, picture: np.ndarray) -> np.ndarray:
        size, _ = _scaled(picture.shape[1], picture.shape[0], self.motion_px)
        return cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)

    def _view(
        self, footage: Footage, frame: int, picture: np.ndarray, moved: tuple[np.ndarray, np.ndarray], factor: float
    ) -> View:
        size, shrink = _scaled(picture.shape[1], picture.shape[0], self.view_px)
        rgb = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        blank = View(
            frame=frame,
            rgb=rgb,
            motion=unit_motion(cv2.resize(moved[0], size, interpolation=cv2.INTER_AREA)),
            flow=cv2.resize(moved[1], size, interpolation=cv2.INTER_AREA),
            saliency=background_saliency(rgb),
            blocked=np.zeros(size[::-1], bool),
            colours=_colour_codes(rgb),
            edges=_edges(rgb),
            faces=(),
            origin=(footage.content[0], footage.content[1]),
            factor=factor * shrink,
        )
        for overlay in footage.overlays:
            x0, y0, x1, y1 = boxes.to_pixels(blank.from_source(overlay), *size)
            blank.blocked[y0:y1, x0:x1] = True
        faces = ClassicalFaceAnalyzer(long_side_px=self.face_px).faces(picture)
        return replace(
            blank,
            motion=np.where(blank.blocked, 0, blank.motion).astype(np.float32),
            saliency=np.where(blank.blocked, 0, blank.saliency).astype(np.float32),
            faces=tuple(
                (box, face.score) for face in faces if _clear(blank.blocked, box := boxes.scale(face.box, shrink, shrink))
            ),
        )


def _scaled(width: int, height: int, long_side: int) -> tuple[tuple[int, int], float]:
    factor = min(1.0, long_side / max(width, height))
    return (max(1, round(width * factor)), max(1, round(height * factor))), factor


def _picked(gray: dict[int, np.ndarray], around: tuple[list[int], list[int]]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    before, after = around
    return [gray[i] for i in before], [gray[i] for i in after]


def _colour_codes(rgb: np.ndarray) -> np.ndarray:
    """Which of the 8 x 8 x 8 bins of Lab each pixel falls into, int32 `(H, W)`."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab).astype(np.int32)
    lightness = lab[..., 0] * HISTOGRAM_BINS // 256
    # Colour offsets lie in the middle third of the range, so that they are spread before binning.
    chroma = np.clip((lab[..., 1:] - 128) * 2 + 128, 0, 255) * HISTOGRAM_BINS // 256
    return (lightness * HISTOGRAM_BINS + chroma[..., 0]) * HISTOGRAM_BINS + chroma[..., 1]


def _edges(rgb: np.ndarray) -> np.ndarray:
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    gradient = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    return np.clip(gradient / (np.percentile(gradient, 90) + 1e-3), 0, 1).astype(np.float32)


def _clear(blocked: np.ndarray, box: Box) -> bool:
    x0, y0, x1, y1 = boxes.to_pixels(box, blocked.shape[1], blocked.shape[0])
    return float(blocked[y0:y1, x0:x1].mean()) < 0.3
