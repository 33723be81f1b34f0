"""`export webdataset`: samples as tar shards that WebDataset reads, one folder of shards a shape (docs/formats.md).

A sample is its clip, its caption and the pictures of its references. Equal rows give equal bytes: samples are sorted, and
members of a tar have no owner and no time.
"""

import io
import json
import math
import tarfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, ClassVar

from pydantic import TypeAdapter

from backend.api import ExportSummary
from backend.domain import ArtifactStore, MediaError
from backend.exports.arranged import WHOLE, Arranged, arranged, require_content
from backend.exports.clip_media import clip_file
from backend.exports.finishing import finish, origin_of, summary
from backend.exports.folder import ExportFolder, whole_folder
from backend.exports.opens2v_entries import crop_of
from backend.exports.rows import ExportClip, ExportRows, ExportSample, ExportSide, ExportVideo

SHORT_SIDES = (0, 240, 360, 480, 720, 1080, 1440, 2160)
"""Resolutions are told by the largest of these that the short side reaches."""
ASPECTS = {"9_21": 9 / 21, "9_16": 9 / 16, "3_4": 3 / 4, "1_1": 1.0, "4_3": 4 / 3, "16_9": 16 / 9, "21_9": 21 / 9}
MOST_SAMPLES = 1000
MOST_BYTES = 1 << 30
"""Of a shard: what is moved or read again at once, our choice."""
FILES = (
    "`SPLIT/resolution_R/aspect_A_B/frames_N_M/NUMBER.tar`: shards of samples whose short side is at least R pixels, whose shape"
    " is nearest A:B, and that have N to M frames.",
    "In a shard: `KEY.mp4` the clip (H.264, without sound), `KEY.txt` its caption, `KEY.referenceN.*` cut-outs of its references"
    " (RGBA; alpha is the mask), `KEY.anchorN.*` anchors, `KEY.plate.*` the surroundings without subjects, `KEY.json` what each"
    " is, where it comes from and under which licence.",
    "`about.json`: recipe, gates and counts.",
)
_SAMPLE = TypeAdapter(ExportSample)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWebDataset:
    """Writes shards by split and shape, about.json, README.md and MANIFEST.sha256."""

    whole_clips: ClassVar[bool] = False

    def write(self, rows: ExportRows, *, out: Path, artifacts: ArtifactStore) -> ExportSummary:
        """Writes the folder whole or not at all; an earlier export at `out` is replaced. Pairs of no sample have no place here.

        Raises ProjectError when `out` holds something else or cannot be written, or no sample is left, SettingsError for a
        wrong split, StoreError when an artifact is damaged.
        """
        found, about = arranged(rows), rows.about
        wanted = {sample.clip_id for sample in found.samples}
        left_out = Counter(dict(about.left_out))
        used = {one.pair_id for sample in found.samples for one in sample.references}
        left_out["of no sample"] += len(found.pairs) - len(used)
        with whole_folder(out) as folder:
            writing = _Writing(
                folder=folder,
                artifacts=artifacts,
                found=found,
                clips={clip.clip_id: clip for clip in rows.clips if clip.clip_id in wanted},
                left_out=left_out,
            )
            shards = writing.write_shards()
            num_samples = sum(shards.values())
            require_content(num_samples, +left_out)
            counts = {"num_samples": num_samples, "num_samples_by_shard": dict(sorted(shards.items()))}
            written = found.only(writing.written)
            finish(folder, written, about, format="webdataset", files=FILES, counts=counts, left_out=+left_out)
        return summary(out, folder, format="webdataset", pairs=len(written.pairs), left_out=+left_out)


def bucket_of(width: int, height: int, num_frames: int) -> str:
    """The folder of clips of a shape: resolution, aspect and length, each a step wide of which the ends are named."""
    resolution = max(side for side in SHORT_SIDES if side <= min(width, height))
    aspect = min(ASPECTS, key=lambda name: abs(math.log(width / height / ASPECTS[name])))
    first = 1 << max(0, num_frames.bit_length() - 1)
    return f"resolution_{resolution}/aspect_{aspect}/frames_{first}_{2 * first - 1}"


@dataclass(slots=True)
class _Writing:
    folder: ExportFolder
    artifacts: ArtifactStore
    found: Arranged
    clips: dict[str, ExportClip]
    left_out: Counter[str]
    written: set[str] = field(default_factory=set)
    """Ids of pairs."""
    sides: dict[str, ExportSide] = field(init=False)
    phrases: dict[str, str | None] = field(init=False)

    def __post_init__(self) -> None:
        self.sides = self.found.sides()
        self.phrases = {pair.pair_id: pair.phrase for pair in self.found.pairs}

    def write_shards(self) -> dict[str, int]:
        """Samples by shard."""
        videos = {video.video_id: video for video in self.found.videos}
        buckets: dict[str, list[ExportSample]] = defaultdict(list)
        for sample in self.found.samples:
            clip, video = self.clips.get(sample.clip_id), videos[sample.video_id]
            if clip is None:
                self.left_out["samples: their clip is not exported"] += 1
                continue
            x0, y0, x1, y1 = crop_of(clip, video)
            shape = bucket_of(x1 - x0, y1 - y0, sample.stop_frame - sample.start_frame)
            buckets[f"{sample.split or WHOLE}/{shape}"].append(sample)
        shards: dict[str, int] = {}
        for bucket, samples in sorted(buckets.items()):
            waiting = iter(samples)
            members = self._next(waiting, videos)
            number = 0
            while members:
                name = f"{bucket}/{number:06d}.tar"
                with self.folder.opened(name) as write:
                    shards[name], members = self._fill(write, members, waiting, videos)
                number += 1
        return shards

    def _fill(
        self,
        write: Callable[[bytes], None],
        members: dict[str, bytes],
        waiting: Iterator[ExportSample],
        videos: dict[str, ExportVideo],
    ) -> tuple[int, dict[str, bytes]]:
        """Writes a shard; how many samples it holds, and the first one of the next."""
        count = size = 0
        with tarfile.open(mode="w|", fileobj=_Sink(write), format=tarfile.USTAR_FORMAT) as tar:
            while members and count < MOST_SAMPLES and (size == 0 or size + _size(members) <= MOST_BYTES):
                for name, data in members.items():
                    tar.addfile(_member(name, len(data)), io.BytesIO(data))
                count, size = count + 1, size + _size(members)
                members = self._next(waiting, videos)
        return count, members

    def _next(self, waiting: Iterator[ExportSample], videos: dict[str, ExportVideo]) -> dict[str, bytes]:
        """The files of the next sample whose video can be read, by name; empty after the last."""
        for sample in waiting:
            clip, video = self.clips[sample.clip_id], videos[sample.video_id]
            try:
                film = clip_file(clip, video, self.artifacts)
            except MediaError:
                self.left_out["samples: their video cannot be read here"] += 1
                continue
            self.written |= {one.pair_id for one in sample.references}
            return self._members(sample, clip, video, film)
        return {}

    def _members(self, sample: ExportSample, clip: ExportClip, video: ExportVideo, film: bytes) -> dict[str, bytes]:
        key = sample.sample_id
        files = {f"{key}.mp4": film}
        told: dict[str, Any] = {**_SAMPLE.dump_python(sample), "fps": video.fps, "crop": crop_of(clip, video)}
        told["video"] = origin_of(video)
        if sample.caption is not None:
            files[f"{key}.txt"] = sample.caption.encode(errors="replace")
        for number, (reference, row) in enumerate(zip(sample.references, told["references"], strict=True)):
            side = self.sides[reference.appearance_id]
            row |= {"phrase": self.phrases[reference.pair_id], **origin_of(side)}
            if side.crop:
                row["file"] = f"reference{number}{PurePath(side.crop).suffix}"
                files[f"{key}.{row['file']}"] = self.artifacts.get(side.crop)
        for number, (anchor, row) in enumerate(zip(sample.anchors, told["anchors"], strict=True)):
            row["file"] = f"anchor{number}{PurePath(anchor.crop).suffix}"
            files[f"{key}.{row['file']}"] = self.artifacts.get(anchor.crop)
        if sample.plate:
            files[f"{key}.plate{PurePath(sample.plate).suffix}"] = self.artifacts.get(sample.plate)
        text = json.dumps(told, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return {f"{key}.json": text.encode(errors="backslashreplace"), **files}


class _Sink(io.RawIOBase):
    """What `tarfile` writes a stream to."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        super().__init__()
        self._write = write

    def write(self, data: Any, /) -> int:
        self._write(data)
        return len(data)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644  # owner 0 without a name, time 0: as TarInfo begins
    return member


def _size(members: dict[str, bytes]) -> int:
    return sum(map(len, members.values()))
