"""What our planner saves against a script per metric: OpenS2V-Eval's and VBench's metrics but for motion amplitude.

Each side runs in a process of its own, on one thread, with the same tiny models (`evaluation_models`); it first measures
one short clip, so that imports, weights and the child in which ours decodes are there, then what is timed. CPU time is user
and system, memory the peak over what was held at that point, children counted (`bench.cost`).
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from backend.engine.context import WorkContext
from backend.engine.crews import Crew, Inline, Process
from backend.engine.run import PlanRun
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from bench import evaluation_models, evaluation_scripts
from bench.cost import cpu_and_peak
from bench.media import say
from metrics.evaluation import plan_of
from metrics.spec import Entry

NUM_CLIPS, NUM_FRAMES = 8, 81
REPEATS = 3
SIDES = ("ours", "scripts")
Values = dict[str, float]


def run(*, num_clips: int = NUM_CLIPS, num_frames: int = NUM_FRAMES, repeats: int = REPEATS) -> list[dict[str, Any]]:
    """Rows of time, memory and scaling. Raises AssertionError where the two sides differ in a value."""
    with tempfile.TemporaryDirectory() as name:
        folder = evaluation_models.prepared(Path(name) / "work", num_clips=num_clips, num_frames=num_frames)
        # Interleaved, so that a busy machine disturbs both alike.
        found = [{side: _child(side, folder) for side in SIDES} for _ in range(repeats)]
        workers = [{num: _child(f"workers-{num}", folder) for num in (1, 2)} for _ in range(repeats)]
    for each in found:
        agree(each["ours"]["values"], each["scripts"]["values"])
    assert all(each[num]["values"] == found[0]["ours"]["values"] for each in workers for num in (1, 2)), "bit for bit"
    what = f"{num_clips} clips of {num_frames} frames at 720p, {len(evaluation_scripts.SCRIPTS)} metrics"
    rows = [
        _row(f"{what}, CPU", "cpu_ms", found, "CPU s", 1e-3, 0.5),
        _row(f"{what}, wall", "wall_ms", found, "s", 1e-3, 0.5),
        _row(f"{what}, memory", "peak_mib", found, "MiB over imports", 1.0, 0.4),
    ]
    ratios = [each[2]["wall_ms"] / each[1]["wall_ms"] for each in workers]
    rows.append(
        {
            "name": f"{what}, two workers, wall",
            "ours": statistics.median(each[2]["wall_ms"] for each in workers) / 1e3,
            "unit": "s",
            "peer": statistics.median(each[1]["wall_ms"] for each in workers) / 1e3,
            "peer_name": "one worker",
            "ratio": statistics.median(ratios),
            "spread": f"{min(ratios):.2f}-{max(ratios):.2f}",
            "n": repeats,
            "note": f"{os.cpu_count()} cores; each worker loads the models it needs; the same rows bit for bit",
        }
    )
    return rows


def through_engine(crew: Crew, work: evaluation_models.Work, root: Path, *, entries: Sequence[Entry]) -> Values:
    """Through the engine, from nothing: rows in a catalog, features and evidence on the disk."""
    root.mkdir()
    catalog, artifacts = Catalog(root / "catalog.duckdb"), Artifacts(work.workers.artifacts)
    catalog.add_records([record for entry in entries for record in (entry.case, entry.generation)], work_key="listed")
    plan = plan_of(tuple(evaluation_scripts.SCRIPTS), workers=work.workers, store=root / "features")
    summary = PlanRun(catalog=catalog, artifacts=artifacts, plan=plan, crew=crew)()
    assert summary.failed == 0, catalog.query("SELECT stage, message FROM work WHERE state = 'failed'")
    names = {entry.generation.id: entry.case.name for entry in entries}
    rows = catalog.query("SELECT name, target, value, reason FROM score")
    catalog.close()
    assert all(value is not None for _, _, value, _ in rows), rows
    return {f"{name}/{names[target]}": value for name, target, value, _ in rows}


def agree(ours: Values, theirs: Values) -> None:
    """Both measure the same: but for the order of sums, and a crop's edge where a box is rounded."""
    assert ours.keys() == theirs.keys(), sorted(ours.keys() ^ theirs.keys())
    for name, value in ours.items():
        assert abs(value - theirs[name]) <= 1e-3 * max(1.0, abs(value)), f"{name}: {value} and {theirs[name]}"


def _row(name: str, unit: str, found: list[dict], label: str, scale: float, target: float) -> dict[str, Any]:
    ratios = [each["ours"][unit] / each["scripts"][unit] for each in found]
    own, other = (statistics.median(each[side][unit] for each in found) * scale for side in SIDES)
    return {
        "name": name,
        "ours": own,
        "unit": label,
        "peer": other,
        "peer_name": "a script per metric",
        "ratio": statistics.median(ratios),
        "target": f"ratio <= {target:g}",
        "spread": f"{min(ratios):.2f}-{max(ratios):.2f}",
        "n": len(found),
    }


def _child(side: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.evaluation_speed", side, str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def _measure(side: str, folder: Path) -> dict[str, Any]:
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    work = evaluation_models.opened(folder)
    crew = Process(work.workers, num_workers=int(side[-1])) if side.startswith("workers") else Inline(work.workers)
    context = WorkContext(work.workers)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        if side == "scripts":
            evaluation_scripts.measured([work.short], context.role)
        else:
            through_engine(crew, work, root / "short", entries=[work.short])
        values: Values = {}

        def call() -> None:
            if side == "scripts":
                values.update(evaluation_scripts.measured(work.entries, context.role))
            else:
                values.update(through_engine(crew, work, root / "timed", entries=work.entries))

        started = time.perf_counter()
        found = cpu_and_peak(call)
        wall_ms = (time.perf_counter() - started) * 1e3
        crew.close()
    return {**found, "wall_ms": wall_ms, "values": values}


def main() -> None:
    """One side's measurement, as JSON."""
    say(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]))))


if __name__ == "__main__":
    main()
