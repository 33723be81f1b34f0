"""Reaching the service that owns a project, or starting one."""

import subprocess
import sys
import time
from pathlib import Path
from typing import cast

from backend.api import Api
from backend.client.place import ServicePlace
from backend.client.remote import RemoteApi
from backend.domain import ServiceError

START_S = 20.0  # how long a starting service is waited for; about 1 s is usual

_children: list[subprocess.Popen[bytes]] = []  # kept, since a service ends when its pipe is closed


def connect(project: Path, *, start: bool = False) -> Api:
    """The Api of the process that owns a project.

    With `start`, a service is started as a child that ends with this process. Raises ServiceError when none runs
    (and `start` is off) or when it did not come up, with what it said.
    """
    try:
        return _reach(project)
    except ServiceError:
        if not start:
            raise
    command = [sys.executable, "-m", "backend.cli", "serve", "--project", str(project), "--with-parent"]
    place = ServicePlace(project)
    place.create()
    log = place.folder / "service.log"
    with log.open("wb") as errors:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors)
    _children.append(child)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            return _reach(project)
        except ServiceError:
            if child.poll() is not None:
                said = log.read_text(errors="replace").strip()
                raise ServiceError(
                    said.splitlines()[-1].removeprefix("studio-backend: ")
                    if said
                    else f"the service ended with {child.returncode}"
                ) from None
        time.sleep(0.05)
    child.kill()
    raise ServiceError(
        f"the service for {project} did not answer within {START_S:.0f} s; run `studio-backend serve` to see why"
    )


def _reach(project: Path) -> Api:
    remote = RemoteApi(ServicePlace(project))
    api = cast(Api, remote)
    try:
        api.about()
    except BaseException:
        remote.close()  # an open connection would keep a service that is about to end
        raise
    return api
