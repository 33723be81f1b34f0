"""A plan that makes banks of several shards, and who has which shard of them open."""

import contextlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import psutil

from backend.domain import (
    Appearance,
    ArtifactStore,
    BankPart,
    Clip,
    Context,
    Holding,
    Item,
    Ok,
    Record,
    Resources,
    Result,
    Source,
    Subject,
    Video,
)
from backend.engine.plan import Plan, Step
from backend.stages.bank_pairs import PairAcross
from backend.store.artifacts import Artifacts
from tests.backend.stages.bank_sources import World, unit

NUM_SHARDS = 4
SHARD_VIEWS = 18  # of the 60 to 72 views of 24 sources


@dataclass(frozen=True, slots=True, kw_only=True)
class MakePart:
    """Over sources: two of five mugs each, and of every other one a person, of whom half show a face."""

    name: ClassVar[str] = "make_part"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Source
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Video, Clip, Subject, Appearance, BankPart)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, self._rows(item.one(Source).uri, cast(Artifacts, context.artifacts))) for item in items]

    def _rows(self, name: str, artifacts: Artifacts) -> tuple[Record, ...]:
        world = World(artifacts.root.parent)
        world.artifacts = artifacts
        number = int(Path(name).stem)
        mugs = [{"body": unit(100 + 10 * number + k, near=unit(k), cosine=0.8)} for k in (number % 5, (number + 2) % 5)]
        person = {"body": unit(900 + number, near=unit(50), cosine=0.7), "is_living": True}
        if number % 4 == 0:
            person["face"] = unit(950 + number, near=unit(60, length=16), cosine=0.8, length=16)
        part = world.add(name, *mugs, *([person] if number % 2 == 0 else []))
        index = artifacts.put(b"toy", "index")
        rows = [replace(row, index=index) if isinstance(row, Video) else row for row in world.rows]
        return (*(row for row in rows if isinstance(row, self.makes)), part)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowPairs(PairAcross):
    """PairAcross, which adds a line with the item to `log` and takes its time; not held, its workers open all shards themselves."""

    log: str = field(default="", compare=False)
    seconds: float = field(default=0.2, compare=False)
    is_held: bool = field(default=True, compare=False)

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        with open(self.log, "a", encoding="utf-8") as file:
            file.writelines(f"{item.id}\n" for item in items)
        time.sleep(self.seconds * len(items))
        return PairAcross.__call__(self, items, context)

    def holdings(self, items: Sequence[Item], artifacts: ArtifactStore) -> list[Holding]:
        return PairAcross.holdings(self, items, artifacts) if self.is_held else []


def plan(log: Path, *, is_held: bool = True) -> Plan:
    """Of sources to parts, and pairs across them from banks of NUM_SHARDS shards."""
    pairs = SlowPairs(shard_views=SHARD_VIEWS, log=str(log), is_held=is_held)
    return Plan(steps=(Step(MakePart()), Step(pairs)))


@dataclass(frozen=True)
class Opening:
    """A process that has a shard's bank of appearances mapped."""

    shard: str
    pid: int
    is_keeper: bool
    raylet: int
    """The process of its node, for a keeper."""
    path: str


def openings() -> set[Opening]:
    """On all nodes."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            is_keeper = child.name().startswith("ray::RayKeeper")
            for one in child.memory_maps(grouped=False):
                if shard := re.search(r"/appearance-(\d+-of-\d+)/.*vectors\.npy", one.path):
                    found.add(Opening(shard[1], child.pid, is_keeper, child.ppid(), one.path))
    return found


def raylet_of(node: Any) -> int:
    """The process that a node's actors are children of."""
    return node.all_processes["raylet"][0].process.pid
