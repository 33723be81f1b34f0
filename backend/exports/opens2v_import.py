"""`import opens2v`: upstream's metadata laid beside the videos that it speaks of, where curation finds its captions.

Only captions are taken over. Boxes, masks and tags stay in the sidecar, entries whole; the project's own stages find theirs.
"""

import os
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from backend.domain import ImportRefused
from backend.exports.opens2v_rows import OpenS2VFile, UpstreamSample, read_opens2v
from backend.exports.spelled_json import Layout, write_spelled

SIDECAR = "_steps.json"
"""`VIDEO_steps.json`: curation reads what begins with `VIDEO_step` (`backend.stages.sidecars`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidBeside:
    """What was laid beside which videos. `faults` are entries that could not be used, one sentence each."""

    videos: tuple[Path, ...]
    num_samples: int
    num_captions: int
    written: int
    """Sidecars that are new or changed."""
    faults: tuple[str, ...]
    remarks: tuple[str, ...]


def lay_beside(path: Path, videos: Path) -> LaidBeside:
    """Reads a metadata file, or all below a folder, and writes a sidecar for each video found below `videos`.

    Videos are found by `path` of the metadata, or else by their file's name where only one has it. An earlier sidecar
    keeps its other entries. Raises ImportRefused when a folder is missing or nothing of upstream's is found.
    """
    if not videos.is_dir():
        raise ImportRefused(f"{videos} is no folder; name the one that holds the videos with --videos")
    files, faults, remarks = _metadata_files(path)
    faults += [str(fault) for found in files for fault in found.faults]
    by_name = _videos_below(videos)
    of_video: dict[Path, dict[str, UpstreamSample]] = defaultdict(dict)
    for found in files:
        for sample in found.samples:
            video = _video_of(sample, by_name)
            if isinstance(video, str):
                faults.append(f"{found.path.name}, {sample.key}: {video} below {videos}")
                continue
            known = of_video[video].get(sample.key)
            if known is None or len(known.document) < len(sample.document):
                of_video[video][sample.key] = sample
    written = []
    for video, samples in sorted(of_video.items()):
        try:
            written.append(_write(video, samples))
        except ImportRefused as error:
            faults.append(str(error))
            del of_video[video]
    told = {(video, text) for video, samples in of_video.items() for s in samples.values() for text in _captions(s)}
    return LaidBeside(
        videos=tuple(sorted(of_video)),
        num_samples=sum(map(len, of_video.values())),
        num_captions=len(told),
        written=sum(written),
        faults=tuple(faults),
        remarks=tuple(remarks),
    )


def _metadata_files(path: Path) -> tuple[list[OpenS2VFile], list[str], list[str]]:
    if path.is_file():
        return [read_opens2v(path, with_masks=False)], [], []
    if not path.is_dir():
        raise ImportRefused(f"{path} does not exist; name a metadata JSON of OpenS2V's or a folder with some")
    files, faults, remarks = [], [], []
    for place in sorted(path.rglob("*.json")):
        try:
            found = read_opens2v(place, with_masks=False)
        except ImportRefused as error:
            faults.append(str(error))
            continue
        if found.samples or _speaks_of_videos(found.document):
            files.append(found)
        else:
            remarks.append(f"{place.relative_to(path)} holds no metadata of a video and is passed over")
    if not files and not faults:
        raise ImportRefused(f"{path} holds no metadata JSON of OpenS2V's; name the folder of a step, or a file")
    return files, faults, remarks


def _speaks_of_videos(document: object) -> bool:
    return isinstance(document, dict) and any(isinstance(one, dict) and "metadata" in one for one in document.values())


def _videos_below(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for place, _, names in os.walk(folder):
        for name in names:
            found[name].append(Path(place, name).absolute())
    return found


def _video_of(sample: UpstreamSample, by_name: Mapping[str, Sequence[Path]]) -> Path | str:
    """The video, or what is wrong. Only files that were listed are taken, wherever the metadata's path would lead."""
    told = PurePosixPath(sample.metadata.path.replace("\\", "/"))
    there = by_name.get(told.name, ())
    at_path = [video for video in there if video.parts[-len(told.parts) :] == told.parts]
    if len(at_path) == 1 or (not at_path and len(there) == 1):
        return (at_path or there)[0]
    return f"{sample.metadata.path} is there {len(there)} times" if there else f"{sample.metadata.path} is not"


def _captions(sample: UpstreamSample) -> tuple[str, ...]:
    face_caption = sample.metadata.face_caption
    return (*sample.metadata.captions, *([face_caption] if face_caption else []))


def _write(video: Path, samples: Mapping[str, UpstreamSample]) -> bool:
    """Writes the sidecar unless it says all of this already."""
    path = video.with_name(f"{video.stem}{SIDECAR}")
    document = {key: sample.document for key, sample in sorted(samples.items())}
    before = b""
    if path.exists():
        earlier = read_opens2v(path, with_masks=False)
        if "metadata" in earlier.document or not earlier.samples:
            raise ImportRefused(f"{path} is there and was not written by an import; move it away first")
        before, document = path.read_bytes(), {**earlier.document, **document}
    data = write_spelled(document, Layout(indent=4)).encode()
    if data == before:
        return False
    working = path.with_name(f".{video.stem[:100]}.{secrets.token_hex(4)}")
    try:
        working.write_bytes(data)
        working.replace(path)
    except OSError as error:
        working.unlink(missing_ok=True)
        raise ImportRefused(
            f"{path} cannot be written ({error.strerror}); curation reads captions beside the video, so copy the videos "
            "to a folder of your own or free space"
        ) from error
    return True
