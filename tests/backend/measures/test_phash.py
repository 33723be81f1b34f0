import itertools
import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.measures.diversity import frame_hash
from backend.measures.phash import aligned_distance, hamming, is_featureless, near_duplicates, phashes
from tests.backend.measures.moving_pictures import shot


def random_clips(rng: np.random.Generator, num: int) -> np.ndarray:
    """Hashes uint64 `(num, 16)`, each with half of its bits set as hashes of pictures have."""
    bits = np.argsort(rng.random((num * 16, 64)), axis=1) < 32
    return np.packbits(bits, axis=1).view(np.uint64).reshape(num, 16)


def flipped(rng: np.random.Generator, hashes: np.ndarray, num_bits: int) -> np.ndarray:
    """The hashes with exactly `num_bits` bits of each changed."""
    out = hashes.copy()
    for i in range(len(out)):
        for bit in rng.choice(64, num_bits, replace=False):
            out[i] ^= np.uint64(1) << np.uint64(bit)
    return out


def by_every_pair(hashes: dict[str, np.ndarray]) -> list[tuple[str, str, float]]:
    """The definition, without bands."""
    found = []
    for a, b in itertools.combinations(sorted(hashes), 2):
        usable = ~is_featureless(hashes[a]) & ~is_featureless(hashes[b])
        share = float(((hamming(hashes[a], hashes[b]) <= 6) & usable).mean())
        if share >= 0.8:
            found.append((a, b, share))
    return found


def test_hashes_are_those_of_single_frames():
    frames = shot(1, 3)
    assert phashes(frames).tolist() == [frame_hash(frame) for frame in frames]


def test_hamming_counts_differing_bits():
    a, b = np.array([0, 0b1011, 2**64 - 1], np.uint64), np.array([0, 0b0001, 0], np.uint64)
    assert hamming(a, b).tolist() == [0, 2, 64]


def test_scaled_and_compressed_frames_stay_within_six_bits_and_other_worlds_do_not():
    frame = shot(2, 1)[0]
    small = cv2.resize(frame, (160, 90), interpolation=cv2.INTER_AREA)
    coded = cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR)
    assert coded is not None
    own, copy, other = phashes(frame[None])[0], phashes(np.asarray(coded)[None])[0], phashes(shot(3, 1))[0]
    assert hamming(own, copy) <= 6 < hamming(own, other)


def test_rows_of_two_lengths_are_laid_side_by_side_by_their_fractions():
    long = np.arange(9, dtype=np.uint64)
    assert aligned_distance(long, long[::4]).tolist() == [0, 0, 0]
    assert aligned_distance(long[::2], long[::2] ^ np.uint64(3)).tolist() == [2] * 5


def test_flat_pictures_are_featureless_and_match_nothing():
    black = phashes(np.zeros((16, 40, 60, 3), np.uint8))
    assert is_featureless(black).all()
    assert near_duplicates({"a": black, "b": black}) == []


def test_thirteen_of_sixteen_frames_make_a_near_duplicate_and_twelve_do_not():
    rng = np.random.default_rng(4)
    one, other = random_clips(rng, 2)
    for shared, wanted in ((13, [("a", "b", 13 / 16)]), (12, [])):
        copy = np.concatenate([flipped(rng, one[:shared], 6), other[shared:]])
        assert near_duplicates({"a": one, "b": copy}) == wanted
    assert near_duplicates({"a": one, "b": flipped(rng, one, 7)}) == []


@given(seed=st.integers(0, 2**32 - 1), max_bits=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_bands_find_what_comparing_every_pair_finds(seed: int, max_bits: int):
    rng = np.random.default_rng(seed)
    clips = list(random_clips(rng, 6))
    for source in rng.integers(0, 6, 8):
        copy = flipped(rng, clips[source], int(rng.integers(0, max_bits + 1)))
        strange = rng.choice(16, rng.integers(0, 6), replace=False)
        copy[strange] = random_clips(rng, 1)[0][strange]
        clips.append(copy)
    hashes = {f"clip_{i:02d}": clip for i, clip in enumerate(clips)}
    assert near_duplicates(hashes) == by_every_pair(hashes)


def test_crowds_of_equal_clips_give_every_pair_once():
    (row,) = random_clips(np.random.default_rng(5), 1)
    found = near_duplicates({f"{i:02d}": row for i in range(20)})
    assert len(found) == len(set(found)) == 190


@pytest.mark.slow
def test_ten_thousand_clips_take_seconds():
    rng = np.random.default_rng(6)
    clips = random_clips(rng, 10_000)
    for k in range(100):
        clips[5000 + k] = flipped(rng, clips[k], 6)
    start = time.perf_counter()
    found = near_duplicates({f"{i:05d}": row for i, row in enumerate(clips)})
    assert {(a, b) for a, b, _ in found} == {(f"{k:05d}", f"{5000 + k:05d}") for k in range(100)}
    assert time.perf_counter() - start < 10


def test_settings_that_bands_cannot_serve_are_refused():
    rows = {"a": np.zeros(16, np.uint64), "b": np.zeros(16, np.uint64)}
    with pytest.raises(ValueError, match="max_distance is 8"):
        near_duplicates(rows, max_distance=8)
    with pytest.raises(ValueError, match="min_share is 0"):
        near_duplicates(rows, min_share=0.0)
