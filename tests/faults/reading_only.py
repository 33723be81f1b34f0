"""`python -m tests.faults.reading_only FOLDER [careless]`: a served project whose disk turns read-only; prints what came of it, as JSON.

The project lies on an ext4 file system that stops as at a fault of the disk, while the service has files open; the outbox of
whoever votes lies on another disk. In a mount namespace of its own (`disks.run_alone`). With `careless` the service acknowledges votes
that it does not store, and a report fails as the disk does: what the test of it must find.
"""

import errno
import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from backend.api import Api
from backend.client import ServicePlace
from backend.client.remote import RemoteApi
from backend.domain import VERIFY_STUDY, StudioError
from backend.service import serving
from backend.workspace import Workspace
from studio.outbox import Outbox, send_pending
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import plan, write_toy_video
from tests.faults.disks import FailingDisk
from tests.faults.few_descriptors import forgetful
from tests.faults.kept_files import vote

BEFORE, DURING = 5, 5
"""Votes before the disk fails, and while it takes nothing."""


def careless(self: Workspace) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def main(folder: Path, *how: str) -> None:
    logging.disable(logging.CRITICAL)
    if how:
        cast(Any, Workspace).submit_votes, cast(Any, Workspace).report = forgetful, careless
    disk, target = (FailingDisk(folder / f"{name}.image", folder / name) for name in ("disk", "target"))
    workspace = Workspace(folder / "disk" / "project", create=True)
    workspace.plan = plan()
    workspace.ingest(paths=(str(write_toy_video(folder / "disk" / "mug.mp4")),), licence="CC0-1.0")
    curated(cast(Api, workspace))
    said: dict[str, Any] = {"refused": {}, "read": [], "died": []}
    with Outbox(folder / "outbox.sqlite") as outbox:
        with serving(cast(Api, workspace), workspace.layout.root):
            api = cast(Any, RemoteApi(ServicePlace(workspace.layout.root)))
            target.fail()
            attempt(said, {"export to a failed disk": lambda: api.export(format="manifest", out=str(folder / "target/x"))})
            pair = api.pairs().rows[0].pair_id
            for n in range(BEFORE + DURING):
                outbox.put(replace(vote(n), study_id=VERIFY_STUDY, item_id=pair))
                if n == BEFORE - 1:
                    send_pending(outbox, lambda votes: api.submit_votes(votes=votes))
                    api.votes(study_id=VERIFY_STUDY)
                    disk.fail()
            attempt(said, writing(api, outbox, folder))
            look(said, api)
            said["waiting"], said["sent"] = outbox.counts().pending, outbox.counts().sent
            api.close()
        workspace.close()
        disk.mend()
        again = Workspace(folder / "disk" / "project")
        again.plan = plan()
        send_pending(outbox, lambda votes: again.submit_votes(votes=votes))
        said["after"] = len(again.votes(study_id=VERIFY_STUDY))
        said["problems"] = again.verify().problems
        again.close()
    sys.stdout.write(json.dumps(said))


def writing(api: Any, outbox: Outbox, folder: Path) -> dict[str, Callable[[], object]]:
    return {
        "votes": lambda: send_pending(outbox, lambda votes: api.submit_votes(votes=votes)),
        "curate": lambda: api.curate(engine="inline"),
        "export": lambda: api.export(format="manifest", out=str(folder / "disk" / "export")),
        "report": lambda: api.report(),
        "backup": lambda: api.backup(),
        "settings": lambda: api.set_settings(assignments=("seed=7",)),
    }


def attempt(said: dict[str, Any], works: dict[str, Callable[[], object]]) -> None:
    """Each must be refused in words."""
    for name, work in works.items():
        try:
            work()
            said["died"].append(f"{name} was not refused")
        except StudioError as error:
            said["refused"][name] = str(error)
        except Exception as error:  # noqa: BLE001 - what a client sees of a call that broke
            said["died"].append(f"{name}: {error!r}")


def look(said: dict[str, Any], api: Any) -> None:
    """Each must be read as before."""
    reading: dict[str, Callable[[], bool]] = {
        "pairs": lambda: api.pairs().total == 2,
        "votes": lambda: len(api.votes(study_id=VERIFY_STUDY)) == BEFORE,
        "status": lambda: api.status().counts["clips"] == 3,
        "picture": lambda: Path(api.media(media_id=str(api.pairs().rows[0].target.media)).path).read_bytes() != b"",
        "journal": lambda: len(api.journal_tail(limit=3)) == 3,
        "verify": lambda: api.verify().ok,
    }
    for name, work in reading.items():
        try:
            said["read"] += [name] if work() else []
        except Exception as error:  # noqa: BLE001
            said["died"].append(f"{name}: {error!r}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
