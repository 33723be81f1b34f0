"""What a file is, whether it can be used, and what is odd about it."""

import hashlib
import os
import stat
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain import Absent, MediaError
from backend.media.audio import read_audio
from backend.media.container import FilePath, display_name, open_container
from backend.media.header import DEFAULT_LIMITS, Limits, check_header
from backend.media.images import image_size, is_animated, num_pictures, read_rgba
from backend.media.index import FrameIndex, build_index, choose_stream
from backend.media.mp4 import check_mp4, is_mp4
from backend.media.reader import VideoReader

LFS_POINTER = b"version https://git-lfs"
IMAGE_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"MM\x00*", b"BM", b"\x00\x00\x00\x0cjP  ")
MEDIA_SUFFIXES = frozenset(
    [
        ".mp4",
        ".m4v",
        ".mov",
        ".m4s",
        ".mkv",
        ".webm",
        ".avi",
        ".mpg",
        ".mpeg",
        ".ts",
        ".m2ts",
        ".mts",
        ".flv",
        ".wmv",
        ".ogv",
        ".mxf",
        ".gif",
        ".h264",
        ".264",
        ".hevc",
        ".265",
        ".ivf",
        ".3gp",
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".tif",
        ".tiff",
        ".bmp",
        ".jp2",
        ".wav",
        ".mp3",
        ".m4a",
        ".aac",
        ".flac",
        ".ogg",
        ".opus",
    ]
)
SOUND_CONTAINERS = frozenset({"wav", "mp3", "aac", "flac", "ogg"})
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}  # ITU-T H.273, transfer characteristics


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A usable file. `kind` is video, image, audio or other (not media); size is that of the upright picture in stored
    pixels; `index` is there for videos only. `warnings` are one-line remarks for people."""

    kind: str
    content_hash: str
    """BLAKE2b-256 of the file's bytes, as hexadecimal digits."""
    container: str = ""
    codec: str = ""
    num_frames: int = 0
    fps: float = 0.0
    duration_s: float = 0.0
    width: int = 0
    height: int = 0
    rotation: int = 0
    has_audio: bool = False
    warnings: tuple[str, ...] = ()
    index: FrameIndex | None = None


def is_picture(path: FilePath) -> bool:
    """Whether a file is a still picture by its first bytes; nothing else of it is read but of a GIF.

    Raises MediaError as `probe` does when it cannot be read.
    """
    head = _head(path)
    return _is_image(head) or (head.startswith(b"GIF8") and not is_animated(path))


def probe(path: FilePath, *, limits: Limits = DEFAULT_LIMITS) -> Probe:
    """Looks at a file whole: what it is by its content, its frame index, its damage.

    Raises MediaError with a one-line reason. Kinds: `missing`, `permission`, `not_a_file`, `empty`, `lfs_pointer`,
    `text`, `unreadable`, `truncated`, `no_header`, `fragment`, `header`, `too_large`, `too_small`, `no_video`,
    `unknown_codec`, `undecodable`, `damaged`, `changing`. Text files and unknown files whose names do not claim to be media are
    of kind `other`. Run it through `guard.guarded_probe` for files from outside.
    """
    name = display_name(path)
    before = _stat(path)
    head = _head(path)
    if head.startswith(LFS_POINTER):
        raise MediaError(f"{name}: a Git LFS pointer, not the media; fetch it with git lfs pull", kind="lfs_pointer")
    content_hash = _hash(path)
    if is_picture(path):
        found = _probe_image(path, content_hash, limits)
    elif Path(path).suffix.lower() not in MEDIA_SUFFIXES and not is_mp4(head) and not head.startswith(b"\x1aE\xdf\xa3"):
        return Probe(kind="other", content_hash=content_hash)
    elif _is_text(head):
        raise MediaError(f"{name}: not a video (plain text, no known container)", kind="text")
    else:
        found = _probe_streams(path, content_hash, head, limits)
    after = _stat(path)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise MediaError(f"{name}: it changed while it was read; try again when it is complete", kind="changing")
    return found


def probe_to_plain(found: Probe) -> dict[str, Any]:
    """A probe as JSON values and bytes."""
    plain = {field.name: getattr(found, field.name) for field in fields(Probe)}
    plain["index"] = found.index.to_bytes() if found.index else None
    return plain


def probe_from_plain(plain: dict[str, Any]) -> Probe:
    """What `probe_to_plain` made. Raises MediaError when the index is damaged."""
    index = FrameIndex.from_bytes(plain["index"]) if plain["index"] else None
    return Probe(**{**plain, "warnings": tuple(plain["warnings"]), "index": index})


def _stat(path: FilePath) -> os.stat_result:
    name = display_name(path)
    try:
        status = Path(path).stat()
    except FileNotFoundError as error:
        raise MediaError(f"{name}: no such file; was it moved after the listing?", kind="missing") from error
    except PermissionError as error:
        raise MediaError(f"{name}: no permission to read it", kind="permission") from error
    except OSError as error:
        raise MediaError(f"{name}: cannot be reached ({error.strerror})", kind="unreadable") from error
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(f"{name}: not a regular file", kind="not_a_file")
    if status.st_size == 0:
        raise MediaError(f"{name}: empty file", kind="empty")
    return status


def _head(path: FilePath) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(4096)
    except PermissionError as error:
        raise MediaError(f"{display_name(path)}: no permission to read it", kind="permission") from error


def _hash(path: FilePath) -> str:
    hasher = hashlib.blake2b(digest_size=32)
    with Path(path).open("rb") as file:
        while piece := file.read(2**20):
            hasher.update(piece)
    return hasher.hexdigest()


def _is_image(head: bytes) -> bool:
    return head.startswith(IMAGE_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8", "strict" if len(head) < 4096 else "ignore")
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c in "\r\n\t\ufeff" for c in text)


def _probe_image(path: FilePath, content_hash: str, limits: Limits) -> Probe:
    width, height, codec = image_size(path)
    _check_side(path, width, height, limits)
    read_rgba(path)
    several = num_pictures(path)
    return Probe(
        kind="image",
        content_hash=content_hash,
        container=codec,
        codec=codec,
        num_frames=1,
        width=width,
        height=height,
        warnings=(f"{several} pictures in one file: the first is used",) if several > 1 else (),
    )


def _check_side(path: FilePath, width: int, height: int, limits: Limits) -> None:
    if min(width, height) < limits.min_side_px:
        reason = f"{display_name(path)}: too small: {width}x{height} pixels, needs {limits.min_side_px} on each side"
        raise MediaError(reason, kind="too_small")


def _probe_streams(path: FilePath, content_hash: str, head: bytes, limits: Limits) -> Probe:
    if is_mp4(head):
        check_mp4(path, max_pixels=limits.max_pixels)
    gate = _gate(path, limits)
    if gate.kind == "audio":
        return replace(gate, content_hash=content_hash)
    index = build_index(path, limits=limits)
    facts = index.facts
    _check_side(path, facts.width, facts.height, limits)
    if index.num_frames == 0:
        raise MediaError(f"{display_name(path)}: no frame of its video stream can be shown", kind="undecodable")
    index, damage = _without_damage(path, index, limits)
    warnings = (*_facts_warnings(index, limits), *damage, *_sound_warnings(path, index, gate, limits))
    return Probe(
        kind="video",
        content_hash=content_hash,
        container=facts.container,
        codec=facts.codec,
        num_frames=index.num_frames,
        fps=index.fps,
        duration_s=index.duration_s,
        width=facts.width,
        height=facts.height,
        rotation=facts.rotation,
        has_audio=gate.has_audio,
        warnings=warnings,
        index=index,
    )


def _gate(path: FilePath, limits: Limits) -> Probe:
    """Refuses by header alone, before a picture is decoded."""
    with open_container(path) as container:
        check_header(container, path, limits)
        has_audio = bool(container.streams.audio)
        if has_audio and container.format.name in SOUND_CONTAINERS and not container.streams.video:
            return Probe(
                kind="audio",
                content_hash="",
                container=container.format.name,
                duration_s=(container.duration or 0) / 1e6,
                has_audio=True,
            )
        choose_stream(container, path)
        return Probe(kind="video", content_hash="", has_audio=has_audio)


def _without_damage(path: FilePath, index: FrameIndex, limits: Limits) -> tuple[FrameIndex, list[str]]:
    """The index of the frames that really come, and what to say about the others."""
    facts = index.facts
    warnings = []
    if facts.promised > len(index.packet_pts):
        warnings.append(f"truncated: data for {len(index.packet_pts)} of {facts.promised} promised frames are there")
    checked = _frames_to_check(index, limits)
    with VideoReader(path, index) as reader:
        is_kept = reader.readable(checked)
        errors = reader.decode_errors
    if is_kept.all() and not errors:
        return index, warnings
    index = index.damaged(np.ones(index.num_frames, dtype=bool))
    with VideoReader(path, index) as reader:
        is_kept = reader.readable(range(index.num_frames))
        errors = reader.decode_errors
    num_bad = int((~is_kept).sum())
    if num_bad > limits.max_bad_share * index.num_frames:
        raise MediaError(f"{display_name(path)}: {num_bad} of {index.num_frames} frames cannot be decoded", kind="damaged")
    if num_bad:
        warnings.append(f"damaged: {num_bad} of {index.num_frames} frames cannot be decoded and are left out")
    if errors:
        warnings.append(f"damaged: {errors} decode errors; some frames may show wrong pixels")
    return index.damaged(is_kept), warnings


def _frames_to_check(index: FrameIndex, limits: Limits) -> list[int]:
    affordable = max(1, min(limits.check_frames, limits.check_pixels // (index.facts.width * index.facts.height)))
    if affordable >= index.num_frames or not index.facts.timed:
        return list(range(index.num_frames))
    starts, first = np.unique(index.frame_start, return_index=True)
    lengths = np.diff([*first, index.num_frames])
    num_groups = max(2, int(affordable / lengths.mean()))
    chosen = np.unique(np.linspace(0, len(starts) - 1, num_groups).round().astype(int))
    frames = [f for group in chosen for f in range(first[group], first[group] + lengths[group])]
    return frames[:affordable]


def _facts_warnings(index: FrameIndex, limits: Limits) -> list[str]:
    facts, warnings = index.facts, []
    if facts.num_video_streams > 1:
        warnings.append(f"{facts.num_video_streams} video streams: number {facts.stream}, the default or first, is used")
    if not facts.timed:
        warnings.append(f"no usable timing: {facts.rate[0] / facts.rate[1]:g} frames per second are assumed")
    elif not limits.plausible_fps[0] <= index.fps <= limits.plausible_fps[1]:
        warnings.append(f"implausible rate of {index.fps:.3g} frames per second")
    if facts.timed and facts.hidden and facts.container.startswith("mov"):
        warnings.append(f"edit list hides {facts.hidden} stored frames; frames are numbered as a player shows them")
    if facts.interlaced:
        warnings.append("interlaced: one field is shown, the other's lines are interpolated")
    if facts.transfer in HDR_TRANSFERS:
        warnings.append(f"HDR ({HDR_TRANSFERS[facts.transfer]}): colours are not tone-mapped to SDR")
    if abs(facts.sar[0] / facts.sar[1] - 1) > 0.1:
        warnings.append(f"pixels are {facts.sar[0]}:{facts.sar[1]}, not square; frames keep their stored pixels")
    if max(facts.width / facts.height, facts.height / facts.width) > limits.max_aspect:
        warnings.append(f"extreme shape: {facts.width}x{facts.height}")
    if facts.width * facts.height > 4096 * 2304:
        warnings.append(f"very large frames ({facts.width}x{facts.height}): read them at a reduced size")
    if facts.codec == "av1":
        warnings.append("AV1: read by PyAV only, other readers find no frames")
    if facts.codec == "gif":
        warnings.append("animated GIF: 256 colours, read as a video")
    if index.num_frames < 3:
        warnings.append(f"only {index.num_frames} frame{'s' if index.num_frames > 1 else ''}: too short for motion")
    return warnings


def _sound_warnings(path: FilePath, index: FrameIndex, gate: Probe, limits: Limits) -> list[str]:
    if not gate.has_audio:
        return []
    sound = read_audio(path, max_s=limits.silence_s)
    if isinstance(sound, Absent):
        return ["its audio stream holds no sound that can be decoded"]
    warnings = []
    late_s = sound.start_s - index.start_s
    if late_s > limits.max_late_audio_s:
        warnings.append(f"audio starts {late_s:.2f} s after the picture")
    if sound.is_silent:
        warnings.append("its audio is silent")
    return warnings
