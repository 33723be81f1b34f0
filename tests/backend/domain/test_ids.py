"""Names and checksums that are derived from content."""

import hashlib

from backend.domain import json_checksum


def test_a_checksum_is_that_of_the_sorted_object_whatever_its_order() -> None:
    written = hashlib.sha256(b'{"a": [1, 0.5, null], "b": "\\u00e9"}').hexdigest()
    assert json_checksum({"b": "é", "a": (1, 0.5, None)}) == json_checksum({"a": [1, 0.5, None], "b": "é"}) == written
    assert json_checksum({"b": "e", "a": [1, 0.5, None]}) != written
