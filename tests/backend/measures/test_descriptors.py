import numpy as np
import pytest

from backend.measures import descriptors as d

WHITE_LIGHT = np.ones(3, np.float32)


def picture(colour, *, size=(96, 64)):
    return np.full((*size, 3), colour, np.uint8), np.ones(size, bool)


def test_masked_crop_keeps_only_the_mask_at_the_asked_height():
    frame, mask = np.zeros((100, 200, 3), np.uint8), np.zeros((100, 200), bool)
    mask[20:60, 50:70] = True
    frame[mask] = 200
    crop, inside = d.masked_crop(frame, mask, height=80)  # type: ignore[misc]
    assert crop.shape == (80, 40, 3)
    assert inside.all()
    assert (crop == 200).all()


def test_an_empty_mask_has_no_crop():
    assert d.masked_crop(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), bool)) is None


@pytest.mark.parametrize("describe", [lambda c, m: d.colour_bands(c, m, WHITE_LIGHT), d.texture_bands, d.shape_grid])
def test_vectors_have_unit_length(describe):
    crop = np.random.default_rng(0).integers(0, 256, (128, 60, 3), dtype=np.uint8)
    assert np.linalg.norm(describe(crop, np.ones((128, 60), bool))) == pytest.approx(1.0, abs=1e-5)


def test_red_is_nearer_to_dark_red_than_to_green():
    red, dark_red, green = (d.colour_bands(*picture(c), WHITE_LIGHT) for c in ((200, 30, 30), (140, 20, 20), (30, 160, 30)))
    assert red @ dark_red > 0.7
    assert red @ green < 0.1


def test_pixels_outside_the_mask_do_not_count():
    crop, mask = picture((200, 30, 30))
    mask[:, :32] = False
    painted = crop.copy()
    painted[:, :32] = (0, 0, 255)
    assert np.allclose(d.colour_bands(crop, mask, WHITE_LIGHT), d.colour_bands(painted, mask, WHITE_LIGHT))


def test_colour_bands_tell_a_shirt_from_trousers():
    crop, mask = picture((200, 30, 30))
    crop[:48] = (30, 30, 200)
    swapped = crop[::-1]
    same, other = (d.colour_bands(c, mask, WHITE_LIGHT) for c in (crop, swapped))
    assert same @ other < 0.6


def test_a_mirrored_subject_keeps_its_shape():
    rng = np.random.default_rng(1)
    crop = np.kron(rng.integers(0, 256, (16, 8)), np.ones((8, 8))).astype(np.uint8)[..., None].repeat(3, -1)
    mask = np.ones(crop.shape[:2], bool)
    assert d.shape_grid(crop, mask) @ d.shape_grid(crop[:, ::-1], mask) > 0.99


def test_texture_tells_stripes_from_noise():
    mask = np.ones((128, 64), bool)
    stripes = np.zeros((128, 64, 3), np.uint8)
    stripes[::8] = stripes[1::8] = stripes[2::8] = stripes[3::8] = 200
    noise = np.random.default_rng(2).integers(0, 256, (128, 64, 3), dtype=np.uint8)
    other = np.random.default_rng(3).integers(0, 256, (128, 64, 3), dtype=np.uint8)
    assert d.texture_bands(noise, mask) @ d.texture_bands(other, mask) > 0.98
    assert d.texture_bands(noise, mask) @ d.texture_bands(stripes, mask) < 0.8


def test_neutral_light_needs_no_gain():
    frame = np.random.default_rng(4).integers(0, 256, (72, 128, 1), dtype=np.uint8).repeat(3, axis=2)
    assert d.lighting_gains(frame) == pytest.approx(1.0)


def test_gains_weaken_a_colour_cast():
    frame = np.full((72, 128, 3), (200, 150, 100), np.uint8)
    gains = d.lighting_gains(frame, strength=1.0)
    balanced = frame[0, 0] * gains
    assert balanced == pytest.approx(np.full(3, balanced.mean()), rel=0.02)


def test_the_background_does_not_see_the_subject():
    rng = np.random.default_rng(5)
    frame = rng.integers(0, 256, (192, 320, 3), dtype=np.uint8)
    mask = np.zeros((192, 320), bool)
    mask[40:160, 100:220] = True
    painted = frame.copy()
    painted[60:140, 120:200] = (255, 0, 0)
    assert d.background_layout(frame, mask) @ d.background_layout(painted, mask) == pytest.approx(1.0, abs=1e-3)
