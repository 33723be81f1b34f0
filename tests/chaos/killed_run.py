"""A run that gets killed: curates a folder's toy project with two workers, as a process of its own."""

import sys
from pathlib import Path

from backend.engine.context import WorkerSettings
from backend.engine.crews import Process
from backend.engine.plan import Plan, Step
from backend.engine.run import PlanRun
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
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


def main(folder: Path) -> None:
    catalog = open_catalog(folder)
    settings = WorkerSettings(artifacts=folder / "artifacts", roles={})
    crew = Process(settings, num_workers=2)
    sys.stdout.write("started\n")
    sys.stdout.flush()
    run = PlanRun(catalog=catalog, artifacts=Artifacts(folder / "artifacts"), plan=plan(), crew=crew)
    run()
    crew.close()
    catalog.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
