"""Connections that keep nobody waiting: uvicorn's, with a time for the head and a bound on those that ask nothing.

uvicorn waits for a head for ever, and closes only connections that were answered before. Here a connection is *idle*
while no call of it is at work. It is closed when it has begun a head, or was just made, and the head is not there after
`head_s`; when what is left of a refused body does not come; when nobody takes an answer for `stall_s`; and, of too many
idle ones, the one that said something longest ago.
"""

import asyncio
import resource
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0
STALL_S = 120.0  # a browser stops reading a video while it is paused, and asks again when it needs more
MAX_IDLE = 512  # 200 participants hold about that many; a browser opens a closed one again unasked
WANTED_FILES = 4096
SHARE = 4  # of a process's descriptors for the idle ones of a server: up to three serve, and files are open too


def patient(*, head_s: float = HEAD_S, stall_s: float = STALL_S, max_idle: int = 0) -> type[H11Protocol]:
    """The protocol for one server, as `uvicorn.Config(http=...)` takes it. `max_idle` 0: as many as the process has room for."""
    max_idle = max_idle or room_for_idle()
    idle: OrderedDict[_Watched, None] = OrderedDict()
    limits = {"head_s": head_s, "stall_s": stall_s, "max_idle": max_idle, "idle": idle}
    return type("Patient", (_Watched,), limits)


def room_for_idle() -> int:
    """How many idle connections a server keeps: never so many that the process could open nothing else.

    The process's soft limit of open files (1,024 on most systems, 256 on some) is raised first, where it may be.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(WANTED_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return MAX_IDLE if soft == resource.RLIM_INFINITY else max(1, min(MAX_IDLE, soft // SHARE))


class _Watched(H11Protocol):
    head_s: float
    stall_s: float
    max_idle: int
    idle: "OrderedDict[_Watched, None]"

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._late = _Timer(self.loop)
        self._stalled = _Timer(self.loop)

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self.idle.pop(self, None)
        self._late.stop()
        self._stalled.stop()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled.start(self.stall_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled.stop()

    def _unsupported_upgrade_warning(self) -> None:
        """Says nothing: anybody could fill the log with it."""

    def _look(self) -> None:
        """Whether somebody is waited for now, and how long already."""
        self.idle.pop(self, None)
        is_at_work = self.cycle is not None and not self.cycle.response_complete
        if is_at_work or self.transport.is_closing():
            self._late.stop()
            return
        self.idle[self] = None
        if len(self.idle) > self.max_idle:
            oldest, _ = self.idle.popitem(last=False)
            oldest.transport.abort()
        has_begun = self.conn.their_state is not h11.IDLE or bool(self.conn.trailing_data[0])
        if self.cycle is None or has_begun:
            self._late.start(self.head_s, self.transport.abort)
        else:
            self._late.stop()


class _Timer:
    """Runs from the first `start` until `stop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    def start(self, seconds: float, then: Callable[[], None]) -> None:
        if self._handle is None:
            self._handle = self._loop.call_later(seconds, then)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
