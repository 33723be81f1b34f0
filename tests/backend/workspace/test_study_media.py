"""Copies of a study's videos: made ahead of time or when first seen, and then never again."""

from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest

from backend.api import Api
from backend.domain import ProjectError
from backend.workspace import Workspace
from tests.backend.workspace.study_project import named, newcomer, write_benchmark


def test_prepared_videos_are_given_without_being_made_again(tmp_path: Path) -> None:
    benchmark = write_benchmark(tmp_path / "benchmark", cases=2)
    workspace = Workspace(tmp_path / "project", create=True)
    api = cast(Api, workspace)
    api.create_study(name="taste", form="ab", cases=str(benchmark / "cases.json"), systems=named(benchmark), trials=3)
    left = [api.prepare_study(name="taste")]
    while left[-1]:
        left.append(api.prepare_study(name="taste"))
    assert all(later == max(0, earlier - 4) for earlier, later in pairwise(left))
    copies = {path: path.stat().st_mtime_ns for path in (tmp_path / "project" / "index" / "studies").rglob("*.mp4")}
    assert len(copies) >= 6 + 1  # two cases of three systems, and at least one spoilt copy
    person = newcomer(api, "taste")
    for one in api.study_trials(participant=person.id, limit=50).trials:
        for stimulus in one.trial.stimuli:
            if stimulus.media and not stimulus.slot.startswith("reference"):
                found = Path(api.media(media_id=stimulus.media).path)
                assert found.stat().st_mtime_ns == copies[found]
    (benchmark / "good" / "singleobj_1.mp4").unlink()
    with pytest.raises(ProjectError, match="put it back"):
        api.prepare_study(name="taste")
    workspace.close()
