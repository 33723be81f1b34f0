"""Calls that wait for a model: taken in order of arrival, with those that can be answered along with them."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from backend.models.borders import Interrupted
from backend.models.call_wire import Answer, Ask, Fault
from backend.models.remote_role import INTERACTIVE

MAX_TOGETHER = 32  # calls of a micro-batch: each client waits for one, so that this is a number of clients
BULK_TURN = 8  # one bulk call goes after seven interactive ones, so that neither side starves


@dataclass(eq=False, slots=True)
class Waiting:
    """A call and whom its answer goes to. `alone` for one that may have killed a worker."""

    ask: Ask
    reply: Callable[[Answer | Fault], None]
    alone: bool = False
    running: bool = False
    cancelled_s: float | None = None
    """When it was cancelled, by the monotonic clock."""

    def stop_if_cancelled(self) -> None:
        """Raises Interrupted when nobody wants the answer any more."""
        if self.cancelled_s is not None:
            raise Interrupted


class ModelQueue:
    """Filled by connections, emptied by the thread that runs the models."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: deque[Waiting] = deque()
        self._turn = 0
        self._stopped = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, waiting: Waiting) -> None:
        with self._condition:
            self._waiting.append(waiting)
            self._condition.notify()

    def remove(self, call_id: str) -> Waiting | None:
        """Takes a call out that nobody wants any more; None when it is not waiting."""
        with self._condition:
            found = next((one for one in self._waiting if one.ask.id == call_id), None)
            if found is not None:
                self._waiting.remove(found)
            return found

    def take(self) -> list[Waiting]:
        """The next call with all others of the same model, method and settings; waits for one, nothing at the end."""
        with self._condition:
            while not self._waiting and not self._stopped:
                self._condition.wait()
            if self._stopped:
                return []
            first = self._next()
            group = [first]
            if not first.alone:
                group += [one for one in self._waiting if one is not first and _alike(one, first)][: MAX_TOGETHER - 1]
            for one in group:
                self._waiting.remove(one)
            return group

    def stop(self) -> None:
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def _next(self) -> Waiting:
        self._turn += 1
        lanes: dict[bool, Waiting] = {}
        for one in self._waiting:
            lanes.setdefault(one.ask.lane == INTERACTIVE, one)
        prefers_interactive = self._turn % BULK_TURN != 0
        return lanes.get(prefers_interactive) or lanes[not prefers_interactive]


def _alike(one: Waiting, other: Waiting) -> bool:
    """Whether two calls can be answered together. Roles that share a model do."""
    a, b = one.ask, other.ask
    same_model = (a.model.implementation, a.model.location, a.model.dtype) == (
        b.model.implementation,
        b.model.location,
        b.model.dtype,
    )
    return same_model and (a.method, a.lane) == (b.method, b.lane) and not one.alone and _plain_equal(a.named, b.named)


def _plain_equal(a: tuple[tuple[str, object], ...], b: tuple[tuple[str, object], ...]) -> bool:
    plain = (str, int, float, bool, tuple, type(None))
    return all(isinstance(value, plain) for _, value in (*a, *b)) and a == b
