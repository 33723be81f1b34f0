"""The way from the GUI thread to the service and back: calls on worker threads, answers as Qt signals."""

import sys
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Signal

from backend.api import Api
from backend.domain import StudioError, Vote
from studio.outbox import Outbox
from studio.sync import FIRST_WAIT_S, SyncState, VoteSync

T = TypeVar("T")
CALLS_AT_ONCE = 3
"""So that a preview being made holds up neither the queue nor the other side's picture."""


class Link(QObject):
    """Owns the worker threads. Every signal and callback comes in the GUI thread."""

    vote_saved = Signal(object)
    vote_not_saved = Signal(object, str)
    votes_sent = Signal(object)
    sync_changed = Signal(object)
    _answered = Signal(object, object, object)

    def __init__(self, api: Api, outbox: Outbox, *, first_wait_s: float = FIRST_WAIT_S) -> None:
        super().__init__()
        self.api = api
        self.outbox = outbox
        self.sync_state = SyncState()
        self._pool = ThreadPoolExecutor(max_workers=CALLS_AT_ONCE, thread_name_prefix="api")
        self._answered.connect(self._deliver)
        self.sync_changed.connect(self._keep_state)
        self._sync = VoteSync(
            outbox=outbox,
            submit=lambda votes: api.submit_votes(votes=votes),
            saved=self.vote_saved.emit,
            not_saved=self.vote_not_saved.emit,
            sent=self.votes_sent.emit,
            state=self.sync_changed.emit,
            first_wait_s=first_wait_s,
        )
        self._sync.start()

    def ask(self, work: Callable[[], T], done: Callable[[T], object], failed: Callable[[StudioError], object]) -> None:
        """Runs `work` on a worker thread; then `done` with its result, or `failed` with what a person can mend."""
        future = self._pool.submit(work)
        future.add_done_callback(lambda finished: self._answered.emit(finished, done, failed))

    def write(self, vote: Vote) -> None:
        """Puts a vote into the outbox; `vote_saved` or `vote_not_saved` follows."""
        self._sync.write(vote)

    def close(self) -> None:
        """Ends all threads; what is in the outbox stays there for the next start."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._sync.close()

    def _deliver(self, future: Future[Any], done: Callable[[Any], object], failed: Callable[..., object]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            done(future.result())
        elif isinstance(error, StudioError):
            failed(error)
        elif not isinstance(error, CancelledError):
            sys.excepthook(type(error), error, error.__traceback__)

    def _keep_state(self, state: SyncState) -> None:
        self.sync_state = state
