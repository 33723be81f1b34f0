"""Keeps small pictures of clips, by which near-duplicates are found among any number of them (S01)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backend.domain import ArtifactStore, Clip, Context, Failed, Item, MediaError, Ok, Region, Resources, Result, Score
from backend.measures import copies
from backend.measures.phash import phashes
from backend.media.images import decode_image, encode_webp
from backend.stages.motion import small_pictures

HASHES_SCORE = "phash_frames"
READ_PX = 320  # longer side at which frames are read
SHEET_ACROSS = 4  # pictures of a contact sheet in a row


@dataclass(frozen=True)
class HashClips:
    """The score `phash_frames`: how many distinct hashes the clip's 16 evenly spaced frames have.

    Its evidence is a contact sheet of the frames, as they lie inside their borders, by which `backend.measures.copies`
    tells near-duplicates.
    """

    name: ClassVar[str] = "hash_clips"
    version: ClassVar[int] = 2
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Region,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=0.5)

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._hash(item, context) for item in items]

    def _hash(self, item: Item, context: Context) -> Result:
        clip = item.one(Clip)
        # Shorter clips repeat frames: all have equally many, so that any two can be laid side by side.
        indices = np.linspace(clip.start_frame, clip.stop_frame - 1, copies.NUM_FRAMES).round().astype(int).tolist()
        try:
            frames = small_pictures(context.footage(item), indices, longer_px=READ_PX)
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        sheet = _sheet(copies.small_frames(frames))
        return Ok(
            item.id,
            [
                Score(
                    target=clip.id,
                    name=HASHES_SCORE,
                    value=float(len(np.unique(phashes(frames)))),
                    producer=f"{self.name}/{self.version}",
                    num_units=copies.NUM_FRAMES,
                    evidence=context.artifacts.put(encode_webp(sheet, lossless=True), "webp"),
                )
            ],
        )


def read_frames(evidence: str, artifacts: ArtifactStore) -> np.ndarray:
    """Small frames uint8 `(16, 32, 32, 3)` of a clip by the evidence of its `phash_frames` score.

    Raises StoreError when they are lost.
    """
    sheet = decode_image(artifacts.get(evidence))
    side = copies.SIDE_PX
    rows = sheet.reshape(sheet.shape[0] // side, side, SHEET_ACROSS, side, 3)
    return rows.swapaxes(1, 2).reshape(-1, side, side, 3)


def _sheet(frames: np.ndarray) -> np.ndarray:
    side = copies.SIDE_PX
    rows = frames.reshape(len(frames) // SHEET_ACROSS, SHEET_ACROSS, side, side, 3)
    return rows.swapaxes(1, 2).reshape(-1, SHEET_ACROSS * side, 3)
