import cv2
import numpy as np
import pytest

from backend.measures.technical import blockiness, blur, clipped_fraction, focus, luma, noise_sigma
from tests.backend.measures.moving_pictures import shot


def picture(seed: int = 1) -> np.ndarray:
    return luma(shot(seed, 1)[0])


def test_luma_weighs_red_green_and_blue_by_bt601():
    rgb = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert luma(rgb).tolist() == [[76, 150, 29]]


def test_focus_falls_with_blur():
    sharp = picture()
    values = [focus(sharp), *(focus(cv2.GaussianBlur(sharp, (0, 0), sigma)) for sigma in (1, 2, 4))]
    assert values == sorted(values, reverse=True) and values[-1] < 0.2 * values[0]


def test_focus_of_a_checkerboard_is_the_square_of_its_laplacian():
    board = (np.indices((64, 64)).sum(0) % 2 * 100).astype(np.uint8)
    # Every pixel differs by 100 from its four neighbours: the Laplacian is +-400.
    assert focus(board) == pytest.approx(400.0**2, rel=0.01)


def test_blur_grows_with_blur_and_not_with_contrast():
    sharp = picture(5)
    faint = (128 + 0.5 * (sharp.astype(np.float32) - 128)).round().astype(np.uint8)
    values = [blur(sharp), *(blur(cv2.GaussianBlur(sharp, (0, 0), sigma)) for sigma in (2, 4))]
    assert values == sorted(values) and values[-1] > values[0] + 0.1
    assert blur(faint) == pytest.approx(values[0], abs=0.1)  # rounding to levels sharpens by as much
    assert focus(faint) < 0.5 * focus(sharp)


def test_blur_of_flat_and_striped_pictures_is_as_the_formula_says():
    assert blur(np.full((40, 60), 90, np.uint8)) == 1.0
    # A checkerboard averaged over nine pixels steps by a ninth as much, so eight ninths are taken away.
    board = (np.indices((64, 64)).sum(0) % 2 * 90).astype(np.uint8)
    assert blur(board) == pytest.approx(1 / 9, abs=0.02)


def test_blocks_are_seen_on_the_grid_and_not_in_a_smooth_picture():
    smooth = picture(2)
    small = cv2.resize(smooth, (40, 23), interpolation=cv2.INTER_AREA)
    blocks = small.repeat(8, axis=0).repeat(8, axis=1)[:180, :320]
    assert blockiness(smooth) < 0.1
    # All steps of `blocks` lie on the grid: the excess is their mean over the quarter level that flat parts count for.
    assert blockiness(blocks) > 10
    assert blockiness(np.ascontiguousarray(blocks[:, 4:][4:])) < 0.1


def test_strong_jpeg_compression_is_blocky():
    coded = cv2.imdecode(cv2.imencode(".jpg", picture(3), [cv2.IMWRITE_JPEG_QUALITY, 8])[1], cv2.IMREAD_GRAYSCALE)
    assert coded is not None and blockiness(np.asarray(coded)) > 0.5


@pytest.mark.parametrize("sigma", [2.0, 6.0, 15.0])
def test_noise_added_to_a_smooth_picture_is_found(sigma: float):
    ramp = np.linspace(60, 190, 320)[None, :].repeat(180, 0)
    noisy = ramp + np.random.default_rng(4).normal(scale=sigma, size=ramp.shape)
    assert noise_sigma(noisy.round().astype(np.uint8)) == pytest.approx(sigma, rel=0.05)


def test_clipping_is_the_share_of_lost_pixels():
    grey = np.full((10, 10), 128, np.uint8)
    grey[0], grey[1, :5], grey[2] = 0, 255, 3
    assert clipped_fraction(grey) == pytest.approx(0.15)


def test_tiny_pictures_are_measured_without_a_fault():
    for height, width in ((1, 1), (2, 2), (3, 5), (1, 400)):
        grey = np.full((height, width), 100, np.uint8)
        assert (focus(grey), blockiness(grey), noise_sigma(grey)) == (0.0, 0.0, 0.0)
