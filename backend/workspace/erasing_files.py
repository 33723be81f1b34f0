"""Files of a project that show or name footage that is to be erased, and copies that were written before."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backend.domain.erasing import Leftover
from backend.exports.label_studio import PUSHED
from backend.exports.removed import REMOVED
from backend.store.artifacts import Artifacts
from backend.store.backups import MANIFEST
from backend.store.upgrading import kept_aside
from backend.store.whole_folder import remove_whole
from backend.workspace.erasing_rows import Going
from backend.workspace.erasing_words import Naming
from backend.workspace.layout import Layout

REPORTS = ("report.html", "ablation.html")
"""They show frames of everything, and are written anew by their commands."""
STUDY_COPIES = (".jpg", ".mp4", ".draft")
LISTED = ("backups", "exports", "runs")
"""What is named with its date and left: somebody else may need it, or have it already."""

WORDED = (".txt", ".json", ".jsonl", ".csv", ".html", ".md", ".log", ".toml")
MOST_BYTES = 64 << 20  # of a file with words; ours are smaller


@dataclass(frozen=True, slots=True, kw_only=True)
class GoingFiles:
    """Paths that go, by why."""

    artifacts: tuple[Path, ...]
    cached: tuple[Path, ...]
    answers: tuple[Path, ...]

    def remove(self) -> None:
        """What is gone already is passed over, so that an erasure that broke off can go on."""
        for path in (*self.artifacts, *self.cached, *self.answers):
            path.unlink(missing_ok=True)


def find_files(
    layout: Layout, artifacts: Artifacts, going: Going, naming: Naming, *, named: set[str], with_cases: bool
) -> GoingFiles:
    """`named` are the artifacts that rows name; the others are left of work that broke off, or are made again when needed."""
    lost = sorted(going.artifacts | (set(artifacts.names()) - named))
    cached = {layout.previews / f"{name}.mp4" for name in going.ids if name.startswith("clip_")}
    pictured = {*(name for name in going.ids if name.startswith(("clip_", "video_"))), *going.videos}
    cached |= {layout.previews / "thumbnails" / f"{name}.jpg" for name in pictured}
    cached |= {layout.root / name for name in REPORTS}
    cached |= set(_below(layout.root / "index" / "banks")) | set(_below(layout.root / "index" / "exchange"))
    if with_cases:
        cached |= set(_below(layout.features))
        cached |= {path for path in _below(layout.study_media) if path.suffix in STUDY_COPIES}
    cached |= {path for path in _written(layout) if _names(path, naming)}
    answers = _below(layout.root / "index" / "answers")
    return GoingFiles(
        artifacts=tuple(path for path in map(artifacts.path, lost) if path.exists()),
        cached=tuple(sorted(path for path in cached if path.exists())),
        answers=tuple(sorted(answers)),
    )


def leftovers(layout: Layout) -> tuple[Leftover, ...]:
    """Backups, exports and runs of the project, oldest first. What was written elsewhere nobody knows here."""
    places = [(path, folder) for folder in LISTED for path in _entries(layout.root / folder) if path.name != REMOVED]
    found = [
        Leftover(
            path=str(path),
            made_at=datetime.fromtimestamp(path.stat().st_mtime).astimezone().isoformat(timespec="seconds"),
            kind=folder.removesuffix("s"),
        )
        for path, folder in [*places, *((path, "backups") for path in kept_aside(layout.root))]
    ]
    return tuple(sorted(found, key=lambda one: one.made_at))


def exports_of(layout: Layout) -> Path:
    """Where a project's exports lie unless somebody names another place."""
    return layout.root / "exports"


def backups_of(layout: Layout) -> list[Path]:
    """The project's own backups, and its files of older versions that were kept."""
    folders = [path for path in _entries(layout.backups) if (path / MANIFEST).is_file()]
    return [*folders, *kept_aside(layout.root)]


def delete_backups(layout: Layout) -> tuple[str, ...]:
    """Deletes these, and gives their places. What a kill leaves of one goes when the project is opened next."""
    backups = backups_of(layout)
    for path in backups:
        remove_whole(path) if path.is_dir() else path.unlink()
    return tuple(map(str, backups))


def forget_pushed(layout: Layout, participant: str) -> None:
    """Takes away what was pushed to Label Studio as this participant's: such a file holds one person's trials alone."""
    for path in (layout.root / "index").glob(f"{PUSHED}*.json"):
        if participant.encode() in path.read_bytes():
            path.unlink(missing_ok=True)


def _written(layout: Layout) -> list[Path]:
    """Logs and pages that the project wrote; its folder may hold people's own files besides."""
    pages = [path for path in _entries(layout.root) if path.suffix == ".html"]
    return [*pages, *_below(layout.job_logs), *(path for path in _entries(layout.root / "index") if path.is_file())]


def _names(path: Path, naming: Naming) -> bool:
    worded = path.is_file() and path.suffix in WORDED and path.stat().st_size <= MOST_BYTES
    return worded and naming.in_bytes(path.read_bytes())


def _below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()] if folder.is_dir() else []


def _entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
