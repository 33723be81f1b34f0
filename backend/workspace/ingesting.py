"""Listing files as Sources."""

import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from backend.api import IngestSummary
from backend.domain import ProjectError, Sidecar, Source
from backend.media.listing import scan
from backend.stages.sidecars import SidecarDigests
from backend.store.catalog import Catalog
from backend.store.erasing_events import Erased
from backend.store.journal import Journal
from backend.store.journal_schema import rights_event
from backend.store.schema import SOURCE_NOW
from backend.workspace.erasing import content_of

OWN = ("artifacts", "index", "exports", "runs", "backups")
OWN_FILES = re.compile(r"project\.toml(\.tmp)?|journal\..*|catalog\..*|owner\.lock|report\.html")
SIDECARS = (".txt", ".json")
EVENT_SOURCES = 10_000  # of one event: 300 KB, where a journal's body holds 1 MiB
LISTED = "listed"  # the work key of sources: no stage made them


def ingest(
    catalog: Catalog,
    journal: Journal,
    *,
    paths: Sequence[str],
    licence: str | None,
    attribution: str | None,
    project: Path,
    erased: Erased,
    again: bool = False,
) -> IngestSummary:
    """Adds the files below the paths that are not known yet; the project's own stores are left out.

    So is what was erased from the project, wherever it lies now and whatever it is called, unless `again`.

    Known files get the given licence and attribution by an event of the journal; the catalog must be projected. Raises ProjectError for a path that does not exist, or when no file was found at all.
    """
    files, remarks = _listed(paths, project)
    if not again and erased.any_files:
        files, gone = _unerased(files, erased)
        remarks = (*remarks, *gone)
    stated = {"licence": licence, "attribution": attribution}
    sources = {}
    for file in files:
        facts = file.stat()
        source = Source(uri=str(file), num_bytes=facts.st_size, modified_ns=facts.st_mtime_ns, **stated)
        sources[source.id] = source
    beside = SidecarDigests()
    digests = {name: beside.of(Path(source.uri)) for name, source in sources.items() if not _is_sidecar(source.uri)}
    with catalog.session():  # held over look and add, so that of two who list a file at once one finds it known
        known = {
            row[0]: {"licence": row[1], "attribution": row[2]}
            for row in catalog.query(f"SELECT id, licence, attribution FROM ({SOURCE_NOW})")
        }
        fresh = [source for source in sources.values() if source.id not in known]
        catalog.add_records(fresh, work_key=LISTED)
        edited = _changed_sidecars(catalog, digests)
        if edited:
            catalog.add_records(edited, work_key=f"{LISTED}:{uuid.uuid4().hex}")  # one that comes back is a row anew
    num_edited = sum(sidecar.source_id in known for sidecar in edited)
    if num_edited:
        remarks = (*remarks, f"{num_edited} known file{'s' if num_edited > 1 else ''} with changed captions beside")
    said = {name: value for name, value in stated.items() if value is not None}
    changed = [name for name in sources if name in known and not said.items() <= known[name].items()]
    parts = [changed[start : start + EVENT_SOURCES] for start in range(0, len(changed), EVENT_SOURCES)]
    journal.append([rights_event(part, licence=licence, attribution=attribution) for part in parts])
    if changed:
        words = " and ".join(f"{name} {value!r}" for name, value in said.items())
        remarks = (*remarks, f"{len(changed)} known file{'s' if len(changed) > 1 else ''} now with {words}")
    return IngestSummary(taken=len(fresh), known=len(sources) - len(fresh), remarks=tuple(remarks))


def _listed(paths: Sequence[str], project: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Files below the paths, without the project's own and what stands beside a video, and remarks. Raises ProjectError."""
    for path in paths:
        if not Path(path).exists():
            raise ProjectError(f"{path} does not exist; name a video or a folder with videos")
    files, remarks = scan([Path(path) for path in paths])
    files = _without_sidecars(tuple(file for file in files if not _is_own(file.resolve(), project)))
    if not files:
        hint = f" ({remarks[0]})" if remarks else ""
        raise ProjectError(f"no file found in {', '.join(paths)}{hint}; name a video or a folder with videos")
    return files, remarks


def _unerased(files: Sequence[Path], erased: Erased) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Files that were never erased, and a remark on each of the others. Raises ProjectError when none is left."""
    gone = {file for file in files if _was_erased(file, erased)}
    remarks = tuple(f"{file} was erased from this project and is left out; --again takes it" for file in sorted(gone))
    left = tuple(file for file in files if file not in gone)
    if not left:
        raise ProjectError(f"{remarks[-1]}, if whoever had it erased agrees")
    return left, remarks


def _was_erased(file: Path, erased: Erased) -> bool:
    """A file is read only when one of its size was erased. What cannot be read is listed, and fails when it is looked at."""
    try:
        num_bytes = file.stat().st_size
        return erased.may_be_file(num_bytes) and erased.is_file(num_bytes, content_of(file))
    except OSError:
        return False


def _is_own(file: Path, project: Path) -> bool:
    if not file.is_relative_to(project):
        return False
    below = file.relative_to(project).parts
    return below[0] in OWN or (len(below) == 1 and OWN_FILES.fullmatch(below[0]) is not None)


def _changed_sidecars(catalog: Catalog, digests: Mapping[str, str]) -> list[Sidecar]:
    last = dict(
        catalog.query(
            "SELECT source_id, digest FROM sidecar QUALIFY row_number() OVER (PARTITION BY source_id ORDER BY rowid DESC) = 1"
        )
    )
    return [Sidecar(source_id=name, digest=now) for name, now in digests.items() if now != last.get(name, "")]


def _is_sidecar(name: str) -> bool:
    return Path(name).suffix.lower() in SIDECARS


def _without_sidecars(files: Sequence[Path]) -> tuple[Path, ...]:
    """Leaves out `NAME.txt` and `NAME.json` beside a file `NAME.*`: the caption stage reads those with their video."""
    media = {file.with_suffix("") for file in files if not _is_sidecar(file.name)}
    return tuple(file for file in files if not _is_sidecar(file.name) or file.with_suffix("") not in media)
