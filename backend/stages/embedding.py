"""S23: vectors of appearances, of their backgrounds, and of the light of their frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from backend.domain import (
    Appearance,
    Box,
    Context,
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
        results: list[Result] = []
        for item in items:
            if not item.all(Mask):
                results.append(Filtered(item.id, "the appearance has no mask"))
                continue
            try:
                results.append(_embedded(item, context, embedders))
            except StudioError as error:
                results.append(Failed(item.id, error.kind, str(error)))
        return results


def _embedded(item: Item, context: Context, embedders: Sequence[Embedder]) -> Ok:
    appearance, mask = item.one(Appearance), _newest(item.all(Mask))
    frame = _picture(appearance, item, context)
    if frame.shape[:2] != (mask.height, mask.width):
        raise MediaError(
            f"mask of {appearance.id} is {mask.width} x {mask.height} px, its frame {frame.shape[1]} x {frame.shape[0]}; "
            "segment it again",
            kind="mask_size",
        )
    pixels = rle.decode(mask.counts, mask.height, mask.width)
    rows, warnings = embed_view(appearance.id, frame, pixels, appearance.box, embedders)
    return Ok(item.id, rows, warnings)


def embed_view(
    appearance_id: str, frame: np.ndarray, mask: np.ndarray, box: Box, embedders: Sequence[Embedder]
) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """Embeddings of one view, the frame's hash last, and a remark for each space that has none."""
    rows: list[Record] = []
    warnings: list[str] = []
    for embedder in embedders:
        vector = embedder.embed(frame, mask, box)
        if isinstance(vector, np.ndarray):
            rows.append(
                Embedding(appearance_id=appearance_id, space=embedder.space, model=embedder.model_id, vector=vector)
            )
        elif embedder.space != "face":  # most subjects have no face, and their Embeddings say so by its absence
            warnings.append(f"no {embedder.space} vector: {vector.reason}")
    hashed = hash_vector(frame_hash(frame))
    rows.append(Embedding(appearance_id=appearance_id, space=FRAME_HASH_SPACE, model=FRAME_HASH_MODEL, vector=hashed))
    return tuple(rows), tuple(warnings)


def _newest(masks: Sequence[Mask]) -> Mask:
    """A person's mask before a model's; among equals the last by id."""
    return max(masks, key=lambda mask: (mask.author.startswith("person"), mask.id))


def _picture(appearance: Appearance, item: Item, context: Context) -> np.ndarray:
    if appearance.frame is not None:
        return context.frames(item).at([appearance.frame])[0]
    assert appearance.artifact is not None, f"appearance {appearance.id} has neither frame nor artifact"
    return read_image(context.artifacts.get(appearance.artifact))
