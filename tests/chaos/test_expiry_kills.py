"""kill -9 before steps of `erase --expired`: each person and the footage is there whole or gone, and the command takes the rest the next time."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.workspace import Workspace
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.study_project import create, newcomer, vote_on, write_benchmark
from tests.backend.workspace.test_erasing_items import CANARY, holding
from tests.backend.workspace.toy_project import plan, write_toy_video
from tests.chaos.killed_work import erase_expired, opened
from tests.chaos.killing import run, spread
from tests.promises import Tally

pytestmark = pytest.mark.slow

LAST_DAY, DAY_AFTER = "2027-03-31", "2027-04-01"
FOOTAGE = "footage"
Traces = Mapping[str, tuple[str, ...]]
"""By who or what is to go, texts that name it."""


@dataclass(frozen=True, slots=True)
class Left:
    """A project after it was opened: what `erase --expired` would still take, what has bytes in its files, and all else."""

    listed: frozenset[str]
    traced: frozenset[str]
    is_sound: bool
    catalog_hash: str
    votes: int

    @property
    def is_whole(self) -> bool:
        """Whether all that goes has gone without a trace or can still be seen."""
        return self.is_sound and self.listed == self.traced


@pytest.mark.promise(
    "`erase --expired` that is killed before any of its steps leaves each person, and the footage, as it was or gone without a "
    "trace; called once more it takes the rest",
    area="Durability",
    goal="0 half-erased, 0 left after the second call in 100 kills",
    control="tests/chaos/test_expiry_kills.py::test_an_erasure_that_is_not_finished_leaves_traces_that_nothing_lists",
    kills=(2, 100),
)
def test_killed_expiries_go_on_where_they_were(memory: Path, long: bool, tally: Tally) -> None:
    gone = filled(memory)
    shutil.copytree(memory / "project", memory / "whole")
    steps = run(erase_expired, memory / "whole", DAY_AFTER, folder=memory).steps
    untouched, wanted = left_in(memory / "project", gone), left_in(memory / "whole", gone)
    assert (untouched.listed, untouched.traced) == (gone.keys(), gone.keys())
    assert (wanted.listed, wanted.traced, wanted.is_sound) == (set(), set(), True)
    seen, lost = set[int](), 0
    moments = spread(steps, 100) if long else [len(steps) * share // 8 for share in (1, 5)]
    for number in moments:
        copy = memory / "killed"
        shutil.copytree(memory / "project", copy)
        ended = run(erase_expired, copy, DAY_AFTER, folder=memory, dies_before=number)
        assert ended.killed or number > len(ended.steps)
        found = left_in(copy, gone)
        seen.add(len(found.listed))
        run(erase_expired, copy, DAY_AFTER, folder=memory)
        lost += not found.is_whole or left_in(copy, gone) != wanted
        shutil.rmtree(copy)
    tally.record(len(moments), lost=lost)
    assert lost == 0
    assert len(seen) > 1, "it always dies at the same place"


def test_an_erasure_that_is_not_finished_leaves_traces_that_nothing_lists(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = filled(memory)
    assert run(erase_expired, memory / "project", DAY_AFTER, folder=memory, dies_before=1, named="duckdb copy").killed
    for events in ("erasing_events", "participant_erasures"):
        monkeypatch.setattr(f"backend.store.{events}.unfinished", lambda journal: [])
    found = left_in(memory / "project", gone)
    assert found.traced > found.listed


def filled(folder: Path) -> Traces:
    """A project with a video, a study of two people who answered, and a backup; all was to be kept up to `LAST_DAY`."""
    project = Workspace(folder / "project", create=True)
    project.set_settings(assignments=(f"retain_until={LAST_DAY}", f"study_retain_until.taste={LAST_DAY}"))
    project.plan = plan()
    api = cast(Api, project)
    api.ingest(paths=(str(write_toy_video(folder / f"{CANARY}.mp4")),))
    curated(api)
    create(api, write_benchmark(folder / "benchmark", cases=1, frames=2), trials=1)
    gone: dict[str, tuple[str, ...]] = {FOOTAGE: (CANARY,)}
    for name in ("merlin-canary-1", "merlin-canary-2"):
        person = newcomer(api, "taste", login=name, background=name)
        (one, *_) = api.study_trials(participant=person.id, limit=9).trials
        api.submit_votes(votes=(replace(vote_on(person, one.trial, "left"), comment=name),))
        gone[person.id] = (person.id, name)
    api.backup()
    project.close()
    return gone


def left_in(project: Path, gone: Traces) -> Left:
    workspace = opened(project)
    workspace.today = lambda: date.fromisoformat(DAY_AFTER)
    check, expired = workspace.verify(), workspace.expired()
    ((votes,),) = workspace.catalog.query("SELECT count(*) FROM vote")
    workspace.close()
    people = (person for study in expired.studies for person in study.participants)
    return Left(
        listed=frozenset((*people, *((FOOTAGE,) if expired.files else ()))),
        traced=frozenset(name for name, texts in gone.items() if holding(project, *texts)),
        is_sound=check.ok,
        catalog_hash=check.catalog_hash,
        votes=votes,
    )
