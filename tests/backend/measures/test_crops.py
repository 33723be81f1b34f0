import cv2
import numpy as np
import pytest

from backend.measures.crops import brightness, clipped_fraction, colour_entropy, edge_density, sharpness


def plain(value, side=64):
    return np.full((side, side, 3), value, np.uint8)


def halves(left, right, side=64):
    picture = plain(left, side)
    picture[:, side // 2 :] = right
    return picture


def test_brightness_is_the_mean_luma():
    assert brightness(halves(0, 200)) == pytest.approx(100)
    # BT.601: .299 of pure red.
    assert brightness(plain((255, 0, 0))) == pytest.approx(0.299 * 255, abs=0.5)


def test_brightness_of_a_mask_is_of_its_pixels_alone():
    mask = np.zeros((64, 64), bool)
    mask[:, 40:] = True
    assert brightness(halves(0, 200), mask) == pytest.approx(200)


def test_an_empty_mask_measures_the_whole_crop():
    assert brightness(halves(0, 200), np.zeros((64, 64), bool)) == pytest.approx(100)


def test_pixels_at_either_end_are_clipped():
    assert clipped_fraction(halves(0, 128)) == pytest.approx(0.5)
    assert clipped_fraction(halves(2, 253)) == 1
    assert clipped_fraction(halves(3, 252)) == 0


def test_sharpness_of_a_step_is_the_variance_of_its_laplacian():
    # Two columns of 64 differ by +-80 from their neighbour, the mean is 0: 2 * 80 ** 2 / 64.
    assert sharpness(halves(60, 140)) == pytest.approx(2 * 80**2 / 64)


def test_sharpness_falls_with_blur_and_hardly_with_size():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    picture = cv2.resize(noise, (256, 256), interpolation=cv2.INTER_CUBIC)
    assert sharpness(cv2.GaussianBlur(picture, (0, 0), 3)) < 0.2 * sharpness(picture)
    larger = cv2.resize(picture, (1024, 1024), interpolation=cv2.INTER_LINEAR)
    assert sharpness(larger) == pytest.approx(sharpness(picture), rel=0.25)


def test_edges_are_the_pixels_beside_a_step():
    assert edge_density(plain(90)) == 0
    # The gradient reaches one pixel to either side: 2 columns of 64.
    assert edge_density(halves(60, 140)) == pytest.approx(2 / 64)
    assert edge_density(halves(100, 110)) == 0


def test_entropy_is_of_the_shares_of_colours():
    assert colour_entropy(plain(90)) == 0
    # Two colours, equally frequent: log 2 / log 512.
    assert colour_entropy(halves(0, 200)) == pytest.approx(1 / 9)
    levels = np.arange(0, 256, 32, dtype=np.uint8)
    every = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(16, 32, 3)
    assert colour_entropy(every) == pytest.approx(1)
