"""Whether a video is what its provenance mark says.

What is covered: every picture, their order and rate, the sound's packets, and every word of the mark. A lossless change of container
keeps pictures and sound; what it does to the mark depends on the tool, and the settings file beside the video holds a second
copy. Encoding anew changes the pictures: then the mark no longer fits, and only a watermark still tells.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.domain import ImportRefused, MediaError
from backend.measures.watermark import PUBLIC_KEY, Detection, detect
from backend.media.content import read_comments, read_content
from backend.media.reader import VideoReader
from backend.provenance.keys import OWN, KeyRing
from backend.provenance.mark import Mark, read_mark

INTACT, FILE_CHANGED, MARK_CHANGED, UNKNOWN_SIGNER, NO_MARK = (
    "intact",
    "file_changed",
    "mark_changed",
    "unknown_signer",
    "no_mark",
)
EXIT_CODES: Mapping[str, int] = {INTACT: 0, FILE_CHANGED: 3, MARK_CHANGED: 4, UNKNOWN_SIGNER: 5, NO_MARK: 6}
MARK = "mark"
"""Of a settings file: the token of the video that it lies beside."""
LOOKED_AT = 240  # frames, evenly spread, in which a watermark is looked for
MAX_SIDECAR = 4_000_000  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of checking one file. `sentences` are for people, the first says the state."""

    file: str
    state: str
    sentences: tuple[str, ...]
    signer: str = ""
    """The trusted name of the key, or its thumbprint."""
    mark_in: str = ""
    """file or sidecar."""
    made: Mapping[str, Any] = field(default_factory=dict)
    """How the video was made, by the mark; empty unless its signature holds."""
    watermark: Detection | None = None
    """Of the key that was looked for; None where the file is no video that can be decoded."""

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.state]


def check_file(path: Path, keys: KeyRing, *, watermark_key: bytes = PUBLIC_KEY) -> Finding:
    """Raises MediaError for a file that is not there, or that is no readable video and has no mark beside it either."""
    if not path.is_file():
        raise MediaError(f"{path}: no such file; name a video", kind="missing")
    seen, fault = _watermark(path, watermark_key)
    try:
        mark, mark_in = _mark_of(path)
    except ImportRefused as error:
        told = f"mark changed: {error}, so nothing that it says can be relied on"
        return Finding(file=str(path), state=MARK_CHANGED, sentences=(told, *_seen(seen, None)), watermark=seen)
    if mark is None and fault is not None:
        raise fault
    if mark is None:
        told = "no mark: neither the file nor a settings file beside it says how it was made"
        return Finding(file=str(path), state=NO_MARK, sentences=(told, *_seen(seen, None)), watermark=seen)
    state, told = _state(path, mark)
    names = {key: name for name, key in keys.known().items()}
    signer = names.get(mark.key, mark.key.id)
    if state == INTACT and mark.key not in names:
        state = UNKNOWN_SIGNER
        told = (
            f"unknown signer: file and mark fit each other, but key {mark.key.id} is not among those that you trust; anybody can sign "
            "with a key of their own. Ask the maker for their key's thumbprint and file, then `--trust FILE --name NAME`"
        )
    elif state == INTACT:
        told = f"intact: the file is as it was signed by {_by(signer)}"
    held = state != MARK_CHANGED
    return Finding(
        file=str(path),
        state=state,
        sentences=(told, *_said(mark, held=held), *_beside(path, mark, held=held), *_seen(seen, mark if held else None)),
        signer=signer if held else "",
        mark_in=mark_in,
        made=mark.settings if held else {},
        watermark=seen,
    )


def _state(path: Path, mark: Mark) -> tuple[str, str]:
    if not mark.is_signed:
        return MARK_CHANGED, "mark changed: its signature is not of what it says, so nothing that it says can be relied on"
    try:
        differences = mark.content.differences(read_content(path))
    except ImportRefused as error:
        return MARK_CHANGED, f"mark changed: {error}"
    except MediaError as error:
        return FILE_CHANGED, f"file changed: it was a video when it was signed, and cannot be decoded now ({error})"
    if differences:
        return FILE_CHANGED, f"file changed: since it was signed, {'; '.join(differences)}"
    return INTACT, ""


def _mark_of(path: Path) -> tuple[Mark | None, str]:
    """The mark in a file, else in the settings file beside it. Raises ImportRefused for a damaged one."""
    try:
        comments = read_comments(path)
    except MediaError:
        comments = ()
    for comment in comments:
        if found := read_mark(comment):
            return found, "file"
    token = _sidecar(path).get(MARK)
    return (read_mark(token), "sidecar") if isinstance(token, str) else (None, "")


def _sidecar(path: Path) -> Mapping[str, Any]:
    beside = path.with_suffix(".json")
    try:
        if beside == path or beside.stat().st_size > MAX_SIDECAR:
            return {}
        found = json.loads(beside.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _said(mark: Mark, *, held: bool) -> tuple[str, ...]:
    """Who made what, in a line."""
    made = mark.settings
    if not held or not made:
        return ()
    seed = f", seed {made['seed']}" if "seed" in made else ""
    return (
        f"made by {made.get('system', 'a system without a name')} for case {made.get('case', 'without a name')}{seed}, {made.get('made_at', 'at no time that it tells')}",
    )


def _beside(path: Path, mark: Mark, *, held: bool) -> tuple[str, ...]:
    """Whether the settings file says what the signed mark says."""
    beside = dict(_sidecar(path))
    beside.pop(MARK, None)
    if not held or not beside or beside.get("schema") != mark.settings.get("schema"):
        return ()
    other = sorted(name for name in {*beside, *mark.settings} if beside.get(name) != mark.settings.get(name))
    if not other:
        return ()
    return (
        f"{path.with_suffix('.json').name} beside it says otherwise of {', '.join(other)}: the mark is signed, the file is not",
    )


def _seen(seen: Detection | None, mark: Mark | None) -> tuple[str, ...]:
    told = mark.settings.get("watermark") if mark else None
    wanted = told if isinstance(told, Mapping) and told.get("kind") == "invisible" else None
    if seen is None:
        return ()
    if not seen.is_found:
        if wanted is not None:
            return (
                "watermark: the mark speaks of one, and it was not found; it was taken out, or made with a key that was not given",
            )
        return ()
    number = "with a message that cannot be read" if seen.message is None else f"with message {seen.message:08x}"
    size = "" if 0.995 < seen.scale < 1.005 else f", at {seen.scale:.0%} of its size"
    told = f"watermark: found {number} (z {seen.z:.1f}, chance below {seen.p:.0e}){size}"
    if wanted is not None and seen.message is not None and f"{seen.message:08x}" != wanted.get("message"):
        return (told, f"watermark: its message is not the {wanted.get('message')} that the mark speaks of")
    return (told,)


def _watermark(path: Path, key: bytes) -> tuple[Detection | None, MediaError | None]:
    """What was found, or why nothing can be decoded."""
    try:
        with VideoReader(path) as reader:
            step = max(1, reader.num_frames // LOOKED_AT)
            frames = (frame for _, chunk in reader.stream(step=step, chunk=8) for frame in chunk)
            return detect(frames, key=key), None
    except MediaError as error:
        return None, error


def _by(signer: str) -> str:
    return "you" if signer == OWN else signer
