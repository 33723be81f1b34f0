"""Everything that a project writes, as one thing after another that can be counted again."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pyarrow as pa

from backend.api import Api
from backend.domain import VERIFY_STUDY, ProjectError, Score, StudioError
from backend.exports.reader import read_manifest
from backend.settings import ProjectSettings, read_settings, write_settings
from backend.store.artifacts import Artifacts
from backend.store.backups import backup_project, verify_backup
from backend.store.catalog import Catalog, Work
from backend.store.checksums import changed_files
from backend.store.journal import Journal
from backend.store.journal_schema import Event
from backend.store.schema import to_arrow
from backend.workspace import Workspace
from metrics.score_files import write_scores
from studio.outbox import Outbox
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import plan, write_toy_video
from tests.faults.kept_files import CASES, Scored, make_calibration, read_calibrated, vote


class Writer:
    """Writes things by number. What was written is there from then on, or, where `latest`, until the next."""

    latest = False
    once = False
    """Whether one write is tried at each filling, since it needs what `ready` makes."""

    def ready(self) -> None:
        """What must be there before the disk fills."""

    def write(self, number: int) -> None:
        raise NotImplementedError

    def tend(self) -> None:
        """What is done besides, now and then; may fail without a loss."""

    def held(self) -> set[int]:
        """The numbers that are read back, whole; negative for something half written."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing stays open."""


class JournalWriter(Writer):
    def __init__(self, folder: Path) -> None:
        self.opened = Journal(folder / "journal.sqlite")

    def write(self, number: int) -> None:
        self.opened.append([Event(kind="note", id=str(number), actor="ann", body={"text": "x" * 3000})])

    def held(self) -> set[int]:
        assert self.opened.verify_chain().ok
        return {int(event.id) for event in self.opened.stream()}

    def close(self) -> None:
        self.opened.close()


class CatalogWriter(Writer):
    """Scores with the work that made them, as evaluation commits them; then the log goes into the file."""

    def __init__(self, folder: Path) -> None:
        self.opened = Catalog(folder / "catalog.duckdb")

    def write(self, number: int) -> None:
        scores = [
            Score(target=f"generation_{number}_{k}" * 9, name="gmescore", value=k / 4, producer="p") for k in range(40)
        ]
        keys = [f"k:{number}"] * len(scores)
        work = Work(work_key=f"k:{number}", stage="s", stage_key="k", item_id=str(number), state="ok")
        self.opened.commit([work], {"score": to_arrow(Score, scores, keys)})

    def tend(self) -> None:
        self.opened.checkpoint()

    def held(self) -> set[int]:
        assert self.opened.problems() == ()
        done = {int(key[2:]) for (key,) in self.opened.query("SELECT work_key FROM work")}
        counts = dict(self.opened.query("SELECT work_key, count(*) FROM score GROUP BY 1"))
        return {n for n in done if counts.get(f"k:{n}") == 40} | {-1 for n in done ^ {int(key[2:]) for key in counts}}

    def close(self) -> None:
        self.opened.close()


class ArtifactWriter(Writer):
    def __init__(self, folder: Path) -> None:
        self.store = Artifacts(folder / "artifacts")

    def write(self, number: int) -> None:
        self.store.put(f"{number} ".encode() * 4000, "bin")

    def held(self) -> set[int]:
        assert self.store.verify_all() == []
        left = sum(1 for _ in (self.store.root / ".incoming").iterdir())
        return {int(self.store.get(name).split()[0]) for name in self.store.names()} | ({-1} if left else set())


class OutboxWriter(Writer):
    def __init__(self, folder: Path) -> None:
        self.opened = Outbox(folder / "outbox.sqlite")

    def write(self, number: int) -> None:
        self.opened.put(replace(vote(number), comment="x" * 3000))

    def held(self) -> set[int]:
        return {int(vote.id[1:]) for vote in self.opened.unsent(10_000)}

    def close(self) -> None:
        self.opened.close()


class FileWriter(Writer):
    """A file that is written whole, again and again."""

    latest = True

    def __init__(self, folder: Path, *, put: Callable[[Path, int], object], get: Callable[[Path], int]) -> None:
        self.folder, self._put, self._get = folder, put, get
        folder.mkdir(exist_ok=True)

    def write(self, number: int) -> None:
        self._put(self.folder, number)

    def held(self) -> set[int]:
        left = [path for path in self.folder.iterdir() if path.name.startswith(".")]
        return {self._get(self.folder)} | {-1 for _ in left}


def settings_writer(folder: Path) -> Writer:
    return FileWriter(
        folder / "settings",
        put=lambda place, n: write_settings(place / "project.toml", ProjectSettings(seed=n)),
        get=lambda place: read_settings(place / "project.toml").seed,
    )


def score_writer(folder: Path) -> Writer:
    def get(place: Path) -> int:
        assert changed_files(place) == []
        return round(json.loads((place / "gmescore.json").read_text())["case_0"]["gme_score"])

    return FileWriter(
        folder / "scores",
        put=lambda place, n: write_scores(
            "opens2v-scores",
            [Scored(case.name, 0, "gmescore", float(n)) for case in CASES],
            str(place),
            name="ours",
            cases=CASES,
        ),
        get=get,
    )


def calibration_writer(folder: Path) -> Writer:
    return FileWriter(
        folder / "calibration",
        put=lambda place, n: make_calibration(place, version=n),
        get=lambda place: read_calibrated(place).version,
    )


class ProjectWriter(Writer):
    """What a project writes for others, and the votes of its people: a folder or file a number."""

    def __init__(self, folder: Path, what: str) -> None:
        self._what, self._out = what, folder / what
        self._out.mkdir()
        self.opened = Workspace(folder / "project", create=True)
        self.opened.plan = plan()
        self.opened.ingest(paths=(str(write_toy_video(folder / "mug.mp4")),), licence="CC0-1.0")
        curated(cast(Api, self.opened))

    def write(self, number: int) -> None:
        place = self._out / str(number)
        match self._what:
            case "export":
                self.opened.export(format="manifest", out=str(place))
            case "report":
                self.opened.report(out=str(place))
            case "backup":
                self.opened.backup(out=str(place))
            case "votes":
                pair = self.opened.pairs().rows[0].pair_id
                self.opened.submit_votes(
                    votes=(replace(vote(number), study_id=VERIFY_STUDY, item_id=pair, comment="x" * 3000),)
                )

    def tend(self) -> None:
        self.opened.catalog.checkpoint()

    def held(self) -> set[int]:
        if self._what == "votes":
            stored = {int(event.id[1:]) for event in self.opened.journal.stream() if event.kind == "vote"}
            with contextlib.suppress(ProjectError):  # says that the newest cannot be brought into the catalog now
                shown = {int(vote.id[1:]) for vote in self.opened.votes(study_id=VERIFY_STUDY)}
                return stored | {-1 for _ in shown ^ stored}
            return stored
        return {int(path.name) if self._is_whole(path) else -1 for path in self._out.iterdir()}

    def close(self) -> None:
        self.opened.close()

    def _is_whole(self, path: Path) -> bool:
        with contextlib.suppress(StudioError):
            match self._what:
                case "export":
                    return read_manifest(path).num_pairs == 2
                case "report":
                    return path.read_text().rstrip().endswith("</html>")
                case "backup":
                    return verify_backup(path).rows["video"] == 1
        return False


class BackupWriter(Writer):
    """Backups of a journal and a table on a disk of their own."""

    def __init__(self, folder: Path) -> None:
        self._project, self._out = folder / "project", folder / "backups"
        self._project.mkdir()
        self._out.mkdir()
        with Journal(self._project / "journal.sqlite") as journal:
            journal.append([Event(kind="note", id=str(n), actor="ann", body={"text": "x" * 300}) for n in range(50)])

    def write(self, number: int) -> None:
        backup_project(self._project, self._out / str(number), {"clip": pa.table({"id": [str(n) for n in range(5000)]})})

    def held(self) -> set[int]:
        return {int(path.name) if path.name.isdigit() else -1 for path in self._out.iterdir() if verify_backup(path)}


def careless_writer(folder: Path) -> Writer:
    """Writes over what was there, as programs do that were never tried on a full disk."""
    return FileWriter(
        folder / "careless",
        put=careless_put,
        get=lambda place: int([*(place / "file.txt").read_text().split(), "-1"][0]),
    )


def careless_put(place: Path, number: int) -> None:
    try:
        (place / "file.txt").write_text(f"{number} " * 20_000)
    except OSError as error:
        raise ProjectError(f"{place} is full; free some space") from error


WRITERS: dict[str, Callable[[Path], Writer]] = {
    "journal": JournalWriter,
    "catalog": CatalogWriter,
    "artifacts": ArtifactWriter,
    "outbox": OutboxWriter,
    "settings": settings_writer,
    "scores": score_writer,
    "calibration": calibration_writer,
    "backups": BackupWriter,
    "careless": careless_writer,
}
PROJECT = ("votes", "export", "report", "backup")
"""What a whole project writes."""


def writer_of(name: str, folder: Path) -> Writer:
    """A writer by its name; those of long work and of training import much, and are looked up when asked for."""
    if name in PROJECT:
        return ProjectWriter(folder, name)
    if name in WRITERS:
        return WRITERS[name](folder)
    if name in ("checkpoint", "latents"):
        from tests.faults.training_writers import TRAINING

        return TRAINING[name](folder)
    from tests.faults.work_writers import WORK

    return WORK[name](folder)
