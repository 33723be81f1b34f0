"""Planes of vectors by UMAP, where umap-learn is installed."""

import numpy as np
import pytest

from backend.domain import SettingsError
from backend.workspace.embedding_maps import neighbour_plane


@pytest.mark.slow
def test_umap_keeps_two_far_groups_apart_and_gives_the_same_map_twice() -> None:
    pytest.importorskip("umap", reason="umap-learn is not installed")
    draw = np.random.default_rng(0)
    groups = np.repeat([[0.0], [40.0]], 20, axis=0)
    vectors = (draw.normal(size=(40, 8)) + groups).astype(np.float32)
    places = neighbour_plane(vectors)
    assert places.shape == (40, 2)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    own = groups == groups.T
    nearest = np.where(np.eye(40, dtype=bool), np.inf, apart).argmin(axis=1)
    assert own[np.arange(40), nearest].all(), "each point's nearest is of its own group"
    assert np.array_equal(neighbour_plane(vectors), places)


def test_too_few_vectors_for_umap_are_told_with_what_to_do() -> None:
    with pytest.raises(SettingsError, match=r"umap needs 4 vectors, 3 are kept; look at the map pca"):
        neighbour_plane(np.eye(3, dtype=np.float32))
