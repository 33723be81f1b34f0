"""A stage whose worker is killed where a mark says so: while it loads a model, infers with it, or writes what came of it."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from unittest import mock

import numpy as np

from backend.domain import Context, Item, Ok, Resources, Result, Score, Video
from backend.store.artifacts import Artifacts

MARKS = "DYING_MARKS"
"""Environment variable: a folder. A worker that meets a file there, named as a moment, takes it away and dies; one named
`MOMENT.always` stays."""


def die_if_marked(moment: str) -> None:
    marks = Path(os.environ[MARKS])
    always = (marks / f"{moment}.always").exists()
    if always or (marks / moment).exists():
        (marks / moment).unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGKILL)


class Doubler:
    """A model of one weight."""

    model_id = "doubler"

    def __init__(self) -> None:
        die_if_marked("load")
        self._weight = 2

    def __call__(self, values: np.ndarray) -> np.ndarray:
        die_if_marked("infer")
        return values * self._weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number about each video, and a picture of it as evidence."""

    name: ClassVar[str] = "measure"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ("Detector",)
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        with mock.patch.object(Artifacts, "_take", take):  # for this stage alone: it may run in the process of the tests
            return [self._one(item, context) for item in items]

    def _one(self, item: Item, context: Context) -> Result:
        model = context.role("Detector")
        assert isinstance(model, Doubler)
        found = model(np.frombuffer(item.id[-4:].encode(), np.uint8))
        kept = context.artifacts.put(found.tobytes(), "bin")
        return Ok(
            item.id, (Score(target=item.id, name="sum", value=float(found.sum()), producer="doubler", evidence=kept),)
        )


_whole_take = Artifacts._take


def take(self, file, temporary: Path, target: Path) -> None:
    """`Artifacts._take` that may die when the file is written and has no name yet."""
    file.flush()
    die_if_marked("write")
    _whole_take(self, file, temporary, target)
