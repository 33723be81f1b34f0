"""Banks: what is found, how they are kept, what a damaged one does."""

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from backend.store import banks
from backend.store.banks import BankContent, check_generation, open_bank
from backend.store.banks_index import IndexSettings
from backend.store.banks_search import Bank
from bench.clustered import clustered

SMALL = IndexSettings(least_rows=500, sample=128)


def content(vectors: np.ndarray) -> BankContent:
    return BankContent(vectors, pa.table({"row": np.arange(len(vectors))}))


def never() -> BankContent:
    raise AssertionError("the bank was built again")


def truth(bank: Bank, queries: np.ndarray, lo: float, hi: float = np.inf) -> set[tuple[int, int]]:
    cosines = queries @ np.asarray(bank.vectors).T
    return set(zip(*(a.tolist() for a in np.nonzero((cosines >= lo) & (cosines < hi)))))


def pairs(hits) -> set[tuple[int, int]]:
    return set(zip(hits.queries.tolist(), hits.rows.tolist()))


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return clustered(3000, identities=600, categories=12, length=64, seed=0)


@pytest.fixture(scope="module")
def quantised(vectors: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    pytest.importorskip("faiss")
    bank = open_bank(tmp_path_factory.mktemp("banks"), "g", lambda: content(vectors), settings=SMALL)
    assert bank.index is not None
    return bank


def test_a_bank_of_many_small_clusters_looks_into_more_lists(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    scattered = clustered(40_000, identities=8000, categories=2000, length=64, seed=1)
    bank = open_bank(tmp_path, "g", lambda: content(scattered), settings=IndexSettings(floor=0.6))
    assert bank.index is not None and bank.index.facts.num_probes > 64
    asked = scattered[:: len(scattered) // 500]
    wanted = truth(bank, asked, 0.6, 0.95)
    assert len(pairs(bank.search(asked, lo=0.6, hi=0.95)) & wanted) >= 0.99 * len(wanted) > 1000


def test_small_bank_is_searched_exactly(vectors: np.ndarray, tmp_path: Path) -> None:
    bank = open_bank(tmp_path, "g", lambda: content(vectors))
    assert bank.index is None
    hits = bank.search(vectors[:50], lo=0.5, hi=0.95)
    assert pairs(hits) == truth(bank, vectors[:50], 0.5, 0.95)
    assert np.allclose(hits.cosines, np.einsum("nd,nd->n", vectors[hits.queries], vectors[hits.rows]), atol=1e-6)


def test_exact_search_in_small_pieces_finds_the_same(
    vectors: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = open_bank(tmp_path, "g", lambda: content(vectors))
    whole = bank.search(vectors[:50], lo=0.5)
    monkeypatch.setattr("backend.store.banks_search.MAX_SCORES", 7000)
    monkeypatch.setattr("backend.store.banks_search.QUERIES_AT_ONCE", 9)
    pieces = bank.search(vectors[:50], lo=0.5)
    assert np.array_equal(whole.rows, pieces.rows)
    assert np.array_equal(whole.queries, pieces.queries)


def test_index_finds_the_exact_band(quantised: Bank, vectors: np.ndarray) -> None:
    wanted = truth(quantised, vectors[::3], 0.5, 0.95)
    found = pairs(quantised.search(vectors[::3], lo=0.5, hi=0.95))
    assert found <= wanted, "bounds hold on exact cosines"
    assert len(found) >= 0.995 * len(wanted)


def test_what_was_measured_stands_in_the_manifest(quantised: Bank) -> None:
    assert quantised.index is not None
    facts = quantised.index.facts
    assert facts.recall >= 0.998
    assert facts.num_hits >= 200
    assert facts.delta > 0


def test_each_query_has_its_own_lower_bound(quantised: Bank, vectors: np.ndarray) -> None:
    lo = np.where(np.arange(200) % 2, 0.5, 0.8).astype(np.float32)
    hits = quantised.search(vectors[:200], lo=lo)
    assert (hits.cosines >= lo[hits.queries]).all()
    assert (hits.cosines[hits.queries % 2 == 1] < 0.8).any()


@pytest.mark.parametrize("spans", [[(0, 1000)], [(0, 700), (1500, 3000)], [(100, 110)], [(5, 5)], []])
def test_only_rows_of_the_spans_are_found(quantised: Bank, vectors: np.ndarray, spans: list[tuple[int, int]]) -> None:
    inside = np.zeros(len(vectors), bool)
    for start, stop in spans:
        inside[start:stop] = True
    found = pairs(quantised.search(vectors[::5], lo=0.5, spans=spans))
    wanted = {(q, r) for q, r in truth(quantised, vectors[::5], 0.5) if inside[r]}
    assert found <= wanted
    assert len(found) >= 0.99 * len(wanted)


def test_a_query_leaves_out_its_own_rows(quantised: Bank, vectors: np.ndarray) -> None:
    own = np.stack([np.arange(100), np.arange(100) + 1], axis=1)
    hits = quantised.search(vectors[:100], lo=0.5, excluded=own)
    assert not (hits.rows == hits.queries).any()


def test_a_bound_under_the_measured_floor_is_searched_exactly(quantised: Bank, vectors: np.ndarray) -> None:
    assert pairs(quantised.search(vectors[:20], lo=0.1)) == truth(quantised, vectors[:20], 0.1)


def test_data_without_clusters_gets_no_index(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    noise = np.random.default_rng(0).normal(size=(20_000, 64)).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    settings = IndexSettings(least_rows=500, sample=64, recall=0.9999)
    bank = open_bank(tmp_path, "g", lambda: content(noise), settings=settings)
    assert pairs(bank.search(noise[:20], lo=0.45)) == truth(bank, noise[:20], 0.45)


def test_empty_bank_and_no_queries_find_nothing(tmp_path: Path) -> None:
    empty = open_bank(tmp_path, "g", lambda: content(np.zeros((0, 8), np.float32)))
    assert len(empty.search(np.ones((3, 8), np.float32), lo=0.1).rows) == 0
    assert len(empty.search(np.zeros((0, 8), np.float32), lo=0.1).rows) == 0


def test_a_generation_is_built_once(vectors: np.ndarray, tmp_path: Path) -> None:
    open_bank(tmp_path, "g", lambda: content(vectors))
    again = open_bank(tmp_path, "g", never)
    assert np.array_equal(again.vectors, vectors)
    assert again.rows.column("row").to_pylist()[:3] == [0, 1, 2]


def generation(folder: Path) -> Path:
    return next(path for path in folder.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", [banks.VECTORS, banks.ROWS, banks.INDEX, banks.MANIFEST])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_damage_is_noticed_and_mended(vectors: np.ndarray, tmp_path: Path, name: str, damage: str) -> None:
    pytest.importorskip("faiss")
    open_bank(tmp_path, "g", lambda: content(vectors), settings=SMALL)
    path = generation(tmp_path) / name
    raw = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(raw[: len(raw) // 2])
    elif damage == "flipped":
        raw[len(raw) // 2] ^= 4
        path.write_bytes(raw)
    else:
        path.unlink()
    assert check_generation(generation(tmp_path)) is not None
    bank = open_bank(tmp_path, "g", lambda: content(vectors), settings=SMALL)
    assert check_generation(generation(tmp_path)) is None
    assert len(pairs(bank.search(vectors[:50], lo=0.5))) >= 50


def test_an_interrupted_build_leaves_the_old_generation(vectors: np.ndarray, tmp_path: Path) -> None:
    open_bank(tmp_path, "old", lambda: content(vectors))
    code = (
        "import os, signal, sys, numpy as np, pyarrow as pa\n"
        "from pathlib import Path\n"
        "from backend.store import banks\n"
        "vectors = np.eye(8, dtype=np.float32)\n"
        "def killed(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
        "banks.build_index = killed\n"
        "banks.open_bank(Path(sys.argv[1]), 'new', lambda: banks.BankContent(vectors, pa.table({'row': range(8)})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(open_bank(tmp_path, "old", never).vectors) == 3000
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".building")] == []
    assert len(open_bank(tmp_path, "new", lambda: content(vectors[:7])).vectors) == 7


def test_only_the_newest_generations_are_kept(vectors: np.ndarray, tmp_path: Path) -> None:
    opened = [open_bank(tmp_path, name, lambda: content(vectors)) for name in ("a", "b", "c", "d")]
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == banks.KEPT_GENERATIONS
    assert opened[0].vectors[5, 0] == vectors[5, 0], "who holds an old one may go on reading"


def _open_in_child(folder: str, builds: str) -> None:
    def counted() -> BankContent:
        with Path(builds).open("a") as file:
            file.write("x")
        return content(np.eye(16, dtype=np.float32))

    open_bank(Path(folder), "g", counted)
    os._exit(0)


@pytest.mark.slow
def test_of_many_processes_one_builds(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    folder, builds = tmp_path / "bank", tmp_path / "builds"
    children = [spawn.Process(target=_open_in_child, args=(str(folder), str(builds))) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert builds.read_text() == "x"
