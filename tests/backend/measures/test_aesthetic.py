import numpy as np
import pytest

from backend.measures.aesthetic import colourfulness, contrast, thirds_mass


def test_grey_pictures_have_no_colour():
    grey = np.random.default_rng(1).integers(0, 256, (40, 60, 1), np.uint8).repeat(3, 2)
    assert colourfulness(grey) == 0.0


def test_half_red_half_green_is_as_colourful_as_the_formula_says():
    rgb = np.zeros((10, 20, 3), np.uint8)
    rgb[:, :10, 0], rgb[:, 10:, 1] = 200, 200
    # rg is +-200 (deviation 200, mean 0), yb is 100 throughout (deviation 0, mean 100): 200 + .3 * 100.
    assert colourfulness(rgb) == pytest.approx(230.0)


def test_black_and_white_halves_have_the_most_contrast():
    grey = np.zeros((10, 20), np.uint8)
    grey[:, 10:] = 255
    assert contrast(grey) == pytest.approx(1.0)
    assert contrast(np.full((10, 20), 90, np.uint8)) == 0.0


def test_an_object_on_a_third_has_more_mass_there_than_one_in_the_corner():
    def with_disc_at(row: int, column: int) -> np.ndarray:
        grey = np.full((90, 120), 120, np.uint8)
        y, x = np.mgrid[:90, :120]
        grey[(y - row) ** 2 + (x - column) ** 2 < 64] = 230
        return grey

    on_third, in_corner = thirds_mass(with_disc_at(30, 40)), thirds_mass(with_disc_at(10, 10))
    assert on_third > 1.5 > 0.8 > in_corner
