"""Acknowledged events survive a power cut, simulated from a record of every write and sync.

After the idea of ALICE and CrashMonkey: a writer runs under strace; then disks are rebuilt as a cut at a random moment
could leave them. What was synced is there. What was written since is missing, or there up to a torn sector, or there
in any part. Names in folders are taken as ordered, as ext4 keeps them. Each disk is opened as after a restart.
"""

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backend.domain import StudioError
from backend.store.journal import Journal
from backend.store.journal_schema import Event

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

SECTOR = 512
STATES = 120

WRITING = """
import os, sys, threading
from pathlib import Path
from backend.store.journal import Journal
from backend.store.journal_schema import Event

journal = Journal(Path(sys.argv[1]))
journal._writing.execute(f"pragma synchronous = {sys.argv[2]}")
journal._writing.execute("pragma wal_autocheckpoint = 25")

def say(thread):
    for number in range(40):
        (receipt,) = journal.append([Event(kind="note", id=f"{thread}-{number}", actor="ann", body={"text": "x" * 300})])
        os.write(1, f"{receipt.seq} {receipt.hash}\\n".encode())

threads = [threading.Thread(target=say, args=(thread,)) for thread in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
os._exit(0)
"""


@dataclass(frozen=True)
class Step:
    """One system call on one of the journal's files; `what` is write, sync, cut (truncate), gone or said (an ack)."""

    what: str
    name: str = ""
    data: bytes = b""
    offset: int = 0


@dataclass
class Disk:
    """Files as they are for certain, and what was written since, in order."""

    files: dict[str, bytearray]
    pending: list[Step] = field(default_factory=list)

    def take(self, step: Step) -> None:
        if step.what == "sync":
            for earlier in self.pending:
                if earlier.name == step.name:
                    apply(self.files, earlier)
            self.pending = [earlier for earlier in self.pending if earlier.name != step.name]
        elif step.what == "gone":
            self.files.pop(step.name, None)
            self.pending = [earlier for earlier in self.pending if earlier.name != step.name]
        else:
            self.pending.append(step)

    def after_cut(self, chance: random.Random) -> dict[str, bytearray]:
        files = {name: bytearray(data) for name, data in self.files.items()}
        match chance.choice(("dropped", "torn", "scattered")):
            case "torn" if self.pending:
                last = chance.randrange(len(self.pending))
                for step in self.pending[:last]:
                    apply(files, step)
                torn = self.pending[last]
                kept = chance.randrange(0, len(torn.data) + 1, SECTOR) if torn.data else 0
                apply(files, Step(torn.what, torn.name, torn.data[:kept], torn.offset) if torn.data else torn)
            case "scattered":
                for step in self.pending:
                    if step.what == "cut" and chance.random() < 0.5:
                        apply(files, step)
                    for start in range(0, len(step.data), SECTOR):
                        if chance.random() < 0.5:
                            apply(files, Step("write", step.name, step.data[start : start + SECTOR], step.offset + start))
        return files


def apply(files: dict[str, bytearray], step: Step) -> None:
    content = files.setdefault(step.name, bytearray())
    if step.what == "cut":
        del content[step.offset :]
        content.extend(bytes(step.offset - len(content)))
    elif step.data:
        content.extend(bytes(max(0, step.offset + len(step.data) - len(content))))
        content[step.offset : step.offset + len(step.data)] = step.data


def record(folder: Path, *, synchronous: str) -> list[Step]:
    """Every step of a writer on the journal's files."""
    log = folder / "strace.txt"
    calls = "pwrite64,write,fsync,fdatasync,ftruncate,unlink"
    tracing = ["strace", "-f", "-y", "-xx", "-s", "100000", "-e", f"trace={calls}", "-o", str(log)]
    writer = [sys.executable, "-c", WRITING, str(folder / "journal.sqlite"), synchronous]
    ran = subprocess.run([*tracing, *writer], capture_output=True, text=True, timeout=300)
    if "ptrace" in ran.stderr:
        pytest.skip("strace may not trace here")
    assert ran.returncode == 0, ran.stderr
    return list(read_steps(log.read_text("ascii"), folder))


CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>")
ARGUMENTS = re.compile(r'(?:\d+<([^>]*)>)?(?:, )?(?:"((?:\\x[0-9a-f]{2})*)")?(?:, (\d+))?(?:, (\d+))?')


def read_steps(log: str, folder: Path) -> Iterator[Step]:
    """Writes count from their start, when others may see them; syncs from their end."""
    waiting: dict[str, Step] = {}
    for line in log.splitlines():
        resumed = RESUMED.match(line)
        if resumed:
            step = waiting.pop(resumed[1], None)
            if step is not None:
                yield step
            continue
        call = CALL.match(line)
        step = parse(call[2], call[3], folder) if call else None
        if call is None or step is None:
            continue
        if step.what == "sync" and line.endswith("<unfinished ...>"):
            waiting[call[1]] = step
        else:
            yield step


def parse(call: str, rest: str, folder: Path) -> Step | None:
    found = ARGUMENTS.match(rest)
    assert found is not None, rest
    path, text, first, second = found.groups()
    if call == "unlink":
        path = text
    inside = Path(unhex(path or "").decode(errors="replace"))
    data = unhex(text or "")
    if call == "write":
        return Step("said", data=data) if rest.startswith("1<") else None
    if inside.parent != folder or inside.suffix == ".txt" or inside.name.endswith("-shm"):
        return None
    match call:
        case "pwrite64":
            return Step("write", inside.name, data, int(second))
        case "ftruncate":
            return Step("cut", inside.name, b"", int(first or rest.rsplit(", ", 1)[1].split(")")[0]))
        case "unlink":
            return Step("gone", inside.name)
        case _:
            return Step("sync", inside.name)


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", "")) if text.startswith("\\x") else text.encode()


def cut_power(folder: Path, steps: list[Step], before: dict[str, bytes], *, states: int) -> list[str]:
    """What was wrong with each disk that did not hold all that was acknowledged when the power went."""
    chance = random.Random(5)
    wrong = []
    first_said = next(index for index, step in enumerate(steps) if step.what == "said")
    for state in range(states):
        disk = Disk({name: bytearray(data) for name, data in before.items()})
        said: dict[int, str] = {}
        for step in steps[: chance.randrange(first_said, len(steps)) + 1]:
            if step.what == "said":
                said.update(
                    (int(seq), digest) for seq, digest in (line.split() for line in step.data.decode().splitlines())
                )
            else:
                disk.take(step)
        root = folder / str(state)
        root.mkdir()
        for name, data in disk.after_cut(chance).items():
            (root / name).write_bytes(data)
        try:
            with Journal(root / "journal.sqlite") as journal:
                stored = {event.seq: event.hash for event in journal.stream()}
                lost = [seq for seq, digest in said.items() if stored.get(seq) != digest]
                wrong += [f"lost {len(lost)}"] if lost else []
                wrong += journal.verify_chain().problems
        except StudioError as error:
            wrong.append(str(error))
    return wrong


@pytest.fixture
def before(tmp_path: Path) -> dict[str, bytes]:
    folder = tmp_path / "run"
    folder.mkdir()
    with Journal(folder / "journal.sqlite") as journal:
        journal.append([Event(kind="note", id=f"old{number}", actor="ann", body={}) for number in range(20)])
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_no_acknowledged_event_is_lost_in_a_power_cut(tmp_path: Path, before: dict[str, bytes]):
    steps = record(tmp_path / "run", synchronous="full")
    assert sum(step.what == "said" for step in steps) == 80
    assert {step.name for step in steps if step.what == "sync"} >= {"journal.sqlite", "journal.sqlite-wal", "journal.head"}
    assert cut_power(tmp_path, steps, before, states=STATES) == []


def test_the_simulation_sees_that_normal_loses_events(tmp_path: Path, before: dict[str, bytes]):
    steps = record(tmp_path / "run", synchronous="normal")
    assert len(cut_power(tmp_path, steps, before, states=40)) > 5
