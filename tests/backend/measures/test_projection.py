"""A map fitted to verdicts is kept when held-out pairs are ranked better, and refused otherwise."""

import numpy as np
import pytest

from backend.measures.projection import _minimised, fit_projection, project


def judged(*, nuisance: float, num: int = 60, length: int = 32, seed: int = 0):
    """Two views of each of `num` subjects; half the space is the subject, half is what the light makes of it."""
    rng = np.random.default_rng(seed)
    half = length // 2

    def unit(rows: np.ndarray) -> np.ndarray:
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    who = unit(rng.normal(size=(num, half)))
    views = [
        np.hstack([who + 0.1 * rng.normal(size=who.shape), nuisance * unit(rng.normal(size=(num, half)))]) for _ in range(2)
    ]
    vectors = unit(np.vstack(views)).astype(np.float32)
    pairs = [(k, num + k) for k in range(num)] + [(k, num + (k + step) % num) for k in range(num) for step in (1, 2)]
    return vectors, pairs, [i + num == j for i, j in pairs], [*range(num), *range(num)]


def test_a_map_that_ranks_held_out_pairs_better_is_kept() -> None:
    vectors, pairs, same, subjects = judged(nuisance=2.5)
    found = fit_projection(vectors, pairs, same, subjects=subjects, rank=31)
    assert found.kept, found.reason
    assert found.precision_after > found.precision_before + 0.05
    assert found.num_components == 60
    mapped = project(vectors, found.matrix)
    assert np.allclose(np.linalg.norm(mapped, axis=1), 1, atol=1e-5)


def test_verdicts_by_chance_are_refused_with_the_figures() -> None:
    vectors, pairs, _, subjects = judged(nuisance=1.0)
    chance = (np.random.default_rng(1).random(len(pairs)) < 0.4).tolist()
    found = fit_projection(vectors, pairs, chance, subjects=None)
    assert not found.kept
    assert found.reason.startswith("refused: precision 0.")
    assert np.array_equal(found.matrix, np.eye(32, dtype=np.float32))
    assert subjects


def test_nothing_is_gained_where_nothing_is_wrong() -> None:
    vectors, pairs, same, subjects = judged(nuisance=0.1)
    found = fit_projection(vectors, pairs, same, subjects=subjects)
    assert found.precision_before == 1.0
    assert not found.kept


def test_few_verdicts_are_refused_by_their_number() -> None:
    vectors, pairs, same, subjects = judged(nuisance=1.0, num=8)
    found = fit_projection(vectors, pairs, same, subjects=subjects)
    assert not found.kept
    assert found.reason.startswith("8 same and 16 different")


def test_no_verdicts_are_refused() -> None:
    assert not fit_projection(np.eye(4, dtype=np.float32), [], []).kept


def test_one_verdict_for_each_pair() -> None:
    with pytest.raises(ValueError, match="1 pairs and 0 verdicts"):
        fit_projection(np.eye(4, dtype=np.float32), [(0, 1)], [])


def test_a_strong_penalty_keeps_the_identity() -> None:
    vectors, pairs, same, _ = judged(nuisance=2.5)
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(32, 6)))[0].T
    held = _minimised(vectors, np.array(pairs), np.array(same), basis, 1e6)
    assert np.allclose(held, np.eye(6), atol=1e-3)
    free = _minimised(vectors, np.array(pairs), np.array(same), basis, 1e-3)
    assert np.abs(free - np.eye(6)).max() > 0.01
