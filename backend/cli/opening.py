"""Opening a project for a command: as a client of its owner, or as the owner, who then serves while it works."""

import dataclasses
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from backend.api import Api
from backend.cli.output import warn
from backend.domain import ProjectError
from backend.service import NetworkPlace, Serving, serving
from backend.settings import ProjectSettings, assign, drafted, read_settings
from backend.workspace import Layout, Workspace, open_api

LINGER_S = 0.5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Settings given on the command line; None and empty leave project.toml's."""

    profile: str | None = None
    recipe: str | None = None
    engine: str | None = None
    workers: int | None = None
    address: str | None = None
    assignments: Sequence[str] = ()

    def over(self, settings: ProjectSettings) -> ProjectSettings:
        """Raises SettingsError for an unknown name or a wrong value."""
        named = {"profile": self.profile, "recipe": self.recipe, "engine": self.engine, "workers": self.workers}
        named["ray_address"] = self.address
        settings = assign(settings, {name: value for name, value in named.items() if value is not None}, where="options")
        return drafted(settings, self.assignments, ())


@contextmanager
def opened(
    project: Path,
    *,
    create: bool = False,
    overrides: Overrides = Overrides(),
    linger: bool = True,
    readers: bool = False,
    network: NetworkPlace | None = None,
    network_token: str = "",
) -> Iterator[Api]:
    """The project's Api. With `linger`, an owner stays until its clients have left and training or generation has ended.

    With `readers`, what the first of them would wait for is made while the service starts. An owner answers at `network`
    too, where one is given. Raises ProjectError when there is no project (and `create` is off) or when another process owns
    one that is to be served or set otherwise, SettingsError for wrong overrides.
    """
    layout = Layout(project.resolve())
    if not create and not layout.exists:
        raise ProjectError(f"there is no project in {project}; make one with `studio-backend init --project {project}`")
    before = read_settings(layout.settings)
    settings = overrides.over(before)
    api = open_api(project, create=create, settings=settings if settings != before else None)
    if not isinstance(api, Workspace):
        if settings != before or network is not None:
            cast(Any, api).close()
            what = "serve it on the network" if network is not None else "change its settings"
            raise ProjectError(f"project {project} is in use by another process; end that one before you {what}")
        yield cast(Api, api)
        return
    try:
        if readers:
            api.prepare()
        with serving(cast(Api, api), project, network=network, network_token=network_token) as server:
            if server.network is not None:
                warn(f"answering at {server.network.url}; health at /livez, /readyz and /metrics")
            yield cast(Api, api)
            if linger:
                _linger(server, api)
    finally:
        api.close()


def _linger(server: Serving, project: Workspace) -> None:
    """Waits while somebody is connected, and while a command runs: that goes on when nobody looks."""
    if server.connections:
        warn(f"{server.connections} connected; serving them until they leave (Ctrl-C ends it)")
    if project.runs_command():
        warn("a job runs that goes on when nobody looks; serving until it ends (Ctrl-C stops it)")
    if project.serves_page():
        warn("the page of studies is served; serving until that is stopped (Ctrl-C stops it)")
    while server.connections or project.runs_command() or project.serves_page():
        time.sleep(LINGER_S)


def wait_for_signal() -> None:
    """Until Ctrl-C or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: (warn(f"stopping on {signal.Signals(received).name}"), stop.set()))
    stop.wait()
