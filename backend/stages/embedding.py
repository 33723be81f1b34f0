"""S23: vectors of appearances, of their backgrounds, and of the light of their frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeGuard, cast

import numpy as np

from backend.domain import (
    Absent,
    Appearance,
    Box,
    Context,
    CropEmbedder,
    Embedder,
    Embedding,
    Failed,
    Filtered,
    Item,
    Mask,
    MediaError,
    Ok,
    Record,
    Resources,
    Result,
    StudioError,
)
from backend.geometry import rle
from backend.measures.diversity import frame_hash, hash_vector
from backend.media.images import read_image

FRAME_HASH_SPACE = "frame_hash"
"""Space of the frame's 64-bit perceptual hash as a vector: the cosine of two is `1 - Hamming / 32`."""
FRAME_HASH_MODEL = "phash-64"


@dataclass(frozen=True, slots=True)
class EmbedAppearances:
    """One Embedding for each bound space, and the frame's hash. An Absent vector is a warning, not a failure."""

    name: ClassVar[str] = "embed_appearances"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Appearance
    gathers: ClassVar[tuple[type, ...]] = (Mask,)
    makes: ClassVar[tuple[type, ...]] = (Embedding,)
    roles: ClassVar[tuple[str, ...]] = ("AppearanceEmbedder", "BackgroundEmbedder", "FaceEmbedder")
    resources: ClassVar[Resources] = Resources(ram_gib=0.5)

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        embedders = [cast(Embedder, context.role(role)) for role in self.roles]
        results: dict[str, Result] = {}
        seen: dict[str, SeenView] = {}
        for item in items:
            if not item.all(Mask):
                results[item.id] = Filtered(item.id, "the appearance has no mask")
                continue
            try:
                seen[item.id] = _seen(item, context, embedders)
            except StudioError as error:
                results[item.id] = Failed(item.id, error.kind, str(error))
        for item_id, found in zip(seen, _each(list(seen.values()), embedders), strict=True):
            is_failed = isinstance(found, StudioError)
            results[item_id] = Failed(item_id, found.kind, str(found)) if is_failed else Ok(item_id, *found)
        return [results[item.id] for item in items]


@dataclass(frozen=True, slots=True)
class SeenView:
    """What is kept of one view's frame: for each embedder the crop or the vector, or why there is none, and its hash."""

    appearance_id: str
    parts: tuple[np.ndarray | Absent, ...]
    hashed: np.ndarray


Embedded = tuple[tuple[Record, ...], tuple[str, ...]]
"""Embeddings of one view, the frame's hash last, and a remark for each space that has none."""


def see_view(appearance_id: str, frame: np.ndarray, mask: np.ndarray, box: Box, embedders: Sequence[Embedder]) -> SeenView:
    """Crops for those that take crops; the others are asked at once. Raises what embedders raise."""
    parts = tuple(e.cut(frame, mask, box) if _takes_crops(e) else e.embed(frame, mask, box) for e in embedders)
    return SeenView(appearance_id, parts, hash_vector(frame_hash(frame)))


def embed_views(views: Sequence[SeenView], embedders: Sequence[Embedder]) -> list[Embedded]:
    """What each view comes to. An embedder that takes crops is asked once for all. Raises what embedders raise."""
    columns = [_vectors([view.parts[n] for view in views], embedder) for n, embedder in enumerate(embedders)]
    return [_rows(view, [column[place] for column in columns], embedders) for place, view in enumerate(views)]


def _rows(view: SeenView, vectors: Sequence[np.ndarray | Absent], embedders: Sequence[Embedder]) -> Embedded:
    rows: list[Record] = []
    warnings: list[str] = []
    about = view.appearance_id
    for embedder, vector in zip(embedders, vectors, strict=True):
        if isinstance(vector, np.ndarray):
            rows.append(Embedding(appearance_id=about, space=embedder.space, model=embedder.model_id, vector=vector))
        elif embedder.space != "face":  # most subjects have no face, and their Embeddings say so by its absence
            warnings.append(f"no {embedder.space} vector: {vector.reason}")
    rows.append(Embedding(appearance_id=about, space=FRAME_HASH_SPACE, model=FRAME_HASH_MODEL, vector=view.hashed))
    return tuple(rows), tuple(warnings)


def _seen(item: Item, context: Context, embedders: Sequence[Embedder]) -> SeenView:
    appearance, mask = item.one(Appearance), _newest(item.all(Mask))
    frame = _picture(appearance, item, context)
    if frame.shape[:2] != (mask.height, mask.width):
        raise MediaError(
            f"mask of {appearance.id} is {mask.width} x {mask.height} px, its frame {frame.shape[1]} x {frame.shape[0]}; "
            "segment it again",
            kind="mask_size",
        )
    pixels = rle.decode(mask.counts, mask.height, mask.width)
    return see_view(appearance.id, frame, pixels, appearance.box, embedders)


def _each(views: Sequence[SeenView], embedders: Sequence[Embedder]) -> list[Embedded | StudioError]:
    """What `embed_views` gives of each; where that fails, of each alone, so that the culprit is told apart."""
    try:
        return list(embed_views(views, embedders))
    except StudioError as error:
        return [error] if len(views) == 1 else [one for view in views for one in _each([view], embedders)]


def _vectors(parts: Sequence[np.ndarray | Absent], embedder: Embedder) -> list[np.ndarray | Absent]:
    crops = [part for part in parts if isinstance(part, np.ndarray)]
    if not crops or not _takes_crops(embedder):
        return list(parts)
    vectors = iter(embedder.embed_crops(crops))
    return [next(vectors) if isinstance(part, np.ndarray) else part for part in parts]


def _takes_crops(embedder: Embedder) -> TypeGuard[CropEmbedder]:
    return getattr(embedder, "takes_crops", False)


def _newest(masks: Sequence[Mask]) -> Mask:
    """A person's mask before a model's; among equals the last by id."""
    return max(masks, key=lambda mask: (mask.author.startswith("person"), mask.id))


def _picture(appearance: Appearance, item: Item, context: Context) -> np.ndarray:
    if appearance.frame is not None:
        return context.frames(item).at([appearance.frame])[0]
    assert appearance.artifact is not None, f"appearance {appearance.id} has neither frame nor artifact"
    return read_image(context.artifacts.get(appearance.artifact))
