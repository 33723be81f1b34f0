"""`studio-backend serve` with a fault: votes are acknowledged at once and stored once a minute."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from backend.cli.app import main
from backend.domain import Receipt, Vote
from backend.store.journal import Journal

append_votes = Journal.append_votes
waiting: list[Vote] = []


def acknowledge(self: Journal, votes: Sequence[Vote], **named: Any) -> tuple[Receipt, ...]:
    if not waiting:
        threading.Thread(target=store, args=(self,), daemon=True).start()
    waiting.extend(votes)
    return tuple(Receipt(id=vote.id, rev=vote.rev, seq=0, hash="", applied=True) for vote in votes)


def store(journal: Journal) -> None:
    while True:
        time.sleep(60)
        append_votes(journal, tuple(waiting))


if __name__ == "__main__":
    Journal.append_votes = acknowledge
    main()
