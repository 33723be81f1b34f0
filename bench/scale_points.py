"""One measured point of a bank's size: `python -m bench.scale_points NUM` in a process of its own, printed as JSON.

Only the index's codes are held in memory, as on a machine whose vectors lie on its disk: vectors are made again, chunk by chunk, by whoever needs
them. Every step is timed by processor time on one thread, so that a machine's other work does not count, and without the making of vectors.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import faiss
import numpy as np

from backend.store.banks_index import PROBES, IndexSettings, empty_index
from bench.clustered import clustered

LENGTH, CHUNK = 512, 100_000
QUERIES = 2000
SAMPLE = 200
"""Queries whose true neighbours are looked for in all vectors."""
LO, DELTA = 0.6, 0.08
"""Of the band, and its widening for quantised cosines: what a bank of 200,000 measures for itself is .08."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What an index of `num` vectors of 512 numbers took; seconds are of one core."""

    num: int
    lists: int
    probes: int
    """Lists that a query looks into: the fewest with the recall that a bank asks of itself, or the most that it tries."""
    train_s: float
    add_s: float
    query_s: float
    """Of one query: lists chosen, codes compared."""
    candidates: float
    """Of one query: what comes back to be scored on its vector."""
    recall: float
    """Of the exact band."""
    peak_mib: float
    """Over what was held before, a chunk of vectors and those that lists are trained on among it."""
    bytes_per_vector: float
    """Of the index as it is written."""


def point(num: int) -> Point:
    """Builds and asks an index of `num` vectors, a multiple of CHUNK."""
    faiss.omp_set_num_threads(1)
    settings = IndexSettings()
    before = _peak_mib()
    index = empty_index(faiss, num, LENGTH, settings)
    share = min(1.0, settings.train_per_list * index.nlist / num)
    train_s = _seconds(index.train, _thinned(num, share))
    add_s = sum(_seconds(index.add, chunk) for _, chunk in _chunks(num))
    rows = np.sort(np.random.default_rng(1).choice(num, QUERIES, replace=False))
    queries = np.concatenate(
        [chunk[rows[(rows >= start) & (rows < start + CHUNK)] - start] for start, chunk in _chunks(num)]
    )
    library: Any = faiss  # its stubs know no parameters of searches
    wanted = _neighbours(num, queries[:SAMPLE])

    def ask(rows: np.ndarray, probes: int) -> tuple[np.ndarray, np.ndarray]:
        given = library.IVFRaBitQSearchParameters(nprobe=probes, qb=index.qb, centered=False)
        starts, _, found = index.range_search(rows, LO - DELTA, params=given)
        return np.repeat(np.arange(len(rows)), np.diff(starts.astype(np.int64))), found

    def recall(probes: int) -> float:
        return float(np.isin(wanted, _coded(num, *ask(queries[:SAMPLE], probes))).mean())

    tried = [probes for probes in PROBES if probes <= index.nlist // 2]
    reached = ((probes, recall(probes)) for probes in tried)
    probes, measured = next(pair for pair in reached if pair[1] >= settings.recall or pair[0] == tried[-1])
    query_s = min(_seconds(ask, queries, probes) for _ in range(3))
    return Point(
        num=num,
        lists=index.nlist,
        probes=probes,
        train_s=train_s,
        add_s=add_s,
        query_s=query_s / QUERIES,
        candidates=len(ask(queries, probes)[1]) / QUERIES,
        recall=measured,
        peak_mib=_peak_mib() - before,
        bytes_per_vector=faiss.serialize_index(index).nbytes / num,
    )


def _chunks(num: int) -> Iterator[tuple[int, np.ndarray]]:
    """First row and vectors of each chunk: identities are a chunk's own, five views of each, of categories that all chunks share."""
    for start in range(0, num, CHUNK):
        made = clustered(
            CHUNK, identities=CHUNK // 5, categories=400, length=LENGTH, seed=start // CHUNK, categories_seed=400
        )
        yield start, made


def _thinned(num: int, share: float) -> np.ndarray:
    """About so many of the vectors, copied: a view would keep its chunk."""
    return np.concatenate([chunk[:: max(1, round(1 / share))].copy() for _, chunk in _chunks(num)])


def _neighbours(num: int, queries: np.ndarray) -> np.ndarray:
    """Codes of every query and row of the exact band."""
    pairs = ((start, *np.nonzero(queries @ chunk.T >= LO)) for start, chunk in _chunks(num))
    return np.concatenate([_coded(num, which, start + row) for start, which, row in pairs])


def _coded(num: int, which: np.ndarray, row: np.ndarray) -> np.ndarray:
    return which.astype(np.int64) * num + row


def _seconds(work: Callable[..., object], *given: object) -> float:
    started = time.process_time()
    work(*given)
    return time.process_time() - started


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(point(int(sys.argv[1])))) + "\n")
