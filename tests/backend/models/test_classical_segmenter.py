from dataclasses import replace

import numpy as np
import pytest

from backend.geometry import boxes
from backend.models.classical_segmenter import ClassicalSegmenter
from tests.backend.stages.footage_in_memory import ArrayReader
from tests.backend.stages.moving_things import MovingThings, footage_of, footage_of_file

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


def two_tone():
    """A figure, white above and black below, before sky and ground; and its mask."""
    picture = np.zeros((200, 200, 3), np.uint8)
    picture[:100], picture[100:] = (90, 140, 220), (130, 100, 60)
    mask = np.zeros((200, 200), bool)
    mask[50:150, 80:120] = True
    picture[50:100, 80:120], picture[100:150, 80:120] = 245, 15
    noise = np.random.default_rng(0).integers(-8, 9, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8), mask


def test_a_two_tone_body_before_two_backgrounds_is_cut_whole():
    picture, true = two_tone()
    mask = ClassicalSegmenter().segment(picture, [(72.0, 42.0, 128.0, 158.0)])[0][0]
    assert overlap(mask, true) >= 0.9


def test_black_borders_are_no_example_of_background():
    picture, true = two_tone()
    bordered = np.pad(picture[30:170], ((30, 30), (0, 0), (0, 0)))
    footage = replace(footage_of_file(ArrayReader(np.stack([bordered] * 20))), content=(0.0, 30.0, 200.0, 170.0))
    mask = ClassicalSegmenter().segment_moving(footage, 5, [(72.0, 42.0, 128.0, 165.0)])[0][0]
    assert overlap(mask, true) >= 0.9


@pytest.mark.parametrize(("width", "height"), [(8000, 16), (16, 16), (64, 2000), (2, 2)])
def test_extreme_shapes_are_cut_without_error(width, height):
    noise = np.random.default_rng(0).integers(0, 256, (12, height, width, 3), dtype=np.uint8)
    box = (width / 4, height / 4, width * 3 / 4, height * 3 / 4)
    masks, _ = ClassicalSegmenter().segment_moving(footage_of_file(ArrayReader(noise)), 5, [box])
    assert masks.shape == (1, height, width)
