"""What speaks for one identity of two appearances, whether they were retrieved or given; and a verdict on given ones."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain import Box, Embedder
from backend.measures import diversity, keypoints
from backend.models.classical_embedder import ClassicalAppearance, appearance_parts, same_subject


def identity_evidence(
    chosen: Sequence[tuple[int, int]],
    *,
    model: str,
    vectors: np.ndarray,
    subjects: Sequence[int],
    faces: Sequence[np.ndarray | None],
    points: Mapping[int, keypoints.Keypoints],
) -> dict[str, np.ndarray]:
    """Values by name over the chosen pairs of rows; NaN where a value does not exist.

    `vectors` float32 `(N, D)` are of `model`, `subjects` gives each row's subject, `faces` its face vector. Vectors of
    the classical model are taken apart and fused (`same_subject`); of any other model the cosine is the similarity.
    """
    likeness = SubjectLikeness(vectors, subjects)
    found: dict[str, np.ndarray] = {
        "appearance_cosine": np.array([vectors[i] @ vectors[j] for i, j in chosen]),
        "subject_cosine": np.array([likeness(subjects[i], subjects[j]) for i, j in chosen]),
        "face_cosine": np.array([cosine(faces[i], faces[j]) for i, j in chosen]),
    }
    matches = [keypoints.match(points[i], points[j]) for i, j in chosen]
    found["keypoint_inliers"] = np.array([match.inliers for match in matches], float)
    found["keypoint_ratio"] = np.array([match.ratio for match in matches], float)
    if model != ClassicalAppearance.model_id:
        return found | {"similarity": np.clip(found["appearance_cosine"], 0.0, 1.0)}
    parts = [appearance_parts(vectors[i : i + 1], vectors[j : j + 1]) for i, j in chosen]
    for name in parts[0]:
        found[f"{name}_cosine"] = np.array([float(part[name][0, 0]) for part in parts])
    return found | {"similarity": same_subject(found)}


class SubjectLikeness:
    """Mean of the upper half of the cosines between all rows of two subjects: one bad cut-out does not decide."""

    def __init__(self, vectors: np.ndarray, subjects: Sequence[int]) -> None:
        self._rows: dict[int, list[int]] = defaultdict(list)
        for row, subject in enumerate(subjects):
            self._rows[subject].append(row)
        self._vectors = vectors
        self._known: dict[tuple[int, int], float] = {}

    def __call__(self, a: int, b: int) -> float:
        key = (min(a, b), max(a, b))
        if key not in self._known:
            every = np.sort((self._vectors[self._rows[a]] @ self._vectors[self._rows[b]].T).ravel())
            self._known[key] = float(every[len(every) // 2 :].mean())
        return self._known[key]


def cosine(a: np.ndarray | None, b: np.ndarray | None) -> float:
    """Dot product of two unit vectors, NaN when one is missing."""
    return float("nan") if a is None or b is None else float(a @ b)


@dataclass(frozen=True, slots=True)
class View:
    """A subject on one picture: RGB uint8 `(H, W, 3)`, bool `(H, W)` and its box. `subject` tells subjects apart."""

    frame: np.ndarray
    mask: np.ndarray
    box: Box
    subject: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`accept`, `reject_too_similar` or `reject_other_subject`, with the scores of the likest two views."""

    choice: str
    similarity: float
    near_duplicate: float
    context_diversity: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """Values at which a recipe's gates accept a pair, on the scales of the classical models."""

    similarity: float = 0.5
    """Least chance of one identity: at .5 the evidence speaks for it."""
    prior: float = 1.0
    """The prior of the kind is met: 12 inliers at a ratio of .3 for a rigid thing (curation table, S26)."""
    rival_margin: float = 0.0
    """Of two subjects side by side only the liker is the one."""
    near_duplicate: float = 0.85
    context_diversity: float = 0.3
    """Curation table, S28; between Kaleido's decoupling scores of .247 and .319. Of backgrounds of real clips 95 % of
    those in other places lie above it, 92 % of those in one place under it."""


def judge_pair(a: Sequence[View], b: Sequence[View], embedders: Sequence[Embedder], *, bounds: Bounds) -> Verdict:
    """Whether views of a clip and views of another clip or picture show one subject in different contexts.

    The likest two subjects of both sides decide. `embedders` are of the spaces appearance, background and face.
    Raises ValueError when a side has no view with an appearance vector.
    """
    views = [(0, view) for view in a] + [(1, view) for view in b]
    vectors = {e.space: [e.embed(v.frame, v.mask, v.box) for _, v in views] for e in embedders}
    found = {space: [v if isinstance(v, np.ndarray) else None for v in rows] for space, rows in vectors.items()}
    rows = [k for k, vector in enumerate(found["appearance"]) if vector is not None]
    chosen = [(i, j) for i in rows for j in rows if views[i][0] < views[j][0]]
    if not chosen:
        raise ValueError("a side has no view large enough to embed")
    length = next(v.size for v in found["appearance"] if v is not None)
    bank = np.stack([np.zeros(length, np.float32) if v is None else v for v in found["appearance"]])
    evidence = identity_evidence(
        chosen,
        model=next(e.model_id for e in embedders if e.space == "appearance"),
        vectors=bank,
        subjects=[side * 1000 + view.subject for side, view in views],
        faces=found.get("face", [None] * len(views)),
        points={k: _crop_points(views[k][1]) for k in rows},
    )
    best = int(np.argmax(evidence["similarity"]))
    similarity = float(evidence["similarity"][best])
    hashes = [diversity.hash_vector(diversity.frame_hash(view.frame)) for _, view in views]
    backgrounds = found["background"]
    copies, contexts = [], []
    for i, j in chosen:
        background = cosine(backgrounds[i], backgrounds[j])
        distance = diversity.hash_distance(hashes[i], hashes[j])
        copies.append(diversity.copy_likeness(distance, None if np.isnan(background) else background))
        contexts.append(1.0 - background)
    near_duplicate, context = max(copies), float(contexts[best])
    if similarity < bounds.similarity:
        choice = "reject_other_subject"
    elif near_duplicate >= bounds.near_duplicate or context < bounds.context_diversity:
        choice = "reject_too_similar"
    else:
        choice = "accept"
    return Verdict(choice, similarity, near_duplicate, context)


def _crop_points(view: View) -> keypoints.Keypoints:
    x0, y0, x1, y1 = (max(0, round(edge)) for edge in view.box)
    return keypoints.describe(view.frame[y0:y1, x0:x1], view.mask[y0:y1, x0:x1])
