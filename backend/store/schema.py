"""The catalog's tables, derived from the records: one append-only table per record type.

`work_key` names the work that made a row, `stage_key` is its first part (low-cardinality, so scans by it are cheap).
"""

import dataclasses
import types
from collections.abc import Sequence
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa

from backend.domain import MACHINE_RECORDS, Record

SCHEMA_VERSION = 15
"""2 added `rights`, 3 `sidecar`, 4 `bench_case` and `generation`, 5 `plate` and `sample`, 6 `case_put_up`, `case_edit` and columns,
7 `bank_part`, 8 `study`, `study_event` and when a vote was received, 9 `exclusion` and `asked`, 10 a generation's settings, 11 `correction`,
12 `job` and when work ended, 13 `erased_span`, 14 `case_planted`, 15 `consent`."""

PEOPLE_SINCE = 12
"""The last version that projects more of what people said; their part of an older catalog is read anew from the journal."""

KINDS: dict[str, type] = {record.KIND: record for record in MACHINE_RECORDS}
"""Record types by table name."""

ARTIFACT_COLUMNS = (
    ("video", "index"),
    ("appearance", "artifact"),
    ("mask", "crop"),
    ("plate", "artifact"),
    ("bank_part", "artifact"),
    ("score", "evidence"),
)
"""Columns that name artifacts; these files are on the disk before the rows are committed."""

WORK_SCHEMA = pa.schema(
    [
        ("work_key", pa.string()),
        ("stage", pa.string()),
        ("stage_key", pa.string()),
        ("item_id", pa.string()),
        ("state", pa.string()),  # ok, warned, filtered, failed
        ("kind", pa.string()),  # of a failure
        ("message", pa.string()),
        ("attempt", pa.int32()),
        ("seconds", pa.float64()),
        ("run_id", pa.string()),
        ("ended_at", pa.string()),  # UTC; NULL before version 12
    ]
)

VOTE_SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
        ("id", pa.string()),
        ("rev", pa.int64()),
        ("study_id", pa.string()),
        ("trial_id", pa.string()),
        ("item_id", pa.string()),
        ("rater", pa.string()),
        ("rater_kind", pa.string()),
        ("question", pa.string()),
        ("choice", pa.string()),
        ("strength", pa.int64()),
        ("reasons", pa.list_(pa.string())),
        ("comment", pa.string()),
        ("shown_order", pa.list_(pa.string())),
        ("visible_ms", pa.int64()),
        ("made_at", pa.string()),
        ("received_at", pa.string()),  # by the server's clock
    ]
)

RIGHTS_SCHEMA = pa.schema(
    [("seq", pa.int64()), ("source_id", pa.string()), ("licence", pa.string()), ("attribution", pa.string())]
)
"""What people said of sources after these had been listed; NULL leaves what was said before."""

CASE_PUT_UP_SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
        ("draw", pa.string()),
        ("path", pa.string()),
        ("name", pa.string()),
        ("content", pa.string()),
        ("clip_id", pa.string()),
        ("pictures", pa.list_(pa.string())),
        ("body", pa.string()),
    ]
)
"""Cases that a person is asked to approve; of each `path` the last `draw` counts. `body` is the Case as JSON."""

CASE_EDIT_SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
        ("content", pa.string()),
        ("prompt", pa.string()),
        ("rater", pa.string()),
        ("made_at", pa.string()),
    ]
)
"""Prompts that people wrote in place of a case's; `content` is that of the case before."""

CASE_PLANTED_SCHEMA = pa.schema(
    [("seq", pa.int64()), ("content", pa.string()), ("prompt_of", pa.string()), ("pictures_of", pa.string())]
)
"""Cases that are faulty on purpose, and the contents that they were made of."""

STUDY_SCHEMA = pa.schema([("seq", pa.int64()), ("kind", pa.string()), ("study_id", pa.string()), ("body", pa.string())])
"""Studies as decided, and their items, in parts; `body` is JSON."""

STUDY_EVENT_SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
        ("kind", pa.string()),
        ("study_id", pa.string()),
        ("participant", pa.string()),
        ("happened_at", pa.string()),  # by the server's clock
        ("body", pa.string()),
    ]
)
"""What happened to invitations and participants; `body` is JSON."""

EXCLUSION_SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
        ("kind", pa.string()),
        ("item_id", pa.string()),
        ("excluded", pa.bool_()),
        ("reason", pa.string()),
        ("rater", pa.string()),
        ("made_at", pa.string()),
    ]
)
"""Items that people took out, or in again; of each the last word counts."""

ASKED_SCHEMA = pa.schema([("seq", pa.int64()), ("study_id", pa.string()), ("item_id", pa.string()), ("rater", pa.string())])
"""Items of a standing study that people want judged before others."""

CORRECTION_SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
        ("id", pa.string()),
        ("rev", pa.int64()),
        ("what", pa.string()),  # of backend.domain.corrections.CORRECTED
        ("item_id", pa.string()),
        ("text", pa.string()),
        ("living", pa.bool_()),
        ("box", pa.list_(pa.float64())),
        ("counts", pa.string()),
        ("crop", pa.string()),
        ("withdrawn", pa.bool_()),
        ("rater", pa.string()),
        ("made_at", pa.string()),
    ]
)
"""Values by people in place of machines'; of each item and `what` the last that was not withdrawn counts."""

JOB_SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
        ("job_id", pa.string()),
        ("event", pa.string()),  # of backend.store.job_events.JOB_EVENTS
        ("actor", pa.string()),
        ("at", pa.string()),  # by the server's clock
        ("body", pa.string()),
    ]
)
"""Long work that was asked for, and how it ended; `body` is JSON."""

ERASED_SPAN_SCHEMA = pa.schema(
    [("seq", pa.int64()), ("video_id", pa.string()), ("start_frame", pa.int64()), ("stop_frame", pa.int64())]
)
"""Frames of which nothing is kept: a clip that has any of them is never shown or worked on again."""

CONSENT_SCHEMA = pa.schema(
    [
        ("seq", pa.int64()),
        ("kind", pa.string()),  # of backend.domain.privacy.CONSENTING
        ("item_id", pa.string()),
        ("version", pa.string()),
        ("scope", pa.string()),
        ("purposes", pa.list_(pa.string())),  # none: withdrawn
        ("given_at", pa.string()),
        ("rater", pa.string()),
    ]
)
"""What people whom footage shows agreed to; of each item the last word counts."""

PEOPLE: dict[str, pa.Schema] = {
    "vote": VOTE_SCHEMA,
    "rights": RIGHTS_SCHEMA,
    "case_put_up": CASE_PUT_UP_SCHEMA,
    "case_edit": CASE_EDIT_SCHEMA,
    "case_planted": CASE_PLANTED_SCHEMA,
    "study": STUDY_SCHEMA,
    "study_event": STUDY_EVENT_SCHEMA,
    "exclusion": EXCLUSION_SCHEMA,
    "asked": ASKED_SCHEMA,
    "correction": CORRECTION_SCHEMA,
    "job": JOB_SCHEMA,
    "erased_span": ERASED_SPAN_SCHEMA,
    "consent": CONSENT_SCHEMA,
}
"""The tables that are projected from the journal."""

RIGHTS_NOW = """
SELECT source_id, arg_max(licence, seq) FILTER (licence NOTNULL) AS licence,
    arg_max(attribution, seq) FILTER (attribution NOTNULL) AS attribution FROM rights GROUP BY 1
"""
"""The last word on each source that anything was said of."""

SOURCE_NOW = f"""
SELECT s.* REPLACE (coalesce(r.licence, s.licence) AS licence, coalesce(r.attribution, s.attribution) AS attribution)
FROM source s LEFT JOIN ({RIGHTS_NOW}) r ON r.source_id = s.id
"""
"""Sources with the licence and attribution that hold now."""

WORK_NOW = "SELECT w.* FROM work w ANTI JOIN superseded s ON s.work_key = w.work_key AND s.attempt = w.attempt"
"""Work rows that a later attempt has not replaced."""


@cache
def record_schema(record: type) -> pa.Schema:
    """Arrow schema of a record's table: id, work_key, stage_key, then the record's fields in their order."""
    hints = get_type_hints(record)
    fields = [pa.field(name, pa.string()) for name in ("id", "work_key", "stage_key")]
    fields += [pa.field(f.name, _arrow_type(hints[f.name])) for f in dataclasses.fields(record)]
    return pa.schema(fields)


def to_arrow(record: type, rows: Sequence[Record], work_keys: Sequence[str]) -> pa.Table:
    """Records as an Arrow table of `record_schema`; `work_keys[i]` is the work that made `rows[i]`."""
    schema = record_schema(record)
    columns: dict[str, Any] = {"id": [row.id for row in rows], "work_key": list(work_keys)}
    columns["stage_key"] = [key.partition(":")[0] for key in work_keys]
    for field in dataclasses.fields(record):
        columns[field.name] = [getattr(row, field.name) for row in rows]
    return pa.table({name: pa.array(values, schema.field(name).type) for name, values in columns.items()}, schema=schema)


def from_arrow(record: type, table: pa.Table) -> list[Any]:
    """Records of an Arrow table that holds at least the record's fields."""
    hints = get_type_hints(record)
    names = [field.name for field in dataclasses.fields(record)]
    columns = [_column(table.column(name), hints[name]) for name in names]
    return [record(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]


def create_statements() -> list[str]:
    """SQL that makes every table of an empty catalog. A record's column has its field's default where a row says nothing."""
    return [
        *(_create(name, schema) for name, schema in table_schemas().items()),
        f"INSERT INTO meta VALUES ('schema_version', '{SCHEMA_VERSION}')",
    ]


def table_schemas() -> dict[str, pa.Schema]:
    """Every table of the catalog by name."""
    tables = {kind: record_schema(record) for kind, record in KINDS.items()}
    tables["work"] = WORK_SCHEMA
    tables["superseded"] = pa.schema([("work_key", pa.string()), ("attempt", pa.int32())])
    tables |= PEOPLE
    tables["watermark"] = pa.schema([("seq", pa.int64()), ("hash", pa.string())])
    tables["meta"] = pa.schema([("key", pa.string()), ("value", pa.string())])
    return tables


def is_read_anew(table: str, version: int) -> bool:
    """Whether a table of a catalog of that version is left behind: it is made again, from the journal or by us."""
    return table == "meta" or (version < PEOPLE_SINCE and table in (*PEOPLE, "watermark"))


def _create(name: str, schema: pa.Schema) -> str:
    return f"CREATE TABLE {name} ({', '.join(_column_definition(name, field) for field in schema)})"


def _column_definition(table: str, field: pa.Field) -> str:
    fields = {f.name: f.default for f in dataclasses.fields(KINDS[table])} if table in KINDS else {}
    match fields.get(field.name):
        case ():
            default = " DEFAULT []"
        case "":
            default = " DEFAULT ''"
        case _:
            default = ""
    return f'"{field.name}" {_sql_type(field.type)}{default}'


def _column(column: pa.ChunkedArray, hint: Any) -> list[Any]:
    if hint is np.ndarray:
        return [np.asarray(value.values.to_numpy(zero_copy_only=False), dtype=np.float32) for value in column]
    values = column.to_pylist()
    if get_origin(_required(hint)) is tuple:
        nested = get_origin(get_args(_required(hint))[0]) is tuple
        return [_tuple(value, nested) for value in values]
    return values


def _tuple(value: Any, nested: bool) -> Any:
    if value is None:
        return None
    return tuple(tuple(v) for v in value) if nested else tuple(value)


def _required(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        return next(a for a in get_args(hint) if a is not type(None))
    return hint


def _arrow_type(hint: Any) -> pa.DataType:
    hint = _required(hint)
    if hint is np.ndarray:
        return pa.list_(pa.float32())
    if get_origin(hint) is tuple:
        return pa.list_(_arrow_type(get_args(hint)[0]))
    scalars = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), bytes: pa.binary()}
    return scalars[hint]


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    names = {
        pa.string(): "VARCHAR",
        pa.int64(): "BIGINT",
        pa.int32(): "INTEGER",
        pa.float64(): "DOUBLE",
        pa.float32(): "FLOAT",
        pa.bool_(): "BOOLEAN",
        pa.binary(): "BLOB",
    }
    return names[kind]
