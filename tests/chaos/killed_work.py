"""What processes do until they are killed (tests.chaos.killing). Each is told how to `say` what it has done."""

import itertools
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from backend.api import Api
from backend.domain import VERIFY_STUDY, Receipt, Vote
from backend.domain.library import Selection
from backend.exports import folder, image_bank
from backend.service import serving
from backend.store import backups, catalog_upgrade, packed_backups
from backend.store.catalog import Catalog
from backend.store.journal import Journal
from backend.store.packed_backups import backup_folder
from backend.store.secret_file import secret_of_file
from backend.workspace import Workspace
from backend.workspace.checks import restore
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import plan, write_toy_video

Say = Callable[[object], None]
VOTES_OF_LIFE = 6


def opened(project: Path) -> Workspace:
    """The toy project, open with its plan."""
    workspace = Workspace(project)
    workspace.plan = plan()
    return workspace


def made(folder: Path) -> Path:
    """A toy project with three pairs in a new folder."""
    (folder / "videos").mkdir(parents=True)
    write_toy_video(folder / "videos" / "mug.mp4")
    workspace = Workspace(folder / "project", create=True)
    workspace.plan = plan()
    workspace.ingest(paths=(str(folder / "videos"),), licence="CC0-1.0")
    curated(cast(Api, workspace))
    workspace.close()
    return folder / "project"


def vote(say: Say, project: Path, life: str) -> None:
    """Says the id of each vote that has its receipt; the catalog is brought up to the journal and checkpointed between."""
    workspace = opened(project)
    pair = workspace.pairs(limit=1).rows[0].pair_id
    for number in range(VOTES_OF_LIFE):
        (receipt,) = workspace.submit_votes(votes=(vote_of(f"{life}-{number}", pair),))
        say(receipt.id)
        if number in (1, 4):
            workspace.queue_state(study_id=VERIFY_STUDY, rater=life)
            workspace.catalog.checkpoint()
    workspace.close()


def vote_of(id: str, pair: str) -> Vote:
    return Vote(
        id=id,
        rev=0,
        study_id=VERIFY_STUDY,
        trial_id=f"trial-{id}",
        item_id=pair,
        rater=f"rater-{id}",
        rater_kind="person",
        question="identity",
        choice="same",
    )


def export(say: Say, project: Path, format: str, out: Path) -> None:
    workspace = opened(project)
    say(workspace.export(format=format, out=str(out)).files)
    workspace.close()


@contextmanager
def in_place(place: Path) -> Iterator[Path]:
    """A mutant of `whole_folder.building`: what is written has its name before it is whole."""
    place.mkdir()
    yield place


def export_in_place(say: Say, project: Path, format: str, out: Path) -> None:
    """A mutant: the export is written where it belongs from the start."""
    folder.building, folder.settle = in_place, lambda folder, place: None
    export(say, project, format, out)


def import_pictures(say: Say, project: Path, archive: Path, out: Path) -> None:
    """As `import images` does it; says which files the project knows, and what stands beside them."""
    image_bank.unpack_images(archive, out)
    workspace = opened(project)
    workspace.ingest(paths=(str(out),), licence="CC0-1.0")
    sources = workspace.catalog.query("SELECT uri, num_bytes, licence, count(*) FROM source GROUP BY ALL ORDER BY 1")
    beside = workspace.catalog.query(
        "SELECT uri, digest, count(*) FROM sidecar JOIN source ON source.id = source_id GROUP BY ALL ORDER BY 1"
    )
    workspace.close()
    say((sources, beside))


def import_in_place(say: Say, project: Path, archive: Path, out: Path) -> None:
    """A mutant: what comes out of the archive lies where it belongs from the start."""
    image_bank.building, image_bank._holds_the_same = in_place, lambda folder, place: True
    import_pictures(say, project, archive, out)


def late_watermark() -> None:
    """A mutant: the catalog takes votes in one transaction and how far the journal was read in another."""
    project_whole = Catalog.project

    def project_in_two(self: Catalog, rows: Mapping[str, Any], *, seq: int, hash: str) -> None:
        before = self.watermark()
        project_whole(self, rows, seq=before[0], hash=before[1])
        project_whole(self, {}, seq=seq, hash=hash)

    Catalog.project = project_in_two


def vote_with_late_watermark(say: Say, project: Path, life: str) -> None:
    late_watermark()
    vote(say, project, life)


def serve(say: Say, project: Path) -> None:
    """Until it is killed."""
    workspace = opened(project)
    with serving(cast(Api, workspace), project):
        say("serving")
        threading.Event().wait()


def serve_each_call_anew(say: Say, project: Path) -> None:
    """A mutant: a vote that comes again is taken for another one."""
    append, numbers = Journal.append_votes, itertools.count()

    def append_anew(self: Journal, votes: Sequence[Vote], **more: Any) -> tuple[Receipt, ...]:
        told = append(self, [replace(vote, id=f"{vote.id}-{next(numbers)}") for vote in votes], **more)
        return tuple(replace(receipt, id=vote.id) for receipt, vote in zip(told, votes, strict=True))

    Journal.append_votes = append_anew
    serve(say, project)


def erase(say: Say, project: Path, video: str) -> None:
    workspace = opened(project)
    chosen = Selection(kind="video", ids=(video,))
    say(workspace.erase_items(selection=chosen, rater="ann", delete_backups=True).erasure_id)
    workspace.close()


def erase_person(say: Say, project: Path, person: str) -> None:
    workspace = opened(project)
    say(workspace.erase_participant(participant=person, delete_backups=True).events)
    workspace.close()


def erase_expired(say: Say, project: Path, today: str) -> None:
    """As `erase --expired` does it on a day."""
    workspace = opened(project)
    workspace.today = lambda: date.fromisoformat(today)
    say(len(workspace.erase_expired(rater="ann", delete_backups=True).files))
    workspace.close()


def back_up(say: Say, project: Path, day: int) -> None:
    """As `backup` does it on a day of 2026, with the oldest pruned."""
    workspace = opened(project)
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    done = backups.backup_project(project, backups.new_backup_path(project, now), workspace.catalog.tables(), now=now)
    backups.prune_backups(project / "backups")
    say(done.path)
    workspace.close()


def back_up_in_place(say: Say, project: Path, day: int) -> None:
    """A mutant: the backup is written, and pruned, under its name."""
    backups.building, backups.settle, backups.remove_whole = in_place, lambda folder, place: None, shutil.rmtree
    back_up(say, project, day)


def bring_back(say: Say, backup: Path, project: Path) -> None:
    """As `restore` does it, from a folder or a packed one."""
    with backup_folder(backup, beside=project) as folder:
        restore(folder, project)
    say(project)


def bring_back_in_place(say: Say, backup: Path, project: Path) -> None:
    """A mutant: the project has its name before it is filled."""
    backups.building, backups.settle = in_place, lambda folder, place: None
    bring_back(say, backup, project)


def bring_back_beside(say: Say, backup: Path, project: Path) -> None:
    """A mutant: a packed backup is unpacked into a folder that nobody looks for."""

    @contextmanager
    def building(place: Path) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=place.parent) as folder:
            yield Path(folder)

    packed_backups.building = building
    bring_back(say, backup, project)


def open_stores(say: Say, project: Path) -> None:
    Journal(project / "journal.sqlite").close()
    Catalog(project / "catalog.duckdb").close()
    say("opened")


def open_stores_in_place(say: Say, project: Path) -> None:
    """A mutant: the upgraded catalog takes the older one's name before it is filled."""

    copy = catalog_upgrade._copy

    def upgrade_in_place(path: Path, version: str, build: Callable[[Path], None]) -> None:
        older = path.rename(path.with_suffix(f".was-{version}"))
        catalog_upgrade._copy = lambda old, fresh, *more: copy(older, fresh, *more)
        build(path)

    catalog_upgrade.upgrade = upgrade_in_place
    open_stores(say, project)


def make_key(say: Say, key: Path) -> None:
    say(len(secret_of_file(key)))


def make_key_in_place(say: Say, key: Path) -> None:
    """A mutant: the file has its name before its secret."""
    key.touch(0o600)
    say("named")
    with key.open("wb") as file:
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
