"""Erasures that get killed: each erases a video from a copy of a project and dies before another of its steps."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import backend.workspace.erasing as erasing
from backend.domain.library import Selection
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.workspace import Workspace
from backend.workspace.erasing_files import GoingFiles
from tests.backend.workspace.toy_project import plan

STEPS = (
    (Journal, "append"),
    (erasing, "remove"),
    (GoingFiles, "remove"),
    (erasing, "delete_backups"),
    (erasing, "delete_going"),
    (Catalog, "forget_projection"),
    (Catalog, "rewrite"),
    (Journal, "compact"),
)
"""What an erasure is made of, each called once or twice."""


MOST_STEPS = 30


def main(project: Path, video: str) -> None:
    """Writes how each ended, until one comes through; copy 0 is of one that nobody killed.

    Each is a process forked from this one, which opens nothing itself: so that modules are imported once.
    """
    ended: list[int] = []
    for dies_at in range(MOST_STEPS):
        copy = project.with_name(f"killed_{dies_at}")
        shutil.copytree(project, copy)
        child = os.fork()
        if not child:
            erase(copy, video, dies_at)
            os._exit(0)
        ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        if dies_at and not ended[-1]:
            break
    sys.stdout.write(json.dumps(ended))


def erase(project: Path, video: str, dies_at: int) -> None:
    """Comes through when there is no such step."""
    opened = Workspace(project)
    opened.plan = plan()
    count = 0

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return step

    for place, name in STEPS:
        setattr(place, name, watched(getattr(place, name)))
    opened.erase_items(selection=Selection(kind="video", ids=(video,)), rater="ann", delete_backups=True)
    opened.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
