"""Vectors of a space on a plane, with what is known of the subjects that they are of."""

from collections import Counter

import numpy as np

from backend.domain import SettingsError
from backend.domain.figures import EmbeddingMap
from backend.exports.split import identities
from backend.settings import nearest
from backend.workspace.exporting import JOINED
from backend.workspace.snapshot import Snapshot

METHODS = ("pca", "umap")
MAX_POINTS = 50_000
LEAST_OF_UMAP = 4  # umap-learn 0.5 places two dimensions by three neighbours: fewer points raise errors of scipy's
_VECTORS = """
SELECT e.appearance_id, k.subject_id, coalesce(s.category, ''), e.vector FROM kept_embedding k
JOIN embedding e ON e.id = k.id AND e.work_key = k.work_key
JOIN kept_subject ks ON ks.id = k.subject_id JOIN subject s ON s.id = ks.id AND s.work_key = ks.work_key
WHERE e.space = ? AND e.model = ? ORDER BY md5(e.id) LIMIT ?
"""
"""A fixed sample: the digest of an id has nothing to do with what it is of."""


def embedding_map(now: Snapshot, *, space: str, method: str, limit: int) -> EmbeddingMap:
    """The map of the space's commonest model. Raises SettingsError for an unknown method, number or space, or too few vectors."""
    if method not in METHODS:
        raise SettingsError(f"there is no map {method[:40]!r}{nearest(method, METHODS)}; there are {', '.join(METHODS)}")
    if not 2 <= limit <= MAX_POINTS:
        raise SettingsError(f"limit is {limit}; ask for 2 to {MAX_POINTS} points")
    models = now.query(
        """SELECT e.space, e.model, count(*) FROM kept_embedding k JOIN embedding e ON e.id = k.id AND e.work_key = k.work_key
        WHERE k.subject_id NOTNULL GROUP BY 1, 2 ORDER BY 3 DESC, 2"""
    )
    found = next((row for row in models if row[0] == space), None)
    if found is None:
        known = sorted({row[0] for row in models})
        raise SettingsError(
            f"no vectors of space {space[:40]!r} are kept{nearest(space, known)}; there are {', '.join(known) or 'none yet'}"
        )
    rows = now.query(_VECTORS, [space, found[1], limit])
    vectors = np.array([row[3] for row in rows], np.float32)
    places, explained = principal_plane(vectors) if method == "pca" else (neighbour_plane(vectors), ())
    joined = identities(now.query(JOINED))
    keys = [joined.get(row[1], row[1]) for row in rows]
    order = {key: place for place, (key, _) in enumerate(sorted(Counter(keys).items(), key=lambda kv: (-kv[1], kv[0])))}
    return EmbeddingMap(
        space=space,
        model=found[1],
        method=method,
        total=found[2],
        explained=explained,
        appearance_ids=tuple(row[0] for row in rows),
        subject_ids=tuple(row[1] for row in rows),
        x=tuple(places[:, 0].tolist()),
        y=tuple(places[:, 1].tolist()),
        categories=tuple(row[2] for row in rows),
        identities=tuple(order[key] for key in keys),
    )


def principal_plane(vectors: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """The first two principal components `(N, 2)` of rows `(N, D)`, and the share of the variance along each.

    The sign of a component is that of its largest loading, so that equal data give equal maps.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    values, axes = np.linalg.eigh(centred.T @ centred)
    values, axes = values[::-1][:2], axes[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    total = float((centred**2).sum())
    places = np.zeros((len(vectors), 2))
    places[:, : axes.shape[1]] = centred @ axes
    return places, tuple(float(v) / total if total else 0.0 for v in values)


def neighbour_plane(vectors: np.ndarray) -> np.ndarray:
    """UMAP of rows `(N, D)`: float32 `(N, 2)`, equal for equal rows. Raises SettingsError without umap-learn or with too few rows."""
    if len(vectors) < LEAST_OF_UMAP:
        raise SettingsError(f"umap needs {LEAST_OF_UMAP} vectors, {len(vectors)} are kept; look at the map pca")
    try:
        import umap  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise SettingsError("umap-learn is not installed; pip install umap-learn, or look at the map pca") from error
    return umap.UMAP(n_components=2, random_state=0, n_jobs=1).fit_transform(vectors)
