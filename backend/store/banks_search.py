"""Looking up a bank: every row whose exact cosine lies in a band, within spans of rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backend.store.banks_index import QuantisedIndex

MAX_SCORES = 8_000_000
"""Cosines held in memory at once, 32 MB of float32."""
QUERIES_AT_ONCE = 2048
"""Of one call of the index; a lookup of any number is cut into these, so that results never fill the memory at once."""
GATHERED_SHARE = 0.005
"""Under this share of the rows, multiplying them all beats the index (research, section 3.5)."""
Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Hits:
    """Rows found: `rows[i]` answers query `queries[i]` with the exact `cosines[i]`, by query, then row."""

    queries: np.ndarray
    rows: np.ndarray
    cosines: np.ndarray


@dataclass(frozen=True, slots=True)
class Bank:
    """An open generation. `vectors` float32 `(N, D)` are mapped from the disk; `index` is None for exact search."""

    vectors: np.ndarray
    rows: pa.Table
    index: QuantisedIndex | None = None

    def search(
        self,
        queries: np.ndarray,
        *,
        lo: float | np.ndarray,
        hi: float = np.inf,
        spans: Sequence[tuple[int, int]] | None = None,
        excluded: np.ndarray | None = None,
    ) -> Hits:
        """Rows with `lo <= cosine < hi` for unit queries `(Q, D)`; bounds hold on exact float32 cosines.

        `lo` is one bound or one a query. Only rows of the half-open `spans` are looked at (all by default), and for query
        `i` none of `[excluded[i, 0], excluded[i, 1])`: a clip's or source's own rows lie side by side.
        """
        within = _merged(spans, len(self.vectors))
        least = np.broadcast_to(np.asarray(lo, np.float32), (len(queries),))
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        if within and len(queries):
            num_within = sum(stop - start for start, stop in within)
            quantised = self.index is not None and num_within >= GATHERED_SHARE * len(self.vectors)
            quantised = quantised and float(least.min()) >= self.index.facts.floor  # type: ignore[union-attr]
            look = self._quantised if quantised else self._exact
            for start in range(0, len(queries), QUERIES_AT_ONCE):
                part = slice(start, start + QUERIES_AT_ONCE)
                which, rows, cosines = look(queries[part], least[part], within)
                keep = (cosines >= least[part][which]) & (cosines < hi)
                if excluded is not None:
                    own = excluded[part][which]
                    keep &= (rows < own[:, 0]) | (rows >= own[:, 1])
                found.append((which[keep] + start, rows[keep], cosines[keep]))
        if not found:
            return Hits(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
        which, rows, cosines = (np.concatenate(column) for column in zip(*found))
        order = np.lexsort((rows, which))
        return Hits(which[order], rows[order], cosines[order])

    def _exact(self, queries: np.ndarray, least: np.ndarray, spans: Spans) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        step = max(1, MAX_SCORES // len(queries))
        found = []
        for start, stop in spans:
            for first in range(start, stop, step):
                cosines = queries @ self.vectors[first : min(first + step, stop)].T
                which, row = np.nonzero(cosines >= least[:, None])
                found.append((which, row + first, cosines[which, row]))
        return tuple(np.concatenate(column) for column in zip(*found))  # type: ignore[return-value]

    def _quantised(self, queries: np.ndarray, least: np.ndarray, spans: Spans) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        assert self.index is not None, "asked for an index that is not there"
        whole = spans == ((0, len(self.vectors)),)
        which, rows = self.index.candidates(queries, lo=float(least.min()), spans=None if whole else spans)
        cosines = np.empty(len(rows), np.float32)
        step = max(1, MAX_SCORES // queries.shape[1])
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            cosines[part] = np.einsum("nd,nd->n", queries[which[part]], self.vectors[rows[part]])
        return which, rows, cosines


def _merged(spans: Sequence[tuple[int, int]] | None, num: int) -> Spans:
    """Spans in order, clipped to the bank, without overlaps."""
    if spans is None:
        return ((0, num),) if num else ()
    merged: list[tuple[int, int]] = []
    for start, stop in sorted((max(0, a), min(num, b)) for a, b in spans):
        if start >= stop:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return tuple(merged)
