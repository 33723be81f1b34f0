"""The views of every source of a roll, by appearance: what a stage knows of the other side of a pair of two sources."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from backend.domain import Box, Item, Source, Video
from backend.stages.banks import read_part
from backend.store.artifacts import Artifacts

COLUMNS = ("subject", "appearance_id", "category", "is_living", "frame", "box", "crop")


@dataclass(frozen=True, slots=True)
class RolledView:
    """One view of a bank part. `crops` are the cut-outs of all views of its subject; `film` is what its frames are read by,
    where the roll shows sources and videos and the view is of a video."""

    category: str | None
    is_living: bool | None
    frame: int | None
    box: Box
    crop: str | None
    crops: tuple[str, ...]
    film: Item | None


@lru_cache(maxsize=1)
def rolled_views(root: Path, roll: str) -> Mapping[str, RolledView]:
    """By appearance id, of the artifacts below `root` and the roll of that name."""
    artifacts = Artifacts(root, durable=False)
    found: dict[str, RolledView] = {}
    for entry in json.loads(artifacts.get(roll)):
        rows = read_part(artifacts.get(entry["bank_part"][0]["artifact"])).select(COLUMNS).to_pylist()
        found |= _views(rows, _film(entry))
    return found


def _views(rows: Sequence[Mapping[str, Any]], film: Item | None) -> dict[str, RolledView]:
    crops: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["crop"] is not None:
            crops[row["subject"]].append(row["crop"])
    return {
        row["appearance_id"]: RolledView(
            category=row["category"],
            is_living=row["is_living"],
            frame=row["frame"],
            box=tuple(row["box"]),
            crop=row["crop"],
            crops=tuple(crops[row["subject"]]),
            film=film,
        )
        for row in rows
    }


def _film(entry: Mapping[str, Any]) -> Item | None:
    if not entry.get("source") or not entry.get("video"):
        return None
    (source,), (video, *_) = entry["source"], entry["video"]
    video = Video(**{**video, "warnings": tuple(video["warnings"])})
    return Item(entry["id"], {Source: (Source(**source),), Video: (video,)})
