"""The first run: videos in, a report and a verification queue out."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from backend.cli.opening import Overrides, opened
from backend.cli.output import emit, follow, say, show_status, warn

RENDERED = "CC0-1.0"
"""Of the sample world, which shows nobody and is nobody's work."""


def run(videos: Sequence[Path], project: Path, *, overrides: Overrides, as_json: bool, may_open: bool) -> bool:
    """Curates into the project and writes its report; gives whether anything failed."""
    with opened(project, create=True, overrides=overrides) as api:
        licence = None
        if not videos:
            from backend.sampleworld import render_world  # not above: every command would wait for it

            world = project / "sample-world"
            warn(f"rendering the sample world into {world} (kept for the next time)")
            render_world(world)
            videos, licence = [world / "videos"], RENDERED
        found = api.ingest(paths=tuple(str(path.absolute()) for path in videos), licence=licence)
        for remark in found.remarks:
            warn(remark)
        job = follow(api, api.curate(), as_json=as_json)
        status, report = api.status(), api.report()
        if as_json:
            emit(
                {
                    "project": str(project),
                    "report": report,
                    "counts": status.counts,
                    "states": status.states,
                    "failures": [
                        {"name": row.name, "state": row.state, "kind": row.kind, "message": row.message}
                        for row in status.failures
                    ],
                }
            )
        else:
            show_status(status)
            say(f"\nReport: {report}")
            say(f"Open:   studio {project}")
        if job.state == "failed":
            warn(f"studio-backend: curation broke off: {job.message}")
        failed = job.state == "failed" or any(row.state == "failed" for row in status.failures)
    if may_open and not as_json and _can_open():
        none = subprocess.DEVNULL
        subprocess.Popen(studio_command(project), start_new_session=True, stdin=none, stdout=none, stderr=none)
    return failed


def studio_command(project: Path) -> list[str]:
    """What opens Studio on a project's queue; by module, since the command may not be on the path."""
    return [sys.executable, "-m", "studio", str(project), "--page", "verify"]


def _can_open() -> bool:
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(sys.stdout.isatty() and display and importlib.util.find_spec("PySide6"))
