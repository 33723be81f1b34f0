import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import Box
from backend.geometry import boxes
from backend.measures.overlays import find_overlays
from backend.measures.overlays_layout import clean_rectangle, covered_fraction
from tests.backend.measures.moving_pictures import shot

CONTENT = (0.0, 0.0, 100.0, 60.0)


def lettered(frames: np.ndarray, *, opacity: float = 1.0, plate: bool = False) -> np.ndarray:
    """Frames with white words, outlined or on a red plate, in the upper left corner."""
    mask = np.zeros(frames.shape[1:3], np.uint8)
    cv2.putText(mask, "CHANNEL 9", (26, 36), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2, cv2.LINE_AA)
    paint = np.repeat(mask[..., None], 3, axis=2)
    cover = cv2.dilate(mask, np.ones((3, 3), np.uint8)) / 255
    if plate:
        cover = np.zeros(mask.shape)
        cover[10:48, 18:176] = 1
        paint[10:48, 18:176, 0] = np.maximum(paint[10:48, 18:176, 0], 190)
    cover = opacity * cover[..., None]
    return (frames * (1 - cover) + paint * cover).round().astype(np.uint8)


def moving(seed: int, num: int = 24, *, speed: float = 3.0) -> np.ndarray:
    """A shot panning by `speed` pixels a frame, uint8 `(num, 360, 640, 3)`."""
    return np.stack([cv2.resize(f, (640, 360), interpolation=cv2.INTER_CUBIC) for f in shot(seed, num, speed=speed / 2)])


def words_box() -> Box:
    blank = np.zeros((1, 360, 640, 3), np.uint8)
    found = boxes.of_mask(lettered(blank)[0].max(axis=2) > 128)
    assert found is not None
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("opacity", [0.5, 1.0])
def test_words_over_a_moving_picture_are_found_where_they_stand(seed: int, opacity: float):
    ((box, confidence),) = find_overlays(lettered(moving(seed), opacity=opacity))
    assert boxes.iou(box, words_box()) >= 0.8 and confidence > 0.9


def test_a_badge_is_found_with_its_plate():
    ((box, _),) = find_overlays(lettered(moving(4), plate=True))
    assert boxes.iou(box, (18.0, 10.0, 176.0, 48.0)) >= 0.85


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_a_moving_picture_without_words_has_none(seed: int):
    assert find_overlays(moving(seed)) == []


def test_words_that_move_with_the_camera_belong_to_the_scene():
    frames = moving(7)
    words = lettered(np.zeros((1, 360, 640, 3), np.uint8))[0]
    for i, frame in enumerate(frames):
        moved = np.roll(words, (120, 300 - 3 * i), axis=(0, 1))
        frame[moved.max(axis=2) > 128] = 255
    assert find_overlays(frames) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_picture_that_stands_still_has_none(seed: int):
    noise = np.random.default_rng(seed).normal(0, 2, (24, 360, 640, 3))
    still = np.clip(moving(seed, 1) + noise, 0, 255).round().astype(np.uint8)
    assert find_overlays(still) == []


def test_words_over_a_still_picture_are_less_certain_than_over_a_moving_one():
    still = np.repeat(moving(3, 1), 24, axis=0)
    ((box, confidence),) = find_overlays(lettered(still), min_confidence=0.1)
    ((_, over_moving),) = find_overlays(lettered(moving(3)))
    assert boxes.iou(box, words_box()) >= 0.8 and confidence < over_moving


def test_a_mark_that_outlasts_a_still_shot_is_certain():
    still = np.repeat(moving(3, 1), 24, axis=0)
    elsewhere = np.concatenate([moving(seed, 4) for seed in (5, 6, 7)])
    ((_, alone),) = find_overlays(lettered(still), min_confidence=0.1)
    ((box, confidence),) = find_overlays(lettered(still), elsewhere=lettered(elsewhere))
    assert boxes.iou(box, words_box()) >= 0.8 and confidence > max(alone, 0.95)


def test_words_that_only_stand_elsewhere_are_not_of_this_shot():
    assert find_overlays(moving(3), elsewhere=lettered(moving(5, 12))) == []


def test_lines_of_one_block_share_a_box():
    frames = lettered(moving(5))
    below = np.roll(lettered(np.zeros_like(frames)), 30, axis=1)
    frames[below.max(axis=3) > 128] = 255
    ((box, _),) = find_overlays(frames)
    x0, y0, x1, y1 = words_box()
    assert boxes.iou(box, (x0, y0, x1, y1 + 30)) >= 0.8


def test_no_frames_cannot_be_searched():
    with pytest.raises(ValueError, match="at least one frame"):
        find_overlays(np.zeros((0, 90, 160, 3), np.uint8))


def test_a_picture_without_overlays_is_clean_throughout():
    assert clean_rectangle(CONTENT, []) == CONTENT
    assert covered_fraction(CONTENT, []) == 0.0


def test_the_clean_rectangle_lies_on_the_larger_side_of_a_corner_mark():
    # Beside the mark 80 x 60 = 4800 is left, below it 100 x 50 = 5000.
    assert clean_rectangle(CONTENT, [(0, 0, 20, 10)]) == (0, 10, 100, 60)


def test_the_clean_rectangle_lies_between_marks_of_two_corners():
    # Below the first and above the second: 100 x 30 = 3000; between them, from 20 to 70: 50 x 60 = 3000, reaching higher;
    # right of the first and above the second: 80 x 45 = 3600.
    assert clean_rectangle(CONTENT, [(0, 0, 20, 15), (70, 45, 100, 60)]) == (20, 0, 100, 45)


def test_marks_outside_the_picture_take_nothing_of_it():
    assert clean_rectangle(CONTENT, [(0, 60, 100, 80), (-9, 0, 0, 60)]) == CONTENT


def test_a_covered_picture_has_no_clean_rectangle():
    assert clean_rectangle(CONTENT, [(0, 0, 60, 60), (50, -5, 120, 70)]) is None
    assert covered_fraction(CONTENT, [(0, 0, 60, 60), (50, -5, 120, 70)]) == 1.0


def test_what_two_marks_share_is_covered_once():
    # 20 x 10 + 20 x 10 - 10 x 5 = 350 of 6000.
    assert covered_fraction(CONTENT, [(0, 0, 20, 10), (10, 5, 30, 15)]) == pytest.approx(350 / 6000)


def test_an_empty_picture_has_no_part_covered():
    with pytest.raises(ValueError, match="is empty"):
        covered_fraction((5, 5, 5, 9), [])


SIDE = 8
spans = st.tuples(st.integers(-1, SIDE), st.integers(1, SIDE)).map(lambda s: (s[0], s[0] + s[1]))
marks = st.lists(
    st.tuples(spans, spans).map(lambda m: (float(m[0][0]), float(m[1][0]), float(m[0][1]), float(m[1][1]))), max_size=5
)


@settings(max_examples=60, deadline=None)
@given(marks)
def test_no_rectangle_of_whole_pixels_is_larger_and_clean(overlays: list[Box]):
    taken = np.zeros((SIDE, SIDE), bool)
    for x0, y0, x1, y1 in overlays:
        taken[max(0, int(y0)) : int(y1), max(0, int(x0)) : int(x1)] = True
    content = (0.0, 0.0, float(SIDE), float(SIDE))
    edges = range(SIDE + 1)
    largest = (
        max(
            (y1 - y0) * (x1 - x0)
            for y0 in edges
            for y1 in edges[y0 + 1 :]
            for x0 in edges
            for x1 in edges[x0 + 1 :]
            if not taken[y0:y1, x0:x1].any()
        )
        if not taken.all()
        else 0
    )
    found = clean_rectangle(content, overlays)
    assert (boxes.area(found) if found else 0) == largest
    assert found is None or all(boxes.intersection(found, box) is None for box in overlays)
    assert covered_fraction(content, overlays) == pytest.approx(taken.mean())
