"""Planted defects: what the diagnostics must find, made from the sample world's clean cases."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from backend.media.images import read_image
from backend.media.reader import VideoReader
from backend.media.writer import write_video
from backend.sampleworld.cases import FPS, NUM_FRAMES, SIZE
from backend.sampleworld.cast import Identity, Wardrobe
from backend.sampleworld.film import film
from backend.sampleworld.script import VideoPlan, draw_shot

Frames = np.ndarray
PLACES = ("street", "room", "beach", "park", "kitchen", "mountain")


def planted(name: str, frames: Frames, *, reference: Path, other: Frames, rng: np.random.Generator) -> Frames:
    """A copy of a video's frames uint8 `(T, H, W, 3)` with one defect; `other` is a look-alike's video of the same shot."""
    return DEFECTS[name](frames.copy(), read_image(reference), other, rng)


def frames_of(path: Path) -> Frames:
    """All frames of a file."""
    with VideoReader(path) as reader:
        return reader.at(range(reader.num_frames))


def write(path: Path, frames: Sequence[np.ndarray] | Frames | Iterator[np.ndarray]) -> Path:
    """Writes frames as the sample world's systems are written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, iter(frames), fps=FPS, preset="ultrafast", crf=19, threads=1)
    return path


def two_subjects(first: Identity, second: Identity, rng: np.random.Generator, wardrobe: Wardrobe) -> Iterator[np.ndarray]:
    """A shot of two identities side by side; of one identity twice, in two poses, where both are equal."""
    shot = replace(draw_shot(rng, str(rng.choice(PLACES)), (first, second)), front=None)
    span = {"start_frame": 0, "stop_frame": NUM_FRAMES, "first_frame": 0, "last_frame": NUM_FRAMES}
    plan = VideoPlan(
        name="two",
        num_frames=NUM_FRAMES,
        fps=FPS,
        shots=(replace(shot, **span),),
        transitions=(),
        overlays=(),
        border=("none", 1.0),
        sound=("none", None),
        syllables=(),
        sidecar="none",
        seed=shot.seed,
    )
    return (picture for picture, *_ in film(plan, SIZE, wardrobe))


def _reference_first(frames: Frames, reference: np.ndarray, other: Frames, rng: np.random.Generator) -> Frames:
    """The reference fitted into the first one or two frames, on white or black or over its own blur."""
    height, width = frames.shape[1:3]
    factor = min(width / reference.shape[1], height / reference.shape[0])
    small = cv2.resize(reference, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)[:height, :width]
    canvas = np.full((height, width, 3), int(rng.choice([0, 255])), np.uint8)
    if rng.random() < 0.5:
        canvas = cv2.GaussianBlur(cv2.resize(reference, (width, height)), (0, 0), 15)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    frames[: int(rng.integers(1, 3))] = canvas
    return frames


def _blurred_first(frames: Frames, reference: np.ndarray, other: Frames, rng: np.random.Generator) -> Frames:
    for k in range(int(rng.integers(1, 4))):
        frames[k] = cv2.GaussianBlur(frames[k], (0, 0), float(rng.uniform(1.5, 3.0)))
    return frames


def _fading(frames: Frames, reference: np.ndarray, other: Frames, rng: np.random.Generator) -> Frames:
    """The subject turns into its look-alike over the middle third."""
    share = np.clip((np.arange(len(frames)) / len(frames) - 0.3) / 0.35, 0, 1)[:, None, None, None]
    return (frames * (1 - share) + other[: len(frames)] * share).astype(np.uint8)


def _drifting(frames: Frames, reference: np.ndarray, other: Frames, rng: np.random.Generator) -> Frames:
    """The balance changes in a line, by 20 to 35 per cent in one or two channels."""
    channels = rng.permutation([1, 0, 0] if rng.random() < 0.5 else [1, 1, 0])
    gains = rng.choice([-1.0, 1.0]) * rng.uniform(0.20, 0.35) * channels
    time = np.linspace(0, 1, len(frames))[:, None, None, None]
    return np.clip(frames * (1 + time * gains), 0, 255).astype(np.uint8)


def _repeating(frames: Frames, reference: np.ndarray, other: Frames, rng: np.random.Generator) -> Frames:
    """The video stalls for a sixth to a third of its frames, or its second half shows the first again."""
    num = len(frames)
    if rng.random() < 0.5:
        start, length = int(rng.integers(4, num // 2)), int(rng.integers(num // 6, num // 3))
        frames[start : start + length] = frames[start]
        return frames
    frames[num // 2 :] = frames[: num - num // 2]
    return frames


DEFECTS: dict[str, Callable[[Frames, np.ndarray, Frames, np.random.Generator], Frames]] = {
    "first_frame_copy": _reference_first,
    "first_frames_blur": _blurred_first,
    "consistency_fade": _fading,
    "colour_drift": _drifting,
    "frame_repetition": _repeating,
}
