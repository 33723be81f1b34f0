"""Room that a model worker makes for a command, when what is lent changes while a model is loaded."""

import socket
import threading
import time
from contextlib import closing
from types import SimpleNamespace
from typing import Any

from backend.jobs.model_worker import ModelWorker, ModelWorkerSettings
from backend.models.call_wire import CallWire
from backend.models.residency import Residency


class Waits(Residency):
    """Has a loan wait as for a model that is being loaded, but its end come through at once."""

    def __init__(self) -> None:
        super().__init__(100, make=lambda key, role: None)
        self.ended = threading.Event()

    def lend(self, num_bytes: int) -> int:
        if num_bytes:
            self.ended.wait(0.3)
        freed = super().lend(num_bytes)
        if not num_bytes:
            self.ended.set()
        return freed


def test_a_loan_that_has_ended_does_not_come_back_with_one_that_waited() -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        worker: Any = ModelWorker(CallWire(theirs), ModelWorkerSettings(), {})
        residency = Waits()
        worker._ladder = SimpleNamespace(residency=residency)
        loans = []
        for num_bytes in (60, 0):
            worker._lent_bytes = num_bytes
            loans.append(threading.Thread(target=worker._make_room))
            loans[-1].start()
            time.sleep(0.05)
        for loan in loans:
            loan.join()
        assert residency._lent_bytes == 0
        owner = CallWire(ours)
        assert [owner.receive()[1] for _ in loans] == [60, 0]
