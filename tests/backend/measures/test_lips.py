"""Faces as SyncNet takes them, and its distances: upstream's formula, smoothing and square."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import medfilt

from backend.measures.lips import crop, frames_at_rate, judged, smoothed


def test_confidence_and_distance_are_upstreams() -> None:
    """Columns of constant distance 31 … 1 but for one of .5: lowest .5 at column 20, median 15, so 14.5 apart."""
    columns = np.arange(31, 0, -1, dtype=np.float32)
    columns[20] = 0.5
    found = judged(np.tile(columns, (7, 1)))
    assert found.distance == pytest.approx(0.5)
    assert found.confidence == pytest.approx(np.sort(columns)[15] - 0.5)
    assert found.offset == 15 - 20
    assert found.of_windows.tolist() == pytest.approx([found.confidence] * 7)


@pytest.mark.parametrize(("num", "fps", "expected"), [(6, 50.0, [0, 2, 4]), (3, 12.5, [0, 1, 1, 2, 2, 2]), (1, 25.0, [0])])
def test_frames_are_taken_at_25_a_second(num: int, fps: float, expected: list[int]) -> None:
    assert frames_at_rate(num, fps) == expected


@pytest.mark.filterwarnings("ignore:kernel_size exceeds volume extent")
@given(st.lists(st.integers(0, 400), min_size=1, max_size=40))
def test_smoothing_is_scipys_median_filter(lefts: list[int]) -> None:
    """scipy sees zeros beyond the ends, as syncnet_python does; ends that go on are ends padded before."""
    boxes = np.array([(x, 2 * x, x + 90, 2 * x + 120) for x in lefts], float)
    values = np.stack([boxes[:, 0] + 45, boxes[:, 1] + 60, np.full(len(lefts), 60.0)])
    np.testing.assert_array_equal(smoothed(boxes), np.stack([medfilt(each, 13) for each in values], axis=1))
    longer = [medfilt(np.pad(each, 6, "edge"), 13)[6:-6] for each in values]
    np.testing.assert_array_equal(smoothed(boxes, repeat_ends=True), np.stack(longer, axis=1))


def test_smoothing_drops_a_jump() -> None:
    track = np.tile([10.0, 20, 110, 140], (30, 1))
    track[15] += 40
    assert np.unique(smoothed(track, repeat_ends=True), axis=0).tolist() == [[60.0, 80.0, 60.0]]
    assert smoothed(track[:5]).max() == 0, "upstream's zeros outnumber a short track"


def test_crop_is_the_lowered_square_with_grey_beyond_the_frame() -> None:
    """Half size 50 at (60, 60): rows 10 to 150, columns -10 to 130, so ten columns of grey of 140."""
    frame = np.full((300, 300, 3), 200, np.uint8)
    found = crop(frame, np.array([60.0, 60, 50]))
    assert found.shape == (224, 224, 3)
    assert (found[:, :14] == 110).all()
    assert (found[:, 18:] == 200).all()
