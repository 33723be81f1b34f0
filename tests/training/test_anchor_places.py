"""Anchors stand in training where they stand in generation, in whatever order they come."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from training.anchors import Candidate, SupersetAnchoring
from training.data.batches import BatchOrder
from training.data.modes import Example, Picture
from training.layout import EXPRESSIONS, VIEWS, Segment, SequenceLayout, anchor_segments, clip_segments
from training.positions import POSITIONS, position_scheme

KINDS = (
    ("global", ""),
    *(("view", category) for category in VIEWS),
    *(("expression", category) for category in EXPRESSIONS),
)
SIZES = {"global": (4, 6), "view": (4, 2), "expression": (2, 2)}


def origins(anchors: tuple[Segment, ...], scheme: str) -> dict[tuple[str, str], tuple[float, ...]]:
    """Where the first token of each kind stands, of a clip of 2 x 4 x 6 latents."""
    layout = SequenceLayout(stream=clip_segments((2, 4, 6)), anchors=anchors, scheme=position_scheme(scheme))
    grid = layout.stream_grid
    return {(anchor.role, anchor.category): layout.scheme.origin(anchor, grid) for anchor in anchors}


def drawn_in_training(seed: int) -> tuple[Segment, ...]:
    candidates = [Candidate(id=f"{role}:{name}", role=role, category=name, time_s=1.0) for role, name in KINDS]
    random.Random(seed).shuffle(candidates)
    pictures = tuple(Picture(one.id, one.id, ("plain",), SIZES[one.role]) for one in candidates)
    example = Example("clip", "anchors", (2, 4, 6), pictures, False, tuple(candidates), (0.0, 4.0))
    anchoring = SupersetAnchoring(kinds="both", outside=0.0, dropped=0.0, all_dropped=0.0)
    order = BatchOrder(examples=(example,), tokens=1000, anchoring=anchoring, anchor_timestep=0.0, seed=seed)
    return tuple(shown.segment for shown in order.drawn(example, 0).shown)


@given(seed=st.integers(0, 10**6), scheme=st.sampled_from(sorted(POSITIONS)))
@settings(max_examples=40, deadline=None)
def test_anchors_drawn_in_training_stand_where_the_same_ones_stand_in_generation(seed: int, scheme: str) -> None:
    drawn = drawn_in_training(seed)
    listed = [(each.role, each.category) for each in drawn]
    random.Random(seed + 1).shuffle(listed)  # as a case may list them
    given_ = anchor_segments([(role, category, SIZES[role]) for role, category in listed], timestep=0.0)
    assert [(each.role, each.category) for each in given_] == listed
    assert origins(given_, scheme) == origins(drawn, scheme)
    assert set(given_) == set(drawn)


@given(seed=st.integers(0, 10**6), scheme=st.sampled_from(sorted(set(POSITIONS) - {"wan_s2v"})))
@settings(max_examples=40, deadline=None)
def test_no_two_anchors_of_a_sample_stand_at_one_place(seed: int, scheme: str) -> None:
    found = origins(drawn_in_training(seed), scheme)
    assert len(set(found.values())) == len(found)


def test_slots_follow_role_and_category_and_references_come_first() -> None:
    told = [
        ("expression", "happy"),
        ("reference", ""),
        ("view", "left"),
        ("global", ""),
        ("reference", ""),
        ("view", "front"),
    ]
    found = anchor_segments([(role, category, (2, 2)) for role, category in told], timestep=None)
    assert [each.slot for each in found] == [5, 0, 4, 2, 1, 3]
    assert {each.timestep for each in found} == {None}


def test_weak_condition_binds_the_global_anchor_whatever_stands_beside_it() -> None:
    beside = anchor_segments([("reference", "", (2, 2)), ("global", "", (2, 2)), ("view", "back", (2, 2))], timestep=None)
    alone = anchor_segments([("global", "", (2, 2))], timestep=None)
    found = origins(beside, "weak_condition")
    assert found[("global", "")] == origins(alone, "weak_condition")[("global", "")] == (30.0, 0.0, 0.0)
    assert found[("view", "back")] == (41.0, 0.0, 0.0)
