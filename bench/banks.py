"""Speed and recall of a retrieval bank of 200,000 vectors, beside exact search and plain FAISS; embedding once, beside once a pair."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from backend.models.classical_embedder import ClassicalAppearance
from backend.store.banks import BankContent, open_bank
from backend.store.banks_index import IndexSettings
from backend.store.banks_search import Bank, Hits
from bench.clustered import clustered

BAND = (0.6, 0.95)
TARGET_RECALL, TARGET_QUERIES_PER_S, TARGET_BUILD_S = 0.995, 5000.0, 10.0
THREADS = 2
BATCH = 10_000
"""Queries of one call; FAISS's HNSW aborts the process on such batches of range searches."""


def run(*, num: int = 200_000, sample: int = 2000) -> list[dict[str, Any]]:
    """Rows `{name, value, target, n, note}` for the clustered set, with wall and processor time."""
    vectors = clustered(num, identities=num // 5, categories=max(4, num // 500), length=512, seed=0)
    content = BankContent(vectors, pa.table({"row": np.arange(num)}))
    with tempfile.TemporaryDirectory() as folder, _threads(THREADS):
        started, used = time.perf_counter(), time.process_time()
        bank = open_bank(Path(folder) / "bank", "bench", lambda: content, settings=IndexSettings(floor=0.5))
        build, build_cpu = time.perf_counter() - started, time.process_time() - used
        return [
            *_bank_rows(bank, num, sample, build, build_cpu),
            *_faiss_rows(bank, num, sample),
            *_abort_rows(folder),
            *_upstream_rows(),
        ]


def _bank_rows(bank: Bank, num: int, sample: int, build: float, build_cpu: float) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    chosen = np.sort(rng.choice(num, min(BATCH, num), replace=False))
    queries = np.asarray(bank.vectors[chosen])
    own = np.stack([chosen, chosen + 1], axis=1)
    wall, cpu, hits = _best(lambda: bank.search(queries, lo=BAND[0], hi=BAND[1], excluded=own))
    exact = Bank(bank.vectors, bank.rows, None)
    part = slice(0, sample)
    slow, slow_cpu, truth = _best(lambda: exact.search(queries[part], lo=BAND[0], hi=BAND[1], excluded=own[part]), times=1)
    found, wanted = _codes(hits, num), _codes(truth, num)
    found = found[found < sample * num]
    facts = bank.index.facts if bank.index is not None else None
    note = f"{num} x {bank.vectors.shape[1]}, band [{BAND[0]}, {BAND[1]}), {len(truth.rows) / sample:.1f} true hits a query"
    how = f"{facts.num_lists} lists, {facts.num_probes} looked into, widened by {facts.delta}" if facts else "exact"
    per_s, exact_per_s = len(queries) / wall, sample / slow
    return [
        _row("bank: index build, s", build, TARGET_BUILD_S, num, f"{build_cpu:.1f} s of processor time; {how}", unit="s"),
        _row("bank: recall of the exact band", float(np.isin(wanted, found).mean()), TARGET_RECALL, len(wanted), note),
        _row("bank: hits outside the exact band", float(np.isin(found, wanted, invert=True).sum()), 0, len(found), note),
        {
            **_row("bank: queries, /s", per_s, TARGET_QUERIES_PER_S, len(queries), f"{cpu:.2f} s of processor time"),
            "peer_name": "exact search",
            "peer": exact_per_s,
            "ratio": per_s / exact_per_s,
        },
        _row(
            "bank: queries a second of one core's time, /s", len(queries) / cpu, None, len(queries),
            f"exact {sample / slow_cpu:.0f}; a busy machine does not count",
        ),
    ]  # fmt: skip


def _faiss_rows(bank: Bank, num: int, sample: int, *, repeats: int = 3) -> list[dict[str, Any]]:
    """The same band by FAISS as its tutorials use it: a range search from the lower bound, cut to the band and to others' rows.

    A flat index finds all of it; the inverted file, with as many lists as ours and as many looked into, what lies there.
    """
    import faiss

    facts = bank.index.facts if bank.index is not None else None
    flat = faiss.IndexFlatIP(bank.vectors.shape[1])
    lists, probes = (facts.num_lists, facts.num_probes) if facts else (max(1, int(num**0.5)), 1)
    inverted = faiss.IndexIVFFlat(flat, bank.vectors.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
    inverted.train(bank.vectors[:: max(1, num // (lists * 64))])
    inverted.add(bank.vectors)
    inverted.nprobe = probes
    whole = faiss.IndexFlatIP(bank.vectors.shape[1])
    whole.add(bank.vectors)
    chosen = np.sort(np.random.default_rng(1).choice(num, min(sample, num), replace=False))
    queries = np.asarray(bank.vectors[chosen])
    own = np.stack([chosen, chosen + 1], axis=1)
    works: dict[str, Callable[[], np.ndarray]] = {
        "ours": lambda: _codes(bank.search(queries, lo=BAND[0], hi=BAND[1], excluded=own), num),
        "flat index": lambda: _band(whole, queries, own, num),
        "inverted file": lambda: _band(inverted, queries, own, num),
    }
    took: dict[str, list[float]] = {name: [] for name in works}
    found: dict[str, np.ndarray] = {}
    for _ in range(repeats):  # interleaved, so that a busy machine disturbs all alike
        for name, work in works.items():
            wall, _, found[name] = _best(work, times=1)
            took[name].append(len(queries) / wall)
    rows = []
    for name in ("flat index", "inverted file"):
        ratios = [own_rate / theirs for own_rate, theirs in zip(took["ours"], took[name], strict=True)]
        recalls = {who: float(np.isin(found["flat index"], found[who]).mean()) for who in ("ours", name)}
        rows.append(
            {
                "name": f"bank: queries beside FAISS's {name}, /s",
                "ours": statistics.median(took["ours"]),
                "peer_name": f"FAISS {name}",
                "peer": statistics.median(took[name]),
                "ratio": statistics.median(ratios),
                "spread": f"{min(ratios):.2f}-{max(ratios):.2f}",
                "n": len(queries),
                "note": f"recall {recalls['ours']:.4f}, FAISS's {recalls[name]:.4f}; {THREADS} threads",
            }
        )
    return rows


def _band(index: Any, queries: np.ndarray, own: np.ndarray, num: int) -> np.ndarray:
    limits, cosines, rows = index.range_search(queries, BAND[0])
    which = np.repeat(np.arange(len(queries)), np.diff(limits.astype(np.int64)))
    keep = (cosines < BAND[1]) & ((rows < own[which, 0]) | (rows >= own[which, 1]))
    return which[keep] * num + rows[keep]


def _abort_rows(folder: str) -> list[dict[str, Any]]:
    """Ten thousand queries at once in a process of its own, exact and by the index."""
    code = (
        "import sys, numpy as np, pyarrow as pa\n"
        "from pathlib import Path\n"
        "from backend.store.banks import BankContent, open_bank\n"
        "from backend.store.banks_index import IndexSettings\n"
        "from backend.store.banks_search import Bank\n"
        "from bench.clustered import clustered\n"
        "vectors = clustered(30_000, identities=6000, categories=60, length=128, seed=0)\n"
        "content = BankContent(vectors, pa.table({'row': np.arange(len(vectors))}))\n"
        "bank = open_bank(Path(sys.argv[1]) / 'abort', 'g', lambda: content, settings=IndexSettings(floor=.5))\n"
        "assert bank.index is not None\n"
        f"indexed = bank.search(vectors[:{BATCH}], lo=.6)\n"
        f"exact = Bank(bank.vectors, bank.rows, None).search(vectors[:{BATCH}], lo=.6)\n"
        "assert len(indexed.rows) >= .99 * len(exact.rows)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=False)
    note = "exact and by the index" if done.returncode == 0 else done.stderr.strip().splitlines()[-1][:80]
    return [_row("bank: batches of 10,000 queries that end well", float(done.returncode == 0), 1, BATCH, note)]


def _upstream_rows(*, clusters: int = 4, size: int = 10) -> list[dict[str, Any]]:
    """Every pair within clusters of OpenS2V's mean size: each appearance embedded once, and both anew for each pair."""
    views = [_view(seed) for seed in range(clusters * size)]
    pairs = [(c * size + i, c * size + j) for c in range(clusters) for i in range(size) for j in range(i + 1, size)]
    calls = [0]
    embedder = ClassicalAppearance()

    def embedded(k: int) -> np.ndarray:
        calls[0] += 1
        frame, mask = views[k]
        vector = embedder.embed(frame, mask, (0.0, 0.0, float(frame.shape[1]), float(frame.shape[0])))
        assert isinstance(vector, np.ndarray), "a drawn view is large enough to embed"
        return vector

    def once() -> list[float]:
        bank = [embedded(k) for k in range(len(views))]
        return [float(bank[i] @ bank[j]) for i, j in pairs]

    def anew() -> list[float]:
        return [float(embedded(i) @ embedded(j)) for i, j in pairs]

    _, ours, mine = _best(once, times=1)
    num_ours, calls[0] = calls[0], 0
    _, upstream, theirs = _best(anew, times=1)
    assert np.allclose(mine, theirs), "both ways give the same cosines"
    note = f"{num_ours} model calls for {len(views)} appearances, {calls[0]} the upstream way"
    row = _row("pairs a second of processor time, embedding included", len(pairs) / ours, None, len(pairs), note)
    return [
        {**row, "peer_name": "embedding anew for each pair", "peer": len(pairs) / upstream, "ratio": upstream / ours},
        _row("model calls for one appearance", num_ours / len(views), 1, len(views), "grows with appearances, not pairs"),
    ]


def _view(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = rng.integers(0, 256, (20, 30, 3), np.uint8).repeat(12, axis=0).repeat(12, axis=1)
    mask = np.zeros(frame.shape[:2], bool)
    mask[40:200, 90:260] = True
    return frame, mask


def _codes(hits: Hits, num: int) -> np.ndarray:
    return hits.queries * num + hits.rows


def _best(work: Callable[[], Any], *, times: int = 3) -> tuple[float, float, Any]:
    """Least wall and processor time of several runs in seconds, and the last result."""
    walls, used, result = [], [], None
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        walls.append(time.perf_counter() - wall)
        used.append(time.process_time() - cpu)
    return min(walls), min(used), result


@contextmanager
def _threads(num: int):
    """FAISS on `num` threads; workers keep to one, so that equal inputs give equal bits."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(min(num, os.cpu_count() or 1))
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _row(name: str, value: float, target: float | None, n: int, note: str, *, unit: str = "") -> dict[str, Any]:
    row = {"name": name, "value": value, "target": target, "n": n, "note": note}
    return row | ({"unit": unit} if unit else {})
