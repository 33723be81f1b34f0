"""Fates of planted anchors and their accuracy, counted by hand: six expressions that a planted judge looks at, two sides."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from backend.domain import (
    ANCHORS_STUDY,
    Anchor,
    Appearance,
    Clip,
    Context,
    Inquiry,
    Item,
    Ok,
    ProjectError,
    Record,
    Resources,
    Result,
    Subject,
    Verdict,
    Video,
    Vote,
)
from backend.domain.library import Selection
from backend.domain.statistics import AnchorAccuracy, AnchorCheck
from backend.engine.context import WorkerSettings
from backend.engine.crews import Inline
from backend.engine.plan import Gate, Plan, Step
from backend.engine.run import PlanRun
from backend.media.images import decode_image, encode_png
from backend.report.page import Table
from backend.report.statistics import statistics_sections
from backend.stages.anchor_verification import VerifyAnchors
from backend.stages.ingest import ProbeSource
from backend.stages.samples import AssembleSamples
from backend.studies.forms import load_form
from backend.workspace import Workspace
from backend.workspace.anchor_statistics import anchor_accuracy, anchor_checks
from backend.workspace.snapshot import Snapshot
from tests.backend.workspace.toy_project import write_toy_video

EXPRESSIONS = ("happy", "happy", "sad", "neutral", "fear", "happy")
"""What the machine calls faces 0 to 5. The judge says of them:"""
CHOSEN = (7, 5, 5, 8, 9, 7)
"""happy (kept), sad (corrected), sad (kept), none (dropped), unsure, happy (kept)."""
SIDES = ("front", "left")
OTHERS = (("global", "subject_1"), ("reference", "subject_1"), ("reference", "subject_2"))
"""Of these the label is whom they stand for."""


class PlantedJudge:
    """Knows a face by its grey, which is 20 times its number."""

    model_id = "planted"
    sampling = "{}"

    def ask(
        self, inquiries: Sequence[Inquiry], answered: Callable[[Inquiry, Verdict], None] | None = None
    ) -> list[Verdict]:
        numbers = [round(float(decode_image(inquiry.images[0]).mean()) / 20) for inquiry in inquiries]
        return [Verdict(CHOSEN[number], str(CHOSEN[number])) for number in numbers]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantAnchors:
    """One clip, one person; a face for each expression and a body for each side."""

    name: ClassVar[str] = "plant_anchors"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Clip, Subject, Appearance, Anchor)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, self._rows(item, context)) for item in items]

    def _rows(self, item: Item, context: Context) -> list[Record]:
        clip = Clip(video_id=item.id, start_frame=0, stop_frame=20, start_s=0, stop_s=0.8, opens_with="start")
        person = Subject(clip_id=clip.id, track_id="t", phrase=None, category="woman", is_living=True)
        rows: list[Record] = [clip, person]
        labels = [*(("expression", label) for label in EXPRESSIONS), *(("viewpoint", side) for side in SIDES), *OTHERS]
        for n, (kind, label) in enumerate(labels):
            crop = context.artifacts.put(encode_png(np.full((40, 30, 3), 20 * n, np.uint8)), "png")
            view = Appearance(
                subject_id=person.id, frame=n, box=(0.0, 0.0, 30.0, 40.0), confidence=0.9, origin="video", artifact=crop
            )
            rows += [view, Anchor(appearance_id=view.id, clip_id=clip.id, kind=kind, label=label, inside=True)]
        return rows


GATE = Gate(record="anchor", score="judged_label", comparison=">=", value=1.0, source="test")
PLAN = Plan(
    steps=(Step(ProbeSource()), Step(PlantAnchors()), Step(VerifyAnchors(), (GATE,)), Step(AssembleSamples())),
    model_ids={"Judge": "planted"},
)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace(tmp_path / "project", create=True)
    opened.plan = PLAN
    opened.ingest(paths=(str(write_toy_video(tmp_path / "toy.mp4")),))
    settings = WorkerSettings(
        artifacts=opened.layout.artifacts, roles={"Judge": f"{PlantedJudge.__module__}:{PlantedJudge.__name__}"}
    )
    crew = Inline(settings)
    summary = PlanRun(catalog=opened.catalog, artifacts=opened.artifacts, plan=PLAN, crew=crew)()
    assert summary.failed == 0, opened.catalog.query("SELECT work_key, message FROM work WHERE state = 'failed'")
    yield opened
    opened.close()


def anchors(workspace: Workspace) -> dict[int, str]:
    """Ids of the machine's sides and expressions by the frame that they lie on."""
    rows = workspace.catalog.query(
        """SELECT p.frame, a.id FROM anchor a JOIN appearance p ON p.id = a.appearance_id
        WHERE a.kind IN ('viewpoint', 'expression') AND a.id NOT IN (SELECT target FROM score WHERE name = 'judged_given')"""
    )
    return dict(rows)


def vote(workspace: Workspace, frame: int, choice: str, *, rater: str = "ann") -> None:
    kind = "expression" if frame < len(EXPRESSIONS) else "viewpoint"
    name = f"{rater}-{frame}"
    workspace.submit_votes(
        votes=(
            Vote(
                id=name, rev=1, study_id=ANCHORS_STUDY, trial_id=name, item_id=anchors(workspace)[frame], rater=rater,
                rater_kind="person", question=kind, choice=choice, made_at="2026-01-01T00:00:00Z",
            ),
        )
    )  # fmt: skip


def test_the_judges_fates_are_counted_and_the_gate_follows_them(workspace: Workspace) -> None:
    with Snapshot(workspace.catalog).of(PLAN) as now:
        assert anchor_checks(now) == (AnchorCheck(kind="expression", by="judge", kept=3, corrected=1, dropped=1, unsure=1),)
        labels = now.query(
            """SELECT a.label FROM kept_anchor k JOIN anchor a ON a.id = k.id AND a.work_key = k.work_key
            WHERE a.kind = 'expression' ORDER BY 1"""
        )
        assert labels == [("fear",), ("happy",), ("happy",), ("sad",), ("sad",)], "one in place of another, one gone"
        assert anchor_accuracy(now) == ()


def test_anchors_are_counted_by_side_and_expression_and_not_by_whom_they_show(workspace: Workspace) -> None:
    assert workspace.statistics().counts["anchors"] == {
        "expression: happy, inside": 2,
        "expression: sad, inside": 2,
        "reference, inside": 2,
        "expression: fear, inside": 1,
        "global, inside": 1,
        "viewpoint: front, inside": 1,
        "viewpoint: left, inside": 1,
    }


def test_accuracy_before_and_after_goes_by_what_people_say_of_the_pictures(workspace: Workspace) -> None:
    """Of faces 0 to 3 people say happy, sad, neutral, neutral: before, 0 and 3 are right; after, 0 and 1, and 3 is gone."""
    for frame, choice in enumerate(("happy", "sad", "neutral", "neutral")):
        vote(workspace, frame, choice)
    vote(workspace, 4, "unsure")
    vote(workspace, 6, "front")
    vote(workspace, 7, "none")
    workspace.status()  # projects the votes
    with Snapshot(workspace.catalog).of(PLAN) as now:
        assert anchor_accuracy(now) == (
            AnchorAccuracy(
                kind="viewpoint", told_before=2, right_before=1, told_after=2, right_after=1, before=0.5, after=0.5
            ),
            AnchorAccuracy(
                kind="expression", told_before=4, right_before=2, told_after=3, right_after=2, before=0.5, after=2 / 3
            ),
        )
        by_people = [row for row in anchor_checks(now) if row.by == "people"]
        assert by_people == [
            AnchorCheck(kind="viewpoint", by="people", kept=1, dropped=1),
            AnchorCheck(kind="expression", by="people", kept=2, corrected=2, unsure=1),
        ]
    figures = workspace.statistics()
    tables = [block for block in statistics_sections(figures)[0].blocks if isinstance(block, Table)]
    cells = [row for table in tables for row in table.rows]
    assert ("expression", "judge", "3", "1", "1", "1") in cells
    assert ("expression", "0.50", "4", "0.67", "3") in cells


def test_people_who_disagree_evenly_say_nothing(workspace: Workspace) -> None:
    vote(workspace, 0, "happy")
    vote(workspace, 0, "sad", rater="ben")
    vote(workspace, 1, "sad")
    vote(workspace, 1, "sad", rater="ben")
    vote(workspace, 1, "happy", rater="cat")
    workspace.status()
    with Snapshot(workspace.catalog).of(PLAN) as now:
        (row,) = anchor_accuracy(now)
        assert (row.told_before, row.right_before, row.told_after, row.right_after) == (1, 0, 1, 1)
        assert anchor_checks(now)[-1] == AnchorCheck(kind="expression", by="people", corrected=1, unsure=1)


def test_without_the_gate_both_labels_stand(workspace: Workspace) -> None:
    probe, plant, verify, samples = PLAN.steps
    with Snapshot(workspace.catalog).of(replace(PLAN, steps=(probe, plant, Step(verify.stage), samples))) as now:
        assert now.counts()["anchors"] == 9 + len(OTHERS)


def test_people_are_shown_each_picture_once_without_its_label(workspace: Workspace) -> None:
    trials = workspace.next_trials(study_id=ANCHORS_STUDY, rater="ann", limit=20)
    assert sorted(trial.form for trial in trials) == ["anchor_label_expression"] * 6 + ["anchor_label_viewpoint"] * 2
    assert {trial.item_id for trial in trials} == set(anchors(workspace).values())
    for trial in trials:
        (stimulus,) = trial.stimuli
        assert (stimulus.slot, stimulus.text, trial.scores) == ("anchor", "", ())
        assert Path(workspace.media(media_id=stimulus.media or "").path).is_file()
        (question,) = load_form(trial.form).questions
        assert trial.form.endswith(question.name)
    state = workspace.queue_state(study_id=ANCHORS_STUDY, rater="ann")
    assert (state.total, state.judged, state.left) == (8, 0, 8)
    vote(workspace, 3, "neutral")
    assert workspace.queue_state(study_id=ANCHORS_STUDY, rater="ann").left == 7
    assert workspace.queue_state(study_id=ANCHORS_STUDY, rater="ben").left == 8
    again = workspace.next_trials(study_id=ANCHORS_STUDY, rater="ann", limit=20)
    assert anchors(workspace)[3] not in {trial.item_id for trial in again}


def test_a_form_of_another_kind_of_anchor_does_not_exist() -> None:
    with pytest.raises(ProjectError, match="anchor_label_global"):
        load_form("anchor_label_global")


def test_of_a_clip_that_was_taken_out_no_anchor_is_shown_not_even_one_that_the_judge_held_back(
    workspace: Workspace,
) -> None:
    clips = workspace.items(kind="clip").ids
    workspace.exclude(selection=Selection(kind="clip", ids=clips), rater="ann", reason="")
    assert workspace.next_trials(study_id=ANCHORS_STUDY, rater="ann", limit=20) == ()
    assert workspace.queue_state(study_id=ANCHORS_STUDY, rater="ann").total == 0
