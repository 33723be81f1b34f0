"""What the engine adds to the stages' own time (`python -m bench.engine`)."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from backend.domain import Context, Item, Ok, Resources, Result, Score, Source
from backend.engine.context import WorkerSettings
from backend.engine.crews import Process
from backend.engine.plan import Plan, Step
from backend.engine.run import PlanRun
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog

NUM_BATCHES = 100
SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleeps for each item: a model whose time is known."""

    name: ClassVar[str] = "wait"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()
    seconds: float = SECONDS

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        results = []
        for item in items:
            time.sleep(self.seconds)
            results.append(Ok(item.id, (Score(target=item.id, name="waited", value=self.seconds, producer="wait"),)))
        return results


def run(*, repeats: int = 3) -> list[dict[str, Any]]:
    """Overhead over 100 batches of 100 ms on one worker, start of the worker left out; and a run with nothing to do."""
    shares, idle = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            catalog, artifacts = Catalog(root / "catalog.duckdb"), Artifacts(root / "artifacts")
            crew = Process(WorkerSettings(artifacts=root / "artifacts", roles={}), num_workers=1)
            plan = Plan(steps=(Step(Wait()),))
            catalog.add_records([_source(0, "warm")], work_key="listed")
            PlanRun(catalog=catalog, artifacts=artifacts, plan=plan, crew=crew)()
            catalog.add_records([_source(n, "item") for n in range(NUM_BATCHES)], work_key="listed")
            started = time.perf_counter()
            PlanRun(catalog=catalog, artifacts=artifacts, plan=plan, crew=crew)()
            shares.append((time.perf_counter() - started) / (NUM_BATCHES * SECONDS) - 1)
            crew.close()
            catalog.add_records([_source(n, "more") for n in range(20_000)], work_key="listed")
            key = plan.stage_key(Wait())
            catalog.query(
                f"""INSERT INTO work BY NAME SELECT '{key}:' || id AS work_key, 'wait' AS stage, '{key}' AS stage_key,
                id AS item_id, 'ok' AS state, 0 AS attempt FROM source WHERE uri LIKE 'more%'"""
            )
            started = time.perf_counter()
            summary = PlanRun(catalog=catalog, artifacts=artifacts, plan=plan, crew=crew)()
            idle.append(time.perf_counter() - started)
            assert summary.worked == {}, "everything was done"
            catalog.close()
    return [
        row("overhead at batches of 100 ms", shares, "of stage time", "<= .02"),
        row("finished job of 20,101 items run again", idle, "s", "<= 2 s + .1 ms an item"),
    ]


def row(name: str, values: list[float], unit: str, target: str) -> dict[str, Any]:
    spread = f"{min(values):.3f}-{max(values):.3f}"
    return {
        "name": name,
        "value": statistics.median(values),
        "unit": unit,
        "target": target,
        "spread": spread,
        "n": len(values),
    }


def _source(n: int, name: str) -> Source:
    return Source(uri=f"{name}-{n}", num_bytes=1, modified_ns=1)


if __name__ == "__main__":
    from bench.table import show

    show(run())
