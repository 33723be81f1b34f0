import numpy as np

from backend.measures.matting import filled, foreground_on_white, grown_mask, on_white


def test_a_hole_grows_by_what_opens2v_grows_it():
    mask = np.zeros((100, 100), bool)
    mask[50, 50] = True
    grown = grown_mask(mask)
    assert grown.sum() == (20 + 3 * 3) ** 2, "20 wide, then three times three wider"


def test_what_a_ring_encloses_is_filled_and_a_bay_is_not():
    y, x = np.mgrid[0:40, 0:40]
    ring = np.abs(np.hypot(x - 20, y - 20) - 12) < 2
    assert filled(ring)[20, 20]
    bay = ring & (x < 25)
    assert not filled(bay)[20, 20]


def test_alpha_blends_on_white():
    cut_out = np.array([[[100, 0, 255, 0], [100, 0, 255, 255], [100, 0, 255, 51]]], np.uint8)
    assert on_white(cut_out).tolist() == [[[255, 255, 255], [100, 0, 255], [224, 204, 255]]]


def test_a_thing_on_white_is_found_with_what_it_encloses():
    picture = np.full((40, 40, 3), 255, np.uint8)
    picture[10:30, 10:30] = (200, 30, 30)
    picture[15:20, 15:20] = 255
    expected = np.zeros((40, 40), bool)
    expected[10:30, 10:30] = True
    assert np.array_equal(foreground_on_white(picture), expected)
    assert foreground_on_white(np.full((9, 9, 3), 100, np.uint8)).all(), "no white ground: the whole picture"
