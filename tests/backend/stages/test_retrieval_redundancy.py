"""Links that show again what a worthier one shows."""

import numpy as np
import pytest

from backend.domain import Mask
from backend.geometry import rle
from backend.stages.retrieval_redundancy import SubjectOverlap, redundancies, worth_of


def mask_of(x0: int, x1: int, *, rows: int = 10) -> Mask:
    pixels = np.zeros((10, 20), bool)
    pixels[:rows, x0:x1] = True
    return Mask(appearance_id="a", author="hand", height=10, width=20, counts=rle.encode(pixels), crop="")


def test_overlap_is_the_share_of_the_smaller_mask_in_the_median_of_common_frames():
    whole = {0: mask_of(0, 10), 5: mask_of(0, 10), 9: mask_of(0, 10)}
    part = {0: mask_of(8, 12), 5: mask_of(9, 13), 9: mask_of(2, 6), 12: mask_of(0, 1)}
    overlap = SubjectOverlap({1: whole, 2: part, 3: {1: mask_of(0, 10)}})
    assert overlap(1, 2) == overlap(2, 1) == pytest.approx(0.5)
    assert overlap(1, 3) == 0.0
    assert overlap(2, 2) == 1.0


def test_of_links_between_overlapping_subjects_only_the_worthiest_is_new():
    shared = {frozenset((1, 2)): 0.9, frozenset((3, 4)): 0.6}

    def overlap(a: int, b: int) -> float:
        return 1.0 if a == b else shared.get(frozenset((a, b)), 0.0)

    clip_of = {1: 0, 2: 0, 3: 1, 4: 1, 5: 1, 6: 2}
    worth = {(1, 3): (3.0,), (2, 4): (2.0,), (1, 5): (1.0,), (2, 6): (0.5,)}
    assert redundancies(worth, clip_of=clip_of, overlap=overlap) == {
        (1, 3): 0.0,
        (2, 4): 0.6,  # as much as its less overlapping end
        (1, 5): 0.0,  # another subject of the second clip
        (2, 6): 0.0,  # another clip
    }


def test_subjects_found_on_more_frames_make_the_worthier_link():
    seen_once = worth_of(0.9, [1, 1], [0.9, 0.9], [100, 100])
    seen_thrice = worth_of(0.6, [3, 3], [0.5, 0.5], [10, 10])
    assert seen_thrice > seen_once
    assert worth_of(0.6, [3, 3], [0.6, 0.5], [1, 1]) > seen_thrice
