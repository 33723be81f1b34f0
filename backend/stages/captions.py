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
    Footage,
    Item,
    MediaError,
    Ok,
    Region,
    Resources,
    Result,
    Sidecar,
    Video,
    digest,
)
from backend.domain.roles_words import AskedCaptioner
from backend.stages.caption_faults import caption_fault, language_of, whole_sentences
from backend.stages.sidecars import SidecarReader, Told

UNAVAILABLE = "unavailable"
"""How a reason begins, and the kind of failure, when a model could not be asked: it is asked again in the next run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionClips:
    """Captions of one clip: every one that a sidecar gives for it, else one by the Captioner, who sees the picture inside its
    borders, or what was cropped free of overlays.

    What the Captioner writes is a caption only when it describes: nothing, a refusal, another script, a flood of words and
    the model's own marks each end in a state of that name. A caption that breaks off is cut to its last whole sentence.
    What a model was asked for once is kept in the project, and not asked for again.

    Sidecars are read where they lie; the listed Sidecar stands in the work key, so that an edited one is noticed when
    its video is ingested again.
    """

    name: ClassVar[str] = "caption_clips"
    version: ClassVar[int] = 3
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Sidecar, Region)
    makes: ClassVar[tuple[type, ...]] = (Caption,)
    roles: ClassVar[tuple[str, ...]] = ("Captioner",)
    resources: ClassVar[Resources] = Resources(ram_gib=0.5)

    use_sidecars: bool = True
    min_overlap: float = 0.5
    """Least share of the clip that a sidecar's span must cover to describe it."""
    max_sidecar_bytes: int = 64 * 2**20
    max_caption_chars: int = 5000
    languages: tuple[str, ...] = ("en", "zh")
    """What a captioner may write in: the languages that phrases are found in."""
    max_words: int = 600
    """Of a captioner's text; 512 tokens (OpenS2V-Nexus, step 3-1) are about 400 English words."""

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
            text = _written(captioner, context.footage(item), context)
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        if isinstance(text, Absent):
            if text.reason.startswith(UNAVAILABLE):
                return Failed(item.id, UNAVAILABLE, text.reason)
            return Ok(item.id, (), (*warnings, text.reason)) if warnings else Filtered(item.id, text.reason)
        return self._checked(item, text, captioner.model_id, warnings)

    def _checked(self, item: Item, text: str, model_id: str, warnings: Sequence[str]) -> Result:
        fault = caption_fault(text, languages=self.languages, max_words=self.max_words)
        if fault is not None:
            return Failed(item.id, *fault)
        plain = " ".join(text.replace("\x00", " ").split())
        whole = whole_sentences(plain)
        cut = () if whole == plain else (f"the caption broke off and is cut by {len(plain) - len(whole)} characters",)
        author = "template" if model_id.startswith("template") else model_id
        row = Caption(clip_id=item.one(Clip).id, author=author, text=whole, language=language_of(whole))
        return Ok(item.id, [row], (*warnings, *cut))

    def _covers(self, told: Told, clip: Clip) -> bool:
        if told.span is None:
            return True
        start, stop = (clip.start_s, clip.stop_s) if told.in_seconds else (clip.start_frame, clip.stop_frame)
        shared = min(stop, told.span[1]) - max(start, told.span[0])
        return shared >= self.min_overlap * (stop - start) > 0


def _written(captioner: Captioner, footage: Footage, context: Context) -> str | Absent:
    """What the captioner writes; of one that is asked, what it wrote about this picture of this clip before."""
    if not isinstance(captioner, AskedCaptioner):
        return captioner.caption(footage)
    shown = (footage.video.content_hash, footage.clip.start_frame, footage.clip.stop_frame, footage.content)
    key = digest(("caption", captioner.model_id, captioner.prompt_digest, shown))
    kept = context.answers.get(key)
    if kept is not None:
        return kept["raw"]
    text = captioner.caption(footage)
    if not isinstance(text, Absent):
        prompt = captioner.prompt_digest
        context.answers.put(key, {"raw": text, "model": captioner.model_id, "prompt": prompt, "clip": footage.clip.id})
    return text
