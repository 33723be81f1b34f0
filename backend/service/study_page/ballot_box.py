"""Where answers of many people gather while the disk is busy with those before, so that they go to it together."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

MAX_TOGETHER = 256  # answers in one call; where long reasons make it too large for a service apart, the halves are tried

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Batch(Generic[T, R]):
    papers: list[T] = field(default_factory=list)
    counted: asyncio.Task[Sequence[R | Exception]] | None = None


class BallotBox(Generic[T, R]):
    """For one event loop. `store` runs in a thread; it gives an outcome for each paper, in order."""

    def __init__(self, store: Callable[[Sequence[T]], Sequence[R | Exception]]) -> None:
        self._store = store
        self._turn = asyncio.Lock()
        self._open: _Batch[T, R] = _Batch()

    async def put(self, paper: T) -> R:
        """Gives the paper's outcome once it is on the disk, or raises it. A caller who goes away takes nothing back."""
        if len(self._open.papers) == MAX_TOGETHER:
            self._open = _Batch()
        batch, place = self._open, len(self._open.papers)
        batch.papers.append(paper)
        if batch.counted is None:
            batch.counted = asyncio.create_task(self._count(batch))
        outcome = (await asyncio.shield(batch.counted))[place]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _count(self, batch: _Batch[T, R]) -> Sequence[R | Exception]:
        async with self._turn:
            if batch is self._open:
                self._open = _Batch()  # who comes from now on goes with the next
            return await run_in_threadpool(self._store, batch.papers)
