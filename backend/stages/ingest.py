"""Reads listed files: what they are, whether they can be used, their frame index (S00)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from backend.domain import (
    Context,
    Failed,
    Filtered,
    Item,
    MediaError,
    Ok,
    Resources,
    Result,
    Score,
    Source,
    Video,
)
from backend.media.container import NO_VIDEO
from backend.media.guard import guarded_probe
from backend.media.probe import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSource:
    """A Video with its frame index for each readable video; what pictures show is `FindPictureSubjects`' to say.

    The file is decoded in a child process with time and memory limits. What is not media (sidecars, tables) is
    filtered; what claims to be media and cannot be used fails with the probe's kind.
    """

    name: ClassVar[str] = "probe_source"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Video, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(ram_gib=2.0)

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._probed(item, context) for item in items]

    def _probed(self, item: Item, context: Context) -> Result:
        source = item.one(Source)
        try:
            found = guarded_probe(source.uri)
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        if found.kind == "video":
            video = _video(source, found, context)
            side = float(min(video.width, video.height))
            score = Score(target=video.id, name="short_side_px", value=side, producer=f"{self.name}/{self.version}")
            return Ok(item.id, (video, score), found.warnings)
        if found.kind == "image":
            return Ok(item.id, (), found.warnings)
        if found.kind == "audio":
            return Failed(item.id, "no_video", f"{source.uri} holds sound and {NO_VIDEO}")
        return Filtered(item.id, "not media")


def _video(source: Source, found: Probe, context: Context) -> Video:
    assert found.index is not None, f"probe of {source.uri} gave a video without its index"
    return Video(
        content_hash=found.content_hash,
        source_id=source.id,
        num_frames=found.num_frames,
        fps=float(found.fps),
        duration_s=float(found.duration_s),
        width=found.width,
        height=found.height,
        rotation=found.rotation,
        codec=found.codec,
        has_audio=found.has_audio,
        index=context.artifacts.put(found.index.to_bytes(), "index"),
        warnings=found.warnings,
    )
