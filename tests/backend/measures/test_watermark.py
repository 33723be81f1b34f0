"""Watermarks: found again after what files go through, never where there is none, and hardly seen."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import stats

from backend.measures.watermark import (
    MAX_P,
    PUBLIC_KEY,
    SYNC_SHARE,
    TILE,
    _band,
    _folded,
    _matched,
    detect,
    detect_in,
    labelled,
    residual,
    watermarked,
)
from backend.media.reader import VideoReader
from backend.media.writer import write_video

MESSAGE = 0xC0FFEE42


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """A picture with the spectrum of natural ones (amplitude 1 / f), moving a little, uint8 (24, 288, 512, 3)."""
    rng = np.random.default_rng(3)
    rows, columns = np.meshgrid(np.fft.fftfreq(320), np.fft.fftfreq(560), indexing="ij")
    falling = 1 / np.maximum(np.hypot(rows, columns), 1 / 560)
    field = np.stack([np.fft.ifft2(np.fft.fft2(rng.normal(size=(320, 560))) * falling).real for _ in range(3)], -1)
    picture = np.clip(128 + 45 * field / field.std(), 0, 255)
    return np.stack([picture[n : n + 288, 2 * n : 2 * n + 512] for n in range(24)]).astype(np.uint8)


@pytest.fixture(scope="module")
def marked(frames: np.ndarray) -> np.ndarray:
    return watermarked(frames, MESSAGE)


def encoded(frames: np.ndarray, folder: Path, crf: int) -> np.ndarray:
    path = folder / "encoded.mp4"
    write_video(path, frames, fps=12, crf=crf)
    with VideoReader(path) as reader:
        return reader.at(range(reader.num_frames))


def scaled(frames: np.ndarray, scale: float) -> np.ndarray:
    size = round(frames.shape[2] * scale), round(frames.shape[1] * scale)
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])


def cropped(frames: np.ndarray, share: float) -> np.ndarray:
    """Unequally on all sides, so that nothing is left where it was."""
    height, width = frames.shape[1:3]
    rows, columns = int(height * share), int(width * share)
    return np.ascontiguousarray(
        frames[:, rows // 3 : height - (rows - rows // 3), columns // 4 : width - (columns - columns // 4)]
    )


def test_message_is_read_at_once(marked: np.ndarray) -> None:
    found = detect(marked)
    assert (found.is_found, found.message, found.scale) == (True, MESSAGE, 1.0)


@pytest.mark.parametrize("message", [0, 1, 2**32 - 1, 0x80000001])
def test_every_message_comes_back(frames: np.ndarray, message: int) -> None:
    assert detect(watermarked(frames[:4], message)).message == message


@pytest.mark.parametrize(("scale", "crop"), [(1.0, 0.0), (1.0, 0.05), (0.75, 0.0), (0.75, 0.05), (0.5, 0.0), (1.5, 0.0)])
def test_found_after_strong_compression_scaling_and_cropping(
    marked: np.ndarray, tmp_path: Path, scale: float, crop: float
) -> None:
    found = detect(encoded(scaled(cropped(marked, crop), scale), tmp_path, 28))
    assert found.message == MESSAGE
    assert found.scale == pytest.approx(scale, rel=0.01)


def test_hardly_seen(frames: np.ndarray, marked: np.ndarray) -> None:
    """By OpenCV's measure of the signal's peak to noise."""
    assert cv2.PSNR(frames[0], marked[0]) > 37.5
    assert np.abs(frames.astype(int) - marked).max() <= 16, "3.2 levels times a few standard deviations"


def test_pictures_without_one_raise_no_alarm(frames: np.ndarray) -> None:
    found = detect(frames)
    assert (found.is_found, found.message) == (False, None)
    assert found.p == 1.0


def test_other_keys_find_nothing(marked: np.ndarray) -> None:
    assert not detect(marked, key=b"another key").is_found
    own = watermarked(marked[:4], 7, key=b"another key")
    assert detect(own, key=b"another key").message == 7


def test_false_alarms_stay_below_the_bound(frames: np.ndarray) -> None:
    """Keys at random on a picture without watermark: z of one place is normal, and its maximum below Hoeffding's bound."""
    folded = _folded(residual(frames[:6]))
    surfaces = [_matched(folded, _band(f"key {n}".encode())[0]) for n in range(300)]
    alone = np.array([surface[5, 9] for surface in surfaces])
    assert stats.kstest(alone, "norm").pvalue > 0.01
    highest = np.array([surface.max() for surface in surfaces])
    for z in (4.0, 4.5, 5.0):
        bound = min(1.0, TILE * TILE * math.exp(-z * z / 2))
        assert (highest >= z).mean() <= bound + 3 * math.sqrt(bound * (1 - bound) / 300)


def test_z_by_hand() -> None:
    """The key's own pattern is in phase everywhere: the sum of K cosines of 0 over sqrt(K / 2)."""
    rows, _, _ = _band(PUBLIC_KEY)[0]
    tile = watermarked(np.full((1, TILE, TILE, 3), 128, np.uint8), 0)[0, ..., 0].astype(np.float32) - 128
    found = _matched(tile, _band(PUBLIC_KEY)[0])
    assert found.max() == pytest.approx(math.sqrt(2 * len(rows)), rel=0.02)
    assert np.unravel_index(found.argmax(), found.shape) == (0, 0)
    assert len(rows) == sum(len(part[0]) for part in _band(PUBLIC_KEY)) // SYNC_SHARE


def test_a_picture_without_content_has_no_watermark() -> None:
    assert not detect(np.zeros((3, 200, 300, 3), np.uint8)).is_found
    with pytest.raises(ValueError, match="no frames"):
        detect(())


def test_a_blank_residual_is_no_evidence() -> None:
    found = detect_in(np.zeros((130, 130), np.float32))
    assert (found.z, found.p) == (0.0, 1.0)
    assert found.p > MAX_P


@pytest.mark.parametrize("size", [(64, 64), (480, 832), (32, 48), (1080, 608)])
def test_a_label_stands_in_the_corner_alone(size: tuple[int, int]) -> None:
    frames = np.full((2, *size, 3), 90, np.uint8)
    found = labelled(frames)
    changed = (found != frames).any(axis=(0, 3))
    rows = np.nonzero(changed)[0]
    assert changed.any()
    assert rows.min() > size[0] * 0.6
    assert found.max() > 200, "light letters"
    assert found.min() < 60, "on a darker ground"
    assert (frames == 90).all()
