"""What a job says, as lines in a folder of its own: its beginning and its end are kept, however much it says.

A line's number is its place among all that were said. Lines stand in segments, files named after the number of their first
line; when there are too many, those behind the first go.
"""

import logging
import re
import threading
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from backend.domain.jobs import JobLog

SEGMENT_BYTES = 256 * 2**10
SEGMENTS = 4  # the first and the last three: at most 1 MiB and the line that was over
LINE_LETTERS = 2000
KEPT_LOGS = 200
"""Of a project; the oldest go."""
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
_log = logging.getLogger(__name__)


class JobLogFile:
    """A log that is being written. Every method may be called from any thread; a full disk ends the log and not the job."""

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        self._next = 0
        self._bytes = 0
        self._path: Path | None = None

    def say(self, text: str) -> None:
        """Adds lines, each with the time (UTC)."""
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        lines = [f"{now} {_CONTROL.sub('', line)[:LINE_LETTERS]}\n" for line in text.rstrip().splitlines()]
        with self._lock:
            for line in lines:
                try:
                    self._write(line)
                except OSError as error:
                    _log.warning("job log %s cannot be written: %s", self._folder, error)
                    return

    def _write(self, line: str) -> None:
        if self._path is None or self._bytes >= self._segment_bytes:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._path, self._bytes = self._folder / f"{self._next:09d}.log", 0
            for path in _segments(self._folder)[1 : 2 - SEGMENTS]:
                path.unlink(missing_ok=True)
        data = line.encode("utf-8", "replace")
        with self._path.open("ab") as file:
            file.write(data)
        self._next += 1
        self._bytes += len(data)


def read_log(folder: Path, *, after: int, limit: int) -> JobLog:
    """Up to `limit` lines from number `after` on; where lines are no longer kept, one line says how many."""
    lines: list[str] = []
    place = after
    paths = _segments(folder)
    for number, path in enumerate(paths):
        if number + 1 < len(paths) and int(paths[number + 1].stem) <= place:
            continue
        try:
            whole = path.read_text("utf-8", errors="replace").split("\n")[:-1]
        except FileNotFoundError:  # it was made room of since
            continue
        first = int(path.stem)
        if first > place and len(lines) < limit:
            lines.append(f"... {first - place} lines are not kept")
            place = first
        for line in whole[max(0, place - first) :]:
            if len(lines) >= limit:
                return JobLog(lines=tuple(lines), next_after=place)
            lines.append(line)
            place += 1
    return JobLog(lines=tuple(lines), next_after=place)


def make_room(folder: Path, *, spared: Collection[str] = (), kept: int = KEPT_LOGS) -> None:
    """Removes the logs of the oldest jobs below a project's folder of logs, but for those `spared`."""
    logs = [path for path in folder.iterdir() if path.is_dir() and path.name not in spared]
    logs.sort(key=lambda path: path.stat().st_mtime)
    for old in logs[: max(0, len(logs) - kept)]:
        for path in _segments(old):
            path.unlink(missing_ok=True)
        old.rmdir()


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.log"))
