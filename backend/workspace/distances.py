"""FID and FVD of systems in a project: listing the real set, planning its encoding, asking for the distances."""

import io
import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.domain.ranking import SetDistance
from backend.engine.context import WorkerSettings, load
from backend.engine.plan import Plan
from backend.jobs import CALLS
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace import evaluating
from backend.workspace.evaluating import LATEST_GENERATIONS, LISTED, REAL_SETS, Asked
from backend.workspace.layout import Layout
from backend.workspace.snapshot import Snapshot

_CURRENT = f"SELECT benchmark FROM bench_case WHERE starts_with(benchmark, '{REAL_SETS}') ORDER BY rowid DESC LIMIT 1"


def with_real(
    catalog: Catalog, asked: Asked, folder: str | None, workers: WorkerSettings, layout: Layout
) -> tuple[Asked, tuple[Plan, ...]]:
    """What is asked when a folder of real videos becomes the project's real set, and the plan that encodes it.

    Videos that are encoded are never encoded again, whatever system asks. Raises ImportRefused for a folder without any.
    """
    if folder is None:
        return asked, ()
    names = load(CALLS["set_metrics"])(asked.metrics, workers, real=True)
    told = load(CALLS["real_videos"])(Path(folder))
    with catalog.session():
        at = {row[0]: row[1] for row in catalog.query(f"SELECT id, path FROM ({LATEST_GENERATIONS})")}
        moved = any(at.get(one.id) != one.path for one in told.generations)
        if moved or _current(catalog) != told.cases[0].benchmark:  # the set that was listed last is the current one
            catalog.add_records([*told.cases, *told.generations], work_key=f"{LISTED}:{uuid.uuid4().hex}")
    ids = tuple(one.id for one in told.generations)
    metrics = tuple(dict.fromkeys((*asked.metrics, *names)))
    encoding = evaluating.plan(names, workers, layout, only=ids)
    return replace(asked, metrics=metrics, remarks=(*asked.remarks, *told.remarks)), (encoding,)


def of_project(
    catalog: Catalog,
    artifacts: Artifacts,
    layout: Layout,
    workers: WorkerSettings,
    *,
    systems: tuple[str, ...] = (),
    benchmark: str = "",
) -> tuple[SetDistance, ...]:
    """Distances of systems to the current real set, by benchmark; nothing when nobody asked for such."""
    measured = evaluating.measured(catalog, ())
    names = load(CALLS["set_metrics"])(measured, workers, real=False)
    real = _current(catalog)
    if not names and not real:
        return ()
    plan = evaluating.plan(names, workers, layout)
    with closing(Snapshot(catalog, one_moment=True)) as opened, opened.of(plan) as now:
        embedded = evaluating.embedded_roles(plan, workers)
        rows = evaluating.rows(now, names, systems, names, embedded=embedded)
        true = evaluating.rows(now, names, (), names, embedded=embedded, real=real) if real else ()

    def read(place: str) -> Mapping[str, np.ndarray]:
        with np.load(io.BytesIO(artifacts.get(place)), allow_pickle=False) as loaded:
            return {name: loaded[name] for name in loaded.files}

    answered = [pair for pair in _answered(catalog) if pair[0] in (systems or (pair[0],))]
    return load(CALLS["set_distances"])(
        rows,
        true,
        systems=[pair for pair in answered if pair[1] == (benchmark or pair[1])],
        folder=_folder(catalog, real),
        has_real=bool(real),
        workers=workers,
        read=read,
        store=layout.features,
    )


def _current(catalog: Catalog) -> str:
    """The benchmark that the current real set is; empty without one."""
    return next((name for (name,) in catalog.query(_CURRENT)), "")


def _answered(catalog: Catalog) -> list[tuple[str, str]]:
    """Systems and the benchmarks that they have videos of."""
    return catalog.query(
        f"""SELECT DISTINCT g.system, c.benchmark FROM ({LATEST_GENERATIONS}) g JOIN bench_case c ON c.id = g.case_id
        WHERE g.path <> '' AND NOT starts_with(c.benchmark, '{REAL_SETS}') ORDER BY ALL"""
    )


def _folder(catalog: Catalog, real: str) -> str:
    """The folder that holds all videos of a real set."""
    found = catalog.query(
        f"SELECT g.path FROM ({LATEST_GENERATIONS}) g JOIN bench_case c ON c.id = g.case_id WHERE c.benchmark = ?", [real]
    )
    paths = [Path(path) for (path,) in found]
    shared = [up for up in paths[0].parents if all(path.is_relative_to(up) for path in paths)] if paths else []
    return str(shared[0]) if shared else ""
