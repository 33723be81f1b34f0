"""Long work that writes as it goes, on a disk that fills: what is refused is asked for again when there is room, and is done once.

Each `write` asks for what the last refused one asked for, so that half-made work must be gone on with, or begun anew.
"""

import contextlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np

from backend.domain import VERIFY_STUDY, ProjectError, StudioError
from backend.domain.library import Selection
from backend.media.writer import write_video
from backend.store.backups import backup_project
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.store.journal_reader import JournalReader
from backend.workspace import Workspace
from backend.workspace.checks import restore
from tests.backend.store.test_upgrading import NUM_EVENTS, older_catalog, older_journal, rows_kept
from tests.chaos.killed_work import made, opened, vote_of
from tests.chaos.test_erasure_kills import filmed, found_in, taken_part
from tests.faults.flips import Read
from tests.faults.writers import Writer

NUM_ROWS, NUM_VOTES = 300, 30
METRIC = "motion_amplitude_compat"
PATIENCE_S = 60.0


class Restoring(Writer):
    """A project out of a backup that lies on another disk."""

    once = True
    latest = True

    def __init__(self, folder: Path) -> None:
        self._out = folder / "restored"
        self._out.mkdir()
        source = made(folder.parent / "source of restored")
        workspace = opened(source)
        workspace.submit_votes(votes=(vote_of("v", workspace.pairs(limit=1).rows[0].pair_id),))
        self._backup = folder.parent / "backup"
        backup_project(source, self._backup, workspace.catalog.tables())
        workspace.close()
        restore(self._backup, folder.parent / "wanted")
        self._wanted = restored(folder.parent / "wanted")

    def ready(self) -> None:
        """Room for the next: of what was restored the last stays."""
        for path in sorted(self._out.iterdir(), key=lambda path: path.stat().st_mtime)[:-1]:
            shutil.rmtree(path)

    def write(self, number: int) -> None:
        restore(self._backup, self._out / str(number))
        for path in self._out.iterdir():
            if path.name != str(number):
                shutil.rmtree(path)

    def held(self) -> set[int]:
        return {int(path.name) if path.name.isdigit() and self._is_whole(path) else -1 for path in self._out.iterdir()}

    def _is_whole(self, project: Path) -> bool:
        with contextlib.suppress(ProjectError):  # a catalog is opened for writing, which the disk has no room for
            return restored(project) == self._wanted
        return True


def restored(project: Path) -> object:
    """What people said in a project, and what machines found."""
    with JournalReader(project / "journal.sqlite") as journal:
        said = [event.hash for event in journal.stream()] if not journal.verify_chain().problems else None
    with contextlib.closing(Catalog(project / "catalog.duckdb")) as catalog:
        return said, {name: sorted(map(str, table.to_pylist())) for name, table in catalog.tables().items()}


class Rebuilding(Writer):
    """People's part of a catalog, made again from the journal."""

    once = True
    latest = True

    def __init__(self, folder: Path) -> None:
        self.opened = opened(made(folder / "rebuilt"))
        pair = self.opened.pairs(limit=1).rows[0].pair_id
        self.opened.submit_votes(votes=tuple(vote_of(f"v{n}", pair) for n in range(NUM_VOTES)))
        self._last = 0

    def write(self, number: int) -> None:
        check = self.opened.rebuild()
        assert check.ok, check.problems
        self._last = number

    def tend(self) -> None:
        self.opened.catalog.checkpoint()

    def held(self) -> set[int]:
        with contextlib.suppress(ProjectError):  # says that votes cannot be brought into the catalog now
            if len(self.opened.votes(study_id=VERIFY_STUDY)) != NUM_VOTES:
                return {-1}
        return {self._last}

    def close(self) -> None:
        self.opened.close()


class Erasing(Writer):
    """An erasure in a project that was never erased from; whoever is refused opens it again and asks again."""

    once = True
    latest = True

    def __init__(self, folder: Path, fill: Callable[[Path], str], erase: Callable[[Workspace, str], object]) -> None:
        self._erase = erase
        self._sound = folder.parent / f"{folder.name} sound"
        self._sound.mkdir()
        self._gone = fill(self._sound)
        self._project = folder / "erased"
        whole = folder.parent / f"{folder.name} whole"
        shutil.copytree(self._sound / "project", whole)
        self._do(whole)
        self._wanted = found_in(whole, self._gone)
        assert (self._wanted.files, self._wanted.is_sound) == ((), True)
        self._last, self._is_done = 0, True

    def ready(self) -> None:
        """The next project, unless one waits in which an erasure was refused."""
        if self._is_done:
            shutil.rmtree(self._project, ignore_errors=True)
            shutil.copytree(self._sound / "project", self._project)
            self._is_done = False

    def write(self, number: int) -> None:
        self.ready()
        self._do(self._project)
        self._last, self._is_done = number, True

    def held(self) -> set[int]:
        """An erasure that was refused may be done by then, or be as if nobody had asked; votes of others stay in any case."""
        held = {self._last} - {0}
        with contextlib.suppress(ProjectError):  # a log beside the journal cannot be opened, since the disk has no room
            with JournalReader(self._project / "journal.sqlite") as journal:
                if journal.verify_chain().problems:
                    return {-1}
                votes = sum(event.kind == "vote" and not event.is_redacted for event in journal.stream())
            if votes < self._wanted.votes or (self._is_done and found_in(self._project, self._gone) != self._wanted):
                return {-1}
        return held

    def _do(self, project: Path) -> None:
        workspace = opened(project)
        try:
            with contextlib.suppress(AlreadyGone):
                self._erase(workspace, self._gone)
        finally:
            workspace.close()


class AlreadyGone(Exception):
    """What broke off was finished when the project was opened."""


def erase_video(workspace: Workspace, video: str) -> None:
    if not workspace.catalog.query("SELECT id FROM video WHERE id = ?", [video]):
        raise AlreadyGone
    workspace.erase_items(selection=Selection(kind="video", ids=(video,)), rater="ann", delete_backups=True)


def erase_person(workspace: Workspace, person: str) -> None:
    if person.encode() not in b"".join(repr(event).encode() for event in workspace.journal.stream()):
        raise AlreadyGone
    workspace.erase_participant(participant=person, delete_backups=True)


class Upgrading(Writer):
    """A store of an older version, opened by this one; refused, it lies there as it was."""

    once = True
    latest = True

    def __init__(self, folder: Path, name: str, make: Callable[[Path], object], older: Read, look: Read) -> None:
        """`older` and `look` give what an older and a newer store hold; the older one is not written then."""
        self._folder, self._name = folder / "upgraded", name
        self._make, self._look_at_older, self._look = make, older, look
        self._last, self._is_done = 0, True

    def ready(self) -> None:
        """The next older store, unless one waits that was refused."""
        if self._is_done:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir()
            self._make(self._folder / self._name)
            self._older = self._look_at_older(self._folder / self._name)
            self._is_done = False

    def write(self, number: int) -> None:
        self.ready()
        assert self._look(self._folder / self._name), "rows are missing"
        self._last, self._is_done = number, True

    def held(self) -> set[int]:
        path, held = self._folder / self._name, {self._last} - {0}
        if any(".upgrading" in left.name for left in self._folder.iterdir()):
            return {-1}
        if not self._is_done and self._look_at_older(path) == self._older:
            return held
        with contextlib.suppress(ProjectError):  # a store is opened for writing, which the disk has no room for
            return held if self._look(path) else {-1}
        return held


def look_at_journal(path: Path) -> bool:
    with Journal(path) as journal:
        return journal.verify_chain().ok and len(list(journal.stream())) == NUM_EVENTS


def look_at_catalog(path: Path) -> bool:
    with contextlib.closing(Catalog(path)) as catalog:
        return rows_kept(catalog, NUM_ROWS) == NUM_ROWS


def rows_of(path: Path) -> object:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("SELECT * FROM source ORDER BY rowid").fetchall()


class Evaluating(Writer):
    """A system's two videos measured, a system a number. The guard that begins nothing on a small rest is off: disks fill later too."""

    def __init__(self, folder: Path) -> None:
        from backend.jobs import board

        board.shortage = lambda folder: ""
        case = {"img_paths": ["a.png"], "prompt": "A mug.", "class_label": ["Cup"]}
        self._cases, self._videos = folder.parent / "cases.json", folder.parent / "generated"
        self._cases.write_text(json.dumps({"singleobj_1": case, "singleobj_2": case}))
        self._videos.mkdir()
        for number in (1, 2):
            ramp = (np.full((64, 96, 3), 20 + 10 * number * n, np.uint8) for n in range(8))
            write_video(self._videos / f"singleobj_{number}.mp4", ramp, fps=8.0, crf=1)
        self.opened = Workspace(folder / "evaluated", create=True)
        self._systems: dict[str, int] = {}
        self._values: object = None

    def write(self, number: int) -> None:
        system = f"s{len(self._systems)}"
        asked = self.opened.evaluate(
            cases=str(self._cases),
            videos=str(self._videos),
            system=system,
            metrics=(METRIC,),
            engine="inline",
            retry_failed=True,
        )
        job, deadline = asked.job, time.monotonic() + PATIENCE_S
        while job.state in ("queued", "running"):
            assert time.monotonic() < deadline, "evaluation hangs"
            time.sleep(0.005)
            job = self.opened.progress(job_id=job.job_id)
        if job.state != "done":
            assert "Traceback" not in job.message, job.message
            raise ProjectError(job.message)
        values = self._of(system)
        self._values = self._values or values
        self._systems[system] = number

    def tend(self) -> None:
        self.opened.catalog.checkpoint()

    def held(self) -> set[int]:
        with contextlib.suppress(ProjectError):
            return {number if self._of(system) == self._values else -1 for system, number in self._systems.items()}
        return set(self._systems.values())

    def _of(self, system: str) -> object:
        rows = self.opened.evaluation(systems=(system,), metrics=(METRIC,))
        if sorted(row.state for row in rows) != ["scored", "scored"]:
            raise StudioError(f"{system}: {rows}")
        return sorted((row.case_id, row.value) for row in rows)

    def close(self) -> None:
        self.opened.close()


def erasing_footage(folder: Path) -> Writer:
    return Erasing(folder, filmed, erase_video)


def erasing_person(folder: Path) -> Writer:
    return Erasing(folder, taken_part, erase_person)


def upgraded_journal(folder: Path) -> Writer:
    return Upgrading(folder, "journal.sqlite", older_journal, Path.read_bytes, look_at_journal)


def upgraded_catalog(folder: Path) -> Writer:
    def make(path: Path) -> None:
        older_catalog(path, 12, num=NUM_ROWS)

    return Upgrading(folder, "catalog.duckdb", make, rows_of, look_at_catalog)


WORK: dict[str, Callable[[Path], Writer]] = {
    "restore": Restoring,
    "rebuild": Rebuilding,
    "erasure of footage": erasing_footage,
    "erasure of a participant": erasing_person,
    "upgrade of the journal": upgraded_journal,
    "upgrade of the catalog": upgraded_catalog,
    "evaluation": Evaluating,
}
