"""A service over a project that is killed while it takes a correction: `before` it is journalled, or `after`, unanswered."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from backend.api import Api
from backend.service import serving
from backend.store.correction_events import CORRECTED
from backend.store.journal import Journal
from backend.store.journal_schema import Event
from backend.workspace import Workspace
from tests.backend.workspace.toy_project import plan


def main(project: Path, dies: str) -> None:
    opened = Workspace(project)
    opened.plan = plan()
    append = Journal.append

    def dying(self: Journal, events: Sequence[Event], **more: Any) -> Any:
        mine = any(event.kind == CORRECTED for event in events)
        if mine and dies == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = append(self, events, **more)
        if mine and dies == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    Journal.append = dying
    with serving(cast(Api, opened), project):
        sys.stdout.write("serving\n")
        sys.stdout.flush()
        sys.stdin.read()
    opened.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
