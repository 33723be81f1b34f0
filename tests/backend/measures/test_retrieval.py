import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.measures import retrieval
from backend.measures.retrieval import Fusion, chance_bound, effective_dimension, identity_components, in_group


def unit_rows(num: int, dim: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(num, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 4), max_size=24), st.integers(0, 5), st.sampled_from([7, 64, 4_000_000]))
def test_in_group_equals_a_loop_over_all_pairs(groups, seed, at_once):
    vectors, labels = unit_rows(len(groups), 6, seed), np.array(groups, int)
    expected = {
        (i, j)
        for i in range(len(groups))
        for j in range(i + 1, len(groups))
        if groups[i] == groups[j] and 0.1 <= float(np.dot(vectors[i], vectors[j])) < 0.8
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "MAX_SCORES_AT_ONCE", at_once)
        found = in_group(vectors, labels, lo=0.1, hi=0.8)
    assert list(zip(found.first.tolist(), found.second.tolist())) == sorted(expected)
    exact = np.einsum("nd,nd->n", vectors[found.first], vectors[found.second])
    assert found.cosine == pytest.approx(exact, abs=1e-6)


def test_an_empty_bank_has_no_candidates():
    assert len(in_group(np.zeros((0, 4), np.float32), np.zeros(0, int), lo=0.0).first) == 0


def test_the_upper_bound_is_open_and_the_lower_closed():
    vectors = np.array([[1, 0], [0.5, np.sqrt(0.75)], [1, 0]], np.float32)
    found = in_group(vectors, np.zeros(3, int), lo=0.5, hi=1.0)
    assert list(zip(found.first.tolist(), found.second.tolist())) == [(0, 1), (1, 2)]


def test_fusion_is_the_logistic_of_the_weighted_sum():
    fusion = Fusion(weights={"a": 2.0, "b": -1.0}, bias=0.5, means={"a": 0.0, "b": 3.0})
    assert fusion({"a": np.array(1.0), "b": np.array(2.5)}) == pytest.approx(0.5)


def test_missing_evidence_counts_as_its_mean():
    fusion = Fusion(weights={"a": 2.0, "b": -1.0}, bias=0.5, means={"a": 0.0, "b": 3.0})
    known = fusion({"a": np.array([1.0]), "b": np.array([3.0])})
    assert fusion({"a": np.array([1.0]), "b": np.array([np.nan])}) == pytest.approx(known)
    assert fusion({"a": np.array([1.0])}) == pytest.approx(known)


def test_random_vectors_have_the_dimension_of_their_space():
    dimension = effective_dimension(unit_rows(2000, 32, 0), np.random.default_rng(0))
    assert dimension == pytest.approx(32, rel=0.1)


@pytest.mark.parametrize(("num", "bound"), [(1_000_000, 0.551), (53_000_000, 0.619), (3_000_000_000, 0.676)])
def test_the_chance_bound_grows_with_the_bank(num, bound):
    # Independent values: the table of false positives at scale, dimension 64, one per query.
    assert chance_bound(num, 64.0) == pytest.approx(bound, abs=0.001)


def test_the_chance_bound_holds_on_drawn_vectors():
    bank, query = unit_rows(20_000, 16, 1), unit_rows(50, 16, 2)
    hits = float((query @ bank.T >= chance_bound(20_000, 16.0, false_per_query=10)).sum(axis=1).mean())
    assert hits == pytest.approx(10, rel=0.25)


def test_a_person_vector_weighs_appearance_and_face():
    a, f = unit_rows(2, 8, 3), unit_rows(2, 5, 4)
    first, second = (retrieval.person_vector(a[k], f[k], face_weight=0.75) for k in range(2))
    assert float(first @ first) == pytest.approx(1.0)
    assert float(first @ second) == pytest.approx(0.25 * float(a[0] @ a[1]) + 0.75 * float(f[0] @ f[1]), abs=1e-6)


def test_centring_removes_what_all_share():
    vectors = retrieval.centre(np.array([[1, 0.2], [1, -0.2]], np.float32), np.array([1, 0], np.float32))
    assert vectors.tolist() == [[0, 1], [0, -1]]


def test_components_join_chains_of_likeness():
    similarity = {(0, 1): 0.9, (1, 2): 0.8, (3, 4): 0.7}
    assert identity_components(6, similarity, similarity, floor=0.5) == [[0, 1, 2], [3, 4]]


def test_a_chain_that_drifts_is_cut():
    edges = [(0, 1), (1, 2)]
    similarity = {(0, 1): 0.9, (1, 2): 0.8, (0, 2): 0.2}
    assert identity_components(3, edges, similarity, floor=0.5) == [[0, 1]]
