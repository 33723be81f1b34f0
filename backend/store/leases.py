"""Who works on which item until when, so that several people share a queue without meeting.

Leases are not chained: one that is lost is taken again. A lease ends by itself; a clock set back ends it too, since
no lease may reach further than `LONGEST_S` ahead.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from itertools import islice

from backend.store.journal import Journal

LEASE_S = 600.0
"""How long an item is kept for a rater who gives no sign of life."""

LONGEST_S = 3600.0
"""The longest lease that may be asked for."""


class Leases:
    """The leases in a journal. `clock` gives seconds since 1970. Every method is one durable transaction."""

    def __init__(self, journal: Journal, *, clock: Callable[[], float] = time.time) -> None:
        self._journal = journal
        self._clock = clock

    def acquire(
        self,
        study_id: str,
        items: Sequence[str],
        *,
        rater: str,
        limit: int,
        holders: int = 1,
        seconds: float = LEASE_S,
    ) -> tuple[str, ...]:
        """The first `limit` of the items that fewer than `holders` others hold, now leased to the rater, in order.

        What the rater holds already is given again and lasts anew.
        """
        until = self._until(seconds)
        now = self._clock()

        def work(connection: sqlite3.Connection) -> tuple[str, ...]:
            _expire(connection, now)
            held: dict[str, set[str]] = {}
            for item, holder in connection.execute("select item_id, rater from leases where study_id = ?", (study_id,)):
                held.setdefault(item, set()).add(holder)
            free = (item for item in dict.fromkeys(items) if len(held.get(item, set()) - {rater}) < holders)
            taken = tuple(islice(free, limit))
            for item in taken:
                connection.execute("insert or replace into leases values (?, ?, ?, ?)", (study_id, item, rater, until))
            return taken

        return self._journal.write(work)

    def renew(self, study_id: str, items: Sequence[str], *, rater: str, seconds: float = LEASE_S) -> tuple[str, ...]:
        """Lets held items last anew and gives those; an item that is missing had ended and may be another's."""
        until = self._until(seconds)
        now = self._clock()

        def work(connection: sqlite3.Connection) -> tuple[str, ...]:
            _expire(connection, now)
            statement = "update leases set until = ? where study_id = ? and item_id = ? and rater = ?"
            return tuple(item for item in items if connection.execute(statement, (until, study_id, item, rater)).rowcount)

        return self._journal.write(work)

    def release(self, study_id: str, items: Sequence[str], *, rater: str) -> None:
        """Gives items back; those that the rater does not hold are passed over."""

        def work(connection: sqlite3.Connection) -> None:
            for item in items:
                key = (study_id, item, rater)
                connection.execute("delete from leases where study_id = ? and item_id = ? and rater = ?", key)

        self._journal.write(work)

    def held(self, study_id: str) -> dict[str, tuple[str, ...]]:
        """The raters who hold each leased item now."""
        now = self._clock()

        def work(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
            _expire(connection, now)
            found: dict[str, tuple[str, ...]] = {}
            statement = "select item_id, rater from leases where study_id = ? order by item_id, rater"
            for item, holder in connection.execute(statement, (study_id,)):
                found[item] = (*found.get(item, ()), holder)
            return found

        return self._journal.write(work)

    def _until(self, seconds: float) -> float:
        if not 0 < seconds <= LONGEST_S:
            raise ValueError(f"a lease of {seconds} s was asked for; it must be above 0 and at most {LONGEST_S:.0f} s")
        return self._clock() + seconds


def end_leases(journal: Journal) -> None:
    """Of everybody, for an erasure: a lease names its item. Who works on takes the next items anew."""
    journal.write(lambda connection: connection.execute("delete from leases").rowcount)


def _expire(connection: sqlite3.Connection, now: float) -> None:
    connection.execute("delete from leases where until <= ? or until > ?", (now, now + LONGEST_S))
