"""What measuring the motion amplitude costs: our planner beside the calls it cannot do without, and beside holding all frames.

Each side runs in a process of its own, on one thread; CPU time and peak memory are those after imports, with those of the
child in which we decode (`bench.cost`), which is there before. The same calls differ by a tenth and more from process to
process where machines share memory, so the planner's time stands beside that of its own calls, and those beside the same
calls in a process that does nothing else.
"""

import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from backend.domain import Case, Generation
from backend.engine.heap import keep_heap
from backend.media.guard import guarded_index
from backend.media.reader import VideoReader
from backend.media.writer import write_video
from bench.cost import cpu_and_peak, cpu_s
from bench.media import say
from metrics.motion import FARNEBACK, MotionAmplitudeCompat
from metrics.planner import Planner
from metrics.spec import Entry
from metrics.store import FeatureStore

NUM_FRAMES, SIZE, FPS = 81, (1280, 720), 24
REPEATS = 5


def run() -> list[dict[str, Any]]:
    """Rows of the amplitude's time and memory."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_video(clip, _pictures(), fps=FPS, crf=20)
        times = _measured(("amplitude, timed", "farneback, timed"), clip)
        found = _measured(("amplitude", "one call", "frames", "holding"), clip)
    planner, alone = times["amplitude, timed"], times["farneback, timed"]
    call, frames = (statistics.median(found[who]["peak_mib"]) for who in ("one call", "frames"))
    held, holding = (found[who]["peak_mib"] for who in ("amplitude", "holding"))
    note = f"one call of Farneback takes {call:.0f} MiB, {NUM_FRAMES} frames {frames:.0f}"
    return [
        _row("motion amplitude, CPU", planner["cpu_ms"], "CPU ms", planner["calls_ms"], "its Farneback calls", 1.05),
        _row(
            "its Farneback calls, CPU",
            planner["calls_ms"],
            "CPU ms",
            alone["calls_ms"],
            "the same in a process that only calls",
        ),
        {
            **_row("motion amplitude, memory", held, "MiB over imports", holding, "all that upstream holds", 0.1),
            "note": note,
        },
    ]


def _amplitude(clip: Path) -> None:
    case = Case(benchmark="bench", name="clip", prompt="")
    made = Generation(case_id=case.id, system="s", seed=0, path=str(clip), content_hash="clip", num_bytes=1)
    with tempfile.TemporaryDirectory() as folder:
        planner = Planner(store=FeatureStore(Path(folder)), roles=_nobody, model_id=lambda role: "")
        metric = MotionAmplitudeCompat()
        entry = Entry(case, made)
        (flow,) = planner.features(entry, list(metric.features.values()))
        assert isinstance(flow, dict)
        metric.combine(entry, {"flow": flow})


def _farneback(clip: Path) -> Callable[[], None]:
    """Prepares the grey frames; gives the calls alone."""
    with VideoReader(clip) as reader:
        greys = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for _, frames in reader.stream() for frame in frames]

    def call() -> None:
        for before, grey in itertools.pairwise(greys):
            cv2.calcOpticalFlowFarneback(before, grey, None, *FARNEBACK)  # pyright: ignore[reportCallIssue, reportArgumentType]

    return call


def _one_call(clip: Path) -> None:
    """On pictures that were never held elsewhere, so that it finds no memory that others left."""
    before, after, *_ = (cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in itertools.islice(_pictures(), 2))
    cv2.calcOpticalFlowFarneback(before, after, None, *FARNEBACK)  # pyright: ignore[reportCallIssue, reportArgumentType]


def _frames(clip: Path) -> list[np.ndarray]:
    with VideoReader(clip) as reader:
        return [frame.copy() for _, chunk in reader.stream() for frame in chunk]


def _holding(clip: Path) -> list[np.ndarray]:
    """What upstream's script holds at its end: frames, greys, flows and pictures of tracks, all at full size."""
    frames = _frames(clip)
    greys = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames]
    flows = [np.full((*grey.shape, 2), 0.5, np.float32) for grey in greys[1:]]
    return [*frames, *greys, *flows, *(frame | 1 for frame in frames)]


def _nobody(name: str) -> object:
    raise AssertionError(f"nobody asks for {name}")


def _measured(works: Sequence[str], clip: Path) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {name: {} for name in works}
    for _ in range(REPEATS):  # interleaved, so that a busy machine disturbs all alike
        for name in works:
            command = [sys.executable, "-m", "bench.metrics", name, str(clip)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            for unit, value in json.loads(done.stdout).items():
                found[name].setdefault(unit, []).append(value)
    return found


def _row(
    name: str, ours: list[float], unit: str, peer: list[float], peer_name: str, target: float | None = None
) -> dict[str, Any]:
    ratios = [mine / its for mine, its in zip(ours, peer, strict=True)]
    return {
        "name": name,
        "ours": statistics.median(ours),
        "unit": unit,
        "peer": statistics.median(peer),
        "peer_name": peer_name,
        "ratio": statistics.median(ratios),
        "target": None if target is None else f"ratio <= {target:g}",
        "spread": f"{min(ratios):.3g}-{max(ratios):.3g}",
        "n": len(ratios),
    }


def _pictures() -> Iterator[np.ndarray]:
    """A textured picture that pans and brightens, with a square that crosses it."""
    rng = np.random.default_rng(0)
    wide = cv2.resize(rng.integers(0, 256, (180, 480, 3), np.uint8), (SIZE[0] + 4 * NUM_FRAMES, SIZE[1]))
    for n in range(NUM_FRAMES):
        frame = np.ascontiguousarray(wide[:, 3 * n : 3 * n + SIZE[0]])
        frame[200:400, 10 * n : 10 * n + 200] = (200, 40, 2 * n)
        yield frame


def _timed(call: Callable[[], object]) -> dict[str, float]:
    """CPU ms of a call and of the Farneback calls in it."""
    farneback, spent = cv2.calcOpticalFlowFarneback, [0.0]

    def counted(*arguments: Any) -> np.ndarray:
        started = time.thread_time()
        flow = farneback(*arguments)
        spent[0] += time.thread_time() - started
        return flow

    cv2.calcOpticalFlowFarneback = counted
    started = cpu_s()
    call()
    return {"cpu_ms": (cpu_s() - started) * 1e3, "calls_ms": spent[0] * 1e3}


def main() -> None:
    """One side's measurement, as JSON."""
    cv2.setNumThreads(1)
    keep_heap()  # on all sides, as where stages and metrics run
    work, clip = sys.argv[1].removesuffix(", timed"), Path(sys.argv[2])
    if work == "amplitude":
        guarded_index(clip)
    works = {"amplitude": _amplitude, "one call": _one_call, "frames": _frames, "holding": _holding}
    call = _farneback(clip) if work == "farneback" else partial(works[work], clip)
    say(json.dumps((_timed if sys.argv[1] != work else cpu_and_peak)(call)))


if __name__ == "__main__":
    main()
