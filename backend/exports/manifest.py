"""`export manifest`: a folder that Studio, training and metrics read without the project (docs/export-manifest.md).

Equal rows give equal bytes: lines are sorted by id and nothing in the folder speaks of time, host or path.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter

from backend.api import ExportSummary
from backend.domain import ArtifactStore
from backend.exports.arranged import Arranged, arranged, require_content
from backend.exports.finishing import summary
from backend.exports.folder import ExportFolder, whole_folder
from backend.exports.manifest_card import card
from backend.exports.rows import ExportAbout, ExportPair, ExportRows, ExportSample, ExportVideo

FORMAT = "subject-studio-manifest"
FORMAT_VERSION = 1
ARTIFACT_NAME = re.compile(r"[0-9a-f]{16,128}\.[a-z0-9]{1,8}", re.ASCII)

FILES = (
    "`pairs.jsonl`: one pair a line; `videos.jsonl`: the videos they come from (the files are not included).",
    "`artifacts/`: cut-outs (RGBA; alpha is the mask), named by their content.",
    "`schema.json`: JSON Schema of the lines; `about.json`: recipe, gates and counts.",
)
PAIR_LINE = TypeAdapter(ExportPair)
VIDEO_LINE = TypeAdapter(ExportVideo)
SAMPLE_LINE = TypeAdapter(ExportSample)
ABOUT = TypeAdapter(ExportAbout)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportManifest:
    """Writes pairs.jsonl, samples.jsonl, videos.jsonl, artifacts/, about.json, schema.json, README.md and MANIFEST.sha256."""

    whole_clips: ClassVar[bool] = False

    def write(self, rows: ExportRows, *, out: Path, artifacts: ArtifactStore) -> ExportSummary:
        """Writes the folder whole or not at all; an earlier export at `out` is replaced. `clips` have no place here.

        Raises ProjectError when `out` holds something else or cannot be written, or no pair is given, SettingsError for a
        wrong split or a pair that speaks of a video not given, StoreError when an artifact is damaged.
        """
        found, about = arranged(rows), rows.about
        require_content(len(found.pairs), dict(about.left_out))
        with whole_folder(out) as folder:
            _write_files(folder, found, artifacts, about)
        return summary(out, folder, format="manifest", pairs=len(found.pairs), left_out=dict(about.left_out))


def artifact_path(name: str) -> str:
    """Where an artifact lies below the export's folder. Raises ValueError for a name that no store gives."""
    if not ARTIFACT_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no artifact name")
    return f"artifacts/{name[:2]}/{name}"


def schema() -> dict[str, Any]:
    """JSON Schema of a line of pairs.jsonl, with those of samples.jsonl, videos.jsonl and about.json under `$defs`."""
    document = PAIR_LINE.json_schema()
    definitions = document.setdefault("$defs", {})
    for name, adapter in (("ExportSample", SAMPLE_LINE), ("ExportVideo", VIDEO_LINE), ("ExportAbout", ABOUT)):
        definitions[name] = adapter.json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "A line of samples.jsonl is #/$defs/ExportSample, one of videos.jsonl #/$defs/ExportVideo; the field `about` of about.json is #/$defs/ExportAbout.",
        **document,
    }


def line(value: object) -> str:
    """A row as one line of JSON. Raises ValueError on NaN and infinity, which JSON does not have."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _write_files(folder: ExportFolder, found: Arranged, artifacts: ArtifactStore, about: ExportAbout) -> None:
    pairs, samples, videos = found.pairs, found.samples, found.videos
    folder.put_lines("pairs.jsonl", (line(PAIR_LINE.dump_python(pair)) for pair in pairs))
    folder.put_lines("samples.jsonl", (line(SAMPLE_LINE.dump_python(sample)) for sample in samples))
    folder.put_lines("videos.jsonl", (line(VIDEO_LINE.dump_python(video)) for video in videos))
    pictures = {side.crop for pair in pairs for side in (pair.target, pair.reference) if side.crop}
    pictures |= {anchor.crop for sample in samples for anchor in sample.anchors}
    for name in sorted(pictures | {sample.plate for sample in samples if sample.plate}):
        folder.put(artifact_path(name), artifacts.get(name))
    counts = Counter(pair.split for pair in pairs if pair.split)
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "num_pairs": len(pairs),
        "num_samples": len(samples),
        "num_videos": len(videos),
        "num_pairs_by_split": dict(sorted(counts.items())),
        "about": ABOUT.dump_python(about),
    }
    folder.put_json("about.json", header)
    folder.put_json("schema.json", schema())
    folder.put("README.md", card(pairs, videos, about, files=FILES).encode(errors="replace"))
