"""A project folder: where its files lie, and who owns it."""

import contextlib
import fcntl
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from backend.domain import ProjectError


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of a project."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "project.toml"

    @property
    def journal(self) -> Path:
        return self.root / "journal.sqlite"

    @property
    def catalog(self) -> Path:
        return self.root / "catalog.duckdb"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def previews(self) -> Path:
        return self.root / "index" / "previews"

    @property
    def study_media(self) -> Path:
        return self.root / "index" / "studies"

    @property
    def page_key(self) -> Path:
        """What cookies and ids of the study page are sealed with; in no backup."""
        return self.root / "study_page.key"

    @property
    def page_notice(self) -> Path:
        """Where the study page is served; locked while it is."""
        return self.root / "study_page.notice"

    @property
    def study_key(self) -> Path:
        """What logins and addresses of participants are hashed with; in no backup."""
        return self.root / "studies.key"

    @property
    def suggestions_token(self) -> Path:
        """The password with which Label Studio asks for suggestions; in no backup."""
        return self.root / "label_studio.token"

    @property
    def features(self) -> Path:
        return self.root / "index" / "features"

    @property
    def ledger(self) -> Path:
        return self.root / "index" / "judge-costs.jsonl"

    @property
    def job_logs(self) -> Path:
        """A folder a job, with what it said."""
        return self.root / "jobs"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    @property
    def owner(self) -> Path:
        return self.root / "owner.lock"

    @property
    def exists(self) -> bool:
        return self.settings.exists() or self.journal.exists()

    def create(self) -> None:
        """Makes the folders. Raises ProjectError when the place cannot be written."""
        try:
            for folder in (self.root, self.artifacts, self.previews, self.backups):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProjectError(
                f"project folder {self.root} cannot be made: {error.strerror}; choose another with --project"
            ) from error


class Ownership:
    """The exclusive right to a project, held as a file lock: it ends with the process, however that ends."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.owner
        try:
            self._file = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise ProjectError(
                f"project {layout.root} cannot be written: {error.strerror}; check its permissions"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = describe_owner(layout)
            self._file.close()
            raise ProjectError(
                f"project {layout.root} is in use by {owner}; wait for it to end, or use it through that one"
            ) from error
        owner = {"pid": os.getpid(), "command": " ".join(sys.argv)[:200], "since": int(time.time())}
        self._describe(json.dumps(owner))

    def release(self) -> None:
        self._describe("")
        self._file.close()

    def _describe(self, owner: str) -> None:
        with contextlib.suppress(OSError):  # on a full disk the lock holds all the same, and others are not told by whom
            os.ftruncate(self._file.fileno(), 0)
            os.pwrite(self._file.fileno(), owner.encode(), 0)


def describe_owner(layout: Layout) -> str:
    """`process 123 (command)` of the owner, as it described itself."""
    try:
        owner = json.loads(layout.owner.read_text(encoding="utf-8"))
        return f"process {owner['pid']} ({owner['command']})"
    except (OSError, ValueError, KeyError):
        return "another process"
