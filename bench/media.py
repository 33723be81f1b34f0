"""Reading videos: ours beside decord, OpenCV and, where it is installed, torchcodec on the same work, each in a process of its own.

The work is the same for all: open a 10 s 720p H.264 clip and give RGB frames uint8 by index, on one thread. Ours has the
frame index that probing kept; the others find frames in their own way. Chosen frames come as one array, all frames come
in turn. OpenCV gets the faster of seeking and reading through. torchcodec, which brings no FFmpeg, is given the one in PyAV's
wheel, so that both decode alike. CPU time and peak memory are those after imports (`bench.cost`).
"""

import importlib.util
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from backend.media.index import FrameIndex, build_index
from backend.media.reader import VideoReader
from backend.media.writer import write_video
from bench.cost import cpu_and_peak

NUM_FRAMES = 300
REPEATS = 3
GRAIN = 4.0
"""Standard deviation of the texture's noise, in grey levels: gives about 2 Mbit/s, as real 720p clips have (0.8 to 2.5)."""
GOPS = (30, 250)
WORKS = (3, 32, NUM_FRAMES)
READERS = ("ours", "decord", "opencv_seek", "opencv_read")
TORCHCODEC = "torchcodec"


def run() -> list[dict[str, object]]:
    """Rows `{name, ours, peer, peer_name, unit, ratio, spread}`; `ratio` is ours over peer, `spread` is half the range of
    ours over its median."""
    rows: list[dict[str, object]] = []
    others = (TORCHCODEC,) if importlib.util.find_spec(TORCHCODEC) else ()
    with tempfile.TemporaryDirectory() as folder:
        libraries = _pyav_libraries(Path(folder) / "ffmpeg") if others else ""
        for gop in GOPS:
            clip = Path(folder) / f"gop{gop}.mp4"
            write_video(clip, _pictures(), fps=30, gop=gop, preset="medium", crf=23)
            index = build_index(clip)
            clip.with_suffix(".index").write_bytes(index.to_bytes())
            for num in WORKS:
                measured = _measure(clip, num, (*READERS, *others), libraries)
                cv = min(("opencv_seek", "opencv_read"), key=lambda name: statistics.median(measured[name]["cpu_ms"]))
                for peer in ("decord", cv, *others):
                    for unit, what in (("cpu_ms", "CPU ms"), ("peak_mib", "MiB over baseline")):
                        rows.append(_row(f"{num} frames, GOP {gop}", measured, peer, unit, what))
            rows.append(_index_row(clip, gop))
    return rows


def main() -> None:
    """Prints the table, or one child's measurement when called with a clip."""
    if len(sys.argv) == 4:
        say(json.dumps(_work(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
        return
    say(f"{'work':22} {'unit':18} {'ours':>8} {'peer':>8}  {'ratio':>5}  peer")
    for row in run():
        say(
            f"{row['name']:22} {row['unit']:18} {row['ours']:8.0f} {row['peer']:8.0f}  {row['ratio']:5.2f}  "
            f"{row['peer_name']} (spread {row['spread']:.0%})"
        )


def say(text: str) -> None:
    """Writes a line for people."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _measure(clip: Path, num: int, readers: tuple[str, ...], libraries: str) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {name: {"cpu_ms": [], "peak_mib": []} for name in readers}
    for _ in range(REPEATS):  # interleaved, so that a busy machine disturbs all alike
        for name in readers:
            command = [sys.executable, "-m", "bench.media", name, str(clip), str(num)]
            environment = {**os.environ, "LD_LIBRARY_PATH": libraries} if name == TORCHCODEC else None
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            for unit, value in json.loads(done.stdout).items():
                found[name][unit].append(value)
    return found


def _row(name: str, measured: dict[str, dict[str, list[float]]], peer: str, unit: str, what: str) -> dict[str, object]:
    ours, theirs = (statistics.median(measured[who][unit]) for who in ("ours", peer))
    values = measured["ours"][unit]
    return {
        "name": name,
        "ours": ours,
        "peer": theirs,
        "peer_name": peer,
        "unit": what,
        "ratio": ours / max(theirs, 1e-9),
        "spread": (max(values) - min(values)) / 2 / max(ours, 1e-9),
    }


def _index_row(clip: Path, gop: int) -> dict[str, object]:
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        index = build_index(clip)
        times.append((time.process_time() - started) * 1e3)
    ours = statistics.median(times)
    spread = (max(times) - min(times)) / 2 / ours
    size = len(index.to_bytes()) / index.num_frames
    # The peer is the target: a packet-only index of such a clip was built in 16 to 26 ms.
    name = f"index ({size:.1f} B/frame), GOP {gop}"
    return {
        "name": name,
        "ours": ours,
        "peer": 26.0,
        "peer_name": "target",
        "unit": "CPU ms",
        "ratio": ours / 26.0,
        "spread": spread,
    }


def _pictures() -> Iterator[np.ndarray]:
    """A camera that pans over smooth texture with a disc in front: compresses like ordinary footage."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (46, 86, 3)).astype(np.float32)
    rows, columns = np.linspace(0, 44, 1000), np.linspace(0, 84, 1800)
    across = _blend(coarse, columns, axis=1)
    scene = _blend(across, rows, axis=0) + rng.normal(0, GRAIN, (1000, 1800, 1))
    scene = scene.clip(0, 255).astype(np.uint8)
    y, x = np.mgrid[:720, :1280]
    for i in range(NUM_FRAMES):
        left, top = int(260 + 200 * np.sin(i / 40)), int(140 + 100 * np.cos(i / 55))
        picture = scene[top : top + 720, left : left + 1280].copy()
        centre = 640 + 400 * np.sin(i / 17)
        picture[(x - centre) ** 2 + (y - 360) ** 2 < 120**2] = (200, 60, 40)
        for bit in range(9):
            picture[:32, bit * 32 : bit * 32 + 32] = 255 * (i >> bit & 1)
        yield picture


def _blend(values: np.ndarray, places: np.ndarray, *, axis: int) -> np.ndarray:
    low = places.astype(int)
    weight = (places - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1)).astype(np.float32)
    return np.take(values, low, axis) * (1 - weight) + np.take(values, low + 1, axis) * weight


def _work(reader: str, clip: Path, num: int) -> dict[str, float]:
    """One measurement in this process. Raises AssertionError when a reader gives a wrong frame."""
    wanted = [int(i) for i in np.linspace(0, NUM_FRAMES - 1, num + 2).round()[1:-1]] if num < NUM_FRAMES else None
    read = {
        "ours": _ours,
        "decord": _decord,
        "opencv_seek": _opencv_seek,
        "opencv_read": _opencv_read,
        TORCHCODEC: _torchcodec,
    }[reader]
    work, numbers = read(clip), []
    found = cpu_and_peak(lambda: numbers.extend(_number(frame) for frame in work(wanted)))
    assert numbers == (wanted or list(range(NUM_FRAMES))), f"{reader} gave the wrong frames: {numbers}"
    return found


def _number(frame: np.ndarray) -> int:
    return sum(int(frame[16, bit * 32 + 16, 0] > 127) << bit for bit in range(9))


def _ours(clip: Path):
    def work(wanted: list[int] | None) -> Iterator[np.ndarray]:
        index = FrameIndex.from_bytes(clip.with_suffix(".index").read_bytes())
        with VideoReader(clip, index) as reader:
            if wanted is None:
                for _, chunk in reader.stream():
                    yield from chunk
            else:
                yield from reader.at(wanted)

    return work


def _decord(clip: Path):
    import decord

    def work(wanted: list[int] | None) -> Iterator[np.ndarray]:
        reader = decord.VideoReader(str(clip), num_threads=1)
        if wanted is not None:
            yield from reader.get_batch(wanted).asnumpy()
        else:
            for start in range(0, len(reader), 32):
                yield from reader.get_batch(range(start, min(start + 32, len(reader)))).asnumpy()

    return work


def _torchcodec(clip: Path):
    import torch
    from torchcodec.decoders import VideoDecoder  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(1)

    def work(wanted: list[int] | None) -> Iterator[np.ndarray]:
        decoder = VideoDecoder(str(clip), dimension_order="NHWC", num_ffmpeg_threads=1, seek_mode="exact")
        if wanted is not None:
            yield from decoder.get_frames_at(wanted).data.numpy()
        else:
            for start in range(0, len(decoder), 32):
                yield from decoder.get_frames_in_range(start, min(start + 32, len(decoder))).data.numpy()

    return work


def _pyav_libraries(folder: Path) -> str:
    """A search path on which PyAV's FFmpeg is found under the names that others look for: libavcodec.so.62."""
    bundled = Path(av.__file__).parents[1] / "av.libs"
    folder.mkdir()
    for path in bundled.iterdir():
        if found := re.fullmatch(r"(lib(?:av|sw)\w+)-\w+\.so\.(\d+)\..*", path.name):
            (folder / f"{found[1]}.so.{found[2]}").symlink_to(path)
    return f"{folder}:{bundled}"


def _opencv_seek(clip: Path):
    import cv2

    cv2.setNumThreads(1)

    def work(wanted: list[int] | None) -> Iterator[np.ndarray]:
        capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        if wanted is None:
            for _ in range(NUM_FRAMES):
                yield cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
            return
        frames = np.empty((len(wanted), 720, 1280, 3), dtype=np.uint8)
        for place, index in enumerate(wanted):
            capture.set(cv2.CAP_PROP_POS_FRAMES, index)
            cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB, dst=frames[place])
        yield from frames

    return work


def _opencv_read(clip: Path):
    import cv2

    cv2.setNumThreads(1)

    def work(wanted: list[int] | None) -> Iterator[np.ndarray]:
        capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        if wanted is None:
            for _ in range(NUM_FRAMES):
                yield cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
            return
        frames = np.empty((len(wanted), 720, 1280, 3), dtype=np.uint8)
        place = 0
        for index in range(wanted[-1] + 1):
            capture.grab()
            if index == wanted[place]:
                cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB, dst=frames[place])
                place += 1
        yield from frames

    return work


if __name__ == "__main__":
    main()
