"""Features that are kept: what is damaged is made again, what an earlier version wrote is read."""

from pathlib import Path

import numpy as np

from metrics.store import FeatureStore

UNITS = np.arange(24_000.0).reshape(3, 8000)


def test_a_digit_of_an_array_that_changed_is_noticed_where_zip_itself_passes_it_over(tmp_path: Path) -> None:
    store, path = FeatureStore(tmp_path), tmp_path / "ab" / "abcd.npz"
    store.put("abcd", {"units": UNITS})
    changed = path.read_bytes().replace(b"(3, 8000)", b"(2, 8000)")
    path.write_bytes(changed)
    assert store.get("abcd") is None
    path.write_bytes(changed[:-40])  # without the digest at its end
    found = store.get("abcd")
    assert isinstance(found, dict) and found["units"].shape == (2, 8000)


def test_features_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    np.savez(tmp_path / "ab" / "abcd.npz", units=UNITS)
    found = FeatureStore(tmp_path).get("abcd")
    assert isinstance(found, dict) and np.array_equal(found["units"], UNITS)
