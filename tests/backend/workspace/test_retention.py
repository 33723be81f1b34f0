"""What was to be kept up to a day is listed when it has passed, and erased by a command; until then it stays."""

from datetime import date
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain import SettingsError
from backend.workspace import Workspace
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.study_project import create, newcomer, write_benchmark
from tests.backend.workspace.test_erasing_items import CANARY, holding
from tests.backend.workspace.toy_project import write_toy_video
from tests.promises import Tally

pytestmark = pytest.mark.slow

LAST_DAY = "2027-03-31"


@pytest.fixture
def kept(workspace: Workspace, tmp_path: Path) -> Workspace:
    """Footage and a study's participant, kept up to `LAST_DAY`."""
    plan = workspace.plan
    workspace.set_settings(assignments=(f"retain_until={LAST_DAY}", f"study_retain_until.taste={LAST_DAY}"))
    workspace.plan = plan
    api = cast(Api, workspace)
    api.ingest(paths=(str(write_toy_video(tmp_path / f"{CANARY}.mp4")),))
    curated(api)
    create(api, write_benchmark(tmp_path / "bench", cases=2))
    newcomer(api, "taste", background=CANARY)
    return workspace


def on(project: Workspace, day: str) -> Workspace:
    project.today = lambda: date.fromisoformat(day)
    return project


@pytest.mark.promise(
    "footage and participants whose last day has passed are erased by one command, and nothing is before that day",
    area="Privacy",
    goal="0 files hold them",
    control="tests/backend/workspace/test_retention.py::test_before_its_day_everything_is_found",
)
def test_what_was_kept_long_enough_is_erased(kept: Workspace, tally: Tally) -> None:
    found = on(kept, "2027-04-01").expired()
    assert (found.until, len(found.files), [len(study.participants) for study in found.studies]) == (LAST_DAY, 1, [1])
    (person,) = found.studies[0].participants
    before = holding(kept.layout.root, CANARY, person)
    assert kept.erase_expired(rater="ann") == found
    left = holding(kept.layout.root, CANARY, person)
    tally.record(len(before), lost=len(left))
    assert left == []
    assert (kept.expired().files, kept.expired().studies) == ((), ())
    assert kept.verify().ok


def test_before_its_day_everything_is_found(kept: Workspace) -> None:
    found = on(kept, LAST_DAY).expired()
    assert (found.files, found.studies) == ((), ())
    kept.erase_expired(rater="ann")
    assert len(holding(kept.layout.root, CANARY)) >= 2


def test_a_day_that_is_none_is_refused(workspace: Workspace) -> None:
    for name in ("retain_until", "study_retain_until.taste"):
        with pytest.raises(SettingsError, match="write a day, as 2027-03-31"):
            workspace.set_settings(assignments=(f"{name}=soon",))
