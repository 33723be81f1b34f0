"""Votes and corrections on their way: first durably into the outbox, then to the service, as often as it takes. Knows no Qt."""

import logging
import queue
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from backend.domain import Receipt, ServiceError, StudioError
from studio.outbox import Outbox, Said, Send, recheck, send_pending

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
BATCH = 200  # votes in one call; a day of work (5000) drains in 25 calls
RECHECKED = 100
"""Newest acknowledged votes that are sent again at the start, in case the service was restored from a backup."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncState:
    """How votes and corrections stand. `refused` counts those for a person to look at; `trouble` says why nothing can be sent."""

    waiting: int = 0
    refused: int = 0
    trouble: str = ""
    lost: bool = False
    """Whether the trouble is that the service cannot be reached."""


@dataclass(slots=True, kw_only=True)
class VoteSync:
    """One thread writes into the outbox, another sends from it. The callbacks are called from these threads."""

    outbox: Outbox
    submit: Send
    saved: Callable[[Said], None]
    not_saved: Callable[[Said, str], None]
    sent: Callable[[tuple[tuple[str, int], ...]], None]
    refused: Callable[[Said, str], None]
    state: Callable[[SyncState], None]
    first_wait_s: float = FIRST_WAIT_S
    _to_write: queue.SimpleQueue[Said | None] = field(default_factory=queue.SimpleQueue)
    _wake: threading.Event = field(default_factory=threading.Event)
    _closing: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Starts both threads; what an earlier run left is sent at once."""
        self._threads = [
            threading.Thread(target=self._write_all, name="outbox-writer"),
            threading.Thread(target=self._send_all, name="outbox-sender"),
        ]
        for thread in self._threads:
            thread.start()

    def write(self, said: Said) -> None:
        """Hands a vote or a correction over; `saved` or `not_saved` tells the outcome."""
        self._to_write.put(said)

    def wake(self) -> None:
        """Tries again now instead of after the pause."""
        self._wake.set()

    def close(self) -> None:
        """Writes what was handed over, tries once to send it, ends the threads and waits for them."""
        self._to_write.put(None)
        self._threads[0].join()
        self._closing.set()
        self._wake.set()
        self._threads[1].join()

    def _write_all(self) -> None:
        while (said := self._to_write.get()) is not None:
            try:
                self.outbox.put(said)
            except StudioError as error:
                log.warning("%s %s rev %s is not saved: %s", type(said).__name__, said.id, said.rev, error)
                self.not_saved(said, str(error))
                continue
            self.saved(said)
            self._wake.set()

    def _send_all(self) -> None:
        wait_s, rechecked = self.first_wait_s, False
        while True:
            self._wake.clear()
            last = self._closing.is_set()
            try:
                while self.outbox.counts().pending:
                    send_pending(self.outbox, self._send, limit=BATCH, refused=self.refused)
                    self._tell()
                if not rechecked:
                    recheck(self.outbox, self._send, limit=RECHECKED)
                    rechecked = True
                self._tell()
                wait_s = self.first_wait_s
                pause_s = None
            except StudioError as error:
                log.info("votes wait: %s", error)
                self._tell(error)
                pause_s = wait_s * random.uniform(0.8, 1.2)  # spread, so that raters do not all come back at once
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
            if last:
                return
            self._wake.wait(pause_s)

    def _send(self, said: tuple[Said, ...]) -> tuple[Receipt, ...]:
        receipts = self.submit(said)
        self.sent(tuple((receipt.id, receipt.rev) for receipt in receipts))
        return receipts

    def _tell(self, trouble: StudioError | None = None) -> None:
        try:
            counts = self.outbox.counts()
        except StudioError as error:
            self.state(SyncState(trouble=str(error)))
            return
        lost = isinstance(trouble, ServiceError)
        words = "" if trouble is None else str(trouble)
        self.state(SyncState(waiting=counts.pending, refused=counts.attention, trouble=words, lost=lost))
