"""Which rows of the catalog are of footage that is to be erased, and which artifacts nothing else needs then.

A row goes when it is one of the chosen sources, clips or cases, names a row that goes, or was made by work on one. What a
whole video or source was looked at for (its part of the banks, pairs of its clips) is stale once a clip of it goes, and goes
with its work: `curate` makes it again.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from backend.store.catalog import Catalog
from backend.store.erasing_events import Span
from backend.store.schema import ARTIFACT_COLUMNS, KINDS, record_schema

GOING = "SELECT id FROM erased_id"
_STALE = "SELECT id FROM erased_touch"
_WORK_ITEM, _GATHERED = "split_part(r.work_key, ':', 2)", "split_part(r.work_key, ':', 3)"
_AGAIN = f"({_GATHERED} <> '' AND {_WORK_ITEM} IN ({_STALE}))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """What goes of the catalog. `uris` are of files that go whole, `partly` of those that stay with other clips."""

    ids: frozenset[str]
    rows: dict[str, int]
    artifacts: frozenset[str]
    uris: tuple[str, ...]
    partly: tuple[str, ...]
    spans: tuple[Span, ...]
    videos: tuple[str, ...]
    """Videos that go, and those that lose a clip."""


def with_copies(catalog: Catalog, sources: Collection[str]) -> tuple[str, ...]:
    """The sources, those of the same content, and what was listed under the same path before."""
    known = set(sources)
    while True:
        rows = catalog.query(_COPIES, [sorted(known)])
        found = known | {name for (name,) in rows}
        if found == known:
            return tuple(sorted(known))
        known = found


_COPIES = f"""
WITH chosen AS (SELECT unnest(?::VARCHAR[]) AS id)
SELECT o.source_id FROM video v JOIN video o USING (content_hash) WHERE v.source_id IN (FROM chosen)
UNION SELECT o.id FROM source s JOIN source o USING (uri) WHERE s.id IN (FROM chosen)
UNION SELECT split_part(o.work_key, ':', 2) FROM appearance r JOIN appearance o USING (artifact)
WHERE r.subject_id IS NULL AND o.subject_id IS NULL AND {_WORK_ITEM} IN (FROM chosen)
"""


def find_going(
    catalog: Catalog, *, sources: Collection[str], clips: Collection[str], cases: Collection[str], events: Collection[int]
) -> Going:
    """What goes with these; `events` are numbers of the journal's events that go too, whose artifacts nobody keeps."""
    with catalog.session() as connection:
        _mark(connection, [*sources, *clips, *cases], clips)
        ids = frozenset(_column(connection, GOING))
        rows = {
            kind: connection.execute(f'SELECT count(*) FROM "{kind}" AS r WHERE {_goes(kind)}').fetchall()[0][0]
            for kind in KINDS
        }
        kept, lost = _artifacts(connection, events)
        spans = connection.execute(
            "SELECT DISTINCT video_id, start_frame, stop_frame FROM clip WHERE id IN (SELECT unnest(?::VARCHAR[])) ORDER BY ALL",
            [list(clips)],
        ).fetchall()
        uris = _column(connection, "SELECT DISTINCT uri FROM source WHERE id IN (SELECT unnest(?::VARCHAR[]))", sources)
        partly = _column(connection, f"SELECT DISTINCT uri FROM source WHERE id IN ({_STALE})")
        videos = _column(
            connection,
            f"SELECT DISTINCT id FROM video WHERE id IN ({GOING}) OR id IN ({_STALE}) OR source_id IN ({_STALE})",
        )
    return Going(
        ids=ids,
        rows={kind: number for kind, number in rows.items() if number},
        artifacts=frozenset(lost - kept),
        uris=tuple(sorted(uris)),
        partly=tuple(sorted(set(partly) - set(uris))),
        spans=tuple(Span(video_id=video, start_frame=start, stop_frame=stop) for video, start, stop in spans),
        videos=tuple(sorted(videos)),
    )


def delete_going(catalog: Catalog, *, sources: Collection[str], clips: Collection[str], cases: Collection[str]) -> None:
    """Deletes the rows, and the work that made them."""
    with catalog.session() as connection:
        _mark(connection, [*sources, *clips, *cases], clips)
        conditions = {kind: _goes(kind) for kind in KINDS}
        by_item = f"{_WORK_ITEM} IN ({GOING}) OR {_AGAIN}"
        catalog.delete({**conditions, "work": f"r.item_id IN ({GOING}) OR {by_item}", "superseded": by_item})


def named_artifacts(catalog: Catalog) -> set[str]:
    """Every artifact that a row names."""
    with catalog.session() as connection:
        kept, lost = _artifacts(connection, ())
    return kept | lost


def cases_of_pictures(catalog: Catalog, hashes: Collection[str]) -> tuple[str, ...]:
    """Ids of the cases that were evaluated with one of these pictures, by BLAKE2b-128 of their bytes."""
    rows = catalog.query(
        "SELECT DISTINCT id FROM bench_case WHERE len(list_intersect(hashes, ?::VARCHAR[])) > 0",
        [sorted(set(hashes) - {""})],
    )
    return tuple(sorted(name for (name,) in rows))


def _mark(connection: duckdb.DuckDBPyConnection, roots: Iterable[str], clips: Collection[str]) -> None:
    """Makes `erased_id`, all ids that go, and `erased_touch`: the videos and sources that stay without some of their clips."""
    run = connection.execute
    run("CREATE OR REPLACE TEMP TABLE erased_id AS SELECT unnest(?::VARCHAR[]) AS id", [list(roots)])
    run("CREATE OR REPLACE TEMP TABLE erased_touch (id VARCHAR)")
    grown = True
    while grown:
        (before,) = run("SELECT count(*) FROM erased_id").fetchall()[0]
        for kind in KINDS:
            run(
                f'INSERT INTO erased_id SELECT DISTINCT r.id FROM "{kind}" AS r WHERE {_named(kind)} AND r.id NOT IN ({GOING})'
            )
        grown = run("SELECT count(*) FROM erased_id").fetchall()[0][0] > before
    run(
        f"""INSERT INTO erased_touch SELECT DISTINCT unnest([v.id, v.source_id]) FROM clip c JOIN video v ON v.id = c.video_id
        WHERE c.id IN (SELECT unnest(?::VARCHAR[])) AND v.source_id NOT IN ({GOING})""",
        [list(clips)],
    )


def _goes(kind: str) -> str:
    return f"{_named(kind)} OR {_AGAIN}" if kind not in ("source", "sidecar", "video", "clip") else _named(kind)


def _named(kind: str) -> str:
    """Condition on rows `r` of a kind: they are, name or were made by work on what goes."""
    terms = [f"r.id IN ({GOING})", f"{_WORK_ITEM} IN ({GOING})"]
    for column in record_schema(KINDS[kind]):
        if column.name == "target" or (column.name.endswith("_id") and pa.types.is_string(column.type)):
            terms.append(f'r."{column.name}" IN ({GOING})')
        elif column.name.endswith("_ids"):
            terms.append(
                f'r.id IN (SELECT id FROM (SELECT id, unnest("{column.name}") AS part FROM "{kind}") WHERE part IN ({GOING}))'
            )
    return f"({' OR '.join(terms)})"


def _artifacts(connection: duckdb.DuckDBPyConnection, events: Collection[int]) -> tuple[set[str], set[str]]:
    """Artifacts that rows which stay name, and those that rows which go name."""
    named: tuple[set[str], set[str]] = set(), set()
    marked = connection.execute("SELECT 1 FROM duckdb_tables() WHERE temporary AND table_name = 'erased_id'").fetchall()
    for table, column in ARTIFACT_COLUMNS:
        goes = f"coalesce({_goes(table)}, false)" if marked else "false"
        for name, is_lost in connection.execute(
            f'SELECT DISTINCT r."{column}", {goes} FROM "{table}" AS r WHERE r."{column}" NOTNULL'
        ).fetchall():
            named[is_lost].add(name)
    gone = "seq IN (SELECT unnest(?::BIGINT[]))"
    for name, is_lost in connection.execute(
        f"""SELECT DISTINCT crop, {gone} FROM correction WHERE crop NOTNULL
        UNION SELECT DISTINCT picture, lost FROM (SELECT unnest(pictures) AS picture, {gone} AS lost FROM case_put_up)""",
        [list(events), list(events)],
    ).fetchall():
        named[is_lost].add(name)
    return named


def _column(connection: duckdb.DuckDBPyConnection, sql: str, ids: Collection[str] | None = None) -> list[str]:
    return [value for (value,) in connection.execute(sql, [] if ids is None else [list(ids)]).fetchall()]
