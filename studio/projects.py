"""Projects on this machine: those that were opened lately, and new ones, which the service's commands make."""

import json
import mimetypes
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.domain import ProjectError
from backend.media.listing import scan
from studio.texts import text

KEPT = 12  # recent projects
COMMAND_WALL_S = 600.0
POLL_S = 0.1
FRAME = " │─╭╮╰╯"  # around what a command says of its options
NOT_VIDEOS = ("text/", "image/", "audio/", "font/", "application/json", "application/pdf")
"""How types begin of which no file is a video, whatever is in it; of all others the service finds out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How much of the sample world is drawn: a first look within two minutes on a laptop."""

    videos: int = 4
    duration_s: float = 15.0


class Stopped(ProjectError):
    """A person stopped what was being made."""


class RecentProjects:
    """A list of paths in a file of this person, newest first. A damaged file counts as empty."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def paths(self) -> tuple[Path, ...]:
        """Those that are still there."""
        return tuple(path for path in self._listed() if is_project(path))

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


def require_project(folder: Path) -> None:
    """Raises ProjectError for a folder that is none."""
    if not is_project(folder):
        raise ProjectError(text("welcome.no_project", folder=folder))


def require_videos(folder: Path) -> None:
    """Raises ProjectError unless a file below the folder may be a video, going by the names; none is opened."""
    files, remarks = scan([folder])
    if not any(_may_be_video(file) for file in files):
        why = f" ({remarks[0]})" if remarks else ""
        raise ProjectError(text("welcome.no_videos", folder=folder, count=len(files), why=why))


def make_project(folder: Path, *, stop: threading.Event, sample: Sample | None = None) -> Path:
    """A new project in an empty folder, with the videos of a sample below `sample-world/videos`; gives the folder.

    Raises ProjectError for a folder that holds something or cannot be written, with what the command said when that
    failed, and Stopped; what was made by then is deleted.
    """
    _require_empty(folder)
    try:
        _command(("init", "--project", str(folder)), doing="welcome.make_project", stop=stop)
        if sample is not None:
            amount = ("--videos", str(sample.videos), "--duration", str(sample.duration_s))
            _command(("sample-world", str(folder / "sample-world"), *amount), doing="welcome.draw_sample", stop=stop)
    except ProjectError:
        _empty(folder)
        raise
    return folder.resolve()


def _may_be_video(file: Path) -> bool:
    kind, _ = mimetypes.guess_type(file.name)
    return kind is None or not kind.startswith(NOT_VIDEOS)


def _require_empty(folder: Path) -> None:
    if is_project(folder):
        raise ProjectError(text("welcome.is_project", folder=folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ProjectError(text("welcome.not_empty", folder=folder))
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ProjectError(text("welcome.not_writable", folder=folder, why=error.strerror)) from error


def _empty(folder: Path) -> None:
    """Deletes what was made in a folder that was empty; what cannot be deleted stays."""
    for made in folder.iterdir():
        if made.is_dir():
            shutil.rmtree(made, ignore_errors=True)
        else:
            made.unlink(missing_ok=True)


def _command(arguments: Sequence[str], *, doing: str, stop: threading.Event) -> None:
    """Runs a command of the service to its end. `doing` is the text of what it does."""
    ends = time.monotonic() + COMMAND_WALL_S
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "backend.cli", *arguments], stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        except OSError as error:
            raise ProjectError(text("welcome.command_failed", doing=text(doing), why=error)) from error
        while process.poll() is None:
            if stop.wait(POLL_S) or time.monotonic() > ends:
                process.terminate()
                process.wait()
        if stop.is_set():
            raise Stopped(text("welcome.stopped"))
        if process.returncode:
            said.seek(0)
            lines = [line.strip(FRAME) for line in said.read().decode("utf-8", "replace").splitlines()]
            told = [line.removeprefix("studio-backend: ") for line in lines if line]
            why = told[-1] if told else text("welcome.silent", code=process.returncode)
            raise ProjectError(text("welcome.command_failed", doing=text(doing), why=why))
