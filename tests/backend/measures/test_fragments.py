"""DOVER's technical view against squares and frames counted by hand."""

import numpy as np
import pytest

from backend.measures.fragments import DEVIATION, MEAN, clip_frames, normalised, square_starts, technical_view


def test_each_clip_lies_in_the_middle_of_its_third():
    # 300 frames: thirds of 100, clips span 64, 18 are left on each side.
    found = clip_frames(300)
    assert found.shape == (3, 32)
    assert found[:, 0].tolist() == [18, 118, 218]
    assert found[:, -1].tolist() == [80, 180, 280]


def test_short_clips_go_on_from_their_beginning():
    # 30 frames: thirds of 10 have no room, clips begin at 0, 10 and 20 and wrap after frame 28 or 29.
    found = clip_frames(30)
    assert found[:, 0].tolist() == [0, 10, 20]
    assert found[2, :6].tolist() == [20, 22, 24, 26, 28, 0]
    assert set(clip_frames(1).ravel().tolist()) == {0}


def test_no_frames_have_no_view():
    with pytest.raises(ValueError, match="0 frames"):
        clip_frames(0)


def test_squares_lie_in_the_middle_of_their_sevenths():
    # 720 px: sevenths of 102, squares of 32, 35 before each.
    assert square_starts(720) == [35, 137, 239, 341, 443, 545, 647]
    assert square_starts(224) == [0, 32, 64, 96, 128, 160, 192]
    with pytest.raises(ValueError, match="enlarge"):
        square_starts(223)


def test_the_view_holds_the_squares_pixel_by_pixel():
    y, x = np.mgrid[0:720, 0:1280]
    frame = np.dstack([y // 4, x // 8, (x + y) % 256]).astype(np.uint8)
    view = technical_view([frame, frame[::-1].copy()])
    assert view.shape == (2, 224, 224, 3)
    across = square_starts(1280)  # sevenths of 182: 75 before each
    assert across[:2] == [75, 257]
    np.testing.assert_array_equal(view[0, 32:64, 64:96], frame[137:169, across[2] : across[2] + 32])
    np.testing.assert_array_equal(view[1, :32, :32], frame[::-1][35:67, 75:107])


def test_small_pictures_are_enlarged_until_the_squares_fit():
    frame = np.full((100, 150, 3), 77, np.uint8)
    assert (technical_view([frame]) == 77).all()
    exact = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    np.testing.assert_array_equal(technical_view([exact])[0], exact)


def test_views_are_normalised_by_colour():
    views = np.zeros((1, 2, 224, 224, 3), np.uint8)
    views[..., 1] = 200
    found = normalised(views)
    assert found.shape == (1, 3, 2, 224, 224)
    assert found.dtype == np.float32
    assert found[0, 1, 0, 0, 0] == pytest.approx((200 - MEAN[1]) / DEVIATION[1])
    assert found[0, 0, 0, 0, 0] == pytest.approx(-MEAN[0] / DEVIATION[0])
