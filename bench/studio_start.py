"""Opens a project's window once and says how long that took: `python -m bench.studio_start PROJECT STATE PAGE`.

Imports what Studio itself imports, so that its figures are Studio's.
"""

import os
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from backend.client import begin, connect
from studio.app import open_window, reach_while_loading

if TYPE_CHECKING:
    from backend.api import Api
    from studio.window import Window


SETTLE_S = 2.0  # small pictures come a moment after the page


def main() -> None:
    """Writes the seconds from the process's start to a page in use, and its resident memory in MiB a moment later."""
    started = time.perf_counter() - _age_s()
    project, state, page = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    begin(project)
    api = reach_while_loading(project, partial(connect, start=True))
    from bench.qt import application, pause, resident_mib, wait  # not above: Studio too loads Qt while the service starts

    app = application()
    with closing(_opened(api, project, state, page)) as window:
        if page == "verify":
            wait(lambda: _shows_a_pair(window))
        app.processEvents()
        took = time.perf_counter() - started
        pause(SETTLE_S)
        sys.stdout.write(f"{took:.3f} {resident_mib():.0f}\n")
        sys.stdout.flush()


def opened(project: Path, state: Path, page: str) -> "Window":
    """A window that is shown, over the service that runs or else over one that it starts."""
    return _opened(reach_while_loading(project, partial(connect, start=True)), project, state, page)


def _opened(api: "Api", project: Path, state: Path, page: str) -> "Window":
    window = open_window(api, project=project, rater="bench", theme="light", state=state / "p", page=page)
    window.show()
    return window


def _shows_a_pair(window: "Window") -> bool:
    from studio.pages.judge import JudgePage
    from studio.sessions.verify import Phase

    assert isinstance(window.page, JudgePage)
    return window.page.session.phase is Phase.JUDGING


def _age_s() -> float:
    """Seconds since this process was started by the system."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
