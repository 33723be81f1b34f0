"""Projects on this machine: those that were opened lately, and new ones, which the service's commands make."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from backend.domain import ProjectError

KEPT = 12  # recent projects
SAMPLE_VIDEOS = 4  # a first look within two minutes on a laptop
COMMAND_WALL_S = 600.0


class RecentProjects:
    """A list of paths in a file of this person, newest first. A damaged file counts as empty."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def paths(self) -> tuple[Path, ...]:
        """Those that are still there."""
        return tuple(path for path in self._listed() if (path / "project.toml").is_file())

    def add(self, project: Path) -> None:
        """Puts a project first."""
        kept = [project, *(path for path in self._listed() if path != project)][:KEPT]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        fresh.write_text(json.dumps([str(path) for path in kept], indent=1), "utf-8")
        fresh.replace(self.path)

    def _listed(self) -> list[Path]:
        try:
            said = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return []
        return [Path(name) for name in said if isinstance(name, str)] if isinstance(said, list) else []


def is_project(folder: Path) -> bool:
    return (folder / "project.toml").is_file()


def make_project(folder: Path) -> Path:
    """A new project in a folder, or the one that is there. Raises ProjectError with what the command said."""
    if not is_project(folder):
        _command(("init", "--project", str(folder)), doing=f"make a project in {folder}")
    return folder.resolve()


def render_sample(folder: Path) -> Path:
    """Videos of the sample world inside a project's folder; gives where they lie. Raises ProjectError as `make_project`."""
    world = folder / "sample-world"
    _command(("sample-world", str(world), "--videos", str(SAMPLE_VIDEOS)), doing="draw the sample videos")
    return world / "videos"


def _command(arguments: Sequence[str], *, doing: str) -> None:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "backend.cli", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_WALL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProjectError(f"could not {doing}: {error}; try it in a terminal: studio-backend {arguments[0]}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or f"the command ended with {done.returncode}").splitlines()[-1]
        raise ProjectError(f"could not {doing}: {said.removeprefix('studio-backend: ')}")
