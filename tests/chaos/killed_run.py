"""A run that gets killed: curates a folder's toy project with two workers, as a process of its own, and tells of each commit."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from backend.engine.context import WorkerSettings
from backend.engine.crews import Process
from backend.engine.plan import Plan, Step
from backend.engine.run import PlanRun
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog, Work
from tests.backend.engine.toy_stages import CountClips, MakeVideo, MarkClips, SplitEvenly, SumMarks, Trouble, source

NUM_SOURCES = 40


def plan() -> Plan:
    """Clips are followed from their marks to their trouble."""
    clips = (Step(MarkClips()), Step(SumMarks()), Step(Trouble()))
    return Plan(steps=(Step(MakeVideo()), Step(SplitEvenly(seconds=0.02)), *clips, Step(CountClips())))


def open_catalog(folder: Path) -> Catalog:
    """The folder's catalog, with its sources listed once."""
    catalog = Catalog(folder / "catalog.duckdb")
    if not catalog.query("SELECT 1 FROM source LIMIT 1"):
        catalog.add_records([source(f"{n}.mp4") for n in range(NUM_SOURCES)], work_key="listed")
    return catalog


def commit_apart(table: str) -> None:
    """A mutant of `Catalog.commit`: rows first, then the keys of the work that made them. Killed between, once `table` has rows."""
    whole_commit = Catalog.commit

    def commit(self: Catalog, work: Sequence[Work], tables: Mapping[str, pa.Table], **more: Any) -> None:
        self.append(tables)
        if table in tables and len(tables[table]):
            os.kill(os.getpid(), signal.SIGKILL)
        whole_commit(self, work, {}, **more)

    Catalog.commit = commit


def main(folder: Path, how: str) -> None:
    if how == "apart":
        commit_apart("clip")
    catalog = open_catalog(folder)
    settings = WorkerSettings(artifacts=folder / "artifacts", roles={})
    crew = Process(settings, num_workers=2)
    sys.stdout.write("started\n")
    sys.stdout.flush()

    def tell(stage: str, done: int, total: int) -> None:
        if done:
            sys.stdout.write("committed\n")
            sys.stdout.flush()

    artifacts = Artifacts(folder / "artifacts")
    PlanRun(catalog=catalog, artifacts=artifacts, plan=plan(), crew=crew, progress=tell)()
    crew.close()
    catalog.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
