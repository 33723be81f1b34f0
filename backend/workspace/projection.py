"""Bringing the journal into the catalog: exactly once, because the watermark moves in the same transaction."""

import logging
import threading
from typing import Any

from backend.domain import StoreError
from backend.loading import uncollected
from backend.store.case_events import EDITED, PLANTED, PUT_UP, edits_of, planted_of, put_up_of
from backend.store.catalog import Catalog
from backend.store.correction_events import CORRECTED, corrections_of
from backend.store.erasing_events import CLIPS, spans_of
from backend.store.job_events import JOB_EVENTS, job_rows
from backend.store.journal import Journal
from backend.store.journal_schema import RIGHTS, StoredEvent, rights_of
from backend.store.library_events import ASKED, EXCLUDED, asked_of, exclusions_of
from backend.store.privacy_events import CONSENT, consents_of
from backend.store.schema import PEOPLE, VOTE_SCHEMA
from backend.store.study_events import CREATED, HAPPENINGS, ITEMS, design_rows, happening_rows

PAGE = 10_000
VOTE_COLUMNS = tuple(VOTE_SCHEMA.names)
TABLES = {
    RIGHTS: ("rights", rights_of),
    PUT_UP: ("case_put_up", put_up_of),
    EDITED: ("case_edit", edits_of),
    PLANTED: ("case_planted", planted_of),
    CLIPS: ("erased_span", spans_of),
    EXCLUDED: ("exclusion", exclusions_of),
    ASKED: ("asked", asked_of),
    CORRECTED: ("correction", corrections_of),
    CONSENT: ("consent", consents_of),
    **dict.fromkeys(JOB_EVENTS, ("job", job_rows)),
    **dict.fromkeys((CREATED, ITEMS), ("study", design_rows)),
    **dict.fromkeys(HAPPENINGS, ("study_event", happening_rows)),
}
"""Which table an event of which kind goes into, and how; votes are checked besides."""
log = logging.getLogger(__name__)


class Projection:
    """Projects votes, studies, and what is said of sources, cases and items. `refresh` is cheap when there is nothing new."""

    def __init__(self, journal: Journal, catalog: Catalog) -> None:
        self._journal = journal
        self._catalog = catalog
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Projects to the journal's head. Raises StoreError when the catalog knows events that the journal has lost."""
        with self._lock:
            seq, digest = self._catalog.watermark()
            head = self._journal.head()
            if seq > head.seq:
                raise StoreError(
                    f"the journal ends at event {head.seq} but {seq} were seen before; restore the newest backup, "
                    "or run `studio-backend rebuild` to accept the shorter journal"
                )
            if seq:
                known = self._journal.event(seq)
                if known is None or known.hash != digest:
                    raise StoreError(f"journal event {seq} is not the one seen before; restore the newest backup")
            with uncollected():  # a page is thousands of small objects, none of them in a circle
                while seq < head.seq:
                    events = self._journal.events(seq, PAGE)
                    said = [event for event in events if event.kind == "vote" and not event.is_redacted]
                    votes = [_vote_row(event) for event in said]
                    unfit = [
                        vote["seq"] for vote in votes if not storable(vote["rev"], vote["visible_ms"], vote["strength"])
                    ]
                    if unfit:
                        log.warning("journal events %s hold numbers that no column holds; they are left out", unfit)
                        votes = [vote for vote in votes if vote["seq"] not in unfit]
                    rows = {**{table: [] for table in PEOPLE}, "vote": votes}
                    for event in events:
                        if event.kind in TABLES and not event.is_redacted:
                            table, rows_of = TABLES[event.kind]
                            rows[table] += rows_of(event)
                    seq = events[-1].seq
                    self._catalog.project(rows, seq=seq, hash=events[-1].hash)

    def rebuild(self) -> None:
        """Makes people's part of the catalog again from the journal's first event."""
        with self._lock:
            self._catalog.forget_projection()
        self.refresh()


def _vote_row(event: StoredEvent) -> dict[str, Any]:
    body = event.body
    return {name: body.get(name) for name in VOTE_COLUMNS} | {"seq": event.seq, "received_at": event.server_time}


def storable(*numbers: int | None) -> bool:
    """Whether integers fit the catalog's 64-bit columns."""
    return all(number is None or -(2**63) <= number < 2**63 for number in numbers)
