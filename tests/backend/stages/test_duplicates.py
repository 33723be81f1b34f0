import dataclasses

import cv2
import numpy as np

from backend.domain import Box, Failed, Ok, Score
from backend.measures.phash import phashes
from backend.stages.duplicates import HashClips, near_duplicates, read_hashes
from tests.backend.measures.moving_pictures import shot
from tests.backend.stages.footage_in_memory import ArrayReader, MemoryArtifacts, StageContext, clip_item


def hashed(frames: np.ndarray, artifacts: MemoryArtifacts, *, content: Box | None = None) -> Score:
    context = StageContext(ArrayReader(frames), content=content)
    context.artifacts = artifacts
    (result,) = HashClips()([clip_item(frames)], context)
    assert isinstance(result, Ok)
    (score,) = result.rows
    assert isinstance(score, Score)
    return score


def test_sixteen_hashes_of_evenly_spaced_frames_are_the_evidence():
    frames = np.concatenate([shot(seed, 1, height=90, width=160) for seed in range(31)])
    artifacts = MemoryArtifacts()
    score = hashed(frames, artifacts)
    assert score.name == "phash_frames" and score.value == 16 and score.num_units == 16
    assert read_hashes(score, artifacts).tolist() == phashes(frames[::2]).tolist()


def test_one_picture_repeated_has_one_distinct_hash():
    assert hashed(shot(1, 1).repeat(20, axis=0), MemoryArtifacts()).value == 1


def test_a_clip_shorter_than_sixteen_frames_repeats_them():
    artifacts = MemoryArtifacts()
    assert len(read_hashes(hashed(shot(2, 3), artifacts), artifacts)) == 16


def test_a_smaller_and_compressed_copy_is_a_near_duplicate_and_another_place_is_not():
    clip, other = shot(3, 30, speed=4.0), shot(4, 30, speed=4.0)
    small = [cv2.resize(frame, (240, 136), interpolation=cv2.INTER_AREA) for frame in clip]
    copy = np.stack([_coded(frame, quality=25) for frame in small])
    artifacts = MemoryArtifacts()
    scores = [
        dataclasses.replace(hashed(frames, artifacts), target=name)
        for name, frames in (("clip", clip), ("copy", copy), ("other", other))
    ]
    ((a, b, share),) = near_duplicates(scores, artifacts)
    assert (a, b) == ("clip", "copy") and share >= 0.8


def test_a_letterboxed_copy_of_another_frame_rate_is_a_near_duplicate():
    clip = shot(6, 60, speed=1.0)
    boxed = np.zeros((30, 240, 320, 3), np.uint8)
    boxed[:, 30:210] = clip[::2]
    artifacts = MemoryArtifacts()
    scores = [
        dataclasses.replace(hashed(clip, artifacts), target="clip"),
        dataclasses.replace(hashed(boxed, artifacts, content=(0.0, 30.0, 320.0, 210.0)), target="boxed"),
    ]
    assert [pair[:2] for pair in near_duplicates(scores, artifacts)] == [("boxed", "clip")]


def test_an_unreadable_frame_fails_the_clip_by_its_kind():
    frames = shot(5, 10)
    (result,) = HashClips()([clip_item(frames)], StageContext(ArrayReader(frames, broken=frozenset({0}))))
    assert isinstance(result, Failed) and result.kind == "truncated"


def _coded(picture: np.ndarray, *, quality: int) -> np.ndarray:
    """The picture after JPEG compression."""
    found = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_UNCHANGED)
    assert found is not None
    return np.asarray(found)
