"""What a crew gains by more workers, on a stage that sleeps: so that cores do not matter, only what the engine does between
batches (`python -m bench scaleout`). Each worker gets the same number of batches; efficiency is the time of one worker over
that of eight. Ray runs as one node of this machine, with as many actors; without the extra `cluster` it is left out.
"""

import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.domain import Source
from backend.engine.context import WorkerSettings
from backend.engine.crews import Crew, Process
from backend.engine.plan import Plan, Step
from backend.engine.ray_crew import Ray
from backend.engine.run import PlanRun
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from bench.engine import Wait, row

WORKERS = 8
BATCHES = 10
"""For each worker."""
SECONDS = 0.5
"""Of a batch."""
TARGETS = {"process": 0.90, "ray": 0.85}
ENGINES: dict[str, Callable[[WorkerSettings, int], Crew]] = {
    "process": lambda settings, num: Process(settings, num_workers=num),
    "ray": lambda settings, num: Ray(settings, num_workers=num),
}


def run(*, repeats: int = 3) -> list[dict[str, Any]]:
    """Efficiency of 8 workers against one, start of the workers left out."""
    rows = []
    for engine in ENGINES if importlib.util.find_spec("ray") else ("process",):
        alone = statistics.median(_seconds(engine, 1, repeats))
        ratios = [alone / one for one in _seconds(engine, WORKERS, repeats)]
        name = f"{engine}: 1 worker against {WORKERS}, equal work for each"
        rows.append(row(name, ratios, "efficiency", f">= {TARGETS[engine]}"))
    return rows


def _seconds(engine: str, num_workers: int, repeats: int) -> list[float]:
    """Of each run, after one that starts every worker."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        catalog, artifacts = Catalog(root / "catalog.duckdb"), Artifacts(root / "artifacts")
        crew = ENGINES[engine](WorkerSettings(artifacts=root / "artifacts", roles={}), num_workers)
        plan = Plan(steps=(Step(Wait(seconds=SECONDS)),))
        took = []
        try:
            for number in range(repeats + 1):
                name = "warm" if not number else f"run{number}"
                fresh = [Source(uri=f"{name}-{n}", num_bytes=1, modified_ns=1) for n in range(BATCHES * num_workers)]
                catalog.add_records(fresh, work_key="listed")
                started = time.perf_counter()
                PlanRun(catalog=catalog, artifacts=artifacts, plan=plan, crew=crew)()
                took.append(time.perf_counter() - started)
        finally:
            crew.close()
            catalog.close()
        return took[1:]
