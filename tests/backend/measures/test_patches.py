"""Patches of cut-outs: what they hold, and what matching leaves unexplained."""

import cv2
import numpy as np
import pytest

from backend.measures import patches

RED, BLUE, GREY = (180, 40, 40), (40, 60, 170), (120, 120, 120)


def body(*bands: tuple[int, int, int], stripes: int = 0, size: tuple[int, int] = (160, 80)) -> np.ndarray:
    """Bands of colours from the top to the bottom; with stripes, every second column of that many pixels is darker."""
    picture = np.zeros((*size, 3), np.uint8)
    for rows, colour in zip(np.array_split(np.arange(size[0]), len(bands)), bands, strict=True):
        picture[rows] = colour
    if stripes:
        picture[:, np.arange(size[1]) // stripes % 2 == 1] //= 3
    return picture


def whole(picture: np.ndarray, *, above: float = 0.0, below: float = 0.0) -> patches.Patches:
    return patches.describe(picture, np.ones(picture.shape[:2], bool), above=above, below=below)


def test_patches_hold_height_and_logarithms_of_colour() -> None:
    found = whole(body(RED, GREY))
    upper = found.colour[found.height < 0.4]
    assert upper[:, 1] == pytest.approx(np.log(188 / 48), abs=1e-3)
    assert upper[:, 2] == pytest.approx(np.log(48) - (np.log(188) + np.log(48)) / 2, abs=1e-3)
    lower = found.colour[found.height > 0.6]
    assert lower[:, 0] == pytest.approx(np.log(128), abs=1e-3)
    assert np.abs(lower[:, 1:]).max() < 1e-3


def test_plain_patches_have_no_texture_and_stripes_lie_across_their_slopes() -> None:
    assert whole(body(GREY)).texture.max() < 1e-3
    upright = whole(body(GREY, stripes=5)).texture.reshape(-1, 2, patches.DIRECTIONS).mean(axis=(0, 1))
    assert upright.argmax() == 0, "slopes of upright stripes point across"
    lying = whole(np.ascontiguousarray(body(GREY, stripes=5, size=(160, 160)).transpose(1, 0, 2)))
    assert lying.texture.reshape(-1, 2, patches.DIRECTIONS).mean(axis=(0, 1)).argmax() == patches.DIRECTIONS // 2


def test_a_cut_out_explains_itself_and_its_mirror() -> None:
    picture = body(RED, GREY, BLUE, stripes=9)
    picture[:40, :30] = GREY
    for other in (picture, np.ascontiguousarray(picture[:, ::-1])):
        found = patches.match(whole(picture), whole(other))
        assert found.there < 0.05 and found.back < 0.05 and found.light < 0.02


def test_light_is_taken_away_within_bounds() -> None:
    picture = body(RED, GREY, BLUE)
    lit = np.clip((picture + patches.DARK_LEVELS) * (1.25, 1.15, 1.0) - patches.DARK_LEVELS, 0, 255).astype(np.uint8)
    found = patches.match(whole(picture), whole(lit))
    assert found.mean < 0.1
    assert found.light == pytest.approx(np.log(1.25 * 1.15) / 3, abs=0.03)
    assert patches.match(whole(body(GREY)), whole(body(RED))).there > 0.5


def test_same_colours_elsewhere_are_another_subject() -> None:
    first, turned_over = whole(body(RED, GREY, BLUE)), whole(body(BLUE, GREY, RED))
    found = patches.match(first, turned_over)
    assert found.there > 0.5
    assert patches.match(whole(body(RED, stripes=6)), whole(body(RED))).there > 0.5


def test_a_part_left_out_is_what_a_nearer_camera_shows() -> None:
    picture = body(RED, GREY, BLUE, GREY, stripes=8, size=(320, 160))
    near = cv2.resize(picture[:160], (160, 160))
    apart = patches.match(whole(near), whole(picture))
    assert patches.match(whole(near), whole(picture, below=0.5)).mean < 0.2 * apart.mean
    lower = cv2.resize(picture[160:], (160, 160))
    assert patches.match(whole(lower), whole(picture, above=0.5)).mean < 0.2 * apart.mean


def test_the_plainer_side_says_how_busy_a_match_is() -> None:
    plain, striped = whole(body(RED, GREY)), whole(body(RED, GREY, stripes=6))
    assert plain.busyness < 0.2 * striped.busyness
    assert patches.match(striped, plain).busyness == patches.match(plain, striped).busyness == plain.busyness


def test_what_lies_outside_the_mask_does_not_count() -> None:
    picture = body(RED, GREY)
    mask = np.zeros((160, 200), bool)
    mask[:, 60:140] = True
    views = []
    for colour in (BLUE, (255, 255, 255)):
        frame = np.full((160, 200, 3), colour, np.uint8)
        frame[:, 60:140] = picture
        views.append(patches.describe(frame, mask))
    assert np.allclose(views[0].colour, views[1].colour) and np.allclose(views[0].texture, views[1].texture)


def test_too_few_patches_are_refused() -> None:
    empty = patches.describe(body(RED), np.zeros((160, 80), bool))
    assert not empty.enough
    with pytest.raises(ValueError, match="0 and"):
        patches.match(empty, whole(body(RED)))


def test_each_patch_is_matched_with_the_one_that_every_distance_says() -> None:
    """In double precision, of more patches than are compared at once; one colour, so that no light is found between the two."""
    chance = np.random.default_rng(4)

    def drawn(num: int) -> patches.Patches:
        height, texture = chance.random(num), chance.random((num, 2 * patches.DIRECTIONS))
        return patches.Patches(height.astype(np.float32), np.zeros((num, 3), np.float32), texture.astype(np.float32))

    def scaled(found: patches.Patches) -> np.ndarray:
        height, texture = found.height[:, None].astype(float), found.texture.astype(float)
        return np.hstack([patches.HEIGHT_WEIGHT * height, patches.TEXTURE_WEIGHT * np.sqrt(texture)])

    a, b = drawn(2 * patches.BLOCK + 7), drawn(90)
    every = np.linalg.norm(scaled(a)[:, None] - scaled(b)[None], axis=2)
    found = patches.match(a, b)
    assert found.there == pytest.approx(np.median(every.min(axis=1)), abs=1e-5)
    assert found.back == pytest.approx(np.median(every.min(axis=0)), abs=1e-5)
    assert found.mean == pytest.approx(every.min(axis=1).mean() + every.min(axis=0).mean(), abs=1e-5)
    assert found.shift_there == pytest.approx(np.abs(a.height - b.height[every.argmin(axis=1)]).mean(), abs=1e-5)
