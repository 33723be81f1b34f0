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

    The order makes it safe to break off: who is redacted and still stands in the catalog is gone at the next try or
    `rebuild`. Raises ProjectError for an unknown participant, and while long reads keep the old catalog open.
    """
    with shelf.lock, snapshot.released():
        catalog.require_unread()
        book, place = shelf.forget(participant)
        counts = redact(shelf.journal, actor=participant)
        notice = study_events.erased_event(book.id, events=sum(counts.values()), votes=counts.get("vote", 0), place=place)
        shelf.append(book, [notice])
        catalog.forget_projection()
        shelf.projection.refresh()
        catalog.rewrite()
    backups = sorted(path for path in _folders(layout.backups) if (path / MANIFEST).is_file())
    if delete_backups:
        for path in backups:
            shutil.rmtree(path)
    names = tuple(str(path) for path in backups)
    return Erased(
        events=sum(counts.values()),
        votes=counts.get("vote", 0),
        backups=() if delete_backups else names,
        deleted_backups=names if delete_backups else (),
    )


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
