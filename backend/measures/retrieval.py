"""Exact retrieval inside groups, bounds for banks, and what fused similarities and identity components are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

MAX_SCORES_AT_ONCE = 4_000_000
"""Cosines held in memory at once, 16 MB of float32."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs of rows `first[i] < second[i]` of one bank with their exact cosine, in order of first, then second."""

    first: np.ndarray
    second: np.ndarray
    cosine: np.ndarray


def in_group(vectors: np.ndarray, groups: np.ndarray, *, lo: float, hi: float = np.inf) -> Candidates:
    """Every pair of unit vectors `(N, D)` of one group whose cosine lies in `[lo, hi)`.

    `groups` is int `(N,)`. Groups of one size are multiplied together, so that many small groups cost little more
    than their arithmetic. Nothing is approximated: the bounds hold on float32 cosines.
    """
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=groups[order][:1] - 1)) if len(order) else np.zeros(0, int)
    sizes = np.diff(starts, append=len(order))
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for size in np.unique(sizes[sizes > 1]):
        members = order[starts[sizes == size][:, None] + np.arange(size)]
        step = max(1, MAX_SCORES_AT_ONCE // int(size * size))
        for chunk in (members[i : i + step] for i in range(0, len(members), step)):
            found.extend(_band(_rows(vectors, chunk), chunk, lo=lo, hi=hi))
    if not found:
        return Candidates(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    first, second, cosine = (np.concatenate(column) for column in zip(*found))
    sequence = np.lexsort((second, first))
    return Candidates(first[sequence], second[sequence], cosine[sequence])


@dataclass(frozen=True, slots=True)
class Fusion:
    """A logistic combination of named evidence into the chance that two appearances show one subject.

    Evidence that is missing (NaN or not given) adds its weight times `means`, the mean over the fitting data, so that
    it speaks neither for nor against.
    """

    weights: Mapping[str, float]
    bias: float
    means: Mapping[str, float]

    def __call__(self, evidence: Mapping[str, np.ndarray]) -> np.ndarray:
        """Chances float64 in [0, 1] of the shape of the evidence. Raises KeyError when no named evidence is given."""
        shape = np.broadcast_shapes(*(np.shape(evidence[name]) for name in self.weights if name in evidence))
        total = np.full(shape, self.bias, np.float64)
        for name, weight in self.weights.items():
            values = np.asarray(evidence.get(name, np.nan), np.float64)
            total += weight * np.where(np.isnan(values), self.means[name], values)
        return 1.0 / (1.0 + np.exp(-total))


def effective_dimension(vectors: np.ndarray, rng: np.random.Generator, *, num_pairs: int = 20_000) -> float:
    """`1 / Var(cos)` over random pairs of different unit vectors `(N, D)`, N >= 2: the dimension chance works in."""
    first = rng.integers(0, len(vectors), num_pairs)
    second = (first + rng.integers(1, len(vectors), num_pairs)) % len(vectors)
    variance = float(np.einsum("nd,nd->n", vectors[first], vectors[second]).var())
    return np.inf if variance == 0 else 1.0 / variance


def chance_bound(num_vectors: int, dimension: float, *, false_per_query: float = 1.0) -> float:
    """The cosine above which chance gives `false_per_query` hits in a bank of random unit vectors.

    The cosine of two is `2 Beta((d-1)/2, (d-1)/2) - 1`, so that the lower bound of a bank grows with its size:
    `lo(N) = max(lo_identity, chance_bound(N, d))`.
    """
    from scipy.special import betaincinv  # not above: a fifth of a second of every command's start

    half = (dimension - 1.0) / 2.0
    tail = min(1.0, false_per_query / num_vectors)
    return float(1.0 - 2.0 * betaincinv(half, half, tail))


def centre(vectors: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Unit vectors `(N, D)` after taking away a common mean `(D,)`: what all share no longer counts as likeness."""
    moved = vectors - mean
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.divide(moved, lengths, out=np.zeros_like(moved), where=lengths > 0).astype(np.float32)


def person_vector(appearance: np.ndarray, face: np.ndarray, *, face_weight: float = 0.6) -> np.ndarray:
    """Unit vectors `(..., D + F)` whose dot product is `(1 - w) cos_appearance + w cos_face`, for unit inputs.

    People without a face belong in a bank of their own: a zero block would halve every similarity.
    """
    blocks = [np.sqrt(1.0 - face_weight) * appearance, np.sqrt(face_weight) * face]
    return np.concatenate(blocks, axis=-1).astype(np.float32)


def identity_components(
    num: int, edges: Iterable[tuple[int, int]], similarity: Mapping[tuple[int, int], float], *, floor: float
) -> list[list[int]]:
    """Groups of subjects that accepted edges join, each sorted, largest first; singles are left out.

    Edges join in order of falling similarity, and only while no known similarity across the joined groups lies under
    `floor`: a chain of likenesses does not drift to somebody else. Keys of `similarity` are `(smaller, larger)`.
    """
    member_of = list(range(num))
    members = {i: [i] for i in range(num)}
    for a, b in sorted((min(e), max(e)) for e in edges if e[0] != e[1]):
        assert (a, b) in similarity, f"edge {a}, {b} has no similarity"
    for a, b in sorted(((min(e), max(e)) for e in edges), key=lambda e: (-similarity.get(e, 1.0), e)):
        left, right = member_of[a], member_of[b]
        if left == right or _weakest(members[left], members[right], similarity) < floor:
            continue
        members[left] = sorted(members[left] + members.pop(right))
        for i in members[left]:
            member_of[i] = left
    return sorted((group for group in members.values() if len(group) > 1), key=lambda group: (-len(group), group))


def _rows(vectors: np.ndarray, names: np.ndarray) -> np.ndarray:
    """`vectors[names]`; a bank stored group by group is not copied, which costs as much as the products."""
    first, num = int(names[0, 0]), names.size
    if (names.ravel() == np.arange(first, first + num)).all():
        return vectors[first : first + num].reshape(*names.shape, -1)
    return vectors[names]


def _band(rows: np.ndarray, names: np.ndarray, *, lo: float, hi: float) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs within each of G groups of n vectors `(G, n, D)`, named `(G, n)`; large groups go block by block."""
    size = rows.shape[1]
    block = min(size, max(1, MAX_SCORES_AT_ONCE // (size * len(rows))))
    found = []
    for start in range(0, size, block):
        part = rows[:, start : start + block]
        cosines = part @ rows[:, start:].swapaxes(1, 2)
        keep = (cosines >= lo) & np.triu(np.ones(cosines.shape[1:], bool), 1)
        if np.isfinite(hi):
            keep &= cosines < hi
        which, i, j = np.nonzero(keep)
        a, b = names[which, start + i], names[which, start + j]
        found.append((np.minimum(a, b), np.maximum(a, b), cosines[which, i, j]))
    return found


def _weakest(left: Sequence[int], right: Sequence[int], similarity: Mapping[tuple[int, int], float]) -> float:
    known = [similarity.get((min(a, b), max(a, b))) for a in left for b in right]
    return min((value for value in known if value is not None), default=np.inf)
