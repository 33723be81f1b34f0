"""The way from the GUI thread to the service and back: calls on worker threads, answers as Qt signals."""

import logging
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Signal

from backend.api import Api
from backend.domain import Receipt, ServiceError, StudioError, Vote
from backend.domain.corrections import Correction
from studio.outbox import Outbox, Refused, Said
from studio.sentences import translated
from studio.sync import FIRST_WAIT_S, SyncState, VoteSync

T = TypeVar("T")
log = logging.getLogger(__name__)
QUICK_CALLS, SLOW_CALLS = 2, 2
"""Threads for each: a preview being made holds up neither the queue nor a picture."""
REVIVE_PAUSE_S = 2.0


class Link(QObject):
    """Owns the worker threads. Every signal and callback comes in the GUI thread.

    `revive` connects anew (and starts the service again) when it was lost; it is called on a worker thread.
    """

    vote_saved = Signal(object)
    vote_not_saved = Signal(object, str)
    votes_sent = Signal(object)
    votes_dropped = Signal(object)
    """Of what the service refused and a person removed, as (id, rev)."""
    vote_refused = Signal(object, str)
    """Of votes and of corrections, as those before."""
    sync_changed = Signal(object)
    lost = Signal(str)
    """The service does not answer, and why; empty when it does again."""
    revived = Signal()
    _answered = Signal(object, object, object)

    def __init__(
        self,
        api: Api,
        outbox: Outbox,
        *,
        revive: Callable[[], Api] | None = None,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        super().__init__()
        self.api, self.outbox, self._revive = api, outbox, revive
        self.sync_state = SyncState()
        self._closed = False
        self._reviving = False
        self._lost = False
        self._revived_at_s = float("-inf")
        self._quick = ThreadPoolExecutor(max_workers=QUICK_CALLS, thread_name_prefix="api")
        self._slow = ThreadPoolExecutor(max_workers=SLOW_CALLS, thread_name_prefix="media")
        self._answered.connect(self._deliver)
        self.sync_changed.connect(self._keep_state)
        self._sync = VoteSync(
            outbox=outbox,
            submit=self._submit,
            saved=self.vote_saved.emit,
            not_saved=self.vote_not_saved.emit,
            sent=self.votes_sent.emit,
            refused=self.vote_refused.emit,
            state=self.sync_changed.emit,
            first_wait_s=first_wait_s,
        )
        self._sync.start()

    def ask(
        self,
        work: Callable[[], T],
        done: Callable[[T], object],
        failed: Callable[[StudioError], object],
        *,
        slow: bool = False,
    ) -> None:
        """Runs `work` on a worker thread; then `done` with its result, or `failed` with what a person can mend."""
        if self._closed:
            return
        future = (self._slow if slow else self._quick).submit(work)
        future.add_done_callback(lambda finished: self._answered.emit(finished, done, failed))

    def write(self, said: Said) -> None:
        """Puts a vote or a correction into the outbox; `vote_saved` or `vote_not_saved` follows, then `votes_sent`."""
        self._sync.write(said)

    def send_again(self, refused: tuple[Refused, ...], failed: Callable[[StudioError], object]) -> None:
        """Puts what the service refused back among what waits; `sync_changed` follows."""
        self._of_refused(self.outbox.retry, refused, self._sync.wake, failed)

    def drop_refused(self, refused: tuple[Refused, ...], failed: Callable[[StudioError], object]) -> None:
        """Removes what the service refused from this machine; `votes_dropped` and `sync_changed` follow."""

        def dropped() -> None:
            self.votes_dropped.emit(tuple((one.said.id, one.said.rev) for one in refused))
            self._sync.wake()

        self._of_refused(self.outbox.drop, refused, dropped, failed)

    def close(self) -> None:
        """Ends all threads; what is in the outbox stays there for the next start."""
        if self._closed:
            return
        self._closed = True
        for pool in (self._quick, self._slow):
            pool.shutdown(wait=True, cancel_futures=True)
        self._sync.close()
        self.outbox.close()

    def _of_refused(
        self,
        change: Callable[[str, int], None],
        refused: tuple[Refused, ...],
        done: Callable[[], object],
        failed: Callable[[StudioError], object],
    ) -> None:
        def work() -> None:
            with self.outbox.together():
                for one in refused:
                    change(one.said.id, one.said.rev)

        self.ask(work, lambda _: done(), failed)

    def _submit(self, said: tuple[Said, ...]) -> tuple[Receipt, ...]:
        """Votes, or corrections, to the service of now."""
        corrections = tuple(one for one in said if isinstance(one, Correction))
        if corrections:
            return self.api.correct(corrections=corrections)
        return self.api.submit_votes(votes=tuple(one for one in said if isinstance(one, Vote)))

    def _deliver(self, future: Future[Any], done: Callable[[Any], object], failed: Callable[..., object]) -> None:
        if self._closed or future.cancelled():
            return
        error = future.exception()
        if error is None:
            self._tell_lost("")
            done(future.result())
        elif isinstance(error, StudioError):
            error.args = (translated(str(error)),)
            if isinstance(error, ServiceError):
                self._tell_lost(str(error))
                self._come_back()
            failed(error)
        else:
            sys.excepthook(type(error), error, error.__traceback__)

    def _tell_lost(self, reason: str) -> None:
        if bool(reason) != self._lost:
            self._lost = bool(reason)
            self.lost.emit(reason)

    def _keep_state(self, state: SyncState) -> None:
        self.sync_state = state
        if state.lost:
            self._come_back()

    def _come_back(self) -> None:
        """Connects anew, one attempt at a time."""
        if self._revive is None or self._reviving or time.monotonic() - self._revived_at_s < REVIVE_PAUSE_S:
            return
        self._reviving = True

        def back(api: Api) -> None:
            self._reviving, self._revived_at_s = False, time.monotonic()
            self.api = api
            self._sync.wake()
            self.revived.emit()

        def still_away(error: StudioError) -> None:
            self._reviving, self._revived_at_s = False, time.monotonic()
            log.info("the service is still away: %s", error)

        self.ask(self._revive, back, still_away)
