"""A stage whose items say what happens to who works on them, and how that must end."""

import os
import resource
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import ClassVar

import numpy as np

from backend.domain import Context, Failed, Item, MediaError, Ok, Resources, Result, Score, Source
from backend.engine.chain import Feed
from backend.engine.crews import Crew
from backend.engine.work import Batch
from backend.models.borders import border

VERDICTS = {
    "fine": "ok",
    "raise": "error",
    "refuse": "no_video",
    "allocate": "memory",
    "outgrow": "memory",
    "segfault": "crash",
    "exit": "crash",
    "kill": "crash",
    "hang": "timeout",
    "plod": "ok",
}
"""What happens, and the state or the kind of failure that the item must end in."""
MIX = (
    ("fine",) * 14
    + ("segfault",) * 3
    + ("exit",) * 2
    + ("hang",) * 7
    + ("allocate", "outgrow") * 3
    + ("raise", "refuse") * 4
)
"""Forty: as a supervisor was first tried with."""
SHORT_MIX = ("fine", "segfault", "fine", "raise", "refuse", "exit", "allocate", "outgrow", "fine", "hang", "fine", "kill")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suffer:
    """Does what the source's name says: `NUMBER-WHAT`."""

    name: ClassVar[str] = "suffer"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Result:
        match item.one(Source).uri.partition("-")[2]:
            case "raise":
                raise ValueError("3 boxes for 2 phrases")
            case "refuse":
                raise MediaError("no video stream", kind="no_video")
            case "allocate":
                np.zeros(2**50, np.uint8)
            case "outgrow":
                outgrow()
            case "segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "exit":
                os._exit(7)
            case "kill":  # as the system does when memory runs out
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                time.sleep(600)
            case "plod":  # as beside many others: a fifth of a second's work in three seconds
                for _ in range(12):
                    until_s = time.process_time() + 0.02
                    while time.process_time() < until_s:
                        pass
                    time.sleep(0.23)
            case "waits":  # as a model does between two passes, or a reader between two frames
                for _ in range(6000):
                    time.sleep(0.1)
                    border()
            case "import torch":
                import torch

                assert torch.zeros(1).item() == 0
        return Ok(item.id, (Score(target=item.id, name="pid", value=float(os.getpid()), producer="suffer"),))


def outgrow() -> None:
    """Takes memory in small steps until there is no more: 500 MB above what this process has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if os.path.exists("/proc") else 0
    resource.setrlimit(resource.RLIMIT_AS, (used + 500 * 2**20, before[1]))
    try:
        held = []
        while True:
            held.append(bytearray(16 * 2**20))
    finally:
        del held
        resource.setrlimit(resource.RLIMIT_AS, before)


def batches(names: Iterable[str], *, size: int) -> list[Batch]:
    """Batches of `size` items; those that hang are alone, since a batch has time for all of its items."""
    items = [Source(uri=f"{n}-{name}", num_bytes=1, modified_ns=1) for n, name in enumerate(names)]
    alone = [source for source in items if source.uri.endswith("-hang")]
    others = [source for source in items if not source.uri.endswith("-hang")]
    groups = [others[start : start + size] for start in range(0, len(others), size)] + [[source] for source in alone]
    return [
        Batch(
            stage=Suffer(),
            items=tuple(Item(source.id, {Source: (source,)}) for source in group),
            work_keys=tuple(f"suffer:{source.id}" for source in group),
        )
        for group in groups
    ]


def verdicts(crew: Crew, given: Sequence[Batch], cancelled: Event | None = None) -> Iterator[tuple[str, str, str]]:
    """As they come: what was to happen to an item, the state or the kind of failure that it ended in, and its message."""
    for batch, outcome in crew.work(Feed(iter(given)), cancelled or Event()):
        for item, note in zip(batch.items, outcome.notes, strict=True):
            kind, message = (note.kind, note.message) if isinstance(note, Failed) else ("ok", "")
            yield item.one(Source).uri.partition("-")[2], kind, message


def wrong(found: Iterable[tuple[str, str, str]], expected: Sequence[str]) -> list[str]:
    """Items that ended otherwise than they must, and those that came to no end or to two."""
    ended = list(found)
    lost = [f"{what}: {kind} {message}" for what, kind, message in ended if VERDICTS[what] != kind]
    missing = sorted(expected) != sorted(what for what, _, _ in ended)
    return [*lost, *(["some items came to no end, or to two"] if missing else [])]
