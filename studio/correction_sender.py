"""Corrections on their way: onto this machine's disk, then to the service, and what the screen may do meanwhile."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from backend.domain.corrections import Correction
from studio.link import Link
from studio.outbox import Said
from studio.sync import SyncState

PATIENCE_MS = 4000  # how long the service may take before the screen moves on with what is safe here

Key = tuple[str, int]
"""Id and revision."""


class CorrectionSender(QObject):
    """Sends what one editor made; `is_busy` until the screen may move on.

    `arrived` comes when the journal has all of it. Where the service does not answer for it soon, `waits` comes with what is
    safe here and on its way. `refused` says why something cannot be: it is forgotten, since its maker has it before them.
    """

    arrived = Signal()
    waits = Signal(object)
    refused = Signal(str)

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        self._sent: dict[Key, Correction] = {}
        """What is on its way; those that are on the disk are in `_kept`."""
        self._kept: set[Key] = set()
        self._patience = QTimer(self, singleShot=True, interval=PATIENCE_MS)
        self._patience.timeout.connect(self.move_on)
        link.vote_saved.connect(self._on_kept)
        link.vote_not_saved.connect(self._on_refused)
        link.vote_refused.connect(self._on_refused)
        link.votes_sent.connect(self._on_arrived)
        link.sync_changed.connect(self._on_sync)

    @property
    def is_busy(self) -> bool:
        return bool(self._sent)

    def send(self, corrections: Sequence[Correction]) -> None:
        """Hands corrections over; one of the three signals follows."""
        assert not self.is_busy, "what was sent before is not safe yet"
        self._sent = {(one.id, one.rev): one for one in corrections}
        self._kept = set()
        for one in corrections:
            self.link.write(one)

    def move_on(self) -> None:
        """What is safe here needs no waiting for a service that is away."""
        waiting = tuple(self._sent.values())
        self._forget()
        self.waits.emit(waiting)

    def _on_kept(self, said: Said) -> None:
        """One is on the disk; the service has some time to answer for all of them."""
        if (said.id, said.rev) in self._sent:
            self._kept.add((said.id, said.rev))
            if self._kept == set(self._sent):
                self._patience.start()

    def _on_arrived(self, sent: tuple[Key, ...]) -> None:
        if not set(self._sent) & set(sent):
            return
        self._sent = {key: one for key, one in self._sent.items() if key not in sent}
        self._kept -= set(sent)
        if not self._sent:
            self._forget()
            self.arrived.emit()

    def _on_refused(self, said: Said, why: str) -> None:
        if (said.id, said.rev) in self._sent:
            self.link.outbox.forget(said.id)
            self._forget()
            self.refused.emit(why)

    def _on_sync(self, state: SyncState) -> None:
        if state.lost and self._sent and self._kept == set(self._sent):
            self.move_on()

    def _forget(self) -> None:
        self._patience.stop()
        self._sent, self._kept = {}, set()
