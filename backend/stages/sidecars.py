"""Captions that lie beside a video: `VIDEO.txt`, `VIDEO.json`, and metadata JSON of OpenS2V-Nexus's pipeline.

A sidecar is untrusted input: what cannot be read becomes a one-line warning that names the file, never an error.
"""

import hashlib
import json
import os
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from backend.domain import digest

PLAIN_KEYS = ("caption", "text", "prompt", "description")
SPAN_KEYS = {"cap": "cut", "face_cap_qwen": "face_cut"}
"""OpenS2V-Nexus, data_process steps 0 and 3: which span of frames each caption of the metadata describes."""
MAX_PLACE = 10**12
"""Frames and seconds of a span lie below it; JSON has integers that no float holds."""
DIGEST_BYTES = 64 * 2**20  # of one file; larger ones are passed over by readers, too
SHARED_NAMES = ("metadata.json", "captions.json")


@dataclass(frozen=True, slots=True)
class Told:
    """A caption that a sidecar gives. `span` is `[start, stop)` in frames or seconds; None means the whole video."""

    text: str
    span: tuple[float, float] | None = None
    in_seconds: bool = False


class SidecarDigests:
    """Tells by a digest whether what lies beside videos has changed. Lists each folder and reads each file once."""

    def __init__(self) -> None:
        self._folders: dict[Path, list[str]] = {}
        self._files: dict[Path, str] = {}

    def of(self, video: Path) -> str:
        """Empty when nothing lies there. Names and contents count, times do not."""
        if video.parent not in self._folders:
            self._folders[video.parent] = _names_in(video.parent)
        found = [(path.name, self._content(path)) for path in _present(video, self._folders[video.parent])]
        return digest(tuple(found), num_bytes=16) if found else ""

    def _content(self, path: Path) -> str:
        if path not in self._files:
            try:
                with path.open("rb") as file:
                    self._files[path] = hashlib.blake2b(file.read(DIGEST_BYTES), digest_size=16).hexdigest()
            except OSError as error:
                self._files[path] = f"cannot be read: {error.strerror}"
        return self._files[path]


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarReader:
    """Reads what lies beside one video."""

    max_bytes: int = 64 * 2**20
    """Larger files are passed over: a metadata file of 100 000 videos with captions takes about 50 MB."""
    max_chars: int = 5000
    """Longer captions are cut; OpenS2V-Nexus asks for at most 512 tokens, about 2500 characters."""

    def read(self, video: Path) -> tuple[list[Told], list[str]]:
        """Captions in a fixed order (text before JSON before shared metadata), and warnings."""
        told: list[Told] = []
        warnings: list[str] = []
        for path in _present(video, _names_in(video.parent)):
            try:
                found = self._texts(path, video)
            except (OSError, ValueError, RecursionError) as error:
                warnings.append(f"caption file {path.name} is passed over: {_reason(error)}")
                continue
            if not found and path.name not in SHARED_NAMES:
                warnings.append(f"caption file {path.name} holds no caption for {video.name}")
            for one in found:
                text = " ".join(one.text.replace("\x00", " ").split())
                if len(text) > self.max_chars:
                    warnings.append(
                        f"caption in {path.name} has {len(text)} characters; only the first {self.max_chars} are kept"
                    )
                    text = text[: self.max_chars].rsplit(" ", 1)[0]
                if text:
                    told.append(Told(text, one.span, one.in_seconds))
        return list(dict.fromkeys(told)), warnings

    def _texts(self, path: Path, video: Path) -> list[Told]:
        stat = path.stat()
        if stat.st_size > self.max_bytes:
            raise ValueError(f"it has {stat.st_size} bytes, at most {self.max_bytes} are read")
        if path.suffix == ".txt":
            return [Told(_decoded(path.read_bytes()))]
        document = _document(str(path), stat.st_mtime_ns, stat.st_size)
        return list(_captions(document, video, shared=path.name in SHARED_NAMES))


def _present(video: Path, beside: Sequence[str]) -> Iterator[Path]:
    """Files that may speak of the video: by its stem or full name, pipeline outputs by key, then shared metadata."""
    names = [f"{stem}{suffix}" for suffix in (".txt", ".json") for stem in dict.fromkeys((video.stem, video.name))]
    names += _steps(video, beside)
    for name in (*names, *SHARED_NAMES):
        path = video.with_name(name)
        try:
            if path.is_file():
                yield path
        except OSError:  # a name that this file system cannot hold is no sidecar
            continue


def _steps(video: Path, beside: Sequence[str]) -> list[str]:
    """Per-sample outputs of OpenS2V-Nexus lie as `VIDEO_step1-0-95.json` and so on. `beside` is sorted."""
    prefix = f"{video.stem}_step"
    following = islice(beside, bisect_left(beside, prefix), None)
    return [name for name in takewhile(lambda name: name.startswith(prefix), following) if name.endswith(".json")]


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names alone; a folder may hold 100 000
    except OSError:
        return []


def _captions(document: Any, video: Path, *, shared: bool) -> Iterator[Told]:
    """Captions of a JSON document; in a shared one only entries that name the video."""
    if isinstance(document, str) and not shared:
        yield Told(document)
    elif isinstance(document, list):
        for entry in document:
            if isinstance(entry, dict) and _names(entry, video):
                yield from _entry(entry)
            elif not shared:
                yield from _entry({"captions": [entry]})
    elif isinstance(document, dict):
        if not shared or _names(document, video):
            yield from _entry(document)
        for key, entry in document.items():
            if not isinstance(entry, dict) or key == "metadata":
                continue
            of_pipeline = "metadata" in entry and not shared and len(document) == 1
            if key in (video.stem, video.name) or _names(entry, video) or of_pipeline:
                yield from _entry(entry)


def _names(entry: Mapping[str, Any], video: Path) -> bool:
    metadata = entry.get("metadata")
    places = [entry, metadata] if isinstance(metadata, dict) else [entry]
    named = [place.get(key) for place in places for key in ("path", "video", "file", "file_name")]
    return any(isinstance(name, str) and name.replace("\\", "/").rsplit("/", 1)[-1] == video.name for name in named)


def _entry(entry: Mapping[str, Any]) -> Iterator[Told]:
    for key in PLAIN_KEYS:
        if isinstance(entry.get(key), str):
            yield Told(entry[key])
    listed = entry.get("captions")
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, str):
            yield Told(one)
        elif isinstance(one, dict):
            yield from _spanned(one)
    metadata = entry.get("metadata")
    if isinstance(metadata, dict):
        for key, span_key in SPAN_KEYS.items():
            value = metadata.get(key)
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str):
                    yield Told(text, _span(metadata.get(span_key)))


def _spanned(one: Mapping[str, Any]) -> Iterator[Told]:
    text = next((one[key] for key in PLAIN_KEYS if isinstance(one.get(key), str)), None)
    if text is None:
        return
    seconds = _span((one.get("start_s"), one.get("stop_s")))
    frames = _span((one.get("start_frame"), one.get("stop_frame")))
    yield Told(text, seconds or frames, in_seconds=seconds is not None)


def _span(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        return None
    numbers = [part for part in value if isinstance(part, (int, float)) and abs(part) < MAX_PLACE]
    return (float(numbers[0]), float(numbers[1])) if len(numbers) == 2 and numbers[0] < numbers[1] else None


@lru_cache(maxsize=4)
def _document(path: str, modified_ns: int, num_bytes: int) -> Any:
    """A parsed JSON file; shared metadata is asked for once per clip, so that it is kept while it is unchanged."""
    return json.loads(_decoded(Path(path).read_bytes()))


def _decoded(data: bytes) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return data.decode(encoding)


def _reason(error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            return f"it is not UTF-8 (byte 0x{error.object[error.start]:02x} at {error.start}); save it as UTF-8"
        case json.JSONDecodeError():
            return f"broken JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        case RecursionError():
            return "its JSON is nested too deep"
        case OSError():
            return f"it cannot be read ({error.strerror})"
    return str(error)
