"""What an MP4 or QuickTime header claims, read box by box before any decoder sees it (ISO/IEC 14496-12)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from backend.domain import MediaError
from backend.media.container import ANEW, IF_WRONG, FilePath, display_name

TOP_LEVEL = frozenset({b"ftyp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"pnot", b"styp", b"sidx", b"uuid"})
NESTED = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})
MAX_BOXES = 100_000
"""A fragmented hour has about 4000 top-level boxes; more than this is not a film."""


@dataclass(frozen=True)
class Box:
    """A box: its type, and where its payload lies in the file."""

    kind: bytes
    start: int
    stop: int
    is_cut: bool
    """Whether it claims to reach beyond the end of the file."""


def is_mp4(head: bytes) -> bool:
    """Whether the first bytes of a file are those of an MP4, QuickTime or fragment file."""
    return head[4:8] in TOP_LEVEL


def check_mp4(path: FilePath, *, max_pixels: int) -> None:
    """Refuses headers that cannot be true. Raises MediaError saying which claim is wrong.

    Kinds: `truncated` (the index is missing), `no_header`, `fragment`, `header` (time scale, sample count), `too_large`.
    """
    name = display_name(path)
    with Path(path).open("rb") as file:
        file.seek(0, 2)
        size = file.tell()
        boxes = list(_boxes(file, 0, size))
        kinds = {box.kind for box in boxes}
        if b"moov" not in kinds:
            if b"moof" in kinds:
                raise MediaError(f"{name}: a media fragment without its initialisation segment", kind="fragment")
            if b"mdat" in kinds:
                raise MediaError(f"{name}: truncated: index missing (no moov box)", kind="truncated")
            raise MediaError(f"{name}: no movie header (only {_list(kinds)})", kind="no_header")
        for box in boxes:
            if box.kind == b"moov":
                if box.is_cut:
                    raise MediaError(f"{name}: truncated: index cut off (moov box)", kind="truncated")
                _check_tracks(file, box, name, size=size, max_pixels=max_pixels)


def _check_tracks(file: BinaryIO, moov: Box, name: str, *, size: int, max_pixels: int) -> None:
    for box in _descend(file, moov):
        payload = _read(file, box, 120)
        if box.kind == b"mdhd" and len(payload) >= 24:
            if struct.unpack_from(">I", payload, 20 if payload[0] == 1 else 12)[0] == 0:
                raise MediaError(f"{name}: its header claims a time scale of 0; {ANEW}", kind="header")
        elif box.kind == b"tkhd" and len(payload) >= (place := 88 if payload[:1] == b"\1" else 76) + 8:
            width, height = (v >> 16 for v in struct.unpack_from(">II", payload, place))
            _check_size(name, width, height, max_pixels)
        elif box.kind == b"stsz" and len(payload) >= 12:
            each, count = struct.unpack_from(">II", payload, 4)
            needed, there = (each * count, size) if each else (4 * count, box.stop - box.start)
            if needed > there:
                reason = f"{name}: its header claims {count} samples, more than the file can hold; get the file again"
                raise MediaError(reason, kind="header")


def _check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        claimed = f"{width}x{height} pixels, the limit is {max_pixels} in all"
        raise MediaError(f"{name}: its header claims {claimed}; scale it down; {IF_WRONG}", kind="too_large")


def _descend(file: BinaryIO, parent: Box, depth: int = len(NESTED)) -> Iterator[Box]:
    for box in _boxes(file, parent.start, parent.stop):
        yield box
        if box.kind in NESTED and depth > 0:
            yield from _descend(file, box, depth - 1)


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[Box]:
    for _ in range(MAX_BOXES):
        if start + 8 > stop:
            return
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if length == 1:
            long_length = file.read(8)
            length, head = (struct.unpack(">Q", long_length)[0] if len(long_length) == 8 else 0), 16
        elif length == 0:
            length = stop - start
        if length < head:
            return
        yield Box(kind, start + head, min(start + length, stop), start + length > stop)
        start += length


def _read(file: BinaryIO, box: Box, limit: int) -> bytes:
    file.seek(box.start)
    return file.read(max(0, min(limit, box.stop - box.start)))  # a cut box may end within its own head


def _list(kinds: set[bytes]) -> str:
    return ", ".join(sorted(kind.decode("latin-1") for kind in kinds))
