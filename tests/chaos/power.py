"""Power cuts, simulated from a record of every write, sync and change of names.

After the idea of ALICE and CrashMonkey: a writer runs under strace; then disks are rebuilt as a cut at a random moment
could leave them. What was synced is there. What was written since is missing, or there in order up to a torn sector, or
there in any part. Changes of names (a file made, renamed, removed) are taken as ordered, as ext4 keeps them: any number of the
last may be missing, but for those that a sync of the file or of its folder made certain.
"""

import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SECTOR = 512
NAMING = ("made", "gone", "renamed")
FOLDER = -1
"""In place of a file's number."""

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@dataclass(frozen=True)
class Step:
    """One system call on one of the files.

    `what` is write, append, cut (to `offset` bytes), sync, made, gone, renamed (to `other`), settled (the folder synced) or said
    (an acknowledgement, on standard output). Names are relative; a folder is renamed and synced, too.
    """

    what: str
    name: str = ""
    data: bytes = b""
    offset: int = 0
    other: str = ""


class Disk:
    """Files as they are for certain, and what was done since, in order. Files have numbers, since their names change."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._content = [bytearray(data) for data in files.values()]
        self._sizes = [len(data) for data in files.values()]
        self._stored = {name: number for number, name in enumerate(files)}
        self._seen = dict(self._stored)
        self._pending: list[tuple[int, Step]] = []

    def take(self, step: Step) -> None:
        """Goes on by a step."""
        match step.what:
            case "settled":
                self._settle(lambda _, step: step.what in NAMING)
            case "sync" if step.name not in self._seen:  # a folder
                self._settle(lambda _, step: step.what in NAMING)
            case "sync":
                number = self._seen[step.name]
                last = max(
                    (n for n, (of, one) in enumerate(self._pending) if of == number and one.what in NAMING), default=-1
                )
                before = self._pending[: last + 1]
                self._settle(
                    lambda of, one: of == number or (one.what in NAMING and any(one is known for _, known in before))
                )
            case "made":
                if step.name not in self._seen:
                    self._content.append(bytearray())
                    self._sizes.append(0)
                    self._seen[step.name] = len(self._content) - 1
                    self._pending.append((self._seen[step.name], step))
            case "gone":
                self._pending.append((self._seen.pop(step.name), step))
            case "renamed":
                number = self._seen.get(step.name, FOLDER)
                _rename(self._seen, step)
                self._pending.append((number, step))
            case _:
                self._write(step)

    def after_cut(self, chance: random.Random) -> dict[str, bytes]:
        """Files by name as a cut of power now could leave them."""
        content, names = [bytearray(data) for data in self._content], dict(self._stored)
        match chance.choice(("dropped", "torn", "scattered")):
            case "torn" if self._pending:
                last = chance.randrange(len(self._pending))
                for number, step in self._pending[:last]:
                    _apply(content, names, number, step)
                number, step = self._pending[last]
                if step.data:
                    kept = chance.randrange(0, len(step.data) + 1, SECTOR)
                    _apply(content, names, number, Step("write", step.name, step.data[:kept], step.offset))
            case "scattered":
                naming = [one for one in self._pending if one[1].what in NAMING]
                for number, step in naming[: chance.randrange(len(naming) + 1)]:
                    _apply(content, names, number, step)
                for number, step in self._pending:
                    if step.what == "cut" and chance.random() < 0.5:
                        _apply(content, names, number, step)
                    for start in range(0, len(step.data), SECTOR):
                        if chance.random() < 0.5:
                            part = step.data[start : start + SECTOR]
                            _apply(content, names, number, Step("write", step.name, part, step.offset + start))
        return {name: bytes(content[number]) for name, number in names.items()}

    def _write(self, step: Step) -> None:
        number = self._seen[step.name]
        if step.what == "append":
            step = Step("write", step.name, step.data, self._sizes[number])
        size = step.offset if step.what == "cut" else max(self._sizes[number], step.offset + len(step.data))
        self._sizes[number] = size
        self._pending.append((number, step))

    def _settle(self, certain: Callable[[int, Step], bool]) -> None:
        for number, step in self._pending:
            if certain(number, step):
                _apply(self._content, self._stored, number, step)
        self._pending = [one for one in self._pending if not certain(*one)]


def _rename(names: dict[str, int], step: Step) -> None:
    """A file, or all that lies in a folder."""
    for name in [name for name in names if name == step.name or name.startswith(f"{step.name}/")]:
        names[step.other + name[len(step.name) :]] = names.pop(name)


def _apply(content: list[bytearray], names: dict[str, int], number: int, step: Step) -> None:
    if step.what == "renamed":
        _rename(names, step)
        return
    held = content[number]
    match step.what:
        case "made":
            names[step.name] = number
        case "gone":
            names.pop(step.name, None)
        case "cut":
            del held[step.offset :]
            held.extend(bytes(step.offset - len(held)))
        case "write":
            held.extend(bytes(max(0, step.offset + len(step.data) - len(held))))
            held[step.offset : step.offset + len(step.data)] = step.data


def record(script: str, folder: Path, *arguments: str) -> list[Step]:
    """Every step of a Python script on the files of a folder; it is given the folder and the arguments."""
    log = folder.with_name(f"{folder.name}.strace")
    calls = "openat,pwrite64,write,fsync,fdatasync,ftruncate,unlink,unlinkat,rename"
    tracing = ["strace", "-f", "-y", "-xx", "-s", "300000", "-e", f"trace={calls}", "-o", str(log)]
    writer = [sys.executable, "-c", script, str(folder), *arguments]
    ran = subprocess.run([*tracing, *writer], capture_output=True, text=True, timeout=300)
    if "ptrace" in ran.stderr:
        pytest.skip("strace may not trace here")
    assert ran.returncode == 0, ran.stderr
    return list(_steps(log.read_text("ascii"), folder))


def cuts(
    steps: list[Step], before: dict[str, bytes], *, states: int, seed: int = 5
) -> Iterator[tuple[dict[str, bytes], list[str]]]:
    """Disks after cuts at random moments, and the lines that had been said until then."""
    chance = random.Random(seed)
    first = next(index for index, step in enumerate(steps) if step.what == "said")
    moments = sorted(chance.randrange(first, len(steps)) for _ in range(states))
    disk, said, done = Disk(before), list[str](), 0
    for moment in moments:
        for step in steps[done : moment + 1]:
            if step.what == "said":
                said += step.data.decode().splitlines()
            else:
                disk.take(step)
        done = moment + 1
        yield disk.after_cut(chance), list(said)


@contextmanager
def laid_out(files: dict[str, bytes]) -> Iterator[Path]:
    """A folder with these files while the block runs; in memory where there is such a place, since syncs are waited for."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="power-cut-") as name:
        folder = Path(name)
        for file, data in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data)
        yield folder


def files_of(folder: Path) -> dict[str, bytes]:
    """What lies in a folder that nobody has open."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


_CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>")
_HEX = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def _steps(log: str, folder: Path) -> Iterator[Step]:
    """Writes count from their start, when others may see them; syncs, and new names of what there was, from their end."""
    waiting: dict[str, Step] = {}
    for line in log.splitlines():
        resumed, failed = _RESUMED.match(line), re.search(r"\) += -1 ", line)
        if resumed:
            step = waiting.pop(resumed[1], None)
            if step is not None and not failed:
                yield step
            continue
        call = _CALL.match(line)
        if call is None or failed:
            continue
        for step in _parse(call[2], call[3], folder):
            if step.what in ("sync", "settled", "renamed") and line.endswith("<unfinished ...>"):
                waiting[call[1]] = step
            else:
                yield step


def _parse(call: str, rest: str, folder: Path) -> Iterator[Step]:
    texts = [bytes.fromhex(found.replace("\\x", "")) for found in _HEX.findall(rest)]
    descriptor = re.match(r"(\d+)<([^>]*)>", rest)
    if call == "write" and descriptor is not None and descriptor[1] == "1":
        yield Step("said", data=texts[0])
        return
    if call == "unlinkat":  # of one name in a folder that is open
        if descriptor is None or "AT_REMOVEDIR" in rest:
            return
        call, place = "unlink", Path(_plain(descriptor[2])) / texts[-1].decode(errors="replace")
    elif call in ("openat", "unlink", "rename"):
        place = Path(texts[0].decode(errors="replace"))
    elif descriptor is not None:
        place = Path(_plain(descriptor[2]))
    else:
        return
    if place == folder and call in ("fsync", "fdatasync"):
        yield Step("settled")
    if folder not in place.parents or place.name.endswith("-shm"):
        return
    name = place.relative_to(folder).as_posix()
    match call:
        case "openat" if "O_CREAT" in rest or "O_TRUNC" in rest:
            yield Step("made", name)
            if "O_TRUNC" in rest:
                yield Step("cut", name)
        case "write":
            yield Step("append", name, texts[0])
        case "pwrite64":
            yield Step("write", name, texts[0], int(_numbers(rest)[1]))
        case "ftruncate":
            yield Step("cut", name, offset=int(_numbers(rest)[0]))
        case "unlink":
            yield Step("gone", name)
        case "rename":
            yield Step("renamed", name, other=Path(texts[1].decode()).relative_to(folder).as_posix())
        case "fsync" | "fdatasync":
            yield Step("sync", name)


def _numbers(rest: str) -> list[str]:
    return re.findall(r", (\d+)", rest)


def _plain(path: str) -> str:
    return bytes.fromhex(path.replace("\\x", "")).decode(errors="replace") if path.startswith("\\x") else path
