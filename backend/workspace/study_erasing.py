"""Erasing a participant: every byte that they left in the project, without breaking the journal's chain."""

import shutil
from pathlib import Path

from backend.domain.studies import Erased
from backend.store import study_events
from backend.store.backups import MANIFEST
from backend.store.catalog import Catalog
from backend.store.redaction import redact
from backend.workspace.layout import Layout
from backend.workspace.snapshot import Snapshot
from backend.workspace.study_shelf import StudyShelf


def erase(
    shelf: StudyShelf, catalog: Catalog, snapshot: Snapshot, layout: Layout, *, participant: str, delete_backups: bool
) -> Erased:
    """Redacts the journal, makes the catalog's file anew, and lists backups that were made before, or deletes them.

    What breaks off is finished by asking again: the person is known until the last step, and after a crash until the
    catalog is made anew. Raises ProjectError for a participant who is not there, and while long reads keep the old
    catalog open.
    """
    with shelf.turn_of(participant), shelf.once, shelf.lock, snapshot.released():
        catalog.require_unread()
        book, enrolment = shelf.enrolment(participant)
        counts = redact(shelf.journal, actor=participant)
        num_events, num_votes = sum(counts.values()), counts.get("vote", 0)
        notice = study_events.erased_event(book.id, events=num_events, votes=num_votes, place=enrolment.place)
        shelf.append(book, [notice])
        catalog.forget_projection()
        shelf.projection.refresh()
        catalog.rewrite()
        shelf.forget(participant)
    backups = sorted(path for path in _folders(layout.backups) if (path / MANIFEST).is_file())
    if delete_backups:
        for path in backups:
            shutil.rmtree(path)
    names = tuple(str(path) for path in backups)
    return Erased(
        events=num_events,
        votes=num_votes,
        backups=() if delete_backups else names,
        deleted_backups=names if delete_backups else (),
    )


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
