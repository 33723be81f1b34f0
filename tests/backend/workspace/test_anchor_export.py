"""Anchors in exported samples, with weights worked out by hand: three fronts and a back of toy mugs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from backend.domain import (
    ANCHORS_STUDY,
    VERIFY_STUDY,
    Anchor,
    Appearance,
    Clip,
    Context,
    Item,
    Ok,
    Resources,
    Result,
    Subject,
    Video,
)
from backend.engine.plan import Plan, Step
from backend.exports.reader import read_manifest
from backend.report.page import Table
from backend.report.statistics import statistics_sections
from backend.stages.samples import AssembleSamples
from backend.workspace import Workspace
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.test_api import vote_on
from tests.backend.workspace.toy_project import plan, write_toy_video

FRONT, BACK = 29.6 / 46.9 * 4 / 3, 17.3 / 46.9 * 4
"""Gloria, table 5: fronts are 29.6 and backs 17.3 of a hundred; here three of four and one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantSides:
    """Of each clip its own view as front and as global anchor; of the first clip the second one's view as back."""

    name: ClassVar[str] = "plant_sides"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Clip, Subject, Appearance)
    makes: ClassVar[tuple[type, ...]] = (Anchor,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, self._rows(item)) for item in items]

    def _rows(self, item: Item) -> list[Anchor]:
        clips = sorted(item.all(Clip), key=lambda clip: clip.start_frame)
        views = {view.subject_id: view for view in item.all(Appearance)}
        subject = {subject.clip_id: subject for subject in item.all(Subject)}
        rows = []
        for clip in clips:
            own = views[subject[clip.id].id]
            for kind, label in (("viewpoint", "front"), ("global", subject[clip.id].id)):
                rows.append(Anchor(appearance_id=own.id, clip_id=clip.id, kind=kind, label=label, inside=True))
        other = views[subject[clips[1].id].id]
        rows.append(Anchor(appearance_id=other.id, clip_id=clips[0].id, kind="viewpoint", label="back", inside=False))
        return rows


@pytest.fixture
def project(workspace: Workspace, tmp_path: Path) -> Workspace:
    workspace.plan = Plan(steps=(*plan().steps, Step(PlantSides()), Step(AssembleSamples())))
    workspace.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),), licence="CC0-1.0")
    curated(workspace)  # type: ignore[arg-type]
    return workspace


def exported(project: Workspace, out: Path) -> dict[int, list[tuple[str, str, bool, int | None, float]]]:
    """Anchors of the samples, by the first frame of the clip."""
    project.export(format="manifest", out=str(out))
    reader = read_manifest(out)
    found = {}
    for sample in reader.samples():
        for anchor in sample.anchors:
            assert reader.artifact(anchor.crop).stat().st_size > 0
        found[sample.start_frame] = [
            (anchor.kind, anchor.label, anchor.inside, anchor.frame, pytest.approx(anchor.weight))
            for anchor in sample.anchors
        ]
    return found


@pytest.mark.slow
def test_samples_carry_the_anchors_of_their_clip_with_weights(project: Workspace, tmp_path: Path) -> None:
    assert exported(project, tmp_path / "out") == {
        0: [
            ("global", "", True, 5, 1.0),
            ("viewpoint", "back", False, 15, BACK),
            ("viewpoint", "front", True, 5, FRONT),
        ],
        10: [("global", "", True, 15, 1.0), ("viewpoint", "front", True, 15, FRONT)],
        20: [("global", "", True, 25, 1.0), ("viewpoint", "front", True, 25, FRONT)],
    }


@pytest.mark.slow
def test_a_picture_of_another_one_is_no_anchor(project: Workspace, tmp_path: Path) -> None:
    (trial,) = [
        trial
        for trial in project.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=10)
        if dict(trial.scores)["similarity"] == 0.9
    ]
    project.submit_votes(votes=(vote_on(trial, "different"),))
    project.status()
    found = exported(project, tmp_path / "out")
    assert [label for _, label, *_ in found[0]] == ["", "front"]


@pytest.mark.slow
def test_labels_of_people_replace_the_machines_and_what_they_drop_is_no_anchor(project: Workspace, tmp_path: Path) -> None:
    """The second view is the back of the first clip and the front of its own: one picture, judged once."""
    frame = dict(project.catalog.query("SELECT n.id, a.frame FROM anchor n JOIN appearance a ON a.id = n.appearance_id"))
    trials = {frame[t.item_id]: t for t in project.next_trials(study_id=ANCHORS_STUDY, rater="ann", limit=10)}

    def say(at: int, choice: str, rater: str = "ann") -> None:
        project.submit_votes(votes=(replace(vote_on(trials[at], choice, rater=rater), question="viewpoint"),))

    say(5, "left")
    assert [found[1] for found in exported(project, tmp_path / "left")[0]] == ["", "back", "left"]
    assert {row.label for row in project.statistics().anchor_balance} == {"front", "back", "left"}
    assert project.items(kind="anchor", where="label = 'left'").total == 1
    say(5, "right", rater="bob")
    assert [found[1] for found in exported(project, tmp_path / "even")[0]] == ["", "back", "front"]
    say(15, "none")
    found = exported(project, tmp_path / "dropped")
    assert [row[1] for row in found[0]] == ["", "front"]
    assert [row[1] for row in found[10]] == [""]
    assert project.items(kind="anchor", where="label = 'left'").total == 0
    assert project.items(kind="anchor", where="label = 'none'").total == 2


def test_the_figures_say_how_often_each_label_is_drawn(project: Workspace) -> None:
    front, back = project.statistics().anchor_balance
    assert (front.kind, front.label, front.number, front.share) == ("viewpoint", "front", 3, 0.75)
    assert (front.weight, back.weight) == (pytest.approx(FRONT), pytest.approx(BACK))
    assert (front.published, back.published) == (pytest.approx(0.296), pytest.approx(0.173))
    assert (front.drawn, back.drawn) == (pytest.approx(29.6 / 46.9), pytest.approx(17.3 / 46.9))
    tables = [b for b in statistics_sections(project.statistics())[0].blocks if isinstance(b, Table)]
    cells = [row for table in tables for row in table.rows]
    assert ("viewpoint", "front", "3", "75.0%", "29.6%", "63.1%", "0.84") in cells


def test_a_trial_says_what_machines_took_the_anchor_for(project: Workspace) -> None:
    trials = project.next_trials(study_id=ANCHORS_STUDY, rater="ann", limit=9)
    assert len(trials) == 3
    assert {label for trial in trials for _, label in trial.suggested} <= {"front", "back"}
    assert all(trial.suggested[0][0] == "viewpoint" for trial in trials)


def test_an_export_tells_what_each_stage_was_told(project: Workspace, tmp_path: Path) -> None:
    """Its version, settings and models: those of the work keys that the rows were made under."""
    project.export(format="manifest", out=str(tmp_path / "out"))
    told = {stage.name: stage for stage in read_manifest(tmp_path / "out").about.stages}
    assert list(told) == [step.stage.name for step in project.plan.steps]
    assert told["assemble_samples"].settings == {"max_references": 3, "max_subjects": 3}
    for step in project.plan.steps:
        stage = told[step.stage.name]
        assert set(dict(stage.models)) == set(step.stage.roles)
        assert stage.version == step.stage.version
