import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Filtered, Item, Ok, Pair, Score
from backend.stages.audit import AuditPairs, audit_sample
from tests.backend.stages.drawn_clips import DrawnContext


def item(name: str, similarity: float | None, kind: str = "cross_frame") -> Item:
    pair = Pair(
        target_subject_id="a", target_appearance_id=name, reference_subject_id="b", reference_appearance_id="r", kind=kind
    )
    score = Score(
        target=pair.id, name="similarity", value=similarity, producer="test", reason=None if similarity else "none"
    )
    return Item(pair.id, {Pair: (pair,), Score: (score,)})


@pytest.mark.parametrize(("similarity", "stratum"), [(0.0, 0), (0.099, 0), (0.1, 1), (0.55, 5), (0.999, 9), (1.0, 9)])
def test_a_pair_lies_in_the_band_of_its_similarity(similarity, stratum):
    (result,) = AuditPairs()([item("x", similarity)], DrawnContext({}))
    assert isinstance(result, Ok)
    assert {row.name: row.value for row in result.rows}["audit_stratum"] == stratum  # type: ignore[attr-defined]


def test_draws_are_uniform_and_follow_the_seed():
    items = [item(str(k), 0.5) for k in range(400)]
    draws, again, other = (
        [r.rows[1].value for r in AuditPairs()(items, DrawnContext({}, seed=s))]  # type: ignore[union-attr]
        for s in (0, 0, 1)
    )
    assert draws == again != other
    assert np.mean(draws) == pytest.approx(0.5, abs=0.06)
    assert len(set(draws)) == 400


def test_in_pairs_and_unmeasured_pairs_need_no_audit():
    results = AuditPairs()([item("x", 0.5, kind="in_pair"), item("y", None)], DrawnContext({}))
    assert [isinstance(result, Filtered) for result in results] == [True, True]


@given(
    st.dictionaries(st.text(max_size=4), st.tuples(st.integers(0, 3).map(float), st.floats(0, 1)), max_size=60),
    st.integers(1, 9),
)
def test_a_sample_holds_the_smallest_draws_of_each_stratum(placed, per_stratum):
    chosen = audit_sample(placed, per_stratum=per_stratum)
    for stratum in {s for s, _ in placed.values()}:
        members = sorted((draw, name) for name, (s, draw) in placed.items() if s == stratum)
        assert {name for name in chosen if placed[name][0] == stratum} == {name for _, name in members[:per_stratum]}
