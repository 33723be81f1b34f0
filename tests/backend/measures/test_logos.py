"""Marks on drawn things: where they are, whether they are whole, and whose they are."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.geometry import boxes
from backend.measures import keypoints
from backend.measures.logos import MIN_SCORE, describe_marks, describe_patch, find_marks, is_uncut, text_agreement


def board(*, word: str = "KALO", at: tuple[int, int] = (60, 130)) -> tuple[np.ndarray, np.ndarray]:
    """A shaded blue board of 240 x 200 in a picture of 260 x 220, with a white word on it."""
    shade = np.linspace(0.7, 1.1, 260)[None, :, None]
    rgb = (np.array([40, 60, 130]) * np.ones((220, 260, 1)) * shade).clip(0, 255).astype(np.uint8)
    cv2.putText(rgb, word, at, cv2.FONT_HERSHEY_TRIPLEX, 1.4, (240, 240, 235), 3, cv2.LINE_AA)
    mask = np.zeros((220, 260), bool)
    mask[10:210, 10:250] = True
    return rgb, mask


def word_box(rgb: np.ndarray) -> tuple[float, float, float, float]:
    y, x = np.nonzero(rgb.min(axis=2) > 150)
    return float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1)


def test_a_word_is_one_whole_mark_in_its_place():
    rgb, mask = board()
    (mark,) = find_marks(rgb, mask)
    assert boxes.iou(mark.box, word_box(rgb)) > 0.8
    assert mark.score > 2 * MIN_SCORE
    assert is_uncut(mark.box, mask)


def test_shading_alone_is_no_mark():
    rgb, mask = board(word="")
    assert find_marks(rgb, mask) == []


def test_what_reaches_the_edge_of_the_mask_is_no_mark():
    rgb, mask = board(word="")
    rgb[100:140] = (240, 240, 235)  # a stripe around the thing
    assert find_marks(rgb, mask) == []


def test_a_mask_without_room_has_no_mark():
    rgb, _ = board()
    assert find_marks(rgb, np.zeros(rgb.shape[:2], bool)) == []


def test_a_mark_is_cut_by_the_edge_of_picture_or_mask():
    mask = np.ones((100, 100), bool)
    assert is_uncut((10, 10, 40, 30), mask)
    assert not is_uncut((0, 10, 40, 30), mask), "one side of the ring, 22 of 102 pixels, is off the picture"
    mask[:, 40:] = False
    assert not is_uncut((10, 10, 40, 30), mask)
    assert is_uncut((10, 10, 39, 30), mask)
    mask[9, 10] = False  # one of the 2 * (31 + 21) = 98 and 4 ring pixels: under 1 %
    assert is_uncut((10, 10, 39, 30), mask)
    mask[9, 11] = False
    assert not is_uncut((10, 10, 39, 30), mask)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("KALO", "kalo", 1.0),
        ("KALO!", "K A L O", 1.0),
        ("KALO", "KAL0", 0.75),
        ("KALO", "KALOMI", 4 / 6),
        ("ABC", "XYZ", 0.0),
        ("ＫＡＬＯ", "KALO", 1.0),
    ],
)
def test_agreement_counts_edits_of_letters_and_digits(a: str, b: str, expected: float):
    assert text_agreement(a, b) == pytest.approx(expected)


def test_texts_without_letters_cannot_agree():
    with pytest.raises(ValueError, match="letter or digit"):
        text_agreement("--", "KALO")


WORDS = st.text("abcde", min_size=1, max_size=8)


@given(WORDS, WORDS, WORDS)
def test_disagreement_is_a_bounded_symmetric_distance(a: str, b: str, c: str):
    assert 0.0 <= text_agreement(a, b) <= 1.0
    assert text_agreement(a, b) == text_agreement(b, a)
    assert (text_agreement(a, b) == 1.0) == (a == b)

    def edits(x: str, y: str) -> float:
        return round((1 - text_agreement(x, y)) * max(len(x), len(y)))

    assert edits(a, c) <= edits(a, b) + edits(b, c)


def test_one_word_matches_itself_smaller_and_darker_and_no_other_word():
    rgb, mask = board(word="KALOMI", at=(30, 130))
    small = cv2.resize((rgb * 0.7).astype(np.uint8), None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    small_mask = cv2.resize(mask.astype(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    other, _ = board(word="BENTUR", at=(30, 130))

    def points(picture: np.ndarray, of: np.ndarray) -> keypoints.Keypoints:
        return describe_marks(picture, of, [mark.box for mark in find_marks(picture, of)])

    same = keypoints.match(points(rgb, mask), points(small, small_mask))
    different = keypoints.match(points(rgb, mask), points(other, mask))
    assert same.inliers >= 15 > 8 > different.inliers


def test_no_box_has_no_points():
    rgb, mask = board()
    assert describe_marks(rgb, mask, []) is keypoints.NONE


def test_a_patch_knows_the_direction_of_its_edges():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::8] = stripes[:, 1::8] = 255
    across, down = describe_patch(stripes, (0, 0, 64, 64)), describe_patch(stripes.transpose(1, 0, 2), (0, 0, 64, 64))
    assert np.linalg.norm(across) == pytest.approx(1, abs=1e-5)
    assert across @ across > 0.99
    assert across @ down < 0.5
    assert not describe_patch(np.full((64, 64, 3), 90, np.uint8), (0, 0, 64, 64)).any()
