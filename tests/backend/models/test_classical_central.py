"""The subject in the middle of a picture that was taken for it."""

import numpy as np

from backend.models.classical_central import central_cut


def picture(*, bottom: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """An orange thing with a spot of the ground's grey in the middle of a grained grey ground, and its mask."""
    rng = np.random.default_rng(seed)
    drawn = np.full((200, 160, 3), 110, np.uint8)
    truth = np.zeros((200, 160), bool)
    truth[40:bottom, 50:110] = True
    drawn[truth] = (210, 120, 30)
    drawn[90:98, 76:84] = 110
    return np.clip(drawn + rng.normal(0, 4, drawn.shape), 0, 255).astype(np.uint8), truth


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_what_stands_in_the_middle_is_cut_out_whole() -> None:
    drawn, truth = picture(bottom=160)
    assert overlap(central_cut(drawn), truth) > 0.95


def test_a_subject_that_the_lower_edge_cuts_keeps_its_lower_part() -> None:
    drawn, truth = picture(bottom=200)
    assert overlap(central_cut(drawn), truth) > 0.95


def test_equal_pictures_give_equal_masks() -> None:
    drawn, _ = picture(bottom=160)
    assert np.array_equal(central_cut(drawn), central_cut(drawn.copy()))


def test_a_picture_of_few_pixels_gives_a_mask_of_its_shape() -> None:
    assert central_cut(np.zeros((6, 9, 3), np.uint8)).shape == (6, 9)
