"""What every format about pairs and samples ends with: about.json, the dataset card, and a summary."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from backend.api import ExportSummary
from backend.exports.arranged import Arranged
from backend.exports.folder import MANIFEST, ExportFolder
from backend.exports.licences import terms_of
from backend.exports.manifest_card import card
from backend.exports.rows import ExportAbout, ExportSide, ExportVideo

ABOUT = TypeAdapter(ExportAbout)
FORMAT_VERSION = 1


def finish(
    folder: ExportFolder,
    found: Arranged,
    about: ExportAbout,
    *,
    format: str,
    files: Sequence[str],
    counts: Mapping[str, Any],
    left_out: Mapping[str, int],
    head: str = "",
) -> None:
    """Writes about.json and README.md, which begins with `head`."""
    header = {
        "format": f"subject-studio-{format}",
        "format_version": FORMAT_VERSION,
        **counts,
        "left_out": dict(sorted(left_out.items())),
        "about": ABOUT.dump_python(about),
    }
    folder.put_json("about.json", header)
    text = card(found.pairs, found.videos, about, files=files, left_out=left_out)
    folder.put("README.md", (head + text).encode(errors="replace"))


def summary(out: Path, folder: ExportFolder, *, format: str, pairs: int, left_out: Mapping[str, int]) -> ExportSummary:
    """What was written."""
    return ExportSummary(
        out=str(out),
        format=format,
        pairs=pairs,
        files=folder.num_files,
        manifest=str(out / MANIFEST),
        left_out=dict(left_out),
    )


def origin_of(one: ExportSide | ExportVideo) -> dict[str, Any]:
    """Where a picture or a video comes from, and what may be done with it."""
    uri = one.source_uri if isinstance(one, ExportSide) else one.uri
    content = one.video_hash if isinstance(one, ExportSide) else one.content_hash
    return {
        "source_id": one.source_id,
        "source_uri": uri,
        "content_hash": content,
        "licence": one.licence,
        "attribution": one.attribution,
        "terms": list(terms_of(one.licence)),
    }
