"""kill -9 before each step of an erasure: it is finished when the project is opened next, and the rest is as it was."""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain import VERIFY_STUDY
from backend.store.journal_schema import StoredEvent
from backend.workspace import Workspace
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.study_project import create, finished, newcomer, write_benchmark
from tests.backend.workspace.study_project import vote_on as vote_by
from tests.backend.workspace.test_api import vote_on
from tests.backend.workspace.test_erasing_items import CANARY, holding, one_of, write_other_video
from tests.backend.workspace.toy_project import plan, write_toy_video
from tests.chaos.killed_work import erase, erase_person, opened
from tests.chaos.killing import run, spread
from tests.promises import Tally


@dataclass(frozen=True, slots=True)
class Kind:
    """What is erased: `fill` makes a project and gives the id of what goes, `work` erases it and dies."""

    fill: Callable[[Path], str]
    work: Callable[..., None]
    stages: tuple[str, ...]
    """Before the first step of each it dies, besides others spread evenly."""


@dataclass(frozen=True, slots=True)
class Found:
    """A project after it was opened and closed. `events` tell of times, and are compared by `is_all_of` alone."""

    files: tuple[str, ...]
    """Which name what goes."""
    is_sound: bool
    catalog_hash: str
    votes: int
    has_backups: bool
    events: tuple[StoredEvent, ...] = field(compare=False, repr=False)

    def is_all_of(self, other: "Found") -> bool:
        """Whether nothing has gone and nothing has come."""
        return self == other and self.events == other.events


@pytest.mark.slow
@pytest.mark.promise(
    "An erasure of footage or of a participant that is killed before any of its steps is finished at the next opening: no byte "
    "stays, all else is as it was",
    area="Durability",
    goal="0 bytes left, 0 votes lost in 100 kills of each",
    control="tests/chaos/test_erasure_kills.py::test_an_erasure_that_nobody_finishes_leaves_bytes",
    kills=(5, 100),
)
@pytest.mark.parametrize("kind", ["footage", "participant"])
def test_killed_erasures_are_finished_at_the_next_opening(kind: str, memory: Path, long: bool, tally: Tally) -> None:
    of = KINDS[kind]
    gone = of.fill(memory)
    shutil.copytree(memory / "project", memory / "whole")
    steps = run(of.work, memory / "whole", gone, folder=memory).steps
    untouched, wanted = found_in(memory / "project", gone), found_in(memory / "whole", gone)
    assert (len(untouched.files) > 2, wanted.files, wanted.is_sound) == (True, (), True)
    seen: Counter[str] = Counter()
    moments = [(1, stage) for stage in of.stages] + [(number, "") for number in spread(steps, 100 if long else 2)]
    for number, named in moments:
        copy = memory / "killed"
        shutil.copytree(memory / "project", copy)
        ended = run(of.work, copy, gone, folder=memory, dies_before=number, named=named)
        assert ended.killed or number > len(ended.steps)
        found = found_in(copy, gone)
        seen["done" if found == wanted else "untouched" if found.is_all_of(untouched) else "lost"] += 1
        shutil.rmtree(copy)
    tally.record(len(moments), lost=seen["lost"])
    assert seen["lost"] == 0
    assert seen["done"] > seen["untouched"] > 0


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "number", "stage"),
    [
        ("footage", 1, "duckdb delete"),
        ("participant", 1, "duckdb copy"),
        ("participant", 4, "sqlite commit"),  # after the journal's redaction: the catalog is still as it was
    ],
)
def test_an_erasure_that_nobody_finishes_leaves_bytes(
    kind: str, number: int, stage: str, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = KINDS[kind]
    gone = of.fill(memory)
    untouched = found_in(memory / "project", gone)
    assert run(of.work, memory / "project", gone, folder=memory, dies_before=number, named=stage).killed
    with monkeypatch.context() as mutant:
        for events in ("erasing_events", "participant_erasures"):
            mutant.setattr(f"backend.store.{events}.unfinished", lambda journal: [])
        found = found_in(memory / "project", gone)
    assert (found.files != (), found.is_all_of(untouched)) == (True, False), "it is neither finished nor untouched"
    assert found_in(memory / "project", gone).files == ()


def filmed(folder: Path) -> str:
    """A project with two videos, verdicts on both and a backup; gives the id of the one to be erased."""
    (folder / "videos").mkdir()
    write_toy_video(folder / "videos" / f"{CANARY}.mp4")
    write_other_video(folder / "videos" / "other.mp4")
    project = Workspace(folder / "project", create=True)
    project.plan = plan()
    project.ingest(paths=(str(folder / "videos"),))
    api = cast(Api, project)
    curated(api)
    api.submit_votes(votes=tuple(vote_on(t, "same") for t in api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=9)))
    api.backup()
    (video,) = one_of(api, "video", CANARY)
    project.close()
    return video


def taken_part(folder: Path) -> str:
    """A project with a study of two participants and a backup; gives the id of the one to be erased."""
    project = Workspace(folder / "project", create=True)
    api = cast(Api, project)
    create(api, write_benchmark(folder / "benchmark", cases=2), trials=2)
    person = newcomer(api, "taste", login=CANARY, background=CANARY)
    for one in api.study_trials(participant=person.id, limit=9).trials:
        api.submit_votes(votes=(replace(vote_by(person, one.trial, "left"), comment=CANARY),))
    finished(api, "taste", lambda *_: "right")
    api.status()
    api.backup()
    project.close()
    return person.id


def found_in(project: Path, gone: str) -> Found:
    workspace = opened(project)
    check = workspace.verify()
    ((votes,),) = workspace.catalog.query("SELECT count(*) FROM vote")
    backups = any(workspace.layout.backups.iterdir())
    events = tuple(workspace.journal.stream())
    workspace.close()
    files = sorted(Path(file).relative_to(project).as_posix() for file in holding(project, CANARY, gone))
    return Found(tuple(files), check.ok, check.catalog_hash, votes, backups, events)


KINDS = {
    "footage": Kind(
        filmed,
        erase,
        (
            "sqlite commit",
            "sqlite vacuum",
            "duckdb delete",
            "duckdb copy",
            "rename",
            "os.remove",
            "sqlite pragma wal_checkpoint",
        ),
    ),
    "participant": Kind(
        taken_part,
        erase_person,
        ("sqlite commit", "duckdb truncate", "duckdb copy", "rename", "os.rmdir", "sqlite vacuum"),
    ),
}
