"""Small files of every kind that is read, and what becomes of them in bad hands: seeded damage to their bytes."""

import struct
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from backend.media.writer import write_video
from tests.backend.media.counted_clips import barcode

SIDE = {"width": 96, "height": 64}
NUM_FRAMES = 10
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def write_samples(folder: Path) -> dict[str, Path]:
    """A good file of each container and codec, a few kilobytes each."""
    frames = [barcode(n, **SIDE) for n in range(NUM_FRAMES)]
    tone = (0.3 * np.sin(np.arange(8000) * 0.2)).astype(np.float32)
    for name, codec in (("h264.mp4", "h264"), ("h264.mkv", "h264"), ("vp9.webm", "vp9"), ("h264.mov", "h264")):
        write_video(folder / name, frames, fps=25.0, codec=codec, gop=4, audio=(tone, 16_000))
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(folder / "moving.gif", save_all=True, append_images=pictures[1:], duration=40)
    pictures[0].save(folder / "moving.webp", save_all=True, append_images=pictures[1:4], duration=40)
    for name in ("still.png", "still.jpeg", "still.webp", "still.tiff"):
        pictures[0].save(folder / name)
    with wave.open(str(folder / "tone.wav"), "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes((tone * 32767).astype("<i2").tobytes())
    return {path.name: path for path in sorted(folder.iterdir())}


def write_mutants(sample: Path, folder: Path, count: int, *, seed: int) -> Iterator[Path]:
    """`count` damaged copies, one at a time: each is gone when the next is asked for."""
    data = sample.read_bytes()
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        path = folder / f"{number}-{sample.name}"
        path.write_bytes(mutant(data, rng))
        yield path
        path.unlink()


def mutant(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four kinds of damage, one after another; half of them fall on the first kilobyte, where headers stand."""
    found = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        reach = min(len(found), 1024) if rng.random() < 0.5 else len(found)
        DAMAGES[rng.integers(len(DAMAGES))](found, int(rng.integers(max(1, reach))), rng)
    return bytes(found)


def _flip(data: bytearray, place: int, rng: np.random.Generator) -> None:
    for offset in rng.integers(0, max(1, len(data) - place), 1 + int(rng.integers(8))):
        if place + offset < len(data):
            data[place + offset] ^= 1 << int(rng.integers(8))


def _extreme(data: bytearray, place: int, rng: np.random.Generator) -> None:
    size = int(rng.choice((1, 2, 4)))
    order = str(rng.choice(("<", ">")))
    value = EXTREMES[rng.integers(len(EXTREMES))] & (256**size - 1)
    data[place : place + size] = struct.pack(order + {1: "B", 2: "H", 4: "I"}[size], value)


def _noise(data: bytearray, place: int, rng: np.random.Generator) -> None:
    data[place : place + 64] = rng.bytes(int(rng.integers(1, 64)))


def _cut(data: bytearray, place: int, rng: np.random.Generator) -> None:
    del data[max(16, place) :]


def _drop(data: bytearray, place: int, rng: np.random.Generator) -> None:
    del data[place : place + int(rng.integers(1, 256))]


def _repeat(data: bytearray, place: int, rng: np.random.Generator) -> None:
    data[place:place] = data[place : place + int(rng.integers(1, 4096))]


def _blank(data: bytearray, place: int, rng: np.random.Generator) -> None:
    stop = min(len(data), place + int(rng.integers(1, 512)))
    data[place:stop] = bytes(stop - place)


DAMAGES: tuple[Callable[[bytearray, int, np.random.Generator], None], ...] = (
    _flip,
    _extreme,
    _noise,
    _cut,
    _drop,
    _repeat,
    _blank,
)
