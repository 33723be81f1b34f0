import numpy as np
import pytest

from backend.geometry import boxes
from backend.models.classical_segmenter import ClassicalSegmenter
from tests.backend.stages.moving_things import MovingThings, footage_of

WORLD = MovingThings([((150, 140), (3, 0), (60, 90))])


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def test_a_thing_of_other_colours_is_cut_along_its_outline():
    masks, qualities = ClassicalSegmenter().segment(WORLD.at([20])[0], [WORLD.box(0, 20)])
    assert masks.shape == (1, 270, 480)
    assert masks.dtype == bool
    assert overlap(masks[0], WORLD.mask(0, 20)) >= 0.9
    assert 0.5 <= qualities[0] <= 1


def test_motion_helps_where_the_box_is_loose():
    loose = boxes.clip(boxes.expand(WORLD.box(0, 20), 0.15), (0, 0, 480, 270))
    masks, _ = ClassicalSegmenter().segment_moving(footage_of(WORLD), 20, [loose])
    assert overlap(masks[0], WORLD.mask(0, 20)) >= 0.85


def test_a_mask_stays_in_its_box():
    box = (160.0, 90.0, 220.0, 160.0)
    mask = ClassicalSegmenter().segment(WORLD.at([20])[0], [box])[0][0]
    mask[90:160, 160:220] = False
    assert not mask.any()


def test_no_boxes_give_no_masks():
    masks, qualities = ClassicalSegmenter().segment(WORLD.at([20])[0], [])
    assert masks.shape == (0, 270, 480)
    assert qualities.shape == (0,)


@pytest.mark.parametrize("box", [(0.0, 0.0, 480.0, 270.0), (100.0, 100.0, 103.0, 104.0)])
def test_the_whole_frame_and_a_few_pixels_end_in_a_mask_with_a_quality(box):
    masks, qualities = ClassicalSegmenter().segment(WORLD.at([20])[0], [box])
    assert masks.shape == (1, 270, 480)
    assert 0 <= qualities[0] <= 1


def test_a_plain_picture_has_a_low_quality():
    plain = np.full((120, 160, 3), 90, np.uint8)
    _, qualities = ClassicalSegmenter().segment(plain, [(40.0, 30.0, 120.0, 90.0)])
    assert qualities[0] < 0.3


def test_equal_frames_give_equal_masks():
    frame, box = WORLD.at([20])[0], WORLD.box(0, 20)
    first, again = (ClassicalSegmenter().segment(frame, [box])[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
