"""Speed of exact retrieval inside groups, beside a plain numpy loop over groups, and of banks (`bench.banks`).

`python -m bench.retrieval` prints rows.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backend.measures.retrieval import in_group
from backend.models.classical_embedder import BLOCKS
from bench import accuracy_faces, banks

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "dev"
TARGET_PAIRS_PER_S = 5e6
"""Groups of 10: 6.7 M pairs/s were measured for vectors of length 512 on two loaded cores. Products of this size keep to
one core, so that a second of processor time is a second."""
LO = 0.2
LENGTH = sum(length for _, length, _ in BLOCKS)


def run(*, num_groups: int = 20_000, size: int = 10, repeats: int = 3) -> list[dict[str, Any]]:
    """Rows `{name, value, target, n, note}`: million pairs a second of `in_group` and of the loop, one large group, banks, and bounds on faces."""
    vectors, groups = bank(num_groups, size)
    pairs = num_groups * size * (size - 1) // 2
    both = {"ours": lambda: in_group(vectors, groups, lo=LO), "loop": lambda: numpy_loop(vectors, size)}
    took: dict[str, list[float]] = {name: [] for name in both}
    results: dict[str, Any] = {}
    for _ in range(repeats):  # interleaved, so that a busy machine disturbs both alike
        for name, work in both.items():
            seconds, results[name] = _best(work, 1)
            took[name].append(seconds)
    ours, loop, found, peers = min(took["ours"]), min(took["loop"]), results["ours"], results["loop"]
    ratios = [theirs / own for own, theirs in zip(took["ours"], took["loop"], strict=True)]
    agree = len(found.first) == peers
    large, names = bank(1, 6000)
    one, _ = _best(lambda: in_group(large, names, lo=LO), repeats)
    note = f"{num_groups} groups of {size}, vectors of {LENGTH}"
    return [
        {
            **_row("in-group pairs, M/s", pairs / ours / 1e6, TARGET_PAIRS_PER_S / 1e6, pairs, note),
            "peer_name": "numpy loop",
            "peer": pairs / loop / 1e6,
            "ratio": loop / ours,
            "spread": f"{min(ratios):.2f}-{max(ratios):.2f}",
        },
        _row(
            "both find the same number of candidates", float(agree), 1, len(found.first), f"{len(found.first)} and {peers}"
        ),
        _row("one group of 6000, M/s", 6000 * 5999 / 2 / one / 1e6, None, 6000 * 5999 // 2, "in blocks of 16 MB"),
        *banks.run(),
        *accuracy_faces.run(REAL if REAL.is_dir() else None),
    ]


def bank(num_groups: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Random unit vectors of groups with a common part, so that about one pair in five reaches the floor."""
    rng = np.random.default_rng(0)
    common = np.repeat(rng.normal(size=(num_groups, LENGTH)).astype(np.float32), size, axis=0)
    rows = rng.normal(size=common.shape).astype(np.float32) + 0.45 * common
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), np.repeat(np.arange(num_groups), size)


def numpy_loop(vectors: np.ndarray, size: int) -> int:
    """The peer: one product for each group of a sorted bank. Gives the number of candidates."""
    upper = np.triu(np.ones((size, size), bool), 1)
    found = 0
    for start in range(0, len(vectors), size):
        rows = vectors[start : start + size]
        cosines = rows @ rows.T
        first, _ = np.nonzero((cosines >= LO) & upper)
        found += len(first)
    return found


def _best(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Least processor time of several runs in seconds, and the last result: a busy machine does not count."""
    times = []
    result = None
    for _ in range(repeats):
        started = time.process_time()
        result = work()
        times.append(time.process_time() - started)
    return min(times), result


def _row(name: str, value: float, target: float | None, n: int, note: str) -> dict[str, Any]:
    return {"name": name, "value": value, "target": target, "n": n, "note": note}


if __name__ == "__main__":
    for row in run():
        target = "" if row["target"] is None else f"target {row['target']:g}"
        value = "none" if row["value"] is None else f"{row['value']:.2f}"
        sys.stdout.write(f"{row['name']:52s} {value:>8s}  {target:12s} n {row['n']:<9d} {row['note']}\n")
