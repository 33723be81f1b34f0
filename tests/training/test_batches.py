"""Which pictures a clip is shown with, and in which batches and order."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import SettingsError
from training.anchors import Candidate, SupersetAnchoring
from training.data.batches import BatchOrder, Position
from training.data.listing import ClipSample, Reference
from training.data.modes import MODES, Example, Picture
from training.data.shapes import ClipShapes, PictureShapes, Shape, covering, sized
from training.observe import told as told_of

WIDE, TALL = (3, 4, 8), (3, 8, 4)


def example(number, *, size=WIDE, pictures=1, variants=("plain",)):
    shown = tuple(Picture(f"subject_{n}", f"{number}-{n}", variants, (4, 4)) for n in range(pictures))
    return Example(f"clip_{number:02d}", "cross_pair", size, shown, False)


def order(examples, **more):
    return BatchOrder(**{"examples": tuple(examples), "tokens": 100, "seed": 1, **more})


def names(batches):
    return [sample.example.name for batch in batches for sample in batch.samples]


@given(count=st.integers(1, 30), tall=st.integers(0, 10), seed=st.integers(0, 9), epoch=st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_an_epoch_shows_every_example_once_in_batches_of_one_shape_under_the_budget(count, tall, seed, epoch):
    examples = [example(n) for n in range(count)] + [example(count + n, size=TALL) for n in range(tall)]
    batches = order(examples, seed=seed).epoch(epoch)
    assert Counter(names(batches)) == Counter(one.name for one in examples)
    for batch in batches:
        assert len({sample.group for sample in batch.samples}) == 1
        assert batch.tokens <= 100
        assert batch.tokens == len(batch.samples) * (3 * 2 * 4 + 2 * 2)


def test_order_and_seeds_are_of_the_epoch_alone():
    examples = [example(n, pictures=3) for n in range(12)]
    one, other = order(examples, all_references=False), order(reversed(examples[:]), all_references=False)
    assert order(examples, all_references=False).epoch(2) == one.epoch(2)
    assert one.epoch(1) != one.epoch(2)
    assert len({batch.seed for epoch in range(4) for batch in one.epoch(epoch)}) == sum(len(one.epoch(e)) for e in range(4))
    assert Counter(names(other.epoch(0))) == Counter(names(one.epoch(0)))


def test_position_counts_batches_over_all_ranks():
    found = order([example(n) for n in range(9)], max_samples=1)
    alone, position = [], Position()
    for _ in range(8):
        (batch,), position = found.at(position, ranks=1)
        alone.append(batch)
    together, place = [], Position()
    for _ in range(4):
        batches, place = found.at(place, ranks=2)
        together += batches
    assert together == alone
    assert place == position == Position(0, 8)


def test_the_end_of_an_epoch_is_filled_up_from_its_start():
    found = order([example(n) for n in range(3)], max_samples=1)
    batches, after = found.at(Position(0, 2), ranks=2)
    assert batches == (found.epoch(0)[2], found.epoch(0)[0])
    assert after == Position(1, 0)


def test_references_are_as_many_as_allowed_or_a_random_number():
    examples = [example(n, pictures=5) for n in range(40)]
    every = [len(sample.shown) for batch in order(examples).epoch(0) for sample in batch.samples]
    some = [len(sample.shown) for batch in order(examples, all_references=False).epoch(0) for sample in batch.samples]
    assert set(every) == {3}
    assert set(some) == {1, 2, 3}


def test_slots_are_counted_and_variants_drawn():
    found = order([example(n, pictures=2, variants=("augmented.0", "augmented.1")) for n in range(20)], anchor_timestep=0.0)
    samples = [sample for batch in found.epoch(0) for sample in batch.samples]
    assert {shown.variant for sample in samples for shown in sample.shown} == {"augmented.0", "augmented.1"}
    assert all([shown.segment.slot for shown in sample.shown] == [0, 1] for sample in samples)
    assert {shown.segment.timestep for sample in samples for shown in sample.shown} == {0.0}


def test_a_sample_over_the_budget_is_named():
    with pytest.raises(SettingsError, match=r"a sample of 28 tokens \(clip_00, 1 references\) exceeds data.tokens = 27"):
        order([example(0)], tokens=27)


def test_anchors_are_drawn_from_the_long_shot_with_role_and_category():
    told = [("global", "", 1.0), ("view", "front", 1.0), ("view", "left", 9.0), ("expression", "happy", 12.0)]
    candidates = tuple(Candidate(id=f"{r}:{c}", role=r, category=c, time_s=t) for r, c, t in told)
    pictures = tuple(Picture(one.id, one.id, ("plain",), (4, 4)) for one in candidates)
    one = Example("clip_00", "anchors", WIDE, pictures, False, candidates, (0.0, 4.0))
    anchoring = SupersetAnchoring(kinds="both", outside=0.0, dropped=0.0, all_dropped=0.0)
    inside = order([one], anchoring=anchoring).drawn(one, 0)
    assert {(s.segment.role, s.segment.category, s.picture.target) for s in inside.shown} <= {
        ("global", "", "global:"),
        ("view", "front", "view:front"),
    }
    anywhere = order([one], anchoring=replace(anchoring, outside=1.0))
    drawn = [{shown.segment.category for shown in anywhere.drawn(one, epoch).shown} for epoch in range(30)]
    assert all("happy" in categories for categories in drawn), "the one expression is always there"
    assert any("left" in categories for categories in drawn)
    assert len({tuple(sorted(categories)) for categories in drawn}) > 1


def test_a_sample_remembers_which_of_its_anchors_were_drawn_from_outside_the_clip():
    told = [("view", "front", 1.0), ("view", "left", 9.0), ("view", "back", 2.0)]
    candidates = tuple(Candidate(id=f"{c}@{t:g}", role=r, category=c, time_s=t) for r, c, t in told)
    pictures = tuple(Picture(one.id, f"{one.id}.png", ("plain",), (4, 4)) for one in candidates)
    one = Example("clip_00", "anchors", WIDE, pictures, False, candidates, (2.0, 6.5))
    anchoring = SupersetAnchoring(kinds="view", outside=1.0, dropped=0.0, all_dropped=0.0)
    found = order([one], anchoring=anchoring)
    shown = {each["picture"]: each for epoch in range(20) for each in told_of(found.drawn(one, epoch))["shown"]}
    assert shown == {
        "front@1": {**line("front@1", "front"), "inside": False, "gap_s": 1.0},
        "left@9": {**line("left@9", "left"), "inside": False, "gap_s": 2.5},
        "back@2": {**line("back@2", "back"), "inside": True, "gap_s": 0.0},
    }
    references = told_of(order([example(3, pictures=2)]).drawn(example(3, pictures=2), 0))
    assert (references["clip"], references["mode"]) == ("clip_03", "cross_pair")
    assert references["shown"] == [{**line(f"subject_{n}", "", role="reference"), "file": f"3-{n}"} for n in range(2)], (
        "a reference is of no time"
    )


def line(picture, category, *, role="view"):
    return {"picture": picture, "file": f"{picture}.png", "variant": "plain", "role": role, "category": category}


@pytest.mark.parametrize(
    ("mode", "taken"),
    [
        ("in_pair", [("in_pair", "in_pair")]),
        ("augmented", [("in_pair", "in_pair")]),
        ("cross_pair", [("cross_pair", "cross_frame"), ("cross_pair", "cross_video")]),
        ("face_cross_pair", []),
        ("generated", [("cross_pair", "generated")]),
        ("anchors", []),
    ],
)
def test_a_mode_takes_references_of_its_kind(mode, taken):
    found = [
        (kind, pair)
        for kind in ("in_pair", "cross_pair")
        for pair in ("in_pair", "cross_frame", "cross_video", "generated")
        if MODES[mode](
            ClipSample("s", kind, "c", "", (), None), Reference("subject", "picture", pair, "dog", is_person=False)
        )
    ]
    assert found == taken


def test_faces_are_of_people():
    person = Reference("subject", "picture", "cross_video", "man", is_person=True)
    assert MODES["face_cross_pair"](ClipSample("s", "cross_pair", "c", "", (), None), person)


def test_a_clip_falls_into_the_longest_bucket_that_it_fills_of_the_nearest_aspect():
    shapes = ClipShapes(fps=16.0, frames=(17, 33), pixels=64 * 64, aspects=(2.0, 1.0, 0.5), multiple=8)
    assert shapes.of(3.0, 200, 100) == Shape(33, 48, 88)
    assert shapes.of(1.5, 100, 90) == Shape(17, 64, 64)
    assert shapes.of(0.9, 100, 90) is None
    assert len(shapes.all()) == 6


def test_sides_are_multiples_and_the_area_is_near():
    assert sized(16 / 9, 480 * 832, 16) == (480, 848)
    assert sized(1.0, 480 * 832, 16) == (624, 624)  # 631.9 is nearer to 39 x 16 than to 40 x 16


@given(width=st.integers(8, 400), height=st.integers(8, 400))
def test_a_scaled_picture_covers_its_shape_on_one_side_exactly(width, height):
    shape = Shape(5, 64, 96)
    wide, high = covering(width, height, shape)
    assert wide >= shape.width
    assert high >= shape.height
    assert wide == shape.width or high == shape.height


def test_a_picture_on_the_canvas_has_the_first_clip_shape():
    clips = ClipShapes(fps=16.0, frames=(17,), pixels=64 * 64, aspects=(1.0,), multiple=8)
    assert PictureShapes(fit="canvas").size(10, 90, clips=clips) == (64, 64)
    assert PictureShapes(pixels=32 * 32, aspects=(1.0, 0.5)).size(10, 22, clips=clips) == (48, 24)
