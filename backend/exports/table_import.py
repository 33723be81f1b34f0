"""`import table`: captions of a metadata table, laid beside those of its videos that are here (docs/formats.md).

A table may tell of many more than are here. Rows whose file is not there yet are counted and can be listed, for whatever
fetches them; the same command takes them once they are.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain import ImportRefused
from backend.exports.beside import Faults, Files, write_beside
from backend.exports.table_map import TableMap
from backend.exports.table_rows import TableRow, table_rows
from backend.exports.where import Column, parse_where

SIDECAR = "_step_table.json"
"""`VIDEO_step_table.json`: curation reads what begins with `VIDEO_step` (`backend.stages.sidecars`)."""
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
    here = Files(videos)
    of_video: dict[Path, list[tuple[TableRow, bool]]] = defaultdict(list)
    faults, waiting = Faults(), dict[str, None]()
    rows = chosen = 0
    for row in table_rows(path, told):
        rows += 1
        if isinstance(row, str):
            faults.add(row)
            continue
        if not condition.matches(row.scores):
            continue
        chosen += 1
        found_as = next(((name, video) for name in row.names if (video := here.find(name))), None)
        if found_as is None:
            waiting[row.names[-1]] = None
        else:
            of_video[found_as[1]].append((row, row.is_clip and found_as[0] == row.names[0]))
    written = captions = 0
    stated: dict[tuple[str | None, str | None], list[Path]] = defaultdict(list)
    for video, found in sorted(of_video.items()):
        document = _document(video, found)
        try:
            written += write_beside(video, SIDECAR, document)
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


def _document(video: Path, found: list[tuple[TableRow, bool]]) -> dict[str, Any]:
    """The sidecar. Scores stay beside their caption: they are on another's scale and no scores of the project."""
    captions = []
    for row, is_whole in found:
        unit = ("start_s", "stop_s") if row.in_seconds else ("start_frame", "stop_frame")
        ends = dict(zip(unit, row.span, strict=True)) if row.span and not is_whole else {}
        scores = {name: value for name, value in row.scores.items() if value is not None}
        captions += [{"caption": text, **ends, **({"scores": scores} if scores else {})} for text in row.captions]
    return {"file": video.name, "captions": captions}
