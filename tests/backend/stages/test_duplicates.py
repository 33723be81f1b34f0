import cv2
import numpy as np

from backend.domain import Box, Failed, Ok, Score
from backend.measures.copies import near_duplicates, small_frames, window_hashes
from backend.stages.duplicates import HashClips, read_frames
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


def copies_among(clips: dict[str, Score], artifacts: MemoryArtifacts) -> list[tuple[str, str]]:
    frames = {name: read_frames(score.evidence or "", artifacts) for name, score in clips.items()}
    found = near_duplicates({name: window_hashes(rows) for name, rows in frames.items()}, frames.__getitem__)
    return [(a, b) for a, b, _ in found]


def test_sixteen_evenly_spaced_frames_are_the_evidence():
    frames = np.concatenate([shot(seed, 1, height=90, width=160) for seed in range(31)])
    artifacts = MemoryArtifacts()
    score = hashed(frames, artifacts)
    assert score.name == "phash_frames" and score.value == 16 and score.num_units == 16
    assert (read_frames(score.evidence or "", artifacts) == small_frames(frames[::2])).all()


def test_one_picture_repeated_has_one_distinct_hash():
    assert hashed(shot(1, 1).repeat(20, axis=0), MemoryArtifacts()).value == 1


def test_a_clip_shorter_than_sixteen_frames_repeats_them():
    artifacts = MemoryArtifacts()
    assert len(read_frames(hashed(shot(2, 3), artifacts).evidence or "", artifacts)) == 16


def test_a_smaller_and_compressed_copy_is_a_near_duplicate_and_another_place_is_not():
    clip, other = shot(3, 30, speed=4.0), shot(4, 30, speed=4.0)
    small = [cv2.resize(frame, (240, 136), interpolation=cv2.INTER_AREA) for frame in clip]
    copy = np.stack([_coded(frame, quality=50) for frame in small])
    artifacts = MemoryArtifacts()
    scores = {name: hashed(frames, artifacts) for name, frames in (("clip", clip), ("copy", copy), ("other", other))}
    assert copies_among(scores, artifacts) == [("clip", "copy")]


def test_a_letterboxed_copy_of_another_frame_rate_is_a_near_duplicate():
    clip = shot(6, 60, speed=1.0)
    boxed = np.zeros((30, 240, 320, 3), np.uint8)
    boxed[:, 30:210] = clip[::2]
    artifacts = MemoryArtifacts()
    scores = {
        "clip": hashed(clip, artifacts),
        "boxed": hashed(boxed, artifacts, content=(0.0, 30.0, 320.0, 210.0)),
    }
    assert copies_among(scores, artifacts) == [("boxed", "clip")]


def test_an_unreadable_frame_fails_the_clip_by_its_kind():
    frames = shot(5, 10)
    (result,) = HashClips()([clip_item(frames)], StageContext(ArrayReader(frames, broken=frozenset({0}))))
    assert isinstance(result, Failed) and result.kind == "truncated"


def _coded(picture: np.ndarray, *, quality: int) -> np.ndarray:
    """The picture after JPEG compression."""
    found = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_UNCHANGED)
    assert found is not None
    return np.asarray(found)
