import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.measures.diversity import frame_hash
from backend.measures.phash import LOW_COSINES, hamming, hashes_of, is_featureless, near, phashes
from tests.backend.measures.moving_pictures import shot


def random_hashes(rng: np.random.Generator, num: int) -> np.ndarray:
    """Hashes uint64 `(num,)`, each with half of its bits set as hashes of pictures have."""
    bits = np.argsort(rng.random((num, 64)), axis=1) < 32
    return np.packbits(bits, axis=1).view(np.uint64).ravel()


def found_near(queries: np.ndarray, bases: np.ndarray) -> set[tuple[int, int]]:
    return {pair for left, right in near(queries, bases, max_distance=6) for pair in zip(left.tolist(), right.tolist())}


def flipped(rng: np.random.Generator, hashes: np.ndarray, num_bits: int) -> np.ndarray:
    """The hashes with exactly `num_bits` bits of each changed."""
    out = hashes.copy()
    for i in range(len(out)):
        for bit in rng.choice(64, num_bits, replace=False):
            out[i] ^= np.uint64(1) << np.uint64(bit)
    return out


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


def test_flat_pictures_are_featureless():
    assert is_featureless(phashes(np.zeros((16, 40, 60, 3), np.uint8))).all()


def test_hashes_of_small_grey_pictures_follow_the_rule_for_frames():
    pictures = np.random.default_rng(3).integers(0, 256, (5, 32, 32), dtype=np.uint8)
    assert hashes_of(LOW_COSINES @ pictures.astype(np.float32) @ LOW_COSINES.T).tolist() == [
        frame_hash(np.dstack([p] * 3)) for p in pictures
    ]


@given(seed=st.integers(0, 2**32 - 1), max_bits=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_bands_find_what_comparing_every_pair_finds(seed: int, max_bits: int):
    rng = np.random.default_rng(seed)
    bases = random_hashes(rng, 20)
    queries = np.concatenate([flipped(rng, bases[k : k + 1], int(rng.integers(0, max_bits + 1))) for k in range(20)])
    apart = hamming(queries[:, None], bases[None])
    assert found_near(queries, bases) == set(zip(*(rows.tolist() for rows in np.nonzero(apart <= 6))))


def test_crowds_of_equal_hashes_give_every_pair():
    row = random_hashes(np.random.default_rng(5), 1).repeat(20)
    assert len(found_near(row, row)) == 400


@pytest.mark.slow
def test_a_hundred_thousand_hashes_take_seconds():
    rng = np.random.default_rng(6)
    bases = random_hashes(rng, 100_000)
    start = time.perf_counter()
    assert found_near(flipped(rng, bases[:100], 6), bases) >= {(k, k) for k in range(100)}
    assert time.perf_counter() - start < 10


def test_a_distance_that_bands_cannot_serve_is_refused():
    row = random_hashes(np.random.default_rng(7), 2)
    with pytest.raises(ValueError, match="max_distance is 8"):
        list(near(row, row, max_distance=8))
