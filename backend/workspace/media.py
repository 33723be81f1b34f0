"""Media by opaque id: artifacts, and clip previews made when first asked for."""

import re
from pathlib import Path

from backend.api import MediaFile
from backend.domain import Clip, Generation, ProjectError, Source, Video
from backend.media.guard import guarded_probe, run_guarded
from backend.media.index import FrameIndex
from backend.media.reader import VideoReader
from backend.media.writer import write_preview
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.previews import Previews

PREVIEW_WALL_S = 120.0
_ARTIFACT = re.compile(r"a-([0-9a-f]{64}\.[a-z0-9]{1,8})")
_PREVIEW = re.compile(r"p-(clip_[0-9a-f]{20})")
_GENERATED = re.compile(r"g-(generation_[0-9a-f]{20})")
_CLIP = """
SELECT c.* FROM clip c WHERE c.id = ? AND NOT EXISTS (SELECT 1 FROM erased_span e WHERE e.video_id = c.video_id
AND e.start_frame < c.stop_frame AND c.start_frame < e.stop_frame) LIMIT 1
"""
_MIME = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg", "mp4": "video/mp4", "webm": "video/webm"}


class MediaLibrary:
    """Finds and makes what may be shown. Never gives a path that a client named."""

    def __init__(self, catalog: Catalog, artifacts: Artifacts, previews: Previews) -> None:
        self._catalog = catalog
        self._artifacts = artifacts
        self._previews = previews

    def find(self, media_id: str) -> MediaFile:
        """Raises ProjectError for an id that names nothing, MediaError when the source cannot be read any more."""
        if match := _ARTIFACT.fullmatch(media_id):
            path = self._artifacts.path(match[1])
            if path.exists():
                return MediaFile(path=str(path), mime=_MIME.get(path.suffix[1:], "application/octet-stream"))
        if match := _PREVIEW.fullmatch(media_id):
            return self._preview(match[1])
        if match := _GENERATED.fullmatch(media_id):
            return self._generated(match[1])
        raise ProjectError(f"media {media_id[:80]!r} does not exist in this project; ask for the pair again")

    def _preview(self, clip_id: str) -> MediaFile:
        clips = self._catalog.records(Clip, _CLIP, [clip_id])
        if not clips:
            raise ProjectError(f"clip {clip_id} is not in this project; ask for the pair again")
        clip = clips[0]
        video = self._catalog.records(Video, "SELECT * FROM video WHERE id = ? LIMIT 1", [clip.video_id])[0]

        def make(path: Path) -> None:
            source = self._catalog.records(Source, "SELECT * FROM source WHERE id = ?", [video.source_id])[0]
            arguments = (source.uri, self._artifacts.get(video.index), clip.start_frame, clip.stop_frame, str(path))
            run_guarded(make_preview, arguments, wall_s=PREVIEW_WALL_S)

        path = self._previews.get(clip_id, make)
        return MediaFile(path=str(path), mime="video/mp4", num_frames=clip.stop_frame - clip.start_frame, fps=video.fps)

    def _generated(self, generation_id: str) -> MediaFile:
        found = self._catalog.records(Generation, "SELECT * FROM generation WHERE id = ? LIMIT 1", [generation_id])
        if not found or not found[0].path:
            raise ProjectError(f"no video of {generation_id} is in this project; its scores were imported, or ask again")
        given = Path(found[0].path)

        def make(path: Path) -> None:
            run_guarded(make_whole_preview, (str(given), str(path)), subject=given.name, wall_s=PREVIEW_WALL_S)

        path = self._previews.get(generation_id, make)
        facts = guarded_probe(str(path))
        return MediaFile(path=str(path), mime="video/mp4", num_frames=facts.num_frames, fps=facts.fps)


def generated_media_id(generation_id: str) -> str:
    """The id under which a generated video can be looked at."""
    return f"g-{generation_id}"


def make_preview(uri: str, index: bytes, start_frame: int, stop_frame: int, out: str) -> None:
    """Writes a preview of a span; frame i of it is source frame `start_frame + i`."""
    with VideoReader(uri, FrameIndex.from_bytes(index)) as reader:
        write_preview(reader, start_frame, stop_frame, Path(out))


def make_whole_preview(path: str, out: str) -> None:
    """Writes a preview of a video from its first frame to its last. Raises MediaError for one that cannot be read."""
    with VideoReader(path) as reader:
        write_preview(reader, 0, reader.num_frames, Path(out))
