import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.measures.motion import (
    camera_flow,
    correlation,
    flow_between,
    is_black,
    is_frozen,
    is_white,
    motion_between,
)
from tests.backend.measures.moving_pictures import shot


def grey_shot(seed: int, num: int, *, speed: float = 1.0) -> list[np.ndarray]:
    return [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in shot(seed, num, speed=speed)]


def test_a_pan_of_two_pixels_is_camera_motion_of_its_length_over_the_diagonal():
    first, second = grey_shot(1, 2, speed=2.0)
    found = motion_between(first, second, seconds=0.04)
    wanted = 2.0 / np.hypot(180, 320) / 0.04
    assert found.total == pytest.approx(wanted, rel=0.05)
    assert found.camera == pytest.approx(wanted, rel=0.05)
    assert found.local < 0.1 * wanted


def test_motion_is_independent_of_the_frame_rate():
    frames = grey_shot(2, 3, speed=1.5)
    near = motion_between(frames[0], frames[1], seconds=1 / 50)
    far = motion_between(frames[0], frames[2], seconds=2 / 50)
    assert near.total == pytest.approx(far.total, rel=0.05)


def test_motion_is_independent_of_the_resolution():
    large = grey_shot(3, 2, speed=4.0)
    small = [cv2.resize(frame, (160, 90), interpolation=cv2.INTER_AREA) for frame in large]
    of_large, of_small = (motion_between(a, b, seconds=0.04).total for a, b in (large, small))
    assert of_small == pytest.approx(of_large, rel=0.1)


def test_what_moves_against_the_camera_is_local():
    first, second = grey_shot(4, 2, speed=0.0)
    patch = grey_shot(5, 1)[0][:60, :80]
    first[60:120, 100:180] = patch
    second[60:120, 104:184] = patch
    found = motion_between(first, second, seconds=0.04)
    assert found.camera < 0.05 * found.local
    # 60 x 80 of 180 x 320 pixels move by four, and the flow spills over the edge of the patch.
    moved = 4.0 * 60 * 80 / (180 * 320) / np.hypot(180, 320) / 0.04
    assert 0.8 * moved < found.local < 2.0 * moved


def test_a_repeated_picture_has_no_motion():
    (frame,) = grey_shot(6, 1)
    assert motion_between(frame, frame, seconds=0.04).total < 1e-3


@given(numbers=st.lists(st.floats(-0.05, 0.05), min_size=6, max_size=6), offset=st.floats(-8, 8))
@settings(max_examples=25, deadline=None)
def test_an_affine_flow_is_all_camera(numbers: list[float], offset: float):
    y, x = np.mgrid[:45, :80].astype(np.float32)
    a, b, c, d, e, f = numbers
    flow = np.dstack([offset + a * x + b * y + c, e * x + f * y + d])
    assert np.abs(camera_flow(flow) - flow).max() < 0.02


def test_a_third_of_the_picture_moving_otherwise_does_not_bend_the_camera():
    flow = np.zeros((45, 80, 2), np.float32)
    flow[..., 0] = 1.5
    flow[10:35, 20:68] = (-6.0, 3.0)
    assert np.abs(camera_flow(flow) - (1.5, 0.0)).max() < 0.1


def test_flow_of_one_pixel_and_of_one_row_is_zero():
    for height, width in ((1, 1), (3, 5), (1, 320), (320, 1)):
        picture = np.full((height, width), 90, np.uint8)
        assert flow_between(picture, picture).shape == (height, width, 2)
        assert motion_between(picture, picture, seconds=1.0).total == 0.0


def test_frames_of_two_sizes_or_without_time_between_are_refused():
    picture = np.zeros((20, 20), np.uint8)
    with pytest.raises(ValueError, match="one size"):
        motion_between(picture, picture[:10], seconds=1.0)
    with pytest.raises(ValueError, match="some time apart"):
        motion_between(picture, picture, seconds=0.0)


def test_random_frames_do_not_correlate_and_footage_does():
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, (2, 90, 160), np.uint8)
    assert abs(correlation(noise[0], noise[1]) or 1.0) < 0.05
    first, second = grey_shot(8, 2, speed=4.0)
    assert (correlation(first, second) or 0.0) > 0.8


def test_flat_frames_have_no_correlation():
    flat = np.full((90, 160), 16, np.uint8)
    assert correlation(flat, flat) is None


def test_compressed_black_is_black_and_a_small_lamp_at_night_is_not():
    rng = np.random.default_rng(9)
    night = rng.integers(14, 22, (90, 160), np.uint8)
    assert is_black(night) and not is_white(night)
    night[40:45, 60:65] = 120  # 25 of 14 400 pixels
    assert not is_black(night)


def test_paper_white_is_white_and_a_word_on_it_is_not():
    page = np.full((90, 160), 235, np.uint8)
    assert is_white(page) and not is_black(page)
    page[40:43, 20:40] = 30
    assert not is_white(page)


def test_grain_of_half_a_level_is_not_frozen():
    (frame,) = grey_shot(10, 1)
    assert is_frozen(frame, frame)
    grain = np.random.default_rng(11).normal(scale=0.6, size=frame.shape)
    assert not is_frozen(frame, np.clip(frame + grain.round(), 0, 255).astype(np.uint8))
