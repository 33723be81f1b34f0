"""S09: captions of clips, from files beside the video or else from the Captioner."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

from backend.domain import (
    Absent,
    Caption,
    Captioner,
    Clip,
    Context,
    Failed,
    Filtered,
    Item,
    MediaError,
    Ok,
    Resources,
    Result,
    Sidecar,
    Video,
)
from backend.stages.sidecars import SidecarReader, Told


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionClips:
    """Captions of one clip: every one that a sidecar gives for it, else one by the Captioner.

    Sidecars are read where they lie; the listed Sidecar stands in the work key, so that an edited one is noticed when
    its video is ingested again.
    """

    name: ClassVar[str] = "caption_clips"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Sidecar,)
    makes: ClassVar[tuple[type, ...]] = (Caption,)
    roles: ClassVar[tuple[str, ...]] = ("Captioner",)
    resources: ClassVar[Resources] = Resources(ram_gib=0.5)

    use_sidecars: bool = True
    min_overlap: float = 0.5
    """Least share of the clip that a sidecar's span must cover to describe it."""
    max_sidecar_bytes: int = 64 * 2**20
    max_caption_chars: int = 5000

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        captioner = cast(Captioner, context.role("Captioner"))
        return [self._caption(item, context, captioner) for item in items]

    def _caption(self, item: Item, context: Context, captioner: Captioner) -> Result:
        clip, video = item.one(Clip), item.one(Video)
        warnings: list[str] = []
        if self.use_sidecars:
            sidecars = SidecarReader(max_bytes=self.max_sidecar_bytes, max_chars=self.max_caption_chars)
            told, warnings = sidecars.read(Path(context.path(video, item)))
            here = [one for one in told if self._covers(one, clip)]
            texts = dict.fromkeys(one.text for one in here)
            if texts:
                rows = [Caption(clip_id=clip.id, author="sidecar", text=text, language=language_of(text)) for text in texts]
                return Ok(item.id, rows, tuple(warnings))
        try:
            text = captioner.caption(context.footage(item))
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        if isinstance(text, Absent):
            return Ok(item.id, (), (*warnings, text.reason)) if warnings else Filtered(item.id, text.reason)
        author = "template" if captioner.model_id.startswith("template") else captioner.model_id
        return Ok(item.id, [Caption(clip_id=clip.id, author=author, text=text)], tuple(warnings))

    def _covers(self, told: Told, clip: Clip) -> bool:
        if told.span is None:
            return True
        start, stop = (clip.start_s, clip.stop_s) if told.in_seconds else (clip.start_frame, clip.stop_frame)
        shared = min(stop, told.span[1]) - max(start, told.span[0])
        return shared >= self.min_overlap * (stop - start) > 0


def language_of(text: str) -> str:
    """`ja`, `ko`, `zh` by script, else `en`: the languages that the shipped lexicons and models tell apart."""
    if any("\u3040" <= sign <= "\u30ff" for sign in text):
        return "ja"
    if any("\uac00" <= sign <= "\ud7a3" for sign in text):
        return "ko"
    return "zh" if any("\u4e00" <= sign <= "\u9fff" for sign in text) else "en"
