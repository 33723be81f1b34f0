import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.measures import diversity


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_hash_vectors_measure_the_hamming_distance(a, b):
    distance = diversity.hash_distance(diversity.hash_vector(a), diversity.hash_vector(b))
    assert distance == (a ^ b).bit_count()


def test_a_brighter_frame_has_nearly_the_same_hash():
    frame = np.kron(np.random.default_rng(0).integers(0, 180, (9, 16, 3)), np.ones((20, 20, 1))).astype(np.uint8)
    other = np.kron(np.random.default_rng(1).integers(0, 180, (9, 16, 3)), np.ones((20, 20, 1))).astype(np.uint8)
    hashed = diversity.frame_hash(frame)
    assert (hashed ^ diversity.frame_hash(frame + 40)).bit_count() <= 2
    assert (hashed ^ diversity.frame_hash(other)).bit_count() >= 12


def test_the_scale_ratio_is_one_of_lengths_whichever_is_larger():
    near, far = (0.0, 0.0, 200.0, 300.0), (10.0, 10.0, 110.0, 160.0)
    assert diversity.scale_ratio(near, far, frame_area_a=1e6, frame_area_b=1e6) == pytest.approx(2.0)
    assert diversity.scale_ratio(far, near, frame_area_a=1e6, frame_area_b=1e6) == pytest.approx(2.0)


def test_a_copy_must_agree_in_arrangement_and_colour():
    assert diversity.copy_likeness(0.0, 1.0) == 1.0
    assert diversity.copy_likeness(0.0, 0.4) == pytest.approx(0.4)
    assert diversity.copy_likeness(16.0, 1.0) == pytest.approx(0.5)
    assert diversity.copy_likeness(40.0, None) == 0.0


def test_a_diverse_choice_passes_over_the_same_context():
    contexts = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert diversity.diverse_choice(np.array([0.9, 0.88, 0.7]), contexts, num=2) == [0, 2]


def test_orthogonal_backgrounds_are_wholly_diverse():
    assert diversity.context_diversity(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0
