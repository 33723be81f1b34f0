"""`import table`: captions of a metadata table, laid beside those of its videos that are here (docs/formats.md).

A table may tell of many more than are here. Rows whose file is not there yet are counted and can be listed, for whatever
fetches them; the same command takes them once they are.
"""

import json
import os
import re
import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from backend.domain import ImportRefused
from backend.exports.table_map import TableMap
from backend.exports.table_rows import TableRow, table_rows
from backend.exports.where import Column, parse_where

SIDECAR = "_step_table.json"
"""`VIDEO_step_table.json`: curation reads what begins with `VIDEO_step` (`backend.stages.sidecars`)."""
MOST_FAULTS = 1000
"""Faults that are kept; the others are counted."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Control letters, and all that somebody takes for the end of a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTaken:
    """What a table gave. `stated` groups the videos by licence and attribution, as rows state them."""

    stated: Mapping[tuple[str | None, str | None], tuple[Path, ...]]
    rows: int
    chosen: int
    """Rows that the condition takes."""
    captions: int
    written: int
    """Sidecars that are new or changed."""
    waiting: tuple[str, ...]
    """Names of files that chosen rows tell of and that are not here."""
    faults: tuple[str, ...] = ()

    @property
    def videos(self) -> int:
        return sum(map(len, self.stated.values()))


def take_table(path: Path, videos: Path, told: TableMap, *, keep: str = "") -> TableTaken:
    """Reads a table and writes a sidecar for each of its videos found below `videos`, with the rows that `keep` takes.

    `keep` is a condition over the map's scores, as in `export --where`. Raises ImportRefused for a table that cannot be read,
    SettingsError for a wrong condition.
    """
    if not videos.is_dir():
        raise ImportRefused(f"{videos} is no folder; name the one that holds the videos with --videos")
    condition = parse_where(keep, {name: Column("number", f"column {column}") for name, column in told.scores.items()})
    here = _Files(videos)
    of_video: dict[Path, list[tuple[TableRow, bool]]] = defaultdict(list)
    faults, waiting = _Faults(), dict[str, None]()
    rows = chosen = 0
    for row in table_rows(path, told):
        rows += 1
        if isinstance(row, str):
            faults.add(row)
            continue
        if not condition.matches(row.scores):
            continue
        chosen += 1
        video, is_whole = here.find(row)
        if video is None:
            waiting[row.names[-1]] = None
        else:
            of_video[video].append((row, is_whole))
    written = captions = 0
    stated: dict[tuple[str | None, str | None], list[Path]] = defaultdict(list)
    for video, found in sorted(of_video.items()):
        document = _document(video, found)
        try:
            written += _write(video, document)
        except ImportRefused as error:
            faults.add(str(error))
            continue
        captions += len(document["captions"])
        rights = {(row.licence, row.attribution) for row, _ in found}
        if len(rights) > 1:
            faults.add(f"{video.name} has rows under {len(rights)} licences or attributions; it is listed without any")
        stated[rights.pop() if len(rights) == 1 else (None, None)].append(video)
    return TableTaken(
        stated={rights: tuple(paths) for rights, paths in stated.items()},
        rows=rows,
        chosen=chosen,
        captions=captions,
        written=written,
        waiting=tuple(waiting),
        faults=faults.told(),
    )


def write_missing(found: TableTaken, path: Path) -> None:
    """Writes the names of files that are not here yet, each on one line: what would end it, or is no text, becomes an escape."""
    lines = (_CONTROL.sub(lambda end: end[0].encode("unicode_escape").decode("ascii"), name) for name in found.waiting)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8", "backslashreplace")


class _Files:
    """Files below a folder, by name and by stem. Only what was listed is taken, wherever a table's path would lead."""

    def __init__(self, folder: Path) -> None:
        self._names: dict[str, list[Path]] = defaultdict(list)
        for place, _, names in os.walk(folder):
            for name in names:
                if not name.endswith((".json", ".txt")):
                    path = Path(place, name).absolute()
                    for key in {name, path.stem}:
                        self._names[key].append(path)

    def find(self, row: TableRow) -> tuple[Path | None, bool]:
        """The row's file where there is just one, and whether it is the clip alone."""
        for number, name in enumerate(row.names):
            parts = PurePosixPath(name).parts
            found = self._names.get(parts[-1], []) if parts else []
            exact = [path for path in found if path.parts[-len(parts) :] == parts]
            if len(exact) == 1 or (not exact and len(found) == 1):
                return (exact or found)[0], row.is_clip and number == 0
        return None, False


class _Faults:
    def __init__(self) -> None:
        self._kept: list[str] = []
        self._more = 0

    def add(self, fault: str) -> None:
        if len(self._kept) < MOST_FAULTS:
            self._kept.append(fault)
        else:
            self._more += 1

    def told(self) -> tuple[str, ...]:
        return (*self._kept, *([f"{self._more} more rows are wrong"] if self._more else ()))


def _document(video: Path, found: list[tuple[TableRow, bool]]) -> dict[str, Any]:
    """The sidecar. Scores stay beside their caption: they are on another's scale and no scores of the project."""
    captions = []
    for row, is_whole in found:
        unit = ("start_s", "stop_s") if row.in_seconds else ("start_frame", "stop_frame")
        ends = dict(zip(unit, row.span, strict=True)) if row.span and not is_whole else {}
        scores = {name: value for name, value in row.scores.items() if value is not None}
        captions += [{"caption": text, **ends, **({"scores": scores} if scores else {})} for text in row.captions]
    return {"file": video.name, "captions": captions}


def _write(video: Path, document: Mapping[str, Any]) -> bool:
    """Writes the sidecar unless it says all of this already."""
    path = video.with_name(f"{video.stem}{SIDECAR}")
    data = (json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode(errors="backslashreplace")
    working = path.with_name(f".{video.stem[:100]}.{secrets.token_hex(4)}")
    try:
        if path.exists() and path.read_bytes() == data:
            return False
        working.write_bytes(data)
        working.replace(path)
    except OSError as error:
        working.unlink(missing_ok=True)
        raise ImportRefused(
            f"{path} cannot be written ({error.strerror}); curation reads captions beside the video, so copy the videos "
            "to a folder of your own or free space"
        ) from error
    return True
