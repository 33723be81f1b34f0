"""Curation's engine beside Ray Data on the same stages (`python -m bench ray_data`; needs the extra `cluster`, else ours stands alone).

Both begin with a folder of videos and end with the scores of their clips on the disk: probing, shots, borders, frame hashes, by
the product's own stages with two workers. Ours is a plan that is run into a catalog, with every item's work key; theirs a data
set that is mapped from stage to stage and written as Parquet, which keeps nothing to resume from. Each side runs in a process of its
own from nothing, so that the start of workers and of Ray count, and both must give the same scores.
"""

import functools
import importlib.util
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from backend.domain import Item, Ok, Score, Source, Stage
from backend.engine.context import WorkContext, WorkerSettings
from backend.engine.crews import Process
from backend.engine.plan import Plan, Step
from backend.engine.run import PlanRun
from backend.sampleworld import read_truth
from backend.stages.borders import FindBorders
from backend.stages.duplicates import HashClips
from backend.stages.ingest import ProbeSource
from backend.stages.shots import SplitShots
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from bench.cost import cpu_and_peak
from bench.media import say

STAGES: tuple[Stage, ...] = (ProbeSource(), SplitShots(), FindBorders(), HashClips())
WORKERS = 2
REPEATS = 3
PEER = "Ray Data"
OBJECTS_BYTES = 256 * 2**20
UNITS = {"wall_s": "s", "cpu_s": "CPU s", "peak_mib": "MiB, all processes"}
Scores = list[tuple[str, str, float]]


def run(world_dirs: Sequence[Path], *, repeats: int = REPEATS) -> list[dict[str, Any]]:
    """Rows `{name, ours, peer, ratio, spread}` of time and memory. Raises AssertionError where the sides differ in a score."""
    videos = [str(folder / truth.file) for folder in world_dirs for truth in read_truth(folder).videos]
    sides = ("ours", PEER) if importlib.util.find_spec("ray") else ("ours",)
    # Interleaved, so that a busy machine disturbs both alike.
    found = [{side: _child(side, videos) for side in sides} for _ in range(repeats)]
    scores = {json.dumps(each[side].pop("scores")) for each in found for side in sides}
    assert len(scores) == 1, "both sides give the same scores, each time"
    num = len(json.loads(scores.pop()))
    return [_row(f"{len(videos)} videos through {len(STAGES)} stages", unit, found, f"{num} scores") for unit in UNITS]


def _child(side: str, videos: Sequence[str]) -> dict[str, Any]:
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    with tempfile.TemporaryDirectory() as folder:
        code = "from bench.ray_data import main; main()"  # not as __main__: Ray's workers look for it by name
        command = [sys.executable, "-c", code, side, folder, *videos]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, f"{side} failed:\n{done.stderr[-4000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def _ours(folder: Path, sources: Sequence[Source]) -> Scores:
    catalog, artifacts = Catalog(folder / "catalog.duckdb"), Artifacts(folder / "artifacts")
    crew = Process(_settings(folder), num_workers=WORKERS)
    try:
        catalog.add_records(sources, work_key="listed")
        PlanRun(catalog=catalog, artifacts=artifacts, plan=Plan(steps=tuple(map(Step, STAGES))), crew=crew)()
        return [(str(target), str(name), float(value)) for target, name, value in catalog.query(SCORES)]
    finally:
        crew.close()
        catalog.close()


SCORES = "SELECT target, name, value FROM score"


def _ray_data(folder: Path, sources: Sequence[Source]) -> Scores:
    import pyarrow.parquet as pq
    import ray  # pyright: ignore[reportMissingImports]
    import ray.data  # pyright: ignore[reportMissingImports]

    quiet = {"log_to_driver": False, "configure_logging": False, "include_dashboard": False}
    ray.init(address="local", num_cpus=WORKERS, object_store_memory=OBJECTS_BYTES, _temp_dir=str(folder / "r"), **quiet)
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = ray.data.from_items([{"records": {Source: (source,)}} for source in sources])
    rows = rows.repartition(len(sources))
    for number in range(len(STAGES)):
        rows = rows.flat_map(advanced, fn_kwargs={"number": number, "folder": str(folder)}, num_cpus=1)
    rows.flat_map(scores_of).write_parquet(str(folder / "scores"))
    told = pq.read_table(folder / "scores").to_pylist()
    return sorted({(row["target"], row["name"], row["value"]) for row in told})


def advanced(row: dict[str, Any], *, number: int, folder: str) -> Iterator[dict[str, Any]]:
    """What one stage makes of one item, as a row for each item of the next."""
    stage, known = STAGES[number], row["records"]
    (result,) = stage([Item(known[stage.over][0].id, known)], _context(folder))
    if not isinstance(result, Ok):
        return
    made = {kind: tuple(rows) for kind, rows in itertools.groupby(sorted(result.rows, key=_kind), key=type)}
    following = STAGES[number + 1].over if number + 1 < len(STAGES) else stage.over
    gathered = known | made | {Score: (*known.get(Score, ()), *made.get(Score, ()))}
    for one in gathered[following]:
        yield {"records": {**gathered, following: (one,)}}


def scores_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The scores that an item gathered on its way."""
    scores = row["records"][Score]
    return [{"target": score.target, "name": score.name, "value": score.value} for score in scores]


@functools.cache
def _context(folder: str) -> WorkContext:
    """One in each of Ray's workers, as in each of ours."""
    import cv2

    cv2.setNumThreads(1)
    return WorkContext(_settings(Path(folder)))


def _settings(folder: Path) -> WorkerSettings:
    return WorkerSettings(artifacts=folder / "artifacts", roles={})


def _kind(record: object) -> str:
    return type(record).__name__


def _row(name: str, unit: str, found: Sequence[dict[str, dict[str, float]]], note: str) -> dict[str, Any]:
    row: dict[str, Any] = {"name": f"{name}, {unit.partition('_')[0]}", "unit": UNITS[unit], "note": note}
    row["ours"] = statistics.median(each["ours"][unit] for each in found)
    if all(PEER in each for each in found):
        ratios = [each["ours"][unit] / each[PEER][unit] for each in found]
        peer = statistics.median(each[PEER][unit] for each in found)
        row |= {"peer_name": PEER, "peer": peer, "ratio": statistics.median(ratios)}
        row["spread"] = f"{min(ratios):.2f}-{max(ratios):.2f}"
    return row


SIDES: dict[str, Callable[[Path, Sequence[Source]], Scores]] = {"ours": _ours, PEER: _ray_data}


def main() -> None:
    """One side's measurement, as JSON."""
    side, folder, *videos = sys.argv[1:]
    (Path(folder) / "artifacts").mkdir()
    files = [(path, Path(path).stat()) for path in videos]
    sources = [Source(uri=path, num_bytes=told.st_size, modified_ns=told.st_mtime_ns) for path, told in files]
    scores: Scores = []
    started = time.perf_counter()
    spent = cpu_and_peak(lambda: scores.extend(SIDES[side](Path(folder), sources)))
    wall_s = time.perf_counter() - started
    say(
        json.dumps(
            {"wall_s": wall_s, "cpu_s": spent["cpu_ms"] / 1e3, "peak_mib": spent["peak_mib"], "scores": sorted(scores)}
        )
    )
