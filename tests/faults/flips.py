"""Single bits of kept files, turned over one at a time: what does whoever reads them notice?"""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from backend.domain import StudioError

ROOT = Path(__file__).resolve().parents[2]
Read = Callable[[Path], object]
"""Reads and checks what lies in a folder, as the product does: its content, compared with `==`, or a StudioError."""


@dataclass
class Seen:
    """What came of flips. `loud`: an error in words; `silent`: other content without one; `died`: anything else was raised."""

    loud: int = 0
    same: int = 0
    silent: int = 0
    died: int = 0
    words: set[str] = field(default_factory=set)
    places: list[str] = field(default_factory=list)
    """Of silent and deadly flips: file, bit and what happened."""

    @property
    def tried(self) -> int:
        return self.loud + self.same + self.silent + self.died


def flipped(raw: bytes, bit: int) -> bytes:
    """The bytes with one bit turned over."""
    spoiled = bytearray(raw)
    spoiled[bit // 8] ^= 1 << bit % 8
    return bytes(spoiled)


def flip_many(sound: Path, read: Read, work: Path, *, files: str = "**/*", tries: int, seed: int = 0) -> Seen:
    """Flips a bit of a file of `sound` that fits `files`, `tries` times, each in a fresh copy at `work`.

    Files are chosen by chance, each as often as any other: a bit of a small file counts as much as one of a large one.
    """
    chance = random.Random(f"{files} {seed}")
    copy = work / "flipped"
    content = read(_copied(sound, copy))
    names = sorted(path.relative_to(sound) for path in sound.glob(files) if path.is_file() and path.stat().st_size)
    assert names, f"nothing fits {files}"
    seen = Seen()
    for _ in range(tries):
        name = chance.choice(names)
        raw = (sound / name).read_bytes()
        bit = chance.randrange(len(raw) * 8)
        (_copied(sound, copy) / name).write_bytes(flipped(raw, bit))
        outcome, words = _outcome(copy, read, content)
        setattr(seen, outcome, getattr(seen, outcome) + 1)
        if outcome == "loud":
            seen.words.add(words)
        elif outcome != "same":
            seen.places.append(f"{name}, bit {bit}: {outcome} {words}")
    shutil.rmtree(copy)
    return seen


def flip_apart(kind: str, sound: Path, work: Path, *, files: str, tries: int, careless: bool = False) -> Seen:
    """As `flip_many` for a kind of `kept_files`, in a process of its own: whatever kills that would kill a service."""
    command = [sys.executable, "-m", "tests.faults.flipping", kind, sound, work, files, str(tries), str(int(careless))]
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600, cwd=ROOT)
    if ran.returncode:
        return Seen(died=1, places=[f"ended with {ran.returncode}: {ran.stderr[-500:]}"])
    found = json.loads(ran.stdout)
    return Seen(**{**found, "words": set(found["words"])})


def _copied(sound: Path, copy: Path) -> Path:
    shutil.rmtree(copy, ignore_errors=True)
    return shutil.copytree(sound, copy)


def _outcome(folder: Path, read: Read, content: object) -> tuple[str, str]:
    try:
        return ("same" if read(folder) == content else "silent"), ""
    except StudioError as error:
        return "loud", str(error)
    except Exception as error:  # noqa: BLE001 - whatever a reader lets through would end the service's call
        return "died", repr(error)
