import cv2
import numpy as np
import pytest

from backend.measures.saliency import background_saliency, spectral_residual, superpixels

HEIGHT, WIDTH = 90, 120
THING = (slice(30, 60), slice(45, 75))


def scene(thing=(200, 40, 40)):
    """A thing in the middle of a lawn under a sky, slightly noisy."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.int16)
    picture[:40], picture[40:] = (120, 160, 220), (70, 120, 50)
    picture[THING] = thing
    noise = np.random.default_rng(0).integers(-6, 7, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def lab_of(rgb):
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)


def test_what_does_not_hold_on_to_the_edge_stands_out():
    found = background_saliency(scene())
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[THING] = True
    assert found.shape == (HEIGHT, WIDTH)
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1
    assert found[inside].mean() > 0.8
    assert found[~inside].mean() < 0.1


def test_both_colours_of_a_thing_stand_out():
    picture = scene()
    picture[45:60, 45:75] = (240, 240, 240)
    found = background_saliency(picture)
    assert min(found[32:43, 48:72].mean(), found[47:58, 48:72].mean()) > 0.6


def test_a_plain_picture_has_no_saliency():
    assert background_saliency(np.full((60, 80, 3), 90, np.uint8)).max() == 0


def test_superpixels_number_every_region_from_zero():
    regions = superpixels(lab_of(scene()))
    assert regions.labels.shape == (HEIGHT, WIDTH)
    assert np.unique(regions.labels).tolist() == list(range(regions.num))
    # One to a square of 10 px at most.
    assert regions.num <= 9 * 12


def test_superpixels_keep_to_the_edges_of_colours():
    regions = superpixels(lab_of(scene()))
    inside = np.zeros((HEIGHT, WIDTH))
    inside[THING] = 1
    shares = regions.mean(inside)
    assert np.minimum(shares, 1 - shares).max() < 0.1


def test_means_of_regions_are_those_of_their_pixels():
    regions = superpixels(lab_of(scene()))
    values = np.random.default_rng(1).random((HEIGHT, WIDTH, 2))
    means = regions.mean(values)
    assert means.shape == (regions.num, 2)
    np.testing.assert_allclose(means[3], values[regions.labels == 3].mean(axis=0))
    np.testing.assert_allclose(regions.mean(values[..., 0]), means[:, 0])


@pytest.mark.parametrize("place", [(20, 30), (60, 90)])
def test_the_spectral_residual_peaks_at_the_odd_one_out(place):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    gray = (128 + 60 * np.sin(x * np.pi / 4) * np.sin(y * np.pi / 4)).astype(np.float32)
    gray[place[0] - 6 : place[0] + 6, place[1] - 6 : place[1] + 6] = 250
    found = spectral_residual(gray)
    peak = np.unravel_index(int(found.argmax()), found.shape)
    assert found.shape == gray.shape
    assert np.hypot(peak[0] - place[0], peak[1] - place[1]) < 12
