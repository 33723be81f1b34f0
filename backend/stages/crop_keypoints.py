"""Keypoints of cut-outs, kept for the stages of one worker: pairs within a video ask for them, then pairs across."""

from functools import lru_cache

from backend.domain import ArtifactStore
from backend.measures import keypoints
from backend.media.images import read_rgba

CACHED_CROPS = 4096
"""About 20 kB each; a picture that many subjects resemble is described once."""


def of_crop(artifacts: ArtifactStore, crop: str | None) -> keypoints.Keypoints:
    """Of the subject in a cut-out, named as an artifact; none without a cut-out."""
    return keypoints.NONE if crop is None else _described(artifacts, crop)


@lru_cache(maxsize=CACHED_CROPS)
def _described(artifacts: ArtifactStore, crop: str) -> keypoints.Keypoints:
    cut = read_rgba(artifacts.get(crop))
    return keypoints.describe(cut[..., :3], cut[..., 3] > 127)
