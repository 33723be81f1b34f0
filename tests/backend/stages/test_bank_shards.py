"""Banks cut in shards find what one bank finds."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from backend.stages.bank_pairs import PairAcross
from backend.stages.bank_shards import OPEN_BYTES, num_shards_for, shard_of
from backend.stages.banks import PART_SCHEMA
from backend.store.artifacts import Artifacts
from tests.backend.stages.bank_sources import World, unit

ONE = PairAcross()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Fourteen videos: each shows two of five mugs, and every other one a person, with a face in one of two."""
    made = World(tmp_path_factory.mktemp("shards"))
    for number in range(14):
        mugs = [{"body": unit(100 + 10 * number + k, near=unit(k), cosine=0.8)} for k in (number % 5, (number + 2) % 5)]
        person = {"body": unit(900 + number, near=unit(50), cosine=0.7), "is_living": True}
        if number % 4 == 0:
            person["face"] = unit(950 + number, near=unit(60, length=16), cosine=0.8, length=16)
        made.add(f"{number}.mp4", *mugs, *([person] if number % 2 == 0 else []))
    return made


@pytest.mark.parametrize("shard_views", [20, 9, 3])
def test_shards_find_what_one_bank_finds(world: World, shard_views: int) -> None:
    several = replace(ONE, shard_views=shard_views)
    total = 0
    for source, _ in world.sources:
        whole, cut = world.pairs(source.uri, ONE), world.pairs(source.uri, several)
        assert [(target, reference) for target, reference, _ in sorted(cut, key=str)] == [
            (target, reference) for target, reference, _ in sorted(whole, key=str)
        ]
        for (*ends, wanted), (*others, scores) in zip(sorted(whole, key=str), sorted(cut, key=str), strict=True):
            assert ends == others
            assert scores.keys() == wanted.keys()
            for name in scores.keys() - {"bank_margin"}:  # chance is measured shard by shard
                assert scores[name] == pytest.approx(wanted[name], abs=1e-6), name
        total += len(whole)
    assert total > 20
    assert len(list((world.project / "index" / "banks").glob(f"person-*-of-{num_shards_for(35, shard_views)}"))) > 1


def test_a_shard_that_is_not_asked_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: without one of two shards, pairs are missing."""
    several = replace(ONE, shard_views=19)
    whole = world.pairs("13.mp4", several)
    monkeypatch.setattr("backend.stages.bank_lookup.ask_all", lambda shards, asks: [shards[0].answer(asks)])
    assert len(world.pairs("13.mp4", several)) < len(whole)


def test_sources_spread_evenly_and_stay_where_they_are() -> None:
    counts = Counter(shard_of(f"source_{number}", 8) for number in range(8000))
    assert sorted(counts) == list(range(8))
    assert np.ptp(list(counts.values())) < 200  # 1000 each, a standard deviation of 30
    assert [shard_of(f"source_{number}", 8) for number in range(6)] == [2, 0, 6, 3, 6, 5]  # as on any other day


@pytest.mark.parametrize(
    ("views", "wanted"), [(0, 1), (4_000_000, 1), (4_000_001, 2), (53_000_000, 16), (3_000_000_000, 1024)]
)
def test_shards_double(views: int, wanted: int) -> None:
    assert num_shards_for(views, 4_000_000) == wanted


def part_of_people(num: int, chance: np.random.Generator) -> bytes:
    """Views with a body's and a face's vector of 512 numbers, twenty of each person, at a cosine of about .8 to one another."""
    vectors = []
    for _ in range(2):
        people, noise = (chance.normal(0, 1, (rows, 512)).astype(np.float32) for rows in (num // 20, num))
        vectors.append(np.repeat(people, 20, axis=0) + 0.5 * noise)
    columns = {
        space: pa.ListArray.from_arrays(
            pa.array(np.arange(0, 512 * num + 1, 512, dtype=np.int32)),
            pa.array((found / np.linalg.norm(found, axis=1, keepdims=True)).ravel()),
        )
        for space, found in zip(("appearance", "face"), vectors, strict=True)
    }
    columns |= {"subject": pa.array([f"subject_{number}" for number in chance.integers(0, 2**40, num)])}
    columns |= {"category": pa.array(["person"] * num)}
    table = pa.table(
        {name: columns.get(name, pa.nulls(num, kind)) for name, kind in zip(PART_SCHEMA.names, PART_SCHEMA.types)}
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, PART_SCHEMA) as writer:
        writer.write_table(table.cast(PART_SCHEMA))
    return sink.getvalue().to_pybytes()


MEASURE = """
import sys
from pathlib import Path
from backend.stages.bank_shards import ShardHolding
from backend.store.artifacts import Artifacts

def anonymous():
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").read_text().splitlines() if "RssAnon" in line)

holding = ShardHolding(roll=sys.argv[2], face_weight=0.6, floor=0.4, number=0, num_shards=1, num_views=int(sys.argv[3]))
answer = holding.open(Artifacts(Path(sys.argv[1])))
answer(None)
print(anonymous(), anonymous() / 2**30 < holding.ram_gib)
"""


@pytest.mark.thorough
def test_an_open_shard_takes_what_it_claims(tmp_path: Path) -> None:
    """Of people with faces: files that every question reads, whole, and what a process that finds the banks built has of its own."""
    num, own = 60_000, list[int]()
    for views in (num, 2 * num):
        project = tmp_path / str(views)
        artifacts, listed, chance = Artifacts(project / "artifacts"), [], np.random.default_rng(0)
        for start in range(0, views, 2_000):
            part = artifacts.put(part_of_people(2_000, chance), "arrow")
            listed.append({"id": f"source_{start}", "bank_part": [{"artifact": part, "num_views": 2_000}]})
        roll = artifacts.put(json.dumps(listed).encode(), "json")
        command = [sys.executable, "-c", MEASURE, str(artifacts.root), roll, str(views)]
        for _ in ("builds", "opens"):
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=True,
                timeout=300,
                env={**os.environ, "PYTHONPATH": os.getcwd()},
            )
        taken, is_claimed = done.stdout.split()
        own.append(int(taken))
        assert is_claimed == "True"
    files = [path.stat().st_size for path in (project / "index").rglob("*") if path.suffix in (".faiss", ".arrow")]
    assert len(files) == 6, "an index and a table of each bank"
    a_view = sum(files) / (2 * num) + (own[1] - own[0]) / num
    assert 0.8 * OPEN_BYTES < a_view < OPEN_BYTES, a_view
