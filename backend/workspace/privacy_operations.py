"""The part of a workspace that keeps what people agreed to, what is kept for how long, and who did what."""

import getpass
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from backend.domain import ProjectError, SettingsError, StudioError
from backend.domain.erasing import SOURCE, ErasedItems
from backend.domain.library import ExportSummary, Selection
from backend.domain.privacy import AuditRow, Consent, Expired, ExpiredStudy
from backend.domain.studies import Erased
from backend.engine.plan import Plan
from backend.settings import ProjectSettings
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.store.journal_schema import StoredEvent
from backend.store.privacy_events import AUDITED, audit_row, consent_event, exported_event, opened_event
from backend.store.whole_folder import remove_whole
from backend.workspace.consents import consents, require_consent
from backend.workspace.library import Library
from backend.workspace.projection import Projection
from backend.workspace.snapshot import Snapshot
from backend.workspace.study_shelf import StudyShelf

IDS_PER_EVENT = 20_000
"""An id has about 30 characters; a body of the journal holds a megabyte."""
MAX_AUDIT = 10_000


class _Opened(Protocol):
    settings: ProjectSettings
    plan: Plan
    journal: Journal
    catalog: Catalog
    _projection: Projection
    _library: Library
    _shelf: StudyShelf

    def _now(self) -> AbstractContextManager[Snapshot]: ...

    def today(self) -> date: ...

    def expired(self) -> Expired: ...

    def erase_items(self, *, selection: Selection, rater: str, delete_backups: bool = False) -> ErasedItems: ...

    def erase_participant(self, *, participant: str, delete_backups: bool = False) -> Erased: ...


class PrivacyOperations:
    """Operations of the Api on consent, retention and audit."""

    def today(self) -> date:
        """The day by which retention is judged, where this machine stands."""
        return datetime.now().astimezone().date()

    def note_opening(self: _Opened) -> None:
        """Journals, once a day, who opened a project that holds footage. Called when it is open."""
        day, actor = self.today().isoformat(), getpass.getuser()
        event = opened_event(actor, day=day)
        if self.catalog.query("SELECT 1 FROM source LIMIT 1") and not self.journal.stored(event.kind, event.id, 0):
            self.journal.append([event], keep_first=True)

    def note_export(self: _Opened, written: ExportSummary, *, purpose: str, manifest: str, catalog: str) -> None:
        """Journals what was exported; `manifest` is the hash of its MANIFEST.sha256. What cannot be journalled does not stay."""
        told = {"format": written.format, "purpose": purpose, "pairs": written.pairs, "left_out": dict(written.left_out)}
        try:
            self.journal.append([exported_event(getpass.getuser(), **told, manifest=manifest, catalog=catalog)])
        except StudioError:
            remove_whole(Path(written.out))
            raise

    def state_consent(
        self: _Opened,
        *,
        selection: Selection,
        rater: str,
        purposes: tuple[str, ...] = (),
        version: str = "",
        scope: str = "",
        given_at: str = "",
    ) -> int:
        kind = selection.kind
        require_consent(kind, purposes, rater=rater, version=version, scope=scope, given_at=given_at)
        self._projection.refresh()
        if selection.all_matching:
            with self._library.of(self.plan) as reading:
                ids = tuple(reading.chosen(selection))
        else:
            ids = selection.ids
        rows = self.catalog.query(f"SELECT DISTINCT id FROM {kind} WHERE id IN (SELECT unnest(?::VARCHAR[]))", [list(ids)])
        unknown = sorted(set(ids) - {name for (name,) in rows})
        if unknown or not ids:
            raise ProjectError(f"no {kind} of this project is {unknown[0][:80] if unknown else 'chosen'}; look for its id")
        ids = tuple(dict.fromkeys(ids))
        said = {"rater": rater, "version": version, "scope": scope, "purposes": purposes, "given_at": given_at}
        parts = [ids[start : start + IDS_PER_EVENT] for start in range(0, len(ids), IDS_PER_EVENT)]
        self.journal.append([consent_event(kind, part, **said) for part in parts])
        return len(ids)

    def consents(self: _Opened) -> tuple[Consent, ...]:
        with self._now() as now:
            return consents(now)

    def expired(self: _Opened) -> Expired:
        self._projection.refresh()
        today = self.today().isoformat()
        until, files = self.settings.retain_until, ()
        if until and until < today:
            files = tuple(uri for (uri,) in self.catalog.query("SELECT DISTINCT uri FROM source ORDER BY 1"))
        days = self.settings.study_retain_until
        studies = tuple(
            ExpiredStudy(name=book.design.name, until=days[book.design.name], participants=tuple(sorted(book.enrolled)))
            for book in self._shelf.books()
            if "" < days.get(book.design.name, "") < today and book.enrolled
        )
        return Expired(until=until, files=files, studies=studies)

    def erase_expired(self: _Opened, *, rater: str, delete_backups: bool = False) -> Expired:
        found = self.expired()
        for study in found.studies:
            for participant in study.participants:
                self.erase_participant(participant=participant, delete_backups=delete_backups)
        if found.files:
            chosen = Selection(kind=SOURCE, ids=found.files)
            self.erase_items(selection=chosen, rater=rater, delete_backups=delete_backups)
        return found

    def audit(self: _Opened, *, limit: int = 100) -> tuple[AuditRow, ...]:
        if not 1 <= limit <= MAX_AUDIT:
            raise SettingsError(f"limit is {limit}; ask for 1 to {MAX_AUDIT}")
        events: list[StoredEvent] = []
        for kind in AUDITED:
            events += self.journal.of_kind(kind)
        rows = (audit_row(event) for event in sorted(events, key=lambda event: event.seq))
        return tuple(row for row in rows if row is not None)[-limit:]
