import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.geometry import boxes

coordinate = st.integers(-50, 50)


@st.composite
def whole_boxes(draw):
    x0, y0 = draw(coordinate), draw(coordinate)
    return (x0, y0, x0 + draw(st.integers(0, 40)), y0 + draw(st.integers(0, 40)))


def painted(box):
    canvas = np.zeros((160, 160), bool)
    canvas[box[1] + 50 : box[3] + 50, box[0] + 50 : box[2] + 50] = True
    return canvas


def test_iou_of_two_squares_sharing_a_quarter_is_a_seventh():
    assert boxes.iou((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)


def test_touching_boxes_do_not_overlap():
    assert boxes.iou((0, 0, 2, 2), (2, 0, 4, 2)) == 0
    assert boxes.intersection((0, 0, 2, 2), (2, 0, 4, 2)) is None


@given(whole_boxes(), whole_boxes())
def test_iou_equals_counting_pixels(a, b):
    left, right = painted(a), painted(b)
    either = (left | right).sum()
    assert boxes.iou(a, b) == pytest.approx((left & right).sum() / either if either else 0)


@given(st.lists(whole_boxes(), max_size=5), st.lists(whole_boxes(), max_size=5))
def test_iou_matrix_holds_the_iou_of_every_pair(a, b):
    expected = np.array([[boxes.iou(p, q) for q in b] for p in a]).reshape(len(a), len(b))
    np.testing.assert_allclose(boxes.iou_matrix(a, b), expected)


@given(whole_boxes(), whole_boxes())
def test_containment_equals_counting_pixels(inner, outer):
    pixels = painted(inner).sum()
    expected = (painted(inner) & painted(outer)).sum() / pixels if pixels else 0
    assert boxes.contain(inner, outer) == pytest.approx(expected)


@given(whole_boxes(), whole_boxes())
def test_a_clipped_box_lies_in_the_bounds(box, bounds):
    clipped = boxes.clip(box, bounds)
    assert bounds[0] <= clipped[0] <= clipped[2] <= bounds[2]
    assert bounds[1] <= clipped[1] <= clipped[3] <= bounds[3]
    assert boxes.area(clipped) == boxes.area(boxes.intersection(box, bounds) or (0, 0, 0, 0))


def test_expanding_by_a_half_doubles_each_side():
    assert boxes.expand((10, 20, 30, 60), 0.5) == (0, 0, 40, 80)


@given(whole_boxes(), whole_boxes())
def test_the_union_contains_both(a, b):
    outer = boxes.union(a, b)
    assert boxes.clip(a, outer) == a
    assert boxes.clip(b, outer) == b


def test_suppression_keeps_the_best_of_each_heap():
    heap = [(0, 0, 10, 10), (1, 0, 11, 10), (50, 50, 60, 60), (0, 0, 10, 9)]
    assert boxes.nms(heap, [0.5, 0.9, 0.1, 0.5], max_iou=0.5) == [1, 2]


@given(st.lists(st.tuples(whole_boxes(), st.floats(0, 1)), max_size=8), st.floats(0, 1))
def test_suppression_leaves_no_overlapping_pair_and_explains_every_drop(scored, max_iou):
    candidates, scores = [b for b, _ in scored], [s for _, s in scored]
    kept = boxes.nms(candidates, scores, max_iou=max_iou)
    overlaps = boxes.iou_matrix(candidates, candidates)
    assert all(overlaps[i, j] <= max_iou for i in kept for j in kept if i != j)
    for dropped in set(range(len(candidates))) - set(kept):
        assert any(overlaps[dropped, i] > max_iou and scores[i] >= scores[dropped] for i in kept)


def test_a_box_along_the_left_edge_touches_by_its_height():
    assert boxes.border_contact((0, 20, 10, 50), (0, 0, 100, 100)) == pytest.approx(30 / 80)
    assert boxes.border_contact((5, 20, 10, 50), (0, 0, 100, 100)) == 0
    assert boxes.border_contact((0, 0, 100, 100), (0, 0, 100, 100)) == 1


@given(whole_boxes())
def test_the_box_of_a_painted_box_is_that_box(box):
    found = boxes.of_mask(painted(box))
    if boxes.area(box) == 0:
        assert found is None
    else:
        assert found == tuple(edge + 50 for edge in box)


@given(st.tuples(*[st.floats(-20, 120) for _ in range(4)]))
def test_pixel_boxes_are_never_empty_and_stay_in_the_picture(box):
    x0, y0, x1, y1 = boxes.to_pixels(box, 90, 70)
    assert 0 <= x0 < x1 <= 90
    assert 0 <= y0 < y1 <= 70
