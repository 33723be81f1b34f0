"""A quantised index over a bank's vectors: inverted lists of one-bit codes (FAISS IVF-RaBitQ).

Codes take 80 bytes for 512 numbers. A quantised cosine is off by some hundredths, so that the lower bound is widened by
`delta` inside the index, and what comes back is scored again on the vectors themselves (`banks_search`). How far to
widen and how many lists to look into is measured on the bank's own rows: without clusters in the data no number of lists
reaches the recall wanted, and then there is no index and search stays exact.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain import StoreError

log = logging.getLogger(__name__)

DELTAS = (0.02, 0.04, 0.08, 0.12, 0.16, 0.24)
"""How far the lower bound may be widened; .08 gave recall 1.0 on 200,000 clustered vectors (research, section 3.1)."""
PROBES = (4, 8, 16, 32, 64, 128, 256, 512)
"""How many lists may be looked into, of up to half of an index's."""
ENOUGH_HITS = 200
"""True neighbours on which a recall of .998 can be told from .99."""
NEIGHBOURS = 5
"""Neighbours of each row that are wanted where fewer than ENOUGH_HITS lie over the floor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """How an index is built. They shape its answers and so enter the generation's name."""

    least_rows: int = 20_000
    """A smaller bank is searched exactly: that is as quick, and needs no FAISS."""
    floor: float = 0.4
    """Lowest cosine that will be asked for; recall is measured from here on."""
    recall: float = 0.998
    """Wanted of the exact band, measured on the bank's own rows; .995 is promised."""
    train_per_list: int = 39  # FAISS warns under 39 points a centroid
    iterations: int = 6
    sample: int = 384
    """Rows whose neighbours are found exactly, to measure recall."""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFacts:
    """What was measured of a built index; kept in the bank's manifest."""

    kind: str
    num_lists: int
    num_probes: int
    delta: float
    floor: float
    """The cosine from which recall was measured."""
    recall: float
    num_hits: int
    """True neighbours that recall was measured on."""
    version: str


@dataclass(frozen=True, slots=True)
class QuantisedIndex:
    """A loaded index with what is known of it."""

    faiss: Any
    index: Any
    facts: IndexFacts

    def candidates(
        self, queries: np.ndarray, *, lo: float, spans: tuple[tuple[int, int], ...] | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Query and row of everything whose quantised cosine may mean `lo` or more, within the row spans."""
        return _range(self.faiss, self.index, queries, lo - self.facts.delta, self.facts.num_probes, spans)[:2]


def build_index(vectors: np.ndarray, path: Path, settings: IndexSettings) -> IndexFacts | None:
    """Writes an index of unit vectors `(N, D)`; None, writing nothing, where search had better stay exact.

    That is: few rows, no FAISS installed, or no setting whose measured recall is what is wanted.
    """
    if len(vectors) < settings.least_rows:
        return None
    try:
        import faiss
    except ImportError:
        return None
    num, length = vectors.shape
    rng = np.random.default_rng(settings.seed)
    index = empty_index(faiss, num, length, settings)
    chosen = np.sort(rng.choice(num, min(num, settings.train_per_list * index.nlist), replace=False))
    index.train(np.ascontiguousarray(vectors[chosen]))
    for start in range(0, num, 1 << 17):
        index.add(np.ascontiguousarray(vectors[start : start + (1 << 17)]))
    facts = _measured(faiss, index, vectors, settings, rng)
    if facts is not None:
        faiss.write_index(index, str(path))
    return facts


def num_lists_for(num: int) -> int:
    """Inverted lists of an index of so many rows, a power of two near their root: 512 for 200,000."""
    return 2 ** max(4, round(math.log2(1.15 * math.sqrt(num))))


def empty_index(faiss: Any, num: int, length: int, settings: IndexSettings) -> Any:
    """An untrained index for `num` unit vectors of `length` numbers."""
    lists = num_lists_for(num)
    index = faiss.IndexIVFRaBitQ(faiss.IndexFlatIP(length), length, lists, faiss.METRIC_INNER_PRODUCT, True)
    index.cp.niter, index.cp.seed = settings.iterations, settings.seed + 1234
    return index


def read_index(path: Path, facts: IndexFacts) -> QuantisedIndex | None:
    """Opens an index, mapped from the disk. None without FAISS: exact search then finds the same, and the few that an index misses.

    Raises StoreError when the file cannot be read.
    """
    try:
        import faiss
    except ImportError:
        log.info("FAISS is not installed; bank %s is searched exactly", path.parent)
        return None
    try:
        return QuantisedIndex(faiss, faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC), facts)
    except RuntimeError as error:
        raise StoreError(f"bank index {path} cannot be read: {str(error).splitlines()[0]}") from error


def _measured(
    faiss: Any, index: Any, vectors: np.ndarray, settings: IndexSettings, rng: np.random.Generator
) -> IndexFacts | None:
    """The least widening, then the fewest lists, that find what an exact search of sampled rows finds.

    Recall is the least over lower bounds from the floor up: what is lost lies just over a bound, so that one bound
    does not speak for another.
    """
    rows = np.sort(rng.choice(len(vectors), min(settings.sample, len(vectors)), replace=False))
    queries = np.ascontiguousarray(vectors[rows])
    floor, truth, cosines = _neighbours(queries, rows, vectors, settings.floor)
    if not len(truth):
        return None
    bounds = [bound for bound in floor + np.arange(0.0, 1.0 - floor, 0.05) if (cosines >= bound).sum() >= ENOUGH_HITS]
    bounds = bounds or [floor]

    def seen(delta: float, probes: int) -> np.ndarray:
        """Quantised cosines of the true neighbours, -inf of those that are not come upon."""
        which, found, quantised = _range(faiss, index, queries, floor - delta, probes, None)
        codes = which * len(vectors) + found
        order = np.argsort(codes)
        at = np.searchsorted(codes, truth, sorter=order).clip(max=max(0, len(codes) - 1))
        there = codes[order[at]] == truth if len(codes) else np.zeros(len(truth), bool)
        return np.where(there, quantised[order[at]], -np.inf) if len(codes) else np.full(len(truth), -np.inf)

    def recall(quantised: np.ndarray, delta: float) -> float:
        return min(float((quantised[cosines >= bound] >= bound - delta).mean()) for bound in bounds)

    most = max(probes for probes in PROBES if probes <= index.nlist // 2)
    delta = next((value for value in DELTAS if recall(seen(value, most), value) >= settings.recall), None)
    if delta is None:
        return None
    reached = ((p, recall(seen(delta, p), delta)) for p in PROBES if p <= most)
    probes, measured = next((p, r) for p, r in reached if r >= settings.recall or p == most)
    return IndexFacts(
        kind="ivf_rabitq",
        num_lists=index.nlist,
        num_probes=probes,
        delta=delta,
        floor=floor,
        recall=measured,
        num_hits=len(truth),
        version=faiss.__version__,
    )


def _neighbours(
    queries: np.ndarray, rows: np.ndarray, vectors: np.ndarray, floor: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """A floor, and the true neighbours over it of sampled rows other than themselves: `sample * N + row`, and cosines.

    Where few lie over the floor asked for, it is lowered to where each row has NEIGHBOURS on average.
    """
    num = len(vectors)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for start, cosines in _cosines(queries, rows, vectors):
        which, row = np.nonzero(cosines >= floor)
        found.append((which * num + start + row, cosines[which, row]))
    codes, likeness = (np.concatenate(column) for column in zip(*found))
    if len(codes) >= ENOUGH_HITS:
        return floor, codes, likeness
    best: list[tuple[np.ndarray, np.ndarray]] = []
    for start, cosines in _cosines(queries, rows, vectors):
        width = min(NEIGHBOURS, cosines.shape[1])
        part = np.argpartition(-cosines, width - 1, axis=1)[:, :width]
        codes = np.arange(len(queries))[:, None] * num + start + part
        best.append((codes.ravel(), np.take_along_axis(cosines, part, 1).ravel()))
    codes, likeness = (np.concatenate(column) for column in zip(*best))
    order = np.argsort(-likeness, kind="stable")[: NEIGHBOURS * len(queries)]
    return float(likeness[order[-1]]), codes[order], likeness[order]


def _cosines(queries: np.ndarray, rows: np.ndarray, vectors: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """First row and cosines of sampled rows with each stretch of the bank, -inf with themselves."""
    for start in range(0, len(vectors), 1 << 15):
        cosines = queries @ vectors[start : start + (1 << 15)].T
        own = (rows >= start) & (rows < start + cosines.shape[1])
        cosines[own, rows[own] - start] = -np.inf
        yield start, cosines


def _range(
    faiss: Any, index: Any, queries: np.ndarray, least: float, probes: int, spans: tuple[tuple[int, int], ...] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Query, row and quantised cosine of everything over `least`."""
    selector, parts = _selector(faiss, spans)
    given = {} if selector is None else {"sel": selector}
    parameters = faiss.IVFRaBitQSearchParameters(nprobe=probes, qb=index.qb, centered=False, **given)
    starts, cosines, rows = index.range_search(np.ascontiguousarray(queries, np.float32), least, params=parameters)
    del parts  # held until here: a selector does not own its parts
    return np.repeat(np.arange(len(queries)), np.diff(starts.astype(np.int64))), rows.astype(np.int64), cosines


def _selector(faiss: Any, spans: tuple[tuple[int, int], ...] | None) -> tuple[Any, list[Any]]:
    """A selector of rows in any of the spans; None for all."""
    if spans is None:
        return None, []
    parts: list[Any] = [faiss.IDSelectorRange(start, stop) for start, stop in spans]
    chosen = parts[0]
    for part in parts[1:]:
        chosen = faiss.IDSelectorOr(chosen, part)
        parts.append(chosen)
    return chosen, parts
