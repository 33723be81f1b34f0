"""The toy project with one more stage, which fails on clips until somebody mends them, and notes whom it was given."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from backend.domain import Clip, Context, Failed, Filtered, Item, Ok, Resources, Result, Score
from backend.engine.plan import Gate, Plan, Step
from tests.backend.workspace import toy_project


@dataclass(frozen=True, slots=True, kw_only=True)
class Moody:
    """Fails on a clip until a file of its id is in `folder`; clips that begin at frame 0 are not for it. Waits while `hold` is there."""

    folder: str = field(default="", compare=False)

    name: ClassVar[str] = "moody"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Clip
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [self._judge(item) for item in items]

    def _judge(self, item: Item) -> Result:
        with (Path(self.folder) / "given.txt").open("a") as given:
            given.write(f"{item.id}\n")
        while (Path(self.folder) / "hold").exists():
            time.sleep(0.01)
        if item.one(Clip).start_frame == 0:
            return Filtered(item.id, "begins at the start")
        if not (Path(self.folder) / item.id).exists():
            return Failed(item.id, "media", f"clip {item.id} is in a mood; mend it")
        return Ok(item.id, (Score(target=item.id, name="mood", value=1.0, producer="moody"),))


def plan(folder: Path) -> Plan:
    """The toy's plan, and a gate that lets clips of good mood through; those that it is not for stay."""
    gate = Gate(record="clip", score="mood", comparison=">=", value=0.5, source="planted")
    return Plan(steps=(*toy_project.plan().steps, Step(Moody(folder=str(folder)), (gate,))))


def given(folder: Path) -> list[str]:
    """Ids of the clips that the stage was given, in order; forgotten afterwards."""
    path = folder / "given.txt"
    found = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return found
