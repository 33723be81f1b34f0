"""The work of a cache, as stages of the kernel's engine: it resumes, spreads over workers, and does nothing twice.

Each kept item is one safetensors file of float32 or uint8 tensors; `training.data.shards` packs them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from safetensors.numpy import save

from backend.domain import (
    Absent,
    AudioEncoder,
    Caption,
    Clip,
    Context,
    FaceAnalyzer,
    Failed,
    Filtered,
    Item,
    LatentCodec,
    MediaError,
    Ok,
    PatchEncoder,
    Record,
    Resources,
    Result,
    Score,
    Sidecar,
    Source,
    TextEncoder,
    Video,
)
from backend.media.audio import sound_from_first_frame
from backend.media.guard import guarded_probe
from backend.media.images import read_rgba
from training.data.listing import PICTURE, VIDEO
from training.data.shapes import ClipShapes, PictureShapes, augmented, centred, covering, filled

LATENTS = "latents"
"""The name of the scores whose evidence is an item's tensors; the value is how many there are."""
FACE_MARGIN = 0.5  # of the face's box on each side: head crops (Gloria, section 3); the share is our choice
MAX_PIXELS = 8192  # side of a picture that is read at all


@dataclass(frozen=True, slots=True, kw_only=True)
class ListClips:
    """The clips and captions that the export takes from each video, once the file is found to be the one it speaks of."""

    name: ClassVar[str] = "list_clips"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = (Sidecar,)
    makes: ClassVar[tuple[type, ...]] = (Video, Clip, Caption)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(ram_gib=2.0)

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._listed(item, context) for item in items]

    def _listed(self, item: Item, context: Context) -> Result:
        source, spoken = item.one(Source), _spoken(item, context)
        if spoken["kind"] != VIDEO:
            return Filtered(item.id, "a picture")
        try:
            found = guarded_probe(source.uri)
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        if found.content_hash != spoken["content_hash"] or found.index is None:
            return Failed(item.id, "changed", f"{source.uri} is not the video that the export speaks of; export again")
        video = Video(
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
        )
        rows: list[Record] = [video]
        for told in spoken["clips"].values():
            clip = Clip(
                video_id=video.id,
                start_frame=told["start_frame"],
                stop_frame=told["stop_frame"],
                start_s=told["start_s"],
                stop_s=told["stop_s"],
                opens_with="start",
            )
            rows += [clip, Caption(clip_id=clip.id, author="export", text=told["caption"])]
        return Ok(item.id, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeClips:
    """Latents of the start of each clip at the shape of its bucket (`video`), and features of its sound (`audio`).

    For Wan I2V also of its first frame alone: latents of a clip that is grey after it (`first_frame`), and features (`image`).
    Frames are taken at the bucket's rate by presentation time, scaled to cover the shape, and cut to its middle.
    """

    name: ClassVar[str] = "encode_clips"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    resources: ClassVar[Resources] = Resources(gpu=1.0, ram_gib=4.0)

    shapes: ClipShapes = field(default_factory=ClipShapes)
    audio: bool = False
    image: bool = False

    @property
    def roles(self) -> tuple[str, ...]:
        optional = {"AudioEncoder": self.audio, "PatchEncoder": self.image}
        return ("LatentCodec", *(role for role, wanted in optional.items() if wanted))

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._encoded(item, context) for item in items]

    def _encoded(self, item: Item, context: Context) -> Result:
        clip, video = item.one(Clip), item.one(Video)
        shape = self.shapes.of(clip.stop_s - clip.start_s, video.width, video.height)
        if shape is None:
            # The same words for all such clips, so that they are told in one line
            return Filtered(
                item.id,
                f"shorter than the shortest bucket, {min(self.shapes.frames)} frames at {self.shapes.fps:g} a second: add a smaller count "
                "to latents.clips.frames",
            )
        try:
            reader = context.frames(item)
            times = reader.times_s[clip.start_frame] + np.arange(shape.frames) / self.shapes.fps
            indices = _nearest(reader.times_s, times).clip(clip.start_frame, clip.stop_frame - 1)
            frames = reader.at(indices.tolist(), size=covering(video.width, video.height, shape))
            codec, frames = cast(LatentCodec, context.role("LatentCodec")), centred(frames, shape)
            tensors = {"video": codec.encode(frames)}
            if self.image:
                tensors["first_frame"] = codec.encode_start(frames[0], shape.frames)
                tensors["image"] = cast(PatchEncoder, context.role("PatchEncoder")).encode(frames[0])
            if self.audio:
                heard = self._heard(item, context, shape.frames)
                if heard is not None:
                    tensors["audio"] = heard
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        return _kept(item.id, clip.id, tensors, self, context)

    def _heard(self, item: Item, context: Context, num_frames: int) -> np.ndarray | None:
        """Sound from the first frame to the end of the last, or None for a video without; silence where it ends early."""
        clip, video = item.one(Clip), item.one(Video)
        encoder = cast(AudioEncoder, context.role("AudioEncoder"))
        if not video.has_audio:
            return None
        stop_s = clip.start_s + num_frames / self.shapes.fps
        sound = sound_from_first_frame(context.path(video, item), encoder.rate, max_s=stop_s)
        if isinstance(sound, Absent):
            return None
        wanted = round(num_frames / self.shapes.fps * encoder.rate)
        samples = sound.samples[round(clip.start_s * encoder.rate) :][:wanted]
        return encoder.encode(np.pad(samples, (0, wanted - len(samples))))


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodePictures:
    """Each reference picture as a clip of its own, by itself: `plain`, `augmented.K`, `face`, each with its mask.

    Masks are uint8 (H, W) in pixels of the encoded picture. A picture without a visible face has no `face`.
    """

    name: ClassVar[str] = "encode_pictures"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = (Sidecar,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    resources: ClassVar[Resources] = Resources(gpu=1.0, ram_gib=2.0)

    export: str = field(default="", compare=False)
    """Where the export lies now: pictures are named by their content, so the place enters no key."""
    shapes: PictureShapes = field(default_factory=PictureShapes)
    clips: ClipShapes = field(default_factory=ClipShapes)

    @property
    def roles(self) -> tuple[str, ...]:
        return ("LatentCodec", "FaceAnalyzer") if self.shapes.faces else ("LatentCodec",)

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._encoded(item, context) for item in items]

    def _encoded(self, item: Item, context: Context) -> Result:
        source, spoken = item.one(Source), _spoken(item, context)
        if spoken["kind"] != PICTURE:
            return Filtered(item.id, "a video")
        try:
            rgba = read_rgba(Path(self.export) / source.uri)
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        if max(rgba.shape[:2]) > MAX_PIXELS:
            return Failed(
                item.id, "too_large", f"{source.uri} has a side of {max(rgba.shape[:2])} pixels, more than {MAX_PIXELS}"
            )
        pictures = {"plain": rgba}
        if spoken["augment"]:
            for number in range(self.shapes.augmentations):
                rng = context.rng(f"{source.uri}:{number}")
                pictures[f"augmented.{number}"] = augmented(rgba, rng, may_flip=not spoken["is_person"])
        if self.shapes.faces and spoken["is_person"]:
            faces = cast(FaceAnalyzer, context.role("FaceAnalyzer")).faces(np.ascontiguousarray(rgba[..., :3]))
            if faces:
                pictures["face"] = _around(rgba, faces[0].box)
        codec = cast(LatentCodec, context.role("LatentCodec"))
        tensors: dict[str, np.ndarray] = {}
        for name, found in pictures.items():
            size = self.shapes.size(found.shape[1], found.shape[0], clips=self.clips)
            picture, mask = filled(found, size, background=self.shapes.background)
            tensors[name] = codec.encode(picture[None])
            tensors[f"{name}.mask"] = mask
        return _kept(item.id, source.uri, tensors, self, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeTexts:
    """Features of each caption's own tokens (`text`)."""

    name: ClassVar[str] = "encode_texts"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Caption
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("TextEncoder",)
    resources: ClassVar[Resources] = Resources(gpu=1.0, ram_gib=4.0)

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        encoder = cast(TextEncoder, context.role("TextEncoder"))
        return [
            _kept(item.id, item.one(Caption).clip_id, {"text": encoder.encode(item.one(Caption).text)}, self, context)
            for item in items
        ]


def _spoken(item: Item, context: Context) -> Mapping[str, Any]:
    """What the export says of a source."""
    return json.loads(context.artifacts.get(item.one(Sidecar).digest))


def _kept(item_id: str, target: str, tensors: dict[str, np.ndarray], stage: Any, context: Context) -> Result:
    for name, values in tensors.items():
        if values.dtype == np.float32 and not np.isfinite(values).all():
            return Failed(item_id, "not_finite", f"the model gave values for {name} of {target} that are no numbers")
    packed = save({name: np.ascontiguousarray(values) for name, values in tensors.items()})
    return Ok(
        item_id,
        [
            Score(
                target=target,
                name=LATENTS,
                value=float(sum(values.size for values in tensors.values())),
                producer=f"{stage.name}/{stage.version}:{','.join(context.model_id(role) for role in stage.roles)}",
                num_units=len(tensors),
                evidence=context.artifacts.put(packed, "st"),
            )
        ],
    )


def _nearest(times_s: np.ndarray, wanted_s: np.ndarray) -> np.ndarray:
    """Indices of the frames shown nearest to each time; of two as near, the earlier."""
    after = np.searchsorted(times_s, wanted_s).clip(1, max(1, len(times_s) - 1))
    before = after - 1
    after = after.clip(0, len(times_s) - 1)
    return np.where(wanted_s - times_s[before] <= times_s[after] - wanted_s, before, after)


def _around(rgba: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """The face with a margin, opaque: its own surroundings are hair and shoulders."""
    x0, y0, x1, y1 = box
    more = FACE_MARGIN * max(x1 - x0, y1 - y0)
    height, width = rgba.shape[:2]
    left, top = max(0, int(x0 - more)), max(0, int(y0 - more))
    right, bottom = min(width, int(x1 + more) + 1), min(height, int(y1 + more) + 1)
    return np.ascontiguousarray(rgba[top:bottom, left:right])
