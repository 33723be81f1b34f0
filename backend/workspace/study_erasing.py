"""Erasing a participant: every byte that they left in the project, without breaking the journal's chain.

Who goes is journalled first. Then it is carried out in steps each of which may break off and be taken again: by asking
again, or when the project is opened next, before anybody reads it.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from backend.domain.studies import Erased
from backend.store import participant_erasures
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.store.participant_erasures import ParticipantErasure
from backend.store.redaction import count_redactable, redact, remove
from backend.workspace import erasing_files
from backend.workspace.erasing_files import backups_of
from backend.workspace.layout import Layout
from backend.workspace.projection import Projection
from backend.workspace.snapshot import Snapshot
from backend.workspace.study_shelf import StudyShelf

log = logging.getLogger(__name__)


def erase(
    shelf: StudyShelf, catalog: Catalog, snapshot: Snapshot, layout: Layout, *, participant: str, delete_backups: bool
) -> Erased:
    """Redacts the journal, makes the catalog's file anew, and lists backups that were made before, or deletes them.

    Raises ProjectError for a participant who is not there, and while long reads keep the old catalog open.
    """
    with shelf.turn_of(participant), shelf.once, shelf.lock, snapshot.released(), catalog.unread():
        erasure, own = _begin(shelf, participant, delete_backups=delete_backups)
        deleted = _carry_out(erasure, own, shelf.journal, catalog, shelf.projection, layout)
        shelf.append(shelf.book(erasure.study_id), [participant_erasures.finished_event(erasure)], keep=True)
        shelf.forget(participant)
    names = tuple(map(str, backups_of(layout)))
    return Erased(events=erasure.events, votes=erasure.votes, backups=names, deleted_backups=deleted)


def finish_erasures(journal: Journal, catalog: Catalog, projection: Projection, layout: Layout) -> None:
    """Carries out what was begun and broke off. Called once, when the stores are open and nobody reads them."""
    for erasure, own in participant_erasures.unfinished(journal):
        log.warning("erasure %s of a participant broke off and is finished now", erasure.id)
        _carry_out(erasure, own, journal, catalog, projection, layout)


def _begin(shelf: StudyShelf, participant: str, *, delete_backups: bool) -> tuple[ParticipantErasure, Sequence[int]]:
    """A new erasure, or the one of this participant that broke off, and the numbers of its events."""
    book, enrolment = shelf.enrolment(participant)
    known = [found for found in participant_erasures.unfinished(shelf.journal) if found[0].participant == participant]
    if known and (known[0][0].delete_backups or not delete_backups):
        return known[0]
    if known:
        erasure, earlier = replace(known[0][0], delete_backups=True), known[0][1]
    else:
        counts, earlier = count_redactable(shelf.journal, actor=participant), ()
        erasure = ParticipantErasure(
            participant=participant,
            study_id=book.id,
            place=enrolment.place,
            events=sum(counts.values()),
            votes=counts.get("vote", 0),
            delete_backups=delete_backups,
        )
    (receipt,) = shelf.journal.append([participant_erasures.begun_event(erasure)])
    return erasure, (*earlier, receipt.seq)


def _carry_out(
    erasure: ParticipantErasure,
    own: Sequence[int],
    journal: Journal,
    catalog: Catalog,
    projection: Projection,
    layout: Layout,
) -> tuple[str, ...]:
    """Every step may be taken twice; gives the backups that were deleted. `own` are the events that began the erasure."""
    redact(journal, actor=erasure.participant)
    journal.append([participant_erasures.finished_event(erasure)], keep_first=True)
    catalog.forget_projection()
    projection.refresh()
    catalog.rewrite()
    erasing_files.forget_pushed(layout, erasure.participant)
    deleted = erasing_files.delete_backups(layout) if erasure.delete_backups else ()
    remove(journal, own)
    journal.compact()
    return deleted
