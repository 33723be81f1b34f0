"""`export opens2v`: a folder laid out as OpenS2V-Nexus's data_process leaves it, for whoever reads OpenS2V-5M (docs/opens2v.md).

Equal rows give equal bytes. What upstream's schema has no place for stands in provenance.jsonl, in the same order.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import TypeAdapter

from backend.api import ExportSummary
from backend.domain import ArtifactStore, MediaError
from backend.exports.arranged import require_content
from backend.exports.finishing import summary
from backend.exports.folder import ExportFolder, whole_folder
from backend.exports.opens2v_card import opens2v_card
from backend.exports.opens2v_entries import (
    Entry,
    Place,
    Unscaled,
    class_name,
    crop_of,
    entry_of,
    pair_of,
    video_names,
    video_paths,
)
from backend.exports.opens2v_rows import MAIN_IMAGE, cluster_of, made_frame_name
from backend.exports.rows import ExportAbout, ExportClip, ExportPair, ExportRows, ExportVideo
from backend.exports.spelled_json import Layout, write_spelled
from backend.exports.split import Split, split_of_nodes, video_node
from backend.media.guard import run_guarded
from backend.media.images import encode_png, read_image
from backend.media.index import FrameIndex
from backend.media.reader import VideoReader

FORMAT = "subject-studio-opens2v"
FORMAT_VERSION = 1
DATASET = "dataset"
"""Name of the only dataset of an export without splits; else each split is one."""
METADATA = "step5/merge_final_json"
PLATES = "step5/final_output/{dataset}/foreground"  # upstream keeps plates under this name
CLUSTERS = "step6/cluster_videos.json"
PAIRS = "step6/cross-frames-images"
MADE = "step6/gpt-frames"
FOUR = Layout(indent=4)
"""As upstream writes metadata and clusters; pairs are indented by two."""
CROSS = ("cross_frame", "cross_video")
_ABOUT = TypeAdapter(ExportAbout)
_PAIR = TypeAdapter(ExportPair)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOpenS2V:
    """Writes upstream's metadata, clusters, pairs, plates and made pictures, provenance.jsonl, about.json and MANIFEST.sha256."""

    whole_clips: ClassVar[bool] = True

    def write(self, rows: ExportRows, *, out: Path, artifacts: ArtifactStore) -> ExportSummary:
        """Writes the folder whole or not at all; an earlier export at `out` is replaced.

        Every clip that the plan keeps becomes a sample; with `where`, those of the chosen pairs. `samples` have no place
        here. Raises ProjectError when `out` holds something else or cannot be written, or nothing is left to write, SettingsError for a wrong split,
        StoreError when an artifact is damaged.
        """
        about = rows.about
        sorted_pairs = sorted(rows.pairs, key=lambda pair: pair.pair_id)
        sorted_videos = sorted(rows.videos, key=lambda video: video.video_id)
        split = Split.parse(about.split)
        part = split_of_nodes(sorted_pairs, sorted_videos, rows.duplicates, split=split) if split else {}
        with whole_folder(out) as folder:
            writing = _Writing(
                folder=folder,
                artifacts=artifacts,
                videos={video.video_id: video for video in sorted_videos},
                datasets={video.video_id: part.get(video_node(video.video_id), DATASET) for video in sorted_videos},
                left_out=Counter(dict(about.left_out)),
            )
            usable = [pair for pair in sorted_pairs if writing.is_usable(pair)]
            chosen = {side.clip_id for pair in sorted_pairs if _stands(pair) for side in (pair.target, pair.reference)}
            writing.write_clips(rows.clips, chosen if about.where else None, usable)
            num_pairs = writing.write_pairs(usable) + writing.write_made(usable)
            require_content(num_pairs + writing.num_samples.total(), writing.left_out)
            writing.finish(about, num_pairs)
        return summary(out, folder, format="opens2v", pairs=num_pairs, left_out=writing.left_out)


@dataclass(slots=True)
class _Writing:
    folder: ExportFolder
    artifacts: ArtifactStore
    videos: dict[str, ExportVideo]
    datasets: dict[str, str]
    left_out: Counter[str]
    unscaled: Unscaled = field(default_factory=Unscaled)
    places: dict[str, Place] = field(default_factory=dict)
    clusters: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    keys: dict[str, str] = field(default_factory=dict)
    """By clip."""
    provenance: list[dict[str, Any]] = field(default_factory=list)
    num_samples: Counter[str] = field(default_factory=Counter)

    def is_usable(self, pair: ExportPair) -> bool:
        """Whether upstream's schema has a place for the pair; others are counted."""
        reason = None
        if not _stands(pair):
            reason = f"judged {pair.verdict}"
        elif pair.kind not in (*CROSS, "generated"):
            reason = f"{pair.kind}: upstream pairs two clips"
        elif pair.kind in CROSS and None in (pair.target.clip_id, pair.reference.clip_id):
            reason = "the reference is a picture, of no clip"
        if reason:
            self.left_out[reason] += 1
        return reason is None

    def write_clips(self, clips: Iterable[ExportClip], chosen: set[str | None] | None, pairs: Sequence[ExportPair]) -> None:
        """The metadata of each dataset, clip by clip, with plates and the frames that pictures were made of."""
        names, paths = video_names(self.videos.values()), video_paths(list(self.videos.values()))
        origins = {pair.target.clip_id for pair in pairs if pair.kind == "generated"}
        ordinal: Counter[str] = Counter()
        with ExitStack() as stack:
            sinks: dict[str, Callable[[bytes], None]] = {}
            for dataset in sorted(set(self.datasets.values())) or [DATASET]:
                sinks[dataset] = stack.enter_context(self.folder.opened(f"{METADATA}/{dataset}.json"))
            for clip in clips:
                ordinal[clip.video_id] += 1
                if chosen is not None and clip.clip_id not in chosen:
                    continue
                video, dataset = self.videos[clip.video_id], self.datasets[clip.video_id]
                entry = entry_of(
                    clip,
                    video,
                    name=names[clip.video_id],
                    place=ordinal[clip.video_id],
                    dataset=dataset,
                    path=paths[clip.video_id],
                    unscaled=self.unscaled,
                )
                if isinstance(entry, str):
                    self.left_out[f"clip: {entry}"] += 1
                    continue
                opening = ",\n    " if self.num_samples[dataset] else "{\n    "
                text = write_spelled(entry.document, FOUR, level=1)
                sinks[dataset](f"{opening}{json.dumps(entry.key)}: {text}".encode())
                self._note(clip, video, entry, dataset, is_origin=clip.clip_id in origins)
            for dataset, write in sinks.items():
                write(b"\n}" if self.num_samples[dataset] else b"{}")

    def write_pairs(self, pairs: Sequence[ExportPair]) -> int:
        """Pairs in their target's cluster; a cluster lists its clips and those of other videos that its pairs reach."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for pair in pairs:
            if pair.kind not in CROSS:
                continue
            cur, aft = (self.places.get(side.appearance_id) for side in (pair.target, pair.reference))
            if cur is None or aft is None:
                self.left_out["a side is not cut out"] += 1
                continue
            cluster = cluster_of(cur.key)
            where = {"file": f"{PAIRS}/{cluster}.json", "place": len(found[cluster])}
            self.provenance.append({"pair": pair.pair_id, **where, "row": _row(pair)})
            found[cluster].append(pair_of(pair, cur, aft, self.unscaled))
            self.clusters[cluster][f"{aft.dataset}/{aft.key}"] = None
        shown = {cluster: sorted(keys) for cluster, keys in sorted(self.clusters.items()) if len(keys) > 1}
        self.folder.put(CLUSTERS, write_spelled(shown, FOUR).encode())
        for cluster, rows in sorted(found.items()):
            self.folder.put(f"{PAIRS}/{cluster}.json", write_spelled(rows, Layout(indent=2)).encode())
        return sum(map(len, found.values()))

    def write_made(self, pairs: Sequence[ExportPair]) -> int:
        """Pictures that were made of a clip's subjects, numbered within the clip."""
        numbers: Counter[str] = Counter()
        for pair in pairs:
            if pair.kind != "generated":
                continue
            key, picture = self.keys.get(pair.target.clip_id or ""), pair.reference.crop
            if key is None or picture is None:
                self.left_out["made of a clip that is not exported" if picture else "the made picture is not kept"] += 1
                continue
            place = self.places.get(pair.target.appearance_id)
            tag = place.class_name if place else pair.phrase or "subject"
            name = f"{MADE}/{key}/{made_frame_name(numbers[key], tag)}"
            numbers[key] += 1
            self.folder.put(name, encode_png(read_image(self.artifacts.get(picture))))
            self.provenance.append({"pair": pair.pair_id, "file": name, "row": _row(pair)})
        return numbers.total()

    def finish(self, about: ExportAbout, num_pairs: int) -> None:
        """What upstream has no place for: where everything comes from, and what was left out."""
        unscaled = self.unscaled.told()
        self.folder.put_lines("provenance.jsonl", (_line(row) for row in self.provenance))
        header = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "num_samples": self.num_samples.total(),
            "num_samples_by_dataset": dict(sorted(self.num_samples.items())),
            "num_pairs": num_pairs,
            "left_out": dict(sorted(self.left_out.items())),
            "keys_left_out": unscaled,
            "about": _ABOUT.dump_python(about),
        }
        self.folder.put_json("about.json", header)
        self.folder.put("README.md", opens2v_card(about, header, self.provenance).encode(errors="replace"))

    def _note(self, clip: ExportClip, video: ExportVideo, entry: Entry, dataset: str, *, is_origin: bool) -> None:
        self.num_samples[dataset] += 1
        self.places |= entry.places
        self.keys[clip.clip_id] = entry.key
        self.clusters[cluster_of(entry.key)][f"{dataset}/{entry.key}"] = None
        crop = crop_of(clip, video)
        if clip.plate:
            plate = read_image(self.artifacts.get(clip.plate))
            self._put_picture(f"{PLATES.format(dataset=dataset)}/{entry.key}.png", plate, crop, video)
        if is_origin:
            try:
                index = self.artifacts.get(clip.index)
                frame = run_guarded(frame_of, (video.uri, index, entry.frame), subject=video.uri)
                self._put_picture(f"{MADE}/{entry.key}/{MAIN_IMAGE}", frame, crop, video)
            except MediaError:
                self.left_out[f"{MAIN_IMAGE}: its video cannot be read here"] += 1
        self.provenance.append(
            {
                "sample": entry.key,
                "dataset": dataset,
                "clip_id": clip.clip_id,
                "video_id": clip.video_id,
                "video_hash": video.content_hash,
                "uri": video.uri,
                "licence": video.licence,
                "attribution": video.attribution,
                "consent": video.consent,
                "caption_author": clip.caption_author,
                "plate": clip.plate,
                "plate_frame": clip.plate_frame,
                "subjects": entry.subjects,
                "appearances": [
                    {
                        "appearance_id": one.appearance_id,
                        "mask_id": entry.places[one.appearance_id].mask_id,
                        "frame": one.frame,
                        "box": one.box,
                        "category": one.category,
                        "class_name": class_name(one),
                        "scores": [[score.name, score.value, score.producer] for score in one.scores],
                    }
                    for one in clip.appearances
                    if one.appearance_id in entry.places
                ],
                "scores": [[score.name, score.value, score.producer] for score in clip.scores],
            }
        )

    def _put_picture(self, name: str, picture: np.ndarray, crop: tuple[int, int, int, int], video: ExportVideo) -> None:
        """A picture of the whole frame, cut as the sample is; one of another size stays whole."""
        if picture.shape[:2] == (video.height, video.width):
            picture = picture[crop[1] : crop[3], crop[0] : crop[2]]
        self.folder.put(name, encode_png(np.ascontiguousarray(picture)))


def frame_of(uri: str, index: bytes, frame: int) -> np.ndarray:
    """A frame of a video, uint8 `(H, W, 3)`, RGB; run in a child process."""
    with VideoReader(uri, FrameIndex.from_bytes(index)) as reader:
        return reader.at([frame])[0]


def _stands(pair: ExportPair) -> bool:
    """Whether nobody has judged it other than the same subject."""
    return pair.verdict in (None, "same")


def _row(pair: ExportPair) -> dict[str, Any]:
    """The pair without its masks and captions, which its samples have."""
    row = _PAIR.dump_python(pair)
    for side in ("target", "reference"):
        row[side] = {key: value for key, value in row[side].items() if key not in ("mask", "caption", "phrases")}
    return row


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
