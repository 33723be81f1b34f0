"""What a judge said of a subject stands in its trial, question by question."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

from backend.api import Api
from backend.domain import SUBJECTS_STUDY, Appearance, Context, Item, Ok, Resources, Result, Score
from backend.engine.plan import Plan, Step
from backend.workspace import Workspace
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import plan, write_toy_video


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantJudge:
    """A judge that finds every appearance whole and not knowable, and cannot tell of the phrase."""

    name: ClassVar[str] = "plant_judge"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Appearance
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Score,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        said = {"judged_complete": 1.0, "judged_specific": 0.0, "judged_phrase": None}
        return [
            Ok(item.id, tuple(Score(target=item.id, name=n, value=v, producer="planted") for n, v in said.items()))
            for item in items
        ]


def test_a_trial_says_what_the_judge_answered_and_nothing_where_it_could_not(workspace: Workspace, tmp_path: Path) -> None:
    workspace.plan = Plan(steps=(*plan().steps, Step(PlantJudge())))
    workspace.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),))
    curated(cast(Api, workspace))
    trials = workspace.next_trials(study_id=SUBJECTS_STUDY, rater="ann", limit=9)
    assert [trial.suggested for trial in trials] == [(("complete", "yes"), ("specific", "no"))] * 3
