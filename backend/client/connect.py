"""Reaching the service that owns a project, or starting one."""

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from backend.client.place import ServicePlace
from backend.domain import ServiceError

if TYPE_CHECKING:
    from backend.api import Api

PATIENCE_S = 300.0  # about 1 s is usual; a service that lives and is not there after so long hangs

_children: dict[Path, "tuple[subprocess.Popen[bytes], Path]"] = {}
"""The service that was last started for a project, and its log: kept, since a service ends when its pipe is closed."""


def begin(project: Path) -> None:
    """Starts a service for a project that has none, as `connect` does, and returns at once: `connect` then waits for this one.

    Raises ServiceError.
    """
    if not ServicePlace(project).token.exists():
        _started(project)


def connect(project: Path, *, start: bool = False) -> "Api":
    """The Api of the process that owns a project.

    With `start`, a service is started as a child that ends with this process. Raises ServiceError when none runs
    (and `start` is off) or when it ended before it came up, with what it said.
    """
    try:
        return _reach(project)
    except ServiceError:
        if not start:
            raise
    return _reach_when_up(project, *_started(project))


def _started(project: Path) -> "tuple[subprocess.Popen[bytes], Path]":
    """The project's service that lives, or a new one: to forget one that lives would close its pipe, and end it."""
    known = _children.get(project.resolve())
    if known is not None and known[0].poll() is None:
        return known
    place = ServicePlace(project)
    place.create()
    log = place.folder / "service.log"
    command = [sys.executable, "-m", "backend.cli", "serve", "--project", str(project), "--with-parent"]
    with log.open("wb") as errors:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors)
    _children[project.resolve()] = child, log
    return child, log


def _reach_when_up(project: Path, child: "subprocess.Popen[bytes]", log: Path) -> "Api":
    """Waits as long as the child lives, however slow the machine is; one that has died is told at once."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        has_died = child.poll() is not None  # looked at first: whoever answers after that is another owner
        try:
            return _reach(project)
        except ServiceError:
            if has_died:
                raise ServiceError(_last_words(child, log)) from None
        if time.monotonic() > deadline:
            child.kill()
            raise ServiceError(
                f"the service for {project} lives but did not answer within {PATIENCE_S:.0f} s and was ended; "
                "run `studio-backend serve` to see why"
            )
        time.sleep(0.05)


def _last_words(child: "subprocess.Popen[bytes]", log: Path) -> str:
    try:
        said = log.read_text(errors="replace").strip()
    except OSError:  # whoever owned the project meanwhile cleared the folder
        said = ""
    if said:
        return said.splitlines()[-1].removeprefix("studio-backend: ")
    how = f"by signal {-child.returncode}" if child.returncode < 0 else f"with exit code {child.returncode}"
    return f"the service ended {how} before it answered; run `studio-backend serve` to see why"


def _reach(project: Path) -> "Api":
    place = ServicePlace(project)
    place.read_token()  # where there is none a service is started, and what speaks to it is loaded while it starts
    from backend.client.remote import RemoteApi

    remote = RemoteApi(place)
    api = cast("Api", remote)
    try:
        api.about()
    except BaseException:
        remote.close()  # an open connection would keep a service that is about to end
        raise
    return api
