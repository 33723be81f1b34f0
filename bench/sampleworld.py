"""What rendering costs: CPU-ms a frame at 720p, render plus encode, and what a world weighs."""

import resource
import tempfile
import time
from pathlib import Path

import cv2

from backend.sampleworld import render_world

TARGET_MS = 35.0
SECONDS = 15.0
SEED = 1000


def run() -> list[dict]:
    """One row a measure: name, value, unit, target, ok."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        # The first world pays for imports and cached noise fields, as the first video of a worker does.
        start, began = time.process_time(), time.perf_counter()
        summary = render_world(Path(folder), seed=SEED, videos=3, duration_s=SECONDS, workers=1)
        cpu_s, wall_s = time.process_time() - start, time.perf_counter() - began
        truth_kib = sum(f.stat().st_size for f in (summary.folder / "truth").iterdir()) / 1024
        video_mib = sum(f.stat().st_size for f in summary.videos) / 2**20
        again = time.perf_counter()
        render_world(Path(folder), seed=SEED, videos=3, duration_s=SECONDS, workers=1)
        cached_s = time.perf_counter() - again
    cost = 1000 * cpu_s / summary.num_frames
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        _row("sampleworld.cpu_ms_per_frame_720p", cost, "ms", TARGET_MS),
        _row("sampleworld.wall_ms_per_frame_720p", 1000 * wall_s / summary.num_frames, "ms", None),
        _row("sampleworld.cached_world_s", cached_s, "s", 1.0),
        _row("sampleworld.truth_kib_per_video", truth_kib / len(summary.videos), "KiB", None),
        _row("sampleworld.mib_per_video", video_mib / len(summary.videos), "MiB", None),
        _row("sampleworld.peak_rss_mib", peak_mib, "MiB", None),
    ]


def _row(name: str, value: float, unit: str, target: float | None) -> dict:
    return {"name": name, "value": round(value, 3), "unit": unit, "target": target, "ok": target is None or value <= target}
