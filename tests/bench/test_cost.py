"""Time and memory of children are counted: those that live on, those that ended, those that were there before."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from backend.media.guard import guarded_index
from backend.media.guarded_reader import GuardedReader
from backend.media.writer import write_video
from bench.cost import cpu_and_peak

BURN = "import time\nwhile time.process_time() < {s}: pass\n"
HOLD = "held = bytearray(b'x') * ({mib} << 20)\n"
TELL = "print('ready', flush=True)\n"
WAIT = "import sys; sys.stdin.read()\n"


def started(code: str) -> subprocess.Popen[str]:
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    return child


def ended(child: subprocess.Popen[str]) -> None:
    child.communicate("")


def test_a_child_that_lives_on_counts_by_its_time_and_memory() -> None:
    kept: list[subprocess.Popen[str]] = []
    found = cpu_and_peak(lambda: kept.append(started(BURN.format(s=0.3) + HOLD.format(mib=80) + TELL + WAIT)))
    ended(kept[0])
    assert 300 <= found["cpu_ms"] < 800
    assert 80 <= found["peak_mib"] < 130, "an interpreter holds some ten MiB itself"


def test_a_child_that_ended_counts_too() -> None:
    def work() -> None:
        ended(started(HOLD.format(mib=80) + BURN.format(s=0.3) + TELL + WAIT))

    found = cpu_and_peak(work)
    assert 300 <= found["cpu_ms"] < 800
    assert 80 <= found["peak_mib"] < 130


def test_what_a_child_held_and_spent_before_does_not_count() -> None:
    child = started(BURN.format(s=0.3) + HOLD.format(mib=80) + TELL + WAIT)
    try:
        found = cpu_and_peak(lambda: time.sleep(0.1))
    finally:
        ended(child)
    assert found["cpu_ms"] < 100
    assert found["peak_mib"] < 20


def test_own_work_is_counted_once() -> None:
    spent_s = []

    def work() -> np.ndarray:
        begun = time.process_time()
        while time.process_time() - begun < 0.4:
            pass
        held = np.ones(10 << 20)  # 80 MiB
        spent_s.append(time.process_time() - begun)
        return held

    found = cpu_and_peak(work)
    assert 1e3 * spent_s[0] <= found["cpu_ms"] < 1e3 * spent_s[0] + 200
    assert 75 <= found["peak_mib"] < 100


def test_frames_that_a_child_decodes_are_paid_for(tmp_path: Path) -> None:
    path, rng = tmp_path / "noise.mp4", np.random.default_rng(0)
    write_video(path, (rng.integers(0, 256, (240, 320, 3), np.uint8) for _ in range(40)), fps=24, preset="ultrafast")
    index, here_s = guarded_index(path), []

    def work() -> None:
        begun = time.process_time()
        with GuardedReader(path, index) as reader:
            reader.at(range(40))
        here_s.append(time.process_time() - begun)

    assert cpu_and_peak(work)["cpu_ms"] > 2e3 * here_s[0], "most of it is the child's"
