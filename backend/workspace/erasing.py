"""The part of a workspace that erases footage: a file's, a clip's or a subject's, and everything that came of it.

What goes is found first and journalled whole (`erasure_begun`); then it is carried out in steps each of which may break off
and be taken again: the journal's words, files, rows, and last the record of the erasure. What was begun and not finished is
finished when the project is opened next, before anybody reads it.
"""

import hashlib
import logging
import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from backend.domain import (
    ANCHORS_STUDY,
    CASES_STUDY,
    SUBJECTS_STUDY,
    VERIFY_STUDY,
    ItemErased,
    ProjectError,
    SettingsError,
    Vote,
)
from backend.domain.erasing import ERASABLE, SOURCE, ErasedItems, ErasureForecast
from backend.domain.library import Selection
from backend.engine.plan import Plan
from backend.exports.removed import write_removed
from backend.store import erasing_events
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.store.erasing_events import Erased, Erasure, Mark
from backend.store.journal import Journal
from backend.store.journal_schema import sealing_events
from backend.store.leases import end_leases
from backend.store.redaction import remove
from backend.workspace.erasing_files import delete_backups, exports_of, find_files, leftovers
from backend.workspace.erasing_rows import Going, cases_of_pictures, delete_going, find_going, named_artifacts, with_copies
from backend.workspace.erasing_words import JUDGED, Naming, Words, pictures_of_cases, words_on
from backend.workspace.layout import Layout
from backend.workspace.library import Library
from backend.workspace.projection import Projection
from backend.workspace.snapshot import Snapshot

STANDING = (VERIFY_STUDY, SUBJECTS_STUDY, ANCHORS_STUDY, CASES_STUDY)
_SAME_ELSEWHERE = """
WITH clips AS (SELECT unnest(?::VARCHAR[]) AS id), side AS (
    SELECT DISTINCT t.clip_id AS one_clip, t.id AS one, r.clip_id AS other_clip, r.id AS other FROM kept_pair k
    JOIN pair p ON p.id = k.id AND p.work_key = k.work_key JOIN subject t ON t.id = p.target_subject_id
    JOIN subject r ON r.id = p.reference_subject_id WHERE p.kind <> 'in_pair')
SELECT count(DISTINCT other) FROM (SELECT * FROM side UNION SELECT other_clip, other, one_clip, one FROM side)
WHERE one_clip IN (FROM clips) AND other_clip NOT IN (FROM clips)
"""
log = logging.getLogger(__name__)


class _Opened(Protocol):
    layout: Layout
    plan: Plan
    journal: Journal
    catalog: Catalog
    artifacts: Artifacts
    erased: Erased
    _projection: Projection
    _snapshot: Snapshot
    _library: Library

    def _plan_erasure(
        self, selection: Selection, *, rater: str, delete_backups: bool
    ) -> "tuple[Erasure, Words, ErasureForecast]": ...

    def _carry_out(self, erasure: Erasure, own: Sequence[int]) -> None: ...


class ErasingOperations:
    """Operations of the Api on what is to be gone."""

    erased: Erased

    def open_erasing(self: _Opened) -> None:
        """Called once, when the stores, the projection and the library are open. Finishes what was begun."""
        for erasure, own in erasing_events.unfinished(self.journal):
            log.warning("erasure %s broke off and is finished now", erasure.id)
            self._carry_out(erasure, own)
        self.erased = Erased(self.journal)
        write_removed(self.journal, exports_of(self.layout))

    def foresee_erasure(self: _Opened, *, selection: Selection) -> ErasureForecast:
        _, _, found = self._plan_erasure(selection, rater="", delete_backups=False)
        return found

    def erase_items(self: _Opened, *, selection: Selection, rater: str, delete_backups: bool = False) -> ErasedItems:
        if not rater.strip() or len(rater) > 100:
            raise SettingsError(f"rater is {rater[:100]!r}; give the name of the person who erases, up to 100 letters")
        with self._snapshot.released():
            self.catalog.require_unread()  # before anything is looked for, which takes long
        erasure, words, found = self._plan_erasure(selection, rater=rater, delete_backups=delete_backups)
        erasure = replace(erasure, marks=_marks(self.catalog, erasure.sources, erasure.salt))
        begun = erasing_events.begun_events(erasure)
        with self._snapshot.released(), self.catalog.unread():
            receipts = self.journal.append([*begun, *sealing_events(erasure.id, words.unsalted), *words.rests])
            self._carry_out(erasure, [receipt.seq for receipt in receipts[: len(begun)]])
        self.erased = Erased(self.journal)
        write_removed(self.journal, exports_of(self.layout))
        left = leftovers(self.layout)
        gone = tuple(one.path for one in found.leftovers if delete_backups and one.kind == "backup")
        return ErasedItems(
            erasure_id=erasure.id,
            removed=replace(found, leftovers=()),
            deleted_backups=gone,
            leftovers=tuple(one for one in left if one in found.leftovers),
        )

    def refuse_erased(self: _Opened, votes: Sequence[Vote]) -> None:
        """Raises ItemErased for an answer about what was erased, which would bring its id back."""
        for vote in votes:
            if vote.study_id in STANDING and self.erased.is_item(vote.item_id):
                raise ItemErased(f"{vote.item_id[:80]} was erased from this project; what is said of it is not taken")

    def _plan_erasure(
        self: _Opened, selection: Selection, *, rater: str, delete_backups: bool
    ) -> tuple[Erasure, Words, ErasureForecast]:
        """What goes, found without changing anything; files are not read for their marks."""
        self._projection.refresh()
        sources, clips = _chosen(self, selection)
        first = find_going(self.catalog, sources=sources, clips=clips, cases=(), events=())
        pictures, contents = pictures_of_cases(self.journal, Naming(first.ids, first.uris))
        cases = cases_of_pictures(self.catalog, pictures) if pictures else ()
        going = find_going(self.catalog, sources=sources, clips=clips, cases=cases, events=())
        naming = Naming(going.ids | contents, going.uris)
        erasure_id = uuid.uuid4().hex
        words = words_on(self.journal, naming, erasure_id=erasure_id)
        going = find_going(self.catalog, sources=sources, clips=clips, cases=cases, events=words.seqs)
        salt = erasing_events.new_salt()
        judged = {name for name in going.ids | contents if name.partition("_")[0] in JUDGED}
        erasure = Erasure(
            id=erasure_id,
            rater=rater,
            salt=salt,
            delete_backups=delete_backups,
            sources=tuple(sources),
            clips=tuple(clips),
            cases=cases,
            events=words.seqs,
            marks=(),
            spans=going.spans,
            items=tuple(sorted(erasing_events.salted(salt, name) for name in judged)),
        )
        return erasure, words, _forecast(self, erasure, going, naming, words)

    def _carry_out(self: _Opened, erasure: Erasure, own: Sequence[int]) -> None:
        """Every step may be taken twice. `own` are the numbers of the events that began the erasure."""
        roots = {"sources": erasure.sources, "clips": erasure.clips, "cases": erasure.cases}
        going = find_going(self.catalog, **roots, events=erasure.events)
        naming = Naming(going.ids, going.uris)
        said = remove(self.journal, erasure.events)
        end_leases(self.journal)
        find_files(
            self.layout, self.artifacts, going, naming, named=named_artifacts(self.catalog), with_cases=bool(erasure.cases)
        ).remove()
        if erasure.delete_backups:
            delete_backups(self.layout)
        delete_going(self.catalog, **roots)
        self.journal.append(erasing_events.finished_events(erasure, rows=going.rows, said=said), keep_first=True)
        self.catalog.forget_projection()
        self._projection.refresh()
        self.catalog.rewrite()
        remove(self.journal, own)
        self.journal.compact()


def _chosen(opened: _Opened, selection: Selection) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids of the sources that go whole, copies among them, and of the clips that go of others. Raises ProjectError for none."""
    if selection.kind not in ERASABLE:
        raise SettingsError(
            f"{selection.kind[:40]}s cannot be erased by themselves: their footage would stay; choose {', '.join(ERASABLE[1:])}s"
        )
    ids: Collection[str] = selection.ids
    if selection.all_matching and selection.kind != SOURCE:
        with opened._library.of(opened.plan) as reading:
            ids = reading.chosen(selection)
    sql = {
        SOURCE: "SELECT DISTINCT id FROM source WHERE id IN (FROM chosen) OR uri IN (FROM chosen)",
        "video": "SELECT DISTINCT source_id FROM video WHERE id IN (FROM chosen)",
        "clip": "SELECT DISTINCT id FROM clip WHERE id IN (FROM chosen)",
        "subject": "SELECT DISTINCT clip_id FROM subject WHERE id IN (FROM chosen)",
    }[selection.kind]
    rows = opened.catalog.query(f"WITH chosen AS (SELECT unnest(?::VARCHAR[]) AS id) {sql} ORDER BY 1", [list(ids)])
    found = tuple(name for (name,) in rows)
    if not found:
        raise ProjectError(
            f"no {selection.kind} of this project is {', '.join(selection.ids)[:200] or 'chosen'}; look for its id"
        )
    return (with_copies(opened.catalog, found), ()) if selection.kind in (SOURCE, "video") else ((), found)


def _marks(catalog: Catalog, sources: Collection[str], salt: str) -> tuple[Mark, ...]:
    """By the file as it lies there now, else by what was read of it. A file that nobody could ever read leaves none."""
    rows = catalog.query(
        """SELECT s.uri, s.num_bytes, s.modified_ns, any_value(v.content_hash) FROM source s LEFT JOIN video v ON v.source_id = s.id
        WHERE s.id IN (SELECT unnest(?::VARCHAR[])) GROUP BY ALL""",
        [list(sources)],
    )
    marks = set()
    for uri, num_bytes, modified_ns, known in rows:
        content = known or _content(Path(uri), num_bytes, modified_ns)
        if content:
            size = erasing_events.salted(salt, str(num_bytes))
            marks.add(Mark(size=size, content=erasing_events.salted(salt, content)))
    return tuple(sorted(marks, key=lambda mark: (mark.size, mark.content)))


def _content(path: Path, num_bytes: int, modified_ns: int) -> str:
    try:
        facts = path.stat()
        return content_of(path) if (facts.st_size, facts.st_mtime_ns) == (num_bytes, modified_ns) else ""
    except OSError:
        return ""


def content_of(path: Path) -> str:
    """BLAKE2b-256 of a file's bytes, as a video's `content_hash`. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()


def _forecast(opened: _Opened, erasure: Erasure, going: Going, naming: Naming, words: Words) -> ErasureForecast:
    files = find_files(
        opened.layout,
        opened.artifacts,
        going,
        naming,
        named=named_artifacts(opened.catalog),
        with_cases=bool(erasure.cases),
    )
    clips = [name for (name,) in opened.catalog.query(_CLIPS, [list(erasure.sources), list(erasure.clips)])]
    with opened._library.of(opened.plan) as reading:
        ((same,),) = reading.now.query(_SAME_ELSEWHERE, [clips])
    return ErasureForecast(
        files=(*going.uris, *going.partly),
        whole=len(going.uris),
        rows=going.rows,
        said=words.counts,
        artifacts=len(files.artifacts),
        cached=len(files.cached),
        answers=len(files.answers),
        studies=_studies(opened.catalog, words),
        same_elsewhere=same,
        leftovers=leftovers(opened.layout),
    )


_CLIPS = """
SELECT c.id FROM clip c JOIN video v ON v.id = c.video_id WHERE v.source_id IN (SELECT unnest(?::VARCHAR[]))
UNION SELECT unnest(?::VARCHAR[])
"""


def _studies(catalog: Catalog, words: Words) -> tuple[str, ...]:
    rows = catalog.query(
        """SELECT json_extract_string(body, '$.design.name') FROM study
        WHERE study_id IN (SELECT unnest(?::VARCHAR[])) AND kind = 'study_created' ORDER BY seq""",
        [sorted(words.studies)],
    )
    return tuple(name or "" for (name,) in rows)
