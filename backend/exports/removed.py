"""`removed.jsonl`: what was erased from a project, by salted digests, so that an older export is read without it.

The file lies in the project's folder of exports, beside those that were written there. Laid into a copy that went elsewhere,
or beside it, it holds there too. It names nobody: a digest tells only whoever has the id or the content already.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from backend.domain import ImportRefused
from backend.exports.rows import ExportPair, ExportSample, ExportSide, ExportVideo
from backend.store.erasing_events import CLIPS, FOOTAGE, events_of_kind, salted
from backend.store.journal import Journal
from backend.store.whole_file import write_whole

REMOVED = "removed.jsonl"
MOST_BYTES = 256 << 20
_DIGEST = re.compile(r"[0-9a-f]{8,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedLine:
    """One erasure's: digests of ids and of contents under its salt; or spans of a video of which clips were erased."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    salt: str = ""
    items: list[str] = field(default_factory=list)
    contents: list[str] = field(default_factory=list)
    video_id: str = ""
    spans: list[tuple[int, int]] = field(default_factory=list)


_LINE = TypeAdapter(RemovedLine)


class Removed:
    """Tells what of an export was erased since. Nothing without lines."""

    def __init__(self, lines: tuple[RemovedLine, ...] = ()) -> None:
        self._items: dict[str, set[str]] = {}
        self._contents: dict[str, set[str]] = {}
        self._spans: dict[str, list[tuple[int, int]]] = {}
        for line in lines:
            if line.salt:
                self._items.setdefault(line.salt, set()).update(line.items)
                self._contents.setdefault(line.salt, set()).update(line.contents)
            if line.video_id:
                self._spans.setdefault(line.video_id, []).extend(line.spans)

    def __bool__(self) -> bool:
        return bool(self._items or self._spans)

    def has_pair(self, pair: ExportPair) -> bool:
        """Whether the pair, or a side of it, was erased."""
        return self._is_item(pair.pair_id) or any(self._has_side(side) for side in (pair.target, pair.reference))

    def has_video(self, video: ExportVideo) -> bool:
        """Whether a video was erased whole."""
        return self._is_content(video.content_hash)

    def without(self, sample: ExportSample, *, erased_pairs: frozenset[str]) -> ExportSample | None:
        """The sample without references and anchors that were erased; None where its clip was, or no reference is left.

        `erased_pairs` are the ids of the export's pairs that were erased.
        """
        if self._is_item(sample.clip_id) or self._is_span(sample.video_id, sample.start_frame, sample.stop_frame):
            return None
        references = tuple(one for one in sample.references if one.pair_id not in erased_pairs)
        anchors = tuple(
            one
            for one in sample.anchors
            if not self._is_item(one.appearance_id)
            and not (one.frame is not None and self._is_span(sample.video_id, one.frame, one.frame + 1))
        )
        return replace(sample, references=references, anchors=anchors) if references else None

    def _has_side(self, side: ExportSide) -> bool:
        if any(self._is_item(name) for name in (side.appearance_id, side.subject_id, side.clip_id) if name):
            return True
        if side.video_hash and self._is_content(side.video_hash):
            return True
        if side.video_id is None or side.start_frame is None or side.stop_frame is None:
            return False
        return self._is_span(side.video_id, side.start_frame, side.stop_frame)

    def _is_item(self, name: str) -> bool:
        return any(salted(salt, name) in found for salt, found in self._items.items())

    def _is_content(self, content: str) -> bool:
        return any(salted(salt, content) in found for salt, found in self._contents.items())

    def _is_span(self, video_id: str, start: int, stop: int) -> bool:
        return any(start < last and first < stop for first, last in self._spans.get(video_id, ()))


def write_removed(journal: Journal, folder: Path) -> bool:
    """Writes the file anew from the journal; whether there is anything to say. Without an erasure there is no file."""
    lines = [json.dumps(line, separators=(",", ":")) for line in _lines(journal)]
    path = folder / REMOVED
    data = "".join(f"{line}\n" for line in lines).encode()
    if lines and not (path.is_file() and path.read_bytes() == data):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    return bool(lines)


def read_removed(export: Path) -> Removed:
    """What holds for an export: the file in its folder, and the one beside it. Raises ImportRefused for one that is damaged."""
    found: list[RemovedLine] = []
    for path in (export / REMOVED, export.absolute().parent / REMOVED):
        try:
            size = path.stat().st_size
            data = path.read_bytes() if size <= MOST_BYTES else b""
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ImportRefused(f"{path} cannot be read: {error.strerror}; it tells what was erased") from error
        if size > MOST_BYTES:
            raise ImportRefused(f"{path} has {size} bytes, at most {MOST_BYTES} are read; take it from the project again")
        found += _read(path, data)
    return Removed(tuple(found))


def _read(path: Path, data: bytes) -> Iterator[RemovedLine]:
    for number, text in enumerate(data.split(b"\n"), start=1):
        if not text:
            continue
        try:
            line = _LINE.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "it"
            raise ImportRefused(
                f"{path} line {number}: {place}: {first['msg']}; it tells what was erased: take it from the project again"
            ) from error
        if not all(_DIGEST.fullmatch(one) for one in (*line.items, *line.contents)):
            raise ImportRefused(f"{path} line {number} holds what is no digest; take it from the project again")
        yield line


def _lines(journal: Journal) -> Iterator[dict[str, Any]]:
    for event in events_of_kind(journal, FOOTAGE):
        body = event.body
        if body.get("items") or body.get("marks"):
            contents = [mark["content"] for mark in body.get("marks", ())]
            yield {"salt": body["salt"], "items": body.get("items", []), "contents": contents}
    for event in events_of_kind(journal, CLIPS):
        if not event.is_redacted:
            yield {"video_id": event.body["video_id"], "spans": event.body["spans"]}
