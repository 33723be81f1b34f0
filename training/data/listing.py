"""What an export asks to be encoded, as records of a cache's own catalog.

Each video and each picture is a Source; what the export says of it lies beside it, as a Sidecar that names an artifact with
its content. So a caption that changes makes that video's listing pending and nothing else.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain import ImportRefused, Record, Sidecar, Source
from backend.exports.manifest import artifact_path
from backend.exports.reader import ManifestReader
from backend.exports.rows import ExportPair, ExportSample, ExportSide
from backend.models.taxonomy import load_taxonomy
from backend.store.artifacts import Artifacts
from training.anchors import Candidate

PICTURE = "picture"
VIDEO = "video"
ROLES = {"global": "global", "viewpoint": "view", "expression": "expression"}
"""Kinds of an export's anchors as the model's layout calls them."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture of one subject of a sample."""

    subject_id: str
    picture: str
    """Its artifact."""
    pair_kind: str
    category: str | None
    is_person: bool


@dataclass(frozen=True, slots=True)
class ClipAnchor:
    """A picture that stands for a subject of a clip: its artifact, and what it is for superset anchoring."""

    picture: str
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class ClipSample:
    """A line of samples.jsonl, with its pictures found."""

    sample_id: str
    kind: str
    clip_id: str
    caption: str
    references: tuple[Reference, ...]
    plate: str | None
    anchors: tuple[ClipAnchor, ...] = ()
    clip_s: tuple[float, float] = (0.0, 0.0)
    """When the clip begins and ends in its video."""


def clip_samples(reader: ManifestReader, *, split: str | None = None) -> list[ClipSample]:
    """The samples of an export, by id. Raises ImportRefused where a sample speaks of a pair or picture that is not there."""
    pairs = {pair.pair_id: pair for pair in reader.pairs()}
    rates = {video.video_id: video.fps for video in reader.videos()}
    return [_sample(sample, pairs, rates[sample.video_id]) for sample in reader.samples(split=split)]


def listed(reader: ManifestReader, artifacts: Artifacts) -> list[Record]:
    """Sources and sidecars of all that an export's samples need.

    Raises ImportRefused for an export without samples.
    """
    samples = list(reader.samples())
    if not samples:
        raise ImportRefused(
            f"{reader.folder} has no samples: no accepted pair gives a clip a reference; curate more, export again"
        )
    pairs = {pair.pair_id: pair for pair in reader.pairs()}
    clips: dict[str, dict[str, Any]] = defaultdict(dict)
    pictures: dict[str, _Wanted] = {}
    for sample in samples:
        side = _span(sample, pairs)
        clips[sample.video_id][sample.clip_id] = {
            "start_frame": sample.start_frame,
            "stop_frame": sample.stop_frame,
            "start_s": side.start_s,
            "stop_s": side.stop_s,
            "caption": sample.caption or "",
        }
        for found in _references(sample, pairs):
            wanted = pictures.setdefault(found.picture, _Wanted())
            wanted.augment |= sample.kind == "in_pair"
            wanted.is_person |= found.is_person
        for name in (*(anchor.crop for anchor in sample.anchors), *((sample.plate,) if sample.plate else ())):
            pictures.setdefault(name, _Wanted())
    return [*_videos(reader, clips, artifacts), *_pictures(reader, pictures, artifacts)]


@dataclass(slots=True)
class _Wanted:
    """What is to be made of a picture."""

    augment: bool = False
    is_person: bool = False


def _videos(reader: ManifestReader, clips: dict[str, dict[str, Any]], artifacts: Artifacts) -> Iterator[Record]:
    for video in reader.videos():
        if video.video_id not in clips:
            continue
        try:
            found = Path(video.uri).stat()
            num_bytes, modified_ns = found.st_size, found.st_mtime_ns
        except OSError:
            num_bytes = modified_ns = 0  # its stage says that it has gone; when it comes back, it is a new source
        source = Source(uri=video.uri, num_bytes=num_bytes, modified_ns=modified_ns)
        spoken = {"kind": VIDEO, "content_hash": video.content_hash, "clips": clips[video.video_id]}
        yield source
        yield Sidecar(source_id=source.id, digest=_kept(spoken, artifacts))


def _pictures(reader: ManifestReader, pictures: dict[str, _Wanted], artifacts: Artifacts) -> Iterator[Record]:
    """Pictures are named by their content, so neither place nor time of the file enters the source's id."""
    for name, wanted in sorted(pictures.items()):
        source = Source(uri=artifact_path(name), num_bytes=reader.artifact(name).stat().st_size, modified_ns=0)
        spoken = {"kind": PICTURE, "augment": wanted.augment, "is_person": wanted.is_person}
        yield source
        yield Sidecar(source_id=source.id, digest=_kept(spoken, artifacts))


def _kept(spoken: dict[str, Any], artifacts: Artifacts) -> str:
    return artifacts.put(json.dumps(spoken, sort_keys=True).encode(), "json")


def _sample(sample: ExportSample, pairs: dict[str, ExportPair], fps: float) -> ClipSample:
    anchors = tuple(
        ClipAnchor(
            anchor.crop,
            Candidate(
                id=f"{anchor.appearance_id}:{anchor.kind}:{anchor.label}",
                role=ROLES[anchor.kind],
                category=anchor.label,
                time_s=anchor.frame / fps,
            ),
        )
        for anchor in sample.anchors
        if anchor.frame is not None
    )
    clip_s = (sample.start_frame / fps, sample.stop_frame / fps)
    return ClipSample(
        sample.sample_id,
        sample.kind,
        sample.clip_id,
        sample.caption or "",
        tuple(_references(sample, pairs)),
        sample.plate,
        anchors,
        clip_s,
    )


def _references(sample: ExportSample, pairs: dict[str, ExportPair]) -> Iterator[Reference]:
    for reference in sample.references:
        pair = pairs.get(reference.pair_id)
        sides = (
            [] if pair is None else [s for s in (pair.target, pair.reference) if s.appearance_id == reference.appearance_id]
        )
        if pair is None or not sides or sides[0].crop is None:
            raise ImportRefused(
                f"sample {sample.sample_id} names picture {reference.appearance_id} of pair {reference.pair_id}, which the export "
                "does not hold; export again"
            )
        person = pair.category is not None and is_person(pair.category)
        yield Reference(reference.subject_id, sides[0].crop, pair.kind, pair.category, person)


def is_person(category: str) -> bool:
    """Whether a taxonomy id is of people."""
    known = load_taxonomy().categories.get(category)
    return known is not None and known.domain == "human"


def _span(sample: ExportSample, pairs: dict[str, ExportPair]) -> ExportSide:
    """The side of a pair that tells when the clip begins and ends."""
    for reference in sample.references:
        pair = pairs.get(reference.pair_id)
        for side in (pair.target, pair.reference) if pair is not None else ():
            if side.clip_id == sample.clip_id and side.start_s is not None and side.stop_s is not None:
                return side
    raise ImportRefused(f"no pair of sample {sample.sample_id} tells when clip {sample.clip_id} begins; export again")
