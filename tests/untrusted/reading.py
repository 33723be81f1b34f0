"""What a guarded child is asked to do with an untrusted file, and what is said of how that ended."""

import faulthandler
import os
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from backend.domain import MediaError
from backend.media.audio import read_audio
from backend.media.decord_reader import open_reader
from backend.media.guard import run_guarded
from backend.media.images import read_rgba
from backend.media.index import build_index
from backend.media.probe import probe
from backend.media.reader import VideoReader

WALL_S = 10.0
MOST_BYTES = 2 * 2**30
Read = Callable[[str], list[int]]


def read_with_ours(path: str) -> list[int]:
    """Probes a file and reads all of it: the number of frames, and the most memory that this process has held."""
    found = probe(path)
    frames = found.num_frames
    if found.index is not None:
        with VideoReader(path, found.index) as reader:
            frames = sum(len(chunk) for _, chunk in reader.stream())
    elif found.kind == "image":
        frames = len(read_rgba(path)[None])
    if found.has_audio:
        read_audio(path)
    return [frames, peak_bytes()]


def look_at(path: str) -> list[int]:
    """What ingesting does with a file: its frames are counted, and decoded as far as looking for damage goes."""
    return [probe(path).num_frames, peak_bytes()]


def read_with_decord(path: str) -> list[int]:
    """The same through decord, which takes what it reads rightly and leaves the rest to PyAV."""
    index = build_index(path)
    with open_reader(path, index, backend="decord") as reader:
        return [sum(len(chunk) for _, chunk in reader.stream()), peak_bytes()]


def read_by_dying(path: str) -> list[int]:
    """A decoder that dies of every third file."""
    if len(path) % 3 == 0:
        os.kill(os.getpid(), signal.SIGSEGV)
    return [1, peak_bytes()]


def read_by_hoarding(path: str) -> list[int]:
    """A decoder that takes 300 MB for a small picture."""
    return [len(bytearray(b"x") * (300 * 2**20)), peak_bytes()]


def read_by_waiting(path: str) -> list[int]:
    """A decoder that comes to no end."""
    time.sleep(60)
    return [0, 0]


@dataclass
class Survey:
    """How readings ended: `kinds` counts `frames` and the kinds of errors, `lost` says what must never happen."""

    kinds: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    peak_bytes: int = 0

    @property
    def tried(self) -> int:
        return self.kinds.total()

    @property
    def note(self) -> str:
        """For a tally."""
        return f"slowest {self.slowest_s:.1f} s, child at most {self.peak_bytes >> 20} MiB"


def survey(
    paths: Iterable[Path], read: Read, into: Survey, *, wall_s: float = WALL_S, most_bytes: int = MOST_BYTES
) -> Survey:
    """Reads files in guarded children, as the product does: many in one child, which is replaced when it dies."""
    for path in paths:
        started = time.monotonic()
        try:
            frames, peak = run_guarded(read, (str(path),), subject=path.name, wall_s=wall_s, cpu_s=wall_s)
            kind = "frames" if frames else "none"
            into.peak_bytes = max(into.peak_bytes, peak)
            if peak > most_bytes:
                into.lost.append(f"{path.name}: {peak / 2**20:.0f} MiB")
        except MediaError as error:
            kind = error.kind
            if "(exit code" in str(error):  # an exception of Python's: a mistake of ours, and no typed error
                into.lost.append(str(error))
        took_s = time.monotonic() - started
        into.slowest_s = max(into.slowest_s, took_s)
        if took_s > wall_s + 5:  # a new child may have been started, on a busy machine
            into.lost.append(f"{path.name}: {took_s:.1f} s")
        into.kinds[kind] += 1
    return into


def owner_survives(paths: Iterable[Path], read: Read) -> bool:
    """Whether a process lives on that reads files itself, without a child. For controls."""
    child = os.fork()
    if not child:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for path in paths:
            try:
                read(str(path))
            except MediaError:
                continue
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def peak_bytes() -> int:
    """The most memory that this process has held at once. What getrusage says counts that of its parent before `exec`."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
