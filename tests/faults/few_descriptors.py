"""`python -m tests.faults.few_descriptors PROJECT LIMIT [forgetful|early]`: serves a project with few descriptors until stdin closes.

With `forgetful` it acknowledges votes and stores none: what the test of it must find. With `early` there are few of them
before it begins to serve, as on a machine that allows no more.
"""

import logging
import resource
import sys
from pathlib import Path
from typing import Any, cast

from backend.api import Api
from backend.domain import Receipt, Vote
from backend.service import serving
from backend.workspace import Workspace
from tests.backend.workspace.toy_project import plan


def forgetful(self: Workspace, *, votes: tuple[Vote, ...]) -> tuple[Receipt, ...]:
    return tuple(Receipt(id=vote.id, rev=vote.rev, seq=1, hash="0" * 64, applied=True) for vote in votes)


def main(project: str, limit: str, *how: str) -> None:
    logging.disable(logging.CRITICAL)
    few = (int(limit), int(limit))
    if "early" in how:
        resource.setrlimit(resource.RLIMIT_NOFILE, few)
    if "forgetful" in how:
        cast(Any, Workspace).submit_votes = forgetful
    opened = Workspace(Path(project))
    opened.plan = plan()
    with serving(cast(Api, opened), Path(project)):
        resource.setrlimit(resource.RLIMIT_NOFILE, few)
        sys.stdout.write("serving\n")
        sys.stdout.flush()
        sys.stdin.read()
    opened.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
