"""`python -m tests.fuzzing.hunt FOLDER TARGET[,TARGET...] [libFuzzer options]`: inputs that a reader does not bear, by atheris.

Each target is hunted in a process of its own. Prints `TARGET CODE` for each: 0 for nothing found, else the input lies in
FOLDER/TARGET/crash-* (or timeout-*, oom-*). `planted` is a reader with a fault.
"""

import json
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["backend", "metrics"]):  # pyright: ignore[reportAttributeAccessIssue]
    from tests.fuzzing import targets

MEMORY = Path("/dev/shm")
NASTY = (
    None,
    True,
    -1,
    0,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "\ud800",
    "\0",
    "../../x",
    "=1+1",
    "9" * 5000,
    [],
    {},
    [[[]]],
    {"": 0},
)
"""Values that readers forget: more digits than a float has, a lone surrogate, other kinds."""


@atheris.instrument_func  # pyright: ignore[reportAttributeAccessIssue]
def planted(data: bytes, folder: Path) -> None:
    """Fails for four bytes of all: found by following branches, hardly by chance."""
    if data[:1] == b"[" and data[1:2] == b"{" and data[2:3] == b"}" and data[3:4] == b"]":
        raise KeyError("planted")


def main() -> None:
    """Hunts the targets one after the other."""
    folder, names, *options = sys.argv[1:]
    targets.TARGETS["planted"] = targets.Target(planted, (b"[]",))
    for name in names.split(","):
        child = os.fork()
        if child == 0:
            hunt(name, Path(folder) / name, options)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{name} {os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def hunt(name: str, folder: Path, options: list[str]) -> None:
    """Fuzzes until the options say that it is enough; ends the process."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(targets.TARGETS[name].seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as scratch:
        said = [
            sys.argv[0],
            str(corpus),
            f"-artifact_prefix={folder}/",
            "-max_len=8192",
            "-timeout=20",
            "-rss_limit_mb=2048",
            *options,
        ]
        targets.check(name, targets.TARGETS[name].seeds[0], Path(scratch))  # what it imports is no input's time
        mutator = {"custom_mutator": mutated} if targets.TARGETS[name].is_json else {}
        atheris.Setup(said, lambda data: targets.check(name, data, Path(scratch)), **mutator)
        atheris.Fuzz()


def mutated(data: bytes, max_size: int, seed: int) -> bytes:
    """Other bytes half of the time; else the same JSON with a value replaced, removed, doubled or nested deep."""
    rng = random.Random(seed)
    start = min((place for sign in b"[{" if (place := data.find(sign)) >= 0), default=-1)
    try:
        document = json.loads(data[start:]) if start >= 0 and rng.random() < 0.5 else None
    except (ValueError, RecursionError):
        document = None
    if document is None:
        return atheris.Mutate(data, max_size)
    changed = json.dumps(with_fault(document, rng))
    if rng.random() < 0.02:
        changed = changed.replace("[]", "[" * 2000 + "]" * 2000, 1)
    return (data[:start] + changed.encode("utf-8", "surrogatepass"))[:max_size]


def with_fault(value: Any, rng: random.Random) -> Any:
    """The document with one of its values exchanged, on a random path down."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = rng.choice(list(value))
        if rng.random() < 0.1:
            return {other: kept for other, kept in value.items() if other != name}
        return {**value, name: with_fault(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        if rng.random() < 0.1:
            return value + value
        return [*value[:place], with_fault(value[place], rng), *value[place + 1 :]]
    return rng.choice(NASTY)


if __name__ == "__main__":
    main()
