"""Hashes clips so that near-duplicates can be found among any number of them (S01)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backend.domain import ArtifactStore, Clip, Context, Failed, Item, MediaError, Ok, Region, Resources, Result, Score
from backend.measures import phash
from backend.stages.motion import small_pictures

HASHES_SCORE = "phash_frames"
READ_PX = 320  # longer side at which frames are read; hashes look at 32 x 32 cells of what lies inside the borders


@dataclass(frozen=True)
class HashClips:
    """The score `phash_frames`: how many distinct hashes 16 evenly spaced frames have; the hashes are its evidence.

    Frames are hashed inside their borders. A copy that is scaled, coded again, letterboxed or of another frame rate
    has nearly the same hashes; one that is cropped, mirrored or trimmed has not.
    """

    name: ClassVar[str] = "hash_clips"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = (Region,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(cpu=1.0, ram_gib=0.5)

    num_frames: int = phash.NUM_FRAMES

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._hash(item, context) for item in items]

    def _hash(self, item: Item, context: Context) -> Result:
        clip = item.one(Clip)
        # Shorter clips repeat frames: all have equally many hashes, so that any two can be laid side by side.
        indices = np.linspace(clip.start_frame, clip.stop_frame - 1, self.num_frames).round().astype(int).tolist()
        try:
            hashes = phash.phashes(small_pictures(context.footage(item), indices, longer_px=READ_PX))
        except MediaError as error:
            return Failed(item.id, error.kind, str(error))
        return Ok(
            item.id,
            [
                Score(
                    target=clip.id,
                    name=HASHES_SCORE,
                    value=float(len(np.unique(hashes))),
                    producer=f"{self.name}/{self.version}",
                    num_units=self.num_frames,
                    evidence=context.artifacts.put(hashes.astype("<u8").tobytes(), "u64"),
                )
            ],
        )


def read_hashes(score: Score, artifacts: ArtifactStore) -> np.ndarray:
    """Hashes uint64 `(16,)` of a clip by its `phash_frames` score. Raises StoreError when they are lost."""
    assert score.name == HASHES_SCORE and score.evidence, f"{score.id} is no {HASHES_SCORE} score with evidence"
    return np.frombuffer(artifacts.get(score.evidence), "<u8").astype(np.uint64)


def near_duplicates(scores: Sequence[Score], artifacts: ArtifactStore) -> list[tuple[str, str, float]]:
    """Pairs of clip ids with the share of frames they have in common, among the clips of `phash_frames` scores."""
    hashes: Mapping[str, np.ndarray] = {score.target: read_hashes(score, artifacts) for score in scores}
    return phash.near_duplicates(hashes)
