"""Runs of toy plans on a cluster, whose stages write down each time that they work on an item."""

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import ClassVar

import psutil

from backend.domain import Clip, Context, Item, Ok, Resources, Result, Score, Video
from backend.engine.context import WorkerSettings
from backend.engine.crews import Crew, Inline
from backend.engine.plan import Plan, Step
from backend.engine.run import PlanRun, RunSummary
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from tests.backend.engine.toy_stages import CountClips, MakeVideo, MarkClips, SplitEvenly, Trouble, source


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Over videos: sleeps for each, and adds a line with the item and the process to `log`; the artifact says the item."""

    name: ClassVar[str] = "counted"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Clip,)
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()
    log: str = field(default="", compare=False)
    seconds: float = field(default=0.05, compare=False)

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        results: list[Result] = []
        for item in items:
            with open(self.log, "a", encoding="utf-8") as file:
                file.write(f"{item.id} {os.getppid()}\n")
            time.sleep(self.seconds)
            kept = context.artifacts.put(item.id.encode(), "txt")
            made = Score(target=item.id, name="counted", value=1.0, producer="toy", evidence=kept)
            results.append(Ok(item.id, (made,)))
        return results


@dataclass(frozen=True, slots=True, kw_only=True)
class OnGpu:
    """Over videos, with a GPU: how many the process sees."""

    name: ClassVar[str] = "on_gpu"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources(gpu=1.0)

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        seen = float(len([one for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one]))
        return [Ok(item.id, (Score(target=item.id, name="gpus", value=seen, producer="toy"),)) for item in items]


@dataclass
class Toy:
    """A catalog of `num` sources below a folder, and the plan over it."""

    folder: Path
    plan: Plan
    num: int = 24

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.catalog = Catalog(self.folder / "catalog.duckdb")
        if not self.catalog.query("SELECT 1 FROM source LIMIT 1"):
            self.catalog.add_records([source(f"{n}.mp4") for n in range(self.num)], work_key="listed")
        self.artifacts = Artifacts(self.folder / "artifacts")

    @property
    def settings(self) -> WorkerSettings:
        return WorkerSettings(artifacts=self.folder / "artifacts", roles={})

    def run(
        self,
        make: Callable[[WorkerSettings], Crew] = Inline,
        cancelled: Event | None = None,
        progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
    ) -> RunSummary:
        crew = make(self.settings)
        try:
            return PlanRun(
                catalog=self.catalog,
                artifacts=self.artifacts,
                plan=self.plan,
                crew=crew,
                cancelled=cancelled or Event(),
                progress=progress,
            )()
        finally:
            crew.close()

    def hash(self) -> str:
        with Snapshot(self.catalog).of(self.plan) as now:
            return now.catalog_hash()

    def failures(self) -> list[tuple]:
        return self.catalog.query("SELECT item_id, kind, message FROM work WHERE state = 'failed' ORDER BY 1")

    def keys_committed_twice(self) -> list[tuple]:
        return self.catalog.query("SELECT work_key FROM work GROUP BY 1 HAVING count(*) > 1")


def plan(log: Path, *, seconds: float = 0.05, trouble: str = "nothing") -> Plan:
    """Clips are followed from their marks to their trouble; videos are counted in the end."""
    clips = (Step(MarkClips()), Step(Trouble(what=trouble)))
    return Plan(
        steps=(
            Step(MakeVideo()),
            Step(SplitEvenly()),
            *clips,
            Step(CountClips()),
            Step(Counted(log=str(log), seconds=seconds)),
        )
    )


def times_worked(log: Path) -> Counter[str]:
    """How often each item was worked on."""
    return Counter(line.split()[0] for line in log.read_text().splitlines()) if log.exists() else Counter()


def actors(kind: str = "RayWorker") -> set[int]:
    """Processes of the actors on all nodes: the test's own started them."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.name().startswith(f"ray::{kind}") and child.status() != psutil.STATUS_ZOMBIE:
                found.add(child.pid)
    return found


def gone_within(seconds: float) -> None:
    """Waits for the actors to end. Raises AssertionError when one stays."""
    until = time.monotonic() + seconds
    while actors("Ray") and time.monotonic() < until:
        time.sleep(0.2)
    assert actors("Ray") == set()
