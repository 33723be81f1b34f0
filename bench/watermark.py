"""The invisible watermark on films of the sample world: what it costs the picture, what it outlives, and false alarms.

Each film's first seconds at the size that videos are generated in, 832 x 480. "Read" counts films whose message came back whole.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from backend.measures.watermark import MAX_P, MESSAGE_BITS, detect, detect_in, residual, watermarked
from backend.media.reader import VideoReader
from backend.media.writer import write_video

SIZE = (832, 480)
FRAMES, FPS = 49, 16
GENERATED_CRF, STRONG_CRF = 18, 28  # as `generate` writes; as platforms may
WRONG_KEYS = 100  # of each film
WINDOW, SIGMA = 11, 1.5  # of SSIM (Wang et al. 2004), and its two constants
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

FATES: Mapping[str, tuple[Callable[[np.ndarray], np.ndarray], int]] = {
    "as generated": (lambda frames: frames, GENERATED_CRF),
    "CRF 28": (lambda frames: frames, STRONG_CRF),
    "three quarters of its size, CRF 28": (lambda frames: _scaled(frames, 0.75), STRONG_CRF),
    "5 % cropped, CRF 28": (lambda frames: _cropped(frames, 0.05), STRONG_CRF),
    "5 % cropped, three quarters, CRF 28": (lambda frames: _scaled(_cropped(frames, 0.05), 0.75), STRONG_CRF),
    "half its size, CRF 28": (lambda frames: _scaled(frames, 0.5), STRONG_CRF),
}
"""What becomes of a film, and how strongly it is compressed then."""


def run(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Rows over the first film of each world."""
    films = [path for folder in folders for path in sorted((folder / "videos").glob("*.mp4"))[:1]]
    fates: dict[str, list[tuple[bool, float]]] = {name: [] for name in FATES}
    psnr, ssim, seconds, alarms = [], [], [], []
    for number, film in enumerate(films):
        frames, message = _film(film), (number * 2654435761) % 2**MESSAGE_BITS
        started = time.process_time()
        marked = watermarked(frames, message)
        seconds.append((time.process_time() - started) / len(frames) * 1000)
        psnr.append(cv2.PSNR(frames, marked))
        ssim.append(float(np.mean([_ssim(one, other) for one, other in zip(frames[::12], marked[::12], strict=True)])))
        for name, (change, crf) in FATES.items():
            found = detect(_encoded(change(marked), crf))
            fates[name].append((found.message == message, found.z))
        plain = residual(_encoded(frames, GENERATED_CRF))
        wrong = [detect_in(plain, key=f"{number} {key}".encode(), any_scale=False) for key in range(WRONG_KEYS)]
        alarms += [(one.is_found, one.z) for one in (detect_in(plain), *wrong)]
    return [
        _row("PSNR of marked beside unmarked, median", float(np.median(psnr)), "dB", f"least {min(psnr):.1f}"),
        _row("SSIM of marked beside unmarked, median", float(np.median(ssim)), "", f"least {min(ssim):.4f}"),
        _row("CPU ms a frame of 832x480, marking", float(np.median(seconds)), "ms", ""),
        *(
            _row(
                f"message read, {name}",
                f"{sum(read for read, _ in found)}/{len(found)}",
                "",
                f"z {min(z for _, z in found):.1f} to {max(z for _, z in found):.1f}",
            )
            for name, found in fates.items()
        ),
        _row(
            "false alarms, unmarked films and wrong keys",
            f"{sum(found for found, _ in alarms)}/{len(alarms)}",
            "",
            f"highest z {max(z for _, z in alarms):.1f}; claimed from p {MAX_P:.0e} down",
        ),
    ]


def _row(name: str, value: object, unit: str, note: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "note": note}


def _film(path: Path) -> np.ndarray:
    with VideoReader(path) as reader:
        return reader.at(range(FRAMES), size=SIZE)


def _encoded(frames: np.ndarray, crf: int) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        write_video(path, frames, fps=FPS, crf=crf)
        with VideoReader(path) as reader:
            return reader.at(range(reader.num_frames))


def _scaled(frames: np.ndarray, scale: float) -> np.ndarray:
    size = round(frames.shape[2] * scale), round(frames.shape[1] * scale)
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])


def _cropped(frames: np.ndarray, share: float) -> np.ndarray:
    """Of each side's length in all, one third of it before and two after."""
    rows, columns = (round(length * share) for length in frames.shape[1:3])
    return frames[
        :, rows // 3 : frames.shape[1] - rows + rows // 3, columns // 3 : frames.shape[2] - columns + columns // 3
    ]


def _ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Mean over pixels and colours, Gaussian window."""

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (WINDOW, WINDOW), SIGMA)

    a, b = one.astype(np.float64), other.astype(np.float64)
    mean_a, mean_b = mean(a), mean(b)
    both = mean(a * b) - mean_a * mean_b
    spread = mean(a * a) - mean_a**2 + mean(b * b) - mean_b**2
    return float(np.mean((2 * mean_a * mean_b + C1) * (2 * both + C2) / ((mean_a**2 + mean_b**2 + C1) * (spread + C2))))
