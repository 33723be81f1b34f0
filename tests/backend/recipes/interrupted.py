"""A curation by planted roles in a process of its own, or stopped inside a batch: what is left of it is to be taken up again."""

from collections.abc import Callable
from pathlib import Path
from threading import Event

from backend.models.borders import watched
from tests.backend.recipes.planted_project import ROLES, opened
from tests.chaos import killing

Told = tuple[str, int, int]
"""A stage, and how many of its items are done of how many."""


def curate(say: Callable[[Told], None], world: str, folder: str, recipe: str) -> None:
    """Runs a recipe, and tells of each stage that begins and of each commit."""
    with opened(Path(world), Path(folder)) as project:
        project.run(project.plan(recipe, ROLES), ROLES, told=lambda *told: say(told))


def killed(world: Path, folder: Path, recipe: str, *, before_step: int) -> bool | None:
    """Curates until kill -9 before a step (a file, a statement, a commit). Whether a stage was at work then; None when it ended sooner."""
    ended = killing.run(curate, str(world), str(folder), recipe, folder=folder, dies_before=before_step)
    if not ended.killed:
        return None
    return bool(ended.said) and ended.said[-1][1] < ended.said[-1][2]


def cancelled(world: Path, folder: Path, recipe: str, *, at_border: int) -> bool | None:
    """Curates until it is cancelled inside a batch, where frames are read or a model is asked. True; None when it ended sooner."""
    stop, met = Event(), 0

    def watch() -> None:
        nonlocal met
        met += 1
        if met == at_border:
            stop.set()

    with opened(world, folder) as project, watched(watch):
        summary = project.run(project.plan(recipe, ROLES), ROLES, stop=stop)
    return True if summary.cancelled else None
