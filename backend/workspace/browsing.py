"""The part of a workspace that shows its items, and does what people want done with those they choose."""

import hashlib
from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from backend.domain import SUBJECTS_STUDY, VERIFY_STUDY, ProjectError, SettingsError
from backend.domain.library import (
    Excluded,
    ExportSummary,
    ItemDetail,
    ItemKind,
    ItemPage,
    Selection,
    Thumbnail,
    VerificationAsked,
)
from backend.domain.privacy import TRAINING
from backend.engine.plan import Plan
from backend.exports import EXPORTS
from backend.settings import ProjectSettings
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.store.library_events import asked_event
from backend.workspace import exporting
from backend.workspace.copies import NearDuplicates
from backend.workspace.erasing import ErasingOperations
from backend.workspace.exclusions import IDS_PER_EVENT, journal_exclusion
from backend.workspace.layout import Layout
from backend.workspace.library import Library, Reading
from backend.workspace.library_detail import detail_of
from backend.workspace.projection import Projection
from backend.workspace.score_tables import ScoreTables
from backend.workspace.snapshot import Snapshot
from backend.workspace.thumbnails import Thumbnails

MAX_LIMIT = 1000  # rows of one window, pictures of one call
PAIRS_OF = {
    "pair": "id IN (SELECT unnest($1::VARCHAR[]))",
    "anchor": """subject_id IN (SELECT subject_id FROM library_anchor WHERE id IN (SELECT unnest($1::VARCHAR[])))""",
    **{
        kind: f"({kind}_id IN (SELECT unnest($1::VARCHAR[])) OR reference_{kind}_id IN (SELECT unnest($1::VARCHAR[])))"
        for kind in ("video", "clip", "subject")
    },
}
"""Which pairs belong to chosen items of a kind."""


class _Opened(Protocol):
    layout: Layout
    plan: Plan
    journal: Journal
    catalog: Catalog
    artifacts: Artifacts
    settings: ProjectSettings
    _copies: NearDuplicates
    _projection: Projection
    _library: Library
    _scores: ScoreTables
    _thumbnails: Thumbnails

    def _apart(self, plan: Plan) -> AbstractContextManager[Snapshot]: ...

    def export_plan(
        self, plan: Plan, *, format: str, out: str, split: str, purpose: str, only: Collection[str] | None
    ) -> ExportSummary: ...

    def open_erasing(self) -> None: ...

    def note_export(self, written: ExportSummary, *, purpose: str, manifest: str, catalog: str) -> None: ...


class LibraryOperations(ErasingOperations):
    """Operations of the Api on items."""

    def open_library(self: _Opened) -> None:
        """Called once, when the stores and the projection are open."""
        self._library = Library(self.catalog)
        self._scores = ScoreTables()
        self._thumbnails = Thumbnails(self.catalog, self.artifacts, self.layout.previews / "thumbnails")
        self.catalog.let_go.append(self._library.forget)
        self.open_erasing()

    def close_library(self: _Opened) -> None:
        self._library.close()

    def item_kind(self: _Opened, *, kind: str) -> ItemKind:
        self._projection.refresh()
        with self._library.of(self.plan) as reading:
            return reading.kind(kind)

    def items(
        self: _Opened, *, kind: str, where: str = "", search: str = "", order: str = "", offset: int = 0, limit: int = 200
    ) -> ItemPage:
        if not 1 <= limit <= MAX_LIMIT or offset < 0:
            raise SettingsError(f"a window of {limit} items from {offset} on; ask for 1 to {MAX_LIMIT} from 0 on")
        self._projection.refresh()
        with self._library.of(self.plan) as reading:
            return reading.page(kind, where=where, search=search, order=order, offset=offset, limit=limit)

    def item(self: _Opened, *, kind: str, item_id: str) -> ItemDetail:
        self._projection.refresh()
        with self._library.of(self.plan) as reading:
            return detail_of(reading, self.plan, self.artifacts, kind, item_id)

    def thumbnails(self: _Opened, *, kind: str, ids: tuple[str, ...]) -> tuple[Thumbnail, ...]:
        if len(ids) > MAX_LIMIT:
            raise SettingsError(f"{len(ids)} pictures at once; ask for at most {MAX_LIMIT}")
        return self._thumbnails.of(kind, ids)

    def ask_verification(self: _Opened, *, selection: Selection, rater: str) -> VerificationAsked:
        self._projection.refresh()
        with self._library.of(self.plan) as reading:
            chosen, pairs = pairs_of(reading, selection, across=True)
        asked = {VERIFY_STUDY: pairs, SUBJECTS_STUDY: chosen if selection.kind == "subject" else []}
        if not any(asked.values()):
            raise ProjectError(
                f"the {len(chosen)} chosen items have no pairs across clips that the gates keep; choose others, or loosen the gates"
            )
        self.journal.append(
            [
                asked_event(study_id, ids[start : start + IDS_PER_EVENT], rater=rater)
                for study_id, ids in asked.items()
                for start in range(0, len(ids), IDS_PER_EVENT)
            ]
        )
        return VerificationAsked(items=len(chosen), pairs=len(pairs))

    def export_formats(self: _Opened) -> tuple[str, ...]:
        return tuple(EXPORTS)

    def export_items(
        self: _Opened, *, selection: Selection, format: str, out: str, split: str = "", purpose: str = TRAINING
    ) -> ExportSummary:
        self._projection.refresh()
        with self._library.of(self.plan) as reading:
            chosen, pairs = pairs_of(reading, selection, across=False)
        if not pairs:
            raise ProjectError(
                f"the {len(chosen)} chosen items have no pairs that the gates keep; choose others, or loosen the gates"
            )
        return self.export_plan(self.plan, format=format, out=out, split=split, purpose=purpose, only=frozenset(pairs))

    def export_plan(
        self: _Opened,
        plan: Plan,
        *,
        format: str,
        out: str,
        where: str = "",
        split: str = "",
        purpose: str = TRAINING,
        only: Collection[str] | None = None,
    ) -> ExportSummary:
        """Exports pairs that a plan's gates keep: the current plan's, or those of a named selection. Journalled."""
        with self._apart(plan) as now:
            written = exporting.export(
                now,
                plan,
                self.settings,
                self.artifacts,
                copies=self._copies,
                project=self.layout.root.name,
                format=format,
                out=Path(out),
                where=where,
                split=split,
                purpose=purpose,
                only=only,
            )
            catalog = now.catalog_hash()
        manifest = hashlib.sha256(Path(written.manifest).read_bytes()).hexdigest()
        self.note_export(written, purpose=purpose, manifest=manifest, catalog=catalog)
        return written

    def exclude(self: _Opened, *, selection: Selection, rater: str, reason: str = "", excluded: bool = True) -> Excluded:
        self._projection.refresh()
        with self._library.of(self.plan) as reading:
            chosen = reading.chosen(selection)
        if not chosen:
            raise ProjectError("no item is chosen; choose some, or mend the filter that selects none")
        journal_exclusion(self.journal, kind=selection.kind, ids=chosen, rater=rater, reason=reason, excluded=excluded)
        self._projection.refresh()
        return Excluded(items=len(chosen), excluded=excluded)


def pairs_of(reading: Reading, selection: Selection, *, across: bool) -> tuple[list[str], list[str]]:
    """Ids of the chosen items and of their pairs that the gates keep, in the order of the footage; `across` leaves those within a clip out."""
    chosen = reading.chosen(selection)
    reading.columns("pair")
    within = "AND kind <> 'in_pair'" if across else ""
    rows = reading.now.query(
        f"SELECT id FROM library_pair WHERE gate IS NULL {within} AND {PAIRS_OF[selection.kind]} ORDER BY n", [chosen]
    )
    return chosen, [name for (name,) in rows]
