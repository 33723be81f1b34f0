"""Names and checksums that are derived from content."""

import hashlib

import numpy as np
import pytest

from backend.domain import Appearance, Region, json_checksum


def test_a_checksum_is_that_of_the_sorted_object_whatever_its_order() -> None:
    written = hashlib.sha256(b'{"a": [1, 0.5, null], "b": "\\u00e9"}').hexdigest()
    assert json_checksum({"b": "é", "a": (1, 0.5, None)}) == json_checksum({"a": [1, 0.5, None], "b": "é"}) == written
    assert json_checksum({"b": "e", "a": [1, 0.5, None]}) != written


@pytest.mark.parametrize("box", [(0, 5, 30, 40), tuple(np.array([0, 5, 30, 40], np.float32))])
def test_boxes_of_any_numbers_give_the_ids_of_the_rows_that_are_read_back(box: tuple) -> None:
    as_stored = (0.0, 5.0, 30.0, 40.0)

    def ids(box: tuple) -> tuple[str, str]:
        view = Appearance(subject_id="s", frame=0, box=box, confidence=0.9, origin="video")
        return view.id, Region(clip_id="c", kind="overlay", box=box, confidence=0.9).id

    assert ids(box) == ids(as_stored)
