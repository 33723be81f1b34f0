"""Small pictures of items: cut-outs as they are, frames of clips and videos read once and kept."""

import threading
from collections.abc import Sequence
from pathlib import Path

from backend.domain import MediaError, SettingsError
from backend.domain.library import Thumbnail
from backend.domain.project_care import StorageCleared
from backend.media.guard import run_guarded
from backend.media.images import encode_jpeg
from backend.media.index import FrameIndex
from backend.media.reader import VideoReader
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.disk_use import clear_files

EDGE_PX = 320
QUALITY = 85
WALL_S = 60.0
KEPT_BYTES = 512 * 2**20
"""All frames together, some 40,000; the least recently used go first."""

_CUT_OUTS = {
    "subject": """SELECT a.subject_id, arg_max(coalesce(m.crop, a.artifact), a.confidence) FROM appearance a
        LEFT JOIN (SELECT appearance_id, min(crop) AS crop FROM mask GROUP BY 1) m ON m.appearance_id = a.id
        WHERE a.subject_id IN (SELECT unnest(?::VARCHAR[])) AND coalesce(m.crop, a.artifact) NOTNULL GROUP BY 1""",
    "appearance": """SELECT a.id, min(coalesce(m.crop, a.artifact)) FROM appearance a
        LEFT JOIN mask m ON m.appearance_id = a.id WHERE a.id IN (SELECT unnest(?::VARCHAR[])) GROUP BY 1""",
    "anchor": """SELECT n.id, min(coalesce(m.crop, a.artifact)) FROM anchor n JOIN appearance a ON a.id = n.appearance_id
        LEFT JOIN mask m ON m.appearance_id = a.id WHERE n.id IN (SELECT unnest(?::VARCHAR[])) GROUP BY 1""",
    "pair": """SELECT p.id, min(coalesce(m.crop, a.artifact)) FROM pair p JOIN appearance a ON a.id = p.target_appearance_id
        LEFT JOIN mask m ON m.appearance_id = a.id WHERE p.id IN (SELECT unnest(?::VARCHAR[])) GROUP BY 1""",
}
_FRAMES = {
    "clip": """SELECT c.id, v.source_id, v.index, (min(c.start_frame) + max(c.stop_frame)) // 2, min(s.uri) FROM clip c
        JOIN (SELECT DISTINCT ON (id) * FROM video) v ON v.id = c.video_id JOIN source s ON s.id = v.source_id
        WHERE c.id IN (SELECT unnest(?::VARCHAR[])) GROUP BY ALL""",
    "video": """SELECT v.id, v.source_id, v.index, coalesce(min(r.frame), min(v.num_frames) // 2), min(s.uri) FROM video v
        JOIN source s ON s.id = v.source_id LEFT JOIN (
            SELECT c.video_id, arg_max((c.start_frame + c.stop_frame) // 2, c.stop_frame - c.start_frame) AS frame FROM clip c
            WHERE c.video_id IN (SELECT video_id FROM erased_span) AND NOT EXISTS (SELECT 1 FROM erased_span e
                WHERE e.video_id = c.video_id AND e.start_frame < c.stop_frame AND c.start_frame < e.stop_frame) GROUP BY 1
        ) r ON r.video_id = v.id
        WHERE v.id IN (SELECT unnest(?::VARCHAR[])) AND (r.frame NOTNULL OR v.id NOT IN (SELECT video_id FROM erased_span))
        GROUP BY ALL""",
}
PICTURED = (*_FRAMES, *_CUT_OUTS)
NO_PICTURE = "nothing was cut out for it yet"


class Thumbnails:
    """Finds and makes them; frames of one file are read together, in a guarded child."""

    def __init__(self, catalog: Catalog, artifacts: Artifacts, folder: Path) -> None:
        self._catalog = catalog
        self._artifacts = artifacts
        self._folder = folder
        self._lock = threading.Lock()

    def of(self, kind: str, ids: Sequence[str]) -> tuple[Thumbnail, ...]:
        """In the order of `ids`. Raises SettingsError for an unknown kind; what cannot be shown has a reason."""
        if kind not in PICTURED:
            raise SettingsError(f"there are no pictures of {kind[:40]!r}; there are of {', '.join(PICTURED)}")
        found = self._frames(kind, ids) if kind in _FRAMES else self._cut_outs(kind, ids)
        return tuple(found.get(name) or Thumbnail(item_id=name, path=None, reason=NO_PICTURE) for name in ids)

    def clear(self) -> StorageCleared:
        """Deletes every frame that was kept; one is read again when it is asked for."""
        with self._lock:
            return clear_files(list(self._folder.glob("*.jpg")))

    def _cut_outs(self, kind: str, ids: Sequence[str]) -> dict[str, Thumbnail]:
        rows = self._catalog.query(_CUT_OUTS[kind], [list(ids)])
        paths = {name: self._artifacts.path(artifact) for name, artifact in rows if artifact}
        return {name: Thumbnail(item_id=name, path=str(path)) for name, path in paths.items() if path.exists()}

    def _frames(self, kind: str, ids: Sequence[str]) -> dict[str, Thumbnail]:
        done: dict[str, Thumbnail] = {}
        wanted: dict[tuple[str, str], dict[str, int]] = {}
        for name, _, index, frame, uri in self._catalog.query(_FRAMES[kind], [list(ids)]):
            path = self._folder / f"{name}.jpg"
            if path.exists():
                path.touch()
                done[name] = Thumbnail(item_id=name, path=str(path))
            elif name not in done:
                wanted.setdefault((uri, index), {})[name] = frame
        with self._lock:
            for (uri, index), frames in wanted.items():
                done |= self._read(uri, index, frames)
            if wanted:
                self._make_room()
        return done

    def _read(self, uri: str, index: str, frames: dict[str, int]) -> dict[str, Thumbnail]:
        self._folder.mkdir(parents=True, exist_ok=True)
        names = list(frames)
        try:
            pictures = run_guarded(
                read_small, (uri, self._artifacts.get(index), [frames[name] for name in names]), subject=uri, wall_s=WALL_S
            )
        except MediaError as error:
            return {name: Thumbnail(item_id=name, path=None, reason=str(error)) for name in names}
        done = {}
        for name, picture in zip(names, pictures, strict=True):
            path = self._folder / f"{name}.jpg"
            fresh = path.with_suffix(".new")
            fresh.write_bytes(picture)
            fresh.replace(path)
            done[name] = Thumbnail(item_id=name, path=str(path))
        return done

    def _make_room(self) -> None:
        files = sorted(self._folder.glob("*.jpg"), key=lambda file: file.stat().st_mtime, reverse=True)
        total = 0
        for file in files:
            total += file.stat().st_size
            if total > KEPT_BYTES:
                file.unlink()


def read_small(uri: str, index: bytes, frames: list[int]) -> list[bytes]:
    """JPEGs of frames, EDGE_PX long."""
    with VideoReader(uri, FrameIndex.from_bytes(index)) as reader:
        scale = EDGE_PX / max(reader.width, reader.height)
        size = (max(2, round(reader.width * scale)), max(2, round(reader.height * scale)))
        last = reader.num_frames - 1
        pictures = reader.at([min(frame, last) for frame in frames], size=size)
        return [encode_jpeg(picture, quality=QUALITY) for picture in pictures]
