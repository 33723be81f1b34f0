"""Work in a process that is killed with signal 9 before one of its steps, or at a random moment.

A step is what changes something outside the process: a file made, renamed, removed, written in place or synced, a statement that
changes a database, a commit, a checkpoint, an acknowledgement. Processes are forked from one that has imported the product.
"""

import contextlib
import multiprocessing
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import duckdb

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.chaos.preloaded"])
_LOOKS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_STATEMENTS = ("commit", "insert", "update", "delete", "create", "alter", "drop", "truncate", "copy", "attach", "detach")
_STATEMENTS += ("checkpoint", "vacuum", "pragma wal_checkpoint", "release")
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, what it said before, and the steps that it took (of one that was not killed)."""

    killed: bool
    said: tuple[Any, ...]
    steps: tuple[str, ...] = ()


def fork_from_here() -> None:
    """From now on processes are forked from this one: for a program that has imported what its work needs, and has no threads."""
    global _CONTEXT
    _CONTEXT = multiprocessing.get_context("fork")


def run(
    work: Callable[..., object],
    *arguments: object,
    folder: Path,
    dies_before: int = 0,
    named: str = "",
    after_s: float | None = None,
) -> Ended:
    """Does `work(say, *arguments)` in a process of its own that is killed before its step of that number (from 1), or after a time.

    `say` tells something to the caller: a step too. Steps on files count below `folder`; with `named` only those count for
    `dies_before` that begin so. A process that ends sooner is not killed.
    """
    process, ours = begin(work, *arguments, folder=folder, dies_before=dies_before, named=named)
    said: list[Any] = []
    if after_s is not None:
        threading.Timer(after_s, process.kill).start()
    deadline = time.monotonic() + PATIENCE_S
    with contextlib.suppress(EOFError):
        while time.monotonic() < deadline:
            if ours.poll(1.0):
                said.append(ours.recv())
    process.join(10)
    assert process.exitcode is not None, "a process that should have died, or ended, hangs"
    if process.exitcode == -signal.SIGKILL:
        return Ended(killed=True, said=tuple(said))
    assert process.exitcode == 0, f"the process ended with {process.exitcode}: its error stands above"
    return Ended(killed=False, said=tuple(said[:-1]), steps=said[-1])


def begin(
    work: Callable[..., object], *arguments: object, folder: Path, dies_before: int = 0, named: str = ""
) -> tuple[BaseProcess, Connection]:
    """As `run`, without waiting for its end: the process, and what it says."""
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(
        target=_begin, args=(theirs, work, arguments, _Steps(folder, dies_before, named)), daemon=True
    )
    process.start()
    theirs.close()
    return process, ours


def spread(steps: Sequence[str], number: int, *, always: Callable[[str], bool] = lambda step: False) -> list[int]:
    """Numbers of steps, spread evenly, with those that `always` names."""
    evenly = {round(n * (len(steps) - 1) / max(1, number - 1)) + 1 for n in range(min(number, len(steps)))}
    return sorted(evenly | {n for n, step in enumerate(steps, start=1) if always(step)})


def _begin(pipe: Connection, work: Callable[..., object], arguments: Sequence[object], steps: "_Steps") -> None:
    steps.watch()

    def say(what: object) -> None:
        steps.take(f"say {type(what).__name__}")
        pipe.send(what)

    work(say, *arguments)
    pipe.send(tuple(steps.names))


class _Steps:
    def __init__(self, folder: Path, dies_before: int, named: str) -> None:
        self.names: list[str] = []
        self._dies_before, self._named = dies_before, named
        self._folder = str(folder)

    def take(self, name: str) -> None:
        with self._lock:
            self.names.append(name)
            if self._dies_before and name.startswith(self._named):
                self._dies_before -= 1
                if not self._dies_before:
                    os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """From now on every step is counted, in every thread."""
        self._lock = threading.Lock()
        sys.addaudithook(self._hear)
        for name in ("pwrite", "fsync", "fdatasync"):
            setattr(os, name, self._before(name, getattr(os, name)))
        connect, open_duckdb = sqlite3.connect, duckdb.connect

        def traced(*args: Any, **kwargs: Any) -> sqlite3.Connection:
            connection = connect(*args, **kwargs)
            connection.set_trace_callback(self._statement)
            return connection

        sqlite3.connect = traced
        duckdb.connect = lambda *args, **kwargs: _Watched(open_duckdb(*args, **kwargs), self)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        match event:
            case "open":
                path, _, flags = args
                if isinstance(path, str) and path.startswith(self._folder) and flags & ~_LOOKS:
                    self.take(f"open {path[len(self._folder) + 1 :]}")
            case "os.rename":
                if str(args[0]).startswith(self._folder):
                    self.take(f"rename {args[0][len(self._folder) + 1 :]} to {args[1][len(self._folder) + 1 :]}")
            case "os.remove" | "os.rmdir" | "os.mkdir" | "os.link" | "os.truncate":
                path = args[0] if isinstance(args[0], str) else str(args[0])  # a descriptor, or a Path
                is_there = event == "os.mkdir" and os.path.isdir(path)
                if not is_there and (not os.path.isabs(path) or path.startswith(self._folder)):
                    self.take(f"{event} {path}")

    def _before(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*args: Any, **kwargs: Any) -> Any:
            self.take(name)
            return call(*args, **kwargs)

        return stepping

    def _statement(self, sql: str) -> None:
        words = sql.lstrip("- \n").lower()
        if words.startswith(_STATEMENTS):
            self.take(f"sqlite {words[:60]}")

    def duckdb_statement(self, sql: str) -> None:
        words = str(sql).strip().lower()
        if words.startswith(_STATEMENTS):
            self.take(f"duckdb {words[:60]}")


class _Watched:
    """A DuckDB connection whose changes are steps."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, steps: _Steps) -> None:
        self._connection, self._steps = connection, steps

    def execute(self, query: str, *args: Any, **kwargs: Any) -> Any:
        self._steps.duckdb_statement(query)
        return self._connection.execute(query, *args, **kwargs)

    def commit(self) -> Any:
        self._steps.duckdb_statement("commit")
        return self._connection.commit()

    def close(self) -> None:
        self._steps.take("duckdb close")
        self._connection.close()

    def __enter__(self) -> "_Watched":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
