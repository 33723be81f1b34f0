"""Rows of metadata tables: CSV, TSV, JSONL, a JSON list, Parquet. What others wrote is not believed; a wrong row is a fault."""

import ast
import csv
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from backend.domain import ImportRefused
from backend.exports.table_map import TableMap
from backend.media.guard import run_guarded

SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
MOST_LINE_BYTES = 16 * 2**20
MOST_JSON_BYTES = 2 * 2**30
"""A JSON list is read whole; longer ones are to be made JSONL."""
MOST_CHARS = 100_000
MOST_PLACE = 10**9  # seconds or frames
_CLOCK = re.compile(r"(?:(\d{1,9}):)?(\d{1,2}):(\d{1,2}(?:\.\d+)?)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A clip that a table tells of. `names` are of files to look for, the clip's own before the whole video's."""

    number: int
    """From 1, in the table."""
    names: tuple[str, ...]
    is_clip: bool
    """Whether a file of the first name is the clip alone."""
    captions: tuple[str, ...] = ()
    span: tuple[float, float] | None = None
    in_seconds: bool = True
    licence: str | None = None
    attribution: str | None = None
    scores: Mapping[str, float | None]


def table_rows(path: Path, told: TableMap) -> Iterator[TableRow | str]:
    """Each row, or a sentence saying what is wrong with it. Raises ImportRefused for a file that is no table of this map."""
    wanted = (told.video, *([told.caption] if told.caption else ()))
    for number, raw in enumerate(_raw_rows(path, told.columns(), wanted), start=1):
        try:
            yield _row(raw, told, number)
        except ValueError as error:
            yield f"{path.name}, row {number}: {error}"


def file_names(path: Path, column: str) -> Iterator[str]:
    """One column's paths, as `TableRow.names` has them; empty where a row names none. Raises ImportRefused as `table_rows` does."""
    for raw in _raw_rows(path, (column,), (column,)):
        try:
            yield _file_name(raw.get(column))
        except ValueError:
            yield ""


def parquet_size(path: str) -> list[Any]:
    """Names of the columns and number of row groups; run in a child process."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return [list(file.schema_arrow.names), file.num_row_groups]


def parquet_group(path: str, group: int, columns: list[str]) -> str:
    """Rows of a row group as JSON; run in a child process. What JSON has no word for becomes text."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return json.dumps(file.read_row_group(group, columns=columns).to_pylist(), default=str)


def _raw_rows(path: Path, columns: Sequence[str], wanted: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Rows with at least `columns`, those that there are; refuses a table without one that is `wanted`."""
    if path.suffix.lower() not in SUFFIXES:
        raise ImportRefused(f"{path} is no table that is read here; give one of {', '.join(SUFFIXES)}")
    try:
        match path.suffix.lower():
            case ".csv" | ".tsv":
                yield from _csv_rows(path, wanted)
            case ".jsonl":
                yield from _lines(path)
            case ".json":
                yield from _listed(path)
            case _:
                yield from _parquet_rows(path, columns, wanted)
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ImportRefused(f"{path} is not UTF-8 (at byte {error.start}); save it as UTF-8") from error


def _csv_rows(path: Path, wanted: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    csv.field_size_limit(min(MOST_LINE_BYTES, sys.maxsize))
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        try:
            _require(path, wanted, reader.fieldnames or ())
            yield from reader
        except csv.Error as error:
            raise ImportRefused(f"{path} line {reader.line_num}: {error}") from error


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open("rb") as file:
        number = 0
        while data := file.readline(MOST_LINE_BYTES):
            number += 1
            if not data.strip():
                continue
            try:
                row = json.loads(data)
            except (ValueError, RecursionError) as error:
                raise ImportRefused(f"{path} line {number} is no JSON: {error}") from error
            yield _object(path, row, number)


def _listed(path: Path) -> Iterator[Mapping[str, Any]]:
    if path.stat().st_size > MOST_JSON_BYTES:
        raise ImportRefused(f"{path} is larger than {MOST_JSON_BYTES >> 30} GiB; make it JSONL, a row a line")
    try:
        rows = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ImportRefused(f"{path} is no JSON: {error}") from error
    if not isinstance(rows, list):
        raise ImportRefused(f"{path} is no list of rows; OpenS2V's metadata is read by `import opens2v`")
    for number, row in enumerate(rows, start=1):
        yield _object(path, row, number)


def _parquet_rows(path: Path, columns: Sequence[str], wanted: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Crafted Parquet can crash its reader, which is therefore a child."""
    names, num_groups = run_guarded(parquet_size, (str(path),), subject=path.name)
    _require(path, wanted, names)
    read = [name for name in columns if name in names]
    for group in range(num_groups):
        yield from json.loads(run_guarded(parquet_group, (str(path), group, read), subject=path.name, wall_s=300.0))


def _object(path: Path, row: Any, number: int) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise ImportRefused(f"{path} row {number} is no object with columns")
    return row


def _require(path: Path, wanted: Sequence[str], names: Any) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        has = ", ".join(map(str, names))[:300]
        raise ImportRefused(f"{path} has no column {missing[0]!r}; it has {has}; see docs/formats.md")


def _row(raw: Mapping[str, Any], told: TableMap, number: int) -> TableRow:
    whole = _file_name(raw.get(told.video))
    clip = _file_name(raw.get(told.clip)) if told.clip else ""
    names = tuple(name for name in (clip, whole) if name)
    if not names:
        raise ValueError(f"{told.video} names no file")
    return TableRow(
        number=number,
        names=names,
        is_clip=bool(clip),
        captions=_captions(raw.get(told.caption)) if told.caption else (),
        span=_span(raw, told),
        in_seconds=told.unit == "seconds",
        licence=_text(raw.get(told.licence)) if told.licence else None,
        attribution=_text(raw.get(told.attribution)) if told.attribution else None,
        scores={name: _number(raw.get(column)) for name, column in told.scores.items()},
    )


def _file_name(value: Any) -> str:
    """What a file is looked for by: a path as it stands, an address's `v`, or else the last part of it."""
    text = _text(value) or ""
    if "://" not in text:
        return text.replace("\\", "/")
    try:
        parts = urlsplit(text)
        return parse_qs(parts.query).get("v", [""])[0] or parts.path.rstrip("/").rpartition("/")[2]
    except ValueError as error:
        raise ValueError(f"{text[:80]!r} is no address") from error


def _span(raw: Mapping[str, Any], told: TableMap) -> tuple[float, float] | None:
    if told.span:
        value = _sequence(raw.get(told.span))
    elif told.start and told.stop:
        value = [raw.get(told.start), raw.get(told.stop)]
    else:
        return None
    if value is None or all(one in (None, "") for one in value):
        return None
    ends = [_place(one) for one in value]
    if len(ends) != 2 or not 0 <= ends[0] < ends[1] < MOST_PLACE:
        raise ValueError(f"{str(value)[:60]} is no span from a start to a later stop")
    return ends[0], ends[1]


def _sequence(value: Any) -> list[Any] | None:
    """A list, or the text of one as CSV holds it."""
    if isinstance(value, str) and value.strip():
        try:
            value = ast.literal_eval(value) if len(value) < 200 else None
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            value = value.split("-") if value.count("-") == 1 else None
    if value in (None, ""):
        return None
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{str(value)[:60]} is no pair of times")
    return list(value)


def _place(value: Any) -> float:
    """Seconds of `0:01:02.5` or of a number; frames."""
    text = str(value).strip()
    if clock := _CLOCK.fullmatch(text):
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3])
    found = _number(value)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no time")
    return found


def _captions(value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    return tuple(text for one in listed if (text := _text(one)))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, (list, dict)):
        return None
    return str(value).strip()[:MOST_CHARS] or None


def _number(value: Any) -> float | None:
    """A finite number, None for anything else: a table has empty cells and words for them."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None
