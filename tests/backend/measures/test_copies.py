"""Copies of footage, made in every way that a copy may differ, against footage that only looks alike."""

import cv2
import numpy as np
import pytest

from backend.measures.copies import near_duplicates, shared_frames, small_frames, window_hashes, windows
from tests.backend.measures.moving_pictures import shot


def scene(seed: int = 1, num: int = 32) -> np.ndarray:
    """A pan with a disc that crosses it, uint8 `(num, 180, 320, 3)`."""
    frames = shot(seed, num, speed=2.0)
    for k, frame in enumerate(frames):
        cv2.circle(frame, (20 + 8 * k, 60 + 2 * k), 28, (210, 40, 60), -1)
    return frames


def spread(frames: np.ndarray) -> np.ndarray:
    """Small frames of 16 evenly spaced ones."""
    return small_frames(frames[np.linspace(0, len(frames) - 1, 16).round().astype(int)])


def found(*clips: np.ndarray) -> list[tuple[str, str]]:
    rows = {f"{k}": spread(clip) for k, clip in enumerate(clips)}
    return [(a, b) for a, b, _ in near_duplicates({k: window_hashes(r) for k, r in rows.items()}, rows.__getitem__)]


@pytest.mark.parametrize("gain", [0.8, 1.22])
def test_a_brighter_or_darker_copy_is_one(gain: float):
    clip = scene()
    assert found(clip, np.clip(clip * gain, 0, 255).astype(np.uint8)) == [("0", "1")]


@pytest.mark.parametrize(("x", "y", "share"), [(0, 0, 0.86), (0.05, 0.1, 0.88), (0.04, 0.0, 0.96), (0.07, 0.07, 0.86)])
def test_a_cropped_copy_is_one_whichever_comes_first(x: float, y: float, share: float):
    clip = scene()
    left, top = round(320 * x), round(180 * y)
    part = clip[:, top : top + round(180 * share), left : left + round(320 * share)]
    assert found(clip, part) == [("0", "1")]
    assert found(part, clip) == [("0", "1")]


def test_a_copy_with_an_overlay_is_one():
    clip, copy = scene(), scene()
    copy[:, 8:26, 10:90] = (196, 28, 34)
    assert found(clip, copy) == [("0", "1")]


def test_a_copy_cut_a_little_later_is_one():
    clip = scene(num=64)
    assert found(clip, clip[4:]) == [("0", "1")]


def test_other_places_and_another_take_in_one_place_are_none():
    clip, empty = scene(), shot(1, 32, speed=2.0)
    for k, frame in enumerate(empty):
        cv2.circle(frame, (300 - 8 * k, 120 - 2 * k), 28, (210, 40, 60), -1)
    assert found(clip, scene(2), empty) == []


def test_the_same_pose_in_another_dress_is_none():
    clip, other = scene(), shot(1, 32, speed=2.0)
    for k, frame in enumerate(other):
        cv2.circle(frame, (20 + 8 * k, 60 + 2 * k), 28, (40, 118, 60), -1)  # as light as the red one
    assert found(clip, other) == []


def test_black_and_flat_clips_are_copies_of_nothing():
    dark = np.full((16, 90, 160, 3), 4, np.uint8)
    dark[:, 80:84, 20:60] = 90  # a line of text on black
    grey = np.full((16, 90, 160, 3), 120, np.uint8)
    assert found(dark, dark, grey, grey) == []
    assert shared_frames(spread(dark), spread(dark)) == 0.0


def test_of_many_clips_only_the_copies_are_found():
    clips = [shot(seed, 16, height=60, width=100, speed=1.0) for seed in range(40)]
    assert found(*clips, clips[7][:, 2:58, 3:96]) == [("40", "7")]


def test_windows_begin_with_the_whole_picture_and_stay_inside_it():
    whole, *parts = windows()
    assert (whole.x, whole.y, whole.side) == (0.0, 0.0, 1.0)
    assert all(part.x >= 0 and part.y >= 0 and max(part.x, part.y) + part.side <= 1 + 1e-9 for part in parts)
