"""Which anchors a clip gets: from inside and outside, how many, of which category, and what is remembered of it."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.anchors import CATEGORY_SHARES, Candidate, SupersetAnchoring
from training.layout import EXPRESSIONS, VIEWS

CLIP = (10.0, 15.0)


def candidate(role: str, category: str, time_s: float) -> Candidate:
    return Candidate(id=f"{role}-{category}-{time_s}", role=role, category=category, time_s=time_s)


def shot(times=(2.0, 12.0, 30.0)) -> list[Candidate]:
    named = [("global", ""), *(("view", name) for name in VIEWS), *(("expression", name) for name in EXPRESSIONS)]
    return [candidate(role, category, time_s) for role, category in named for time_s in times]


candidates = st.lists(
    st.builds(
        candidate,
        st.just("view"),
        st.sampled_from(VIEWS),
        st.floats(0, 40),
    ),
    max_size=8,
)


def test_gaps_by_hand() -> None:
    anchoring = SupersetAnchoring(kinds="global", all_dropped=0)
    for time_s, inside, gap in ((10.0, True, 0.0), (7.5, False, 2.5), (18.0, False, 3.0)):
        (chosen,) = anchoring.draw([candidate("global", "", time_s)], CLIP, np.random.default_rng(1))
        assert (chosen.inside, chosen.gap_s) == (inside, gap)
        assert chosen.candidate.time_s == time_s


def test_anchors_too_near_the_clip_are_not_used() -> None:
    anchoring = SupersetAnchoring(kinds="global", all_dropped=0, min_gap_s=1.0)
    for time_s in (9.5, 15.0, 15.9):
        assert anchoring.draw([candidate("global", "", time_s)], CLIP, np.random.default_rng(1)) == ()


@given(candidates, st.integers(0, 1000))
def test_one_at_least_comes_from_outside_where_one_is_there(offered, seed: int) -> None:
    anchoring = SupersetAnchoring(kinds="view", outside=0.01, dropped=0, all_dropped=0)
    chosen = anchoring.draw(offered, CLIP, np.random.default_rng(seed))
    could = {anchor.category for anchor in offered if anchor.time_s <= 9 or anchor.time_s >= 16}
    if any(each.candidate.category in could for each in chosen):
        assert any(not each.inside for each in chosen)


@given(candidates, st.integers(0, 1000))
def test_what_is_chosen_was_offered_and_each_category_once(offered, seed: int) -> None:
    chosen = SupersetAnchoring(kinds="view", max_views=3).draw(offered, CLIP, np.random.default_rng(seed))
    assert all(each.candidate in offered for each in chosen)
    categories = [each.candidate.category for each in chosen]
    assert len(set(categories)) == len(categories) <= 3
    assert all(each.inside == (CLIP[0] <= each.candidate.time_s < CLIP[1]) for each in chosen)
    assert all(each.gap_s >= 1 or each.inside for each in chosen)


def test_without_the_superset_all_come_from_inside() -> None:
    anchoring = SupersetAnchoring(outside=0, kinds="both", dropped=0, all_dropped=0)
    rng = np.random.default_rng(3)
    chosen = [each for _ in range(50) for each in anchoring.draw(shot(), CLIP, rng)]
    assert chosen
    assert all(each.inside for each in chosen)
    assert anchoring.draw(shot(times=(2.0,)), CLIP, rng) == ()


def test_share_from_outside_is_the_one_asked_for() -> None:
    """One pool: .7 and its complement; the guarantee then takes what is left, so a second pool is needed to see it: .7 + .3 / 2 * .3."""
    anchoring = SupersetAnchoring(kinds="view", max_views=1, dropped=0, all_dropped=0, outside=0.7)
    offered = [anchor for anchor in shot() if anchor.role == "global" or anchor.category == "back"]
    rng = np.random.default_rng(5)
    chosen = [each for _ in range(4000) for each in anchoring.draw(offered, CLIP, rng)]
    share = np.mean([not each.inside for each in chosen])
    assert share == pytest.approx(0.7 + 0.3**2 / 2, abs=0.02)


def test_the_global_anchor_is_there_unless_all_are_dropped() -> None:
    rng = np.random.default_rng(7)
    drawn = [SupersetAnchoring(dropped=1.0).draw(shot(), CLIP, rng) for _ in range(2000)]
    assert {tuple(each.candidate.role for each in chosen) for chosen in drawn} == {(), ("global",)}
    assert np.mean([not chosen for chosen in drawn]) == pytest.approx(0.1, abs=0.025)


def test_mixed_training_has_one_kind_a_sample_and_both_as_often() -> None:
    anchoring = SupersetAnchoring(kinds="one", dropped=0, all_dropped=0)
    rng = np.random.default_rng(9)
    kinds = Counter()
    for _ in range(2000):
        roles = {each.candidate.role for each in anchoring.draw(shot(), CLIP, rng)} - {"global"}
        assert len(roles) == 1
        kinds[roles.pop()] += 1
    assert kinds["view"] / 2000 == pytest.approx(0.5, abs=0.04)


def test_joint_training_has_both_kinds() -> None:
    chosen = SupersetAnchoring(kinds="both", dropped=0, all_dropped=0).draw(shot(), CLIP, np.random.default_rng(2))
    assert {each.candidate.role for each in chosen} == {"global", "view", "expression"}


@pytest.mark.parametrize("role", CATEGORY_SHARES)
def test_shares_are_the_published_ones_where_all_are_offered(role) -> None:
    anchoring = SupersetAnchoring(kinds=role, max_views=1, max_expressions=1, dropped=0, all_dropped=0)
    rng = np.random.default_rng(11)
    drawn = (anchoring.draw(shot(), CLIP, rng) for _ in range(3000))
    counts = Counter(each.candidate.category for chosen in drawn for each in chosen if each.candidate.role == role)
    for category, share in CATEGORY_SHARES[role].items():
        assert 100 * counts[category] / counts.total() == pytest.approx(share, abs=3)


def test_rare_categories_are_taken_where_they_are_seen() -> None:
    """Every shot shows a front, one in ten a back as well: with frequencies, that one gives its back almost always."""
    offered = [anchor for anchor in shot() if anchor.category in ("front", "back")]
    anchoring = SupersetAnchoring(kinds="view", max_views=1, dropped=0, all_dropped=0)
    rng = np.random.default_rng(13)
    frequencies = {"view": {"front": 1000, "back": 100}}
    drawn = [anchoring.draw(offered, CLIP, rng, frequencies=frequencies) for _ in range(4000)]
    backs = np.mean([any(each.candidate.category == "back" for each in chosen) for chosen in drawn])
    assert backs == pytest.approx((17.3 / 100) / (17.3 / 100 + 29.6 / 1000), abs=0.03)


def test_draws_repeat_with_their_generator() -> None:
    one, other = (SupersetAnchoring().draw(shot(), CLIP, np.random.default_rng(4)) for _ in range(2))
    assert one == other


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="outside is a probability"):
        SupersetAnchoring(outside=1.2)
    with pytest.raises(ValueError, match="at least 1"):
        SupersetAnchoring(max_views=0)
