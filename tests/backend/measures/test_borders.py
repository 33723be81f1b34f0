import numpy as np
import pytest

from backend.measures.borders import content_of
from tests.backend.measures.moving_pictures import shot


def bars(frames: np.ndarray, *, top: int = 0, bottom: int = 0, left: int = 0, right: int = 0) -> np.ndarray:
    """Paints borders with the small noise that compression leaves in black."""
    out = frames.copy()
    noise = np.random.default_rng(0).integers(0, 4, size=out.shape, dtype=np.uint8)
    height, width = out.shape[1:3]
    for rows, columns in (
        (slice(0, top), slice(None)),
        (slice(height - bottom, height), slice(None)),
        (slice(None), slice(0, left)),
        (slice(None), slice(width - right, width)),
    ):
        out[:, rows, columns] = noise[:, rows, columns]
    return out


def test_a_picture_without_borders_is_all_content():
    assert content_of(shot(1, 16)).box == (0.0, 0.0, 320.0, 180.0)


@pytest.mark.parametrize(
    "sides",
    [
        {"top": 24, "bottom": 24},
        {"left": 40, "right": 40},
        {"right": 60},
        {"top": 20, "bottom": 20, "left": 30, "right": 31},
    ],
)
def test_black_borders_are_found_to_the_pixel(sides: dict[str, int]):
    found = content_of(bars(shot(2, 16), **sides))
    wanted = (
        sides.get("left", 0),
        sides.get("top", 0),
        320 - sides.get("right", 0),
        180 - sides.get("bottom", 0),
    )
    assert np.abs(np.array(found.box) - wanted).max() <= 2
    assert found.num_borders == len(sides)


def test_a_dark_scene_has_no_border():
    frames = shot(3, 16).astype(np.float32)
    ramp = np.linspace(0, 1, 180)[:, None] ** 3
    light = np.clip(ramp + np.linspace(-0.3, 0.3, 320)[None], 0, 1)
    assert content_of((frames * light[None, ..., None]).astype(np.uint8)).num_borders == 0


def test_subtitles_in_the_bar_do_not_hide_it():
    frames = bars(shot(4, 16), top=30, bottom=30)
    frames[:, 160:170, 130:190:3] = 255
    assert np.abs(np.array(content_of(frames).box) - (0, 30, 320, 150)).max() <= 2


def test_the_second_bar_is_found_where_the_scene_hides_its_edge():
    frames = shot(5, 16)
    frames[:, 20:90, :280] = 5
    assert np.abs(np.array(content_of(bars(frames, top=24, bottom=24)).box) - (0, 24, 320, 156)).max() <= 2


def test_black_frames_are_all_content():
    found = content_of(np.zeros((4, 90, 160, 3), np.uint8))
    assert found.box == (0.0, 0.0, 160.0, 90.0) and found.num_borders == 0


def test_tiny_frames_are_all_content():
    assert content_of(np.zeros((2, 1, 1, 3), np.uint8)).box == (0.0, 0.0, 1.0, 1.0)
    assert content_of(np.full((2, 5, 3, 3), 90, np.uint8)).box == (0.0, 0.0, 3.0, 5.0)
