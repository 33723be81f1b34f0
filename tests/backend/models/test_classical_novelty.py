import numpy as np

from backend.models.classical_novelty import UNKNOWN, novelty

SIDE = 60
INSIDE = np.zeros((SIDE, SIDE), bool)
INSIDE[15:45, 15:45] = True


def layered():
    """Blue over brown, meeting at half the height."""
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[: SIDE // 2], picture[SIDE // 2 :] = (90, 140, 220), (130, 100, 60)
    return picture


def test_background_layers_inside_the_box_are_not_novel():
    found = novelty(layered(), INSIDE, ~INSIDE)
    assert found[INSIDE].max() < 0.5


def test_each_colour_of_a_many_coloured_body_is_novel():
    picture = layered()
    for column, colour in zip(range(20, 40, 5), [(250, 250, 250), (15, 15, 15), (200, 30, 30), (30, 170, 30)], strict=True):
        picture[20:40, column : column + 5] = colour
    found = novelty(picture, INSIDE, ~INSIDE)
    assert found[20:40, 20:40].min() > 2
    assert found[16:19, 16:44].max() < 0.5


def test_a_colour_of_another_height_is_more_novel_than_one_of_its_own():
    picture = layered()
    picture[20:25, 25:35] = (130, 100, 60)
    found = novelty(picture, INSIDE, ~INSIDE)
    assert found[20:22, 25:35].min() > 2 * found[40, 30]


def test_a_second_subject_among_the_examples_does_not_hide_the_first():
    picture = layered()
    picture[20:40, 25:35] = (200, 30, 30)
    picture[20:23, 50:53] = (200, 30, 30)
    assert novelty(picture, INSIDE, ~INSIDE)[20:40, 25:35].min() > 2


def test_without_background_all_is_equally_unknown():
    found = novelty(layered(), np.ones((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool))
    np.testing.assert_array_equal(found, np.float32(UNKNOWN))


def test_outside_is_zero():
    assert not novelty(layered(), INSIDE, ~INSIDE)[~INSIDE].any()
