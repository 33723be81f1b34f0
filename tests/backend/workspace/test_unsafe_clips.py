"""A clip that the safety check flags is in no study: not on Verify, not in audits, anchors, subjects, cases or A/B studies.

The toy world's second clip is flagged, once by its caption, once by what stands written in it, once by its look. With the
gate open the same clip is offered everywhere, and half answered; then the gate closes.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from backend.domain import (
    ANCHORS_STUDY,
    CASES_STUDY,
    SUBJECTS_STUDY,
    VERIFY_STUDY,
    Anchor,
    Appearance,
    Caption,
    Clip,
    Context,
    Embedding,
    Item,
    Mask,
    Pair,
    ProjectError,
    Record,
    Score,
    Subject,
    Vote,
)
from backend.domain.library import Selection
from backend.domain.roles_words import ReadText, SafetyFinding
from backend.engine.context import WorkerSettings
from backend.engine.crews import Inline
from backend.engine.plan import Gate, Plan, Step
from backend.engine.run import PlanRun
from backend.models.safety_words import WordSafety
from backend.stages.audit import AuditPairs
from backend.stages.ingest import ProbeSource
from backend.stages.safety import CheckSafety
from backend.studies.forms import IDENTITY_QUESTION
from backend.workspace import Workspace
from tests.backend.workspace.study_project import named, write_benchmark
from tests.backend.workspace.toy_project import PlantPairs, write_toy_video
from tests.thorough import quick

FLAGGED = 1
"""The clip of frames 10 to 19."""
LIKE_A = SafetyFinding(0.1, "nsfw")
OPEN = {"clip.safety.min": -1.0}


def frame_of(picture: np.ndarray) -> int:
    """The toy's square begins at the column of its frame's number."""
    return int(np.argmax(picture[20, :, 0] > 140))


class Eyes(WordSafety):
    """Thinks that the second clip's pictures are not safe."""

    model_id = "eyes-1"
    has_eyes = True

    def pictures(self, frames: Sequence[np.ndarray]) -> list[SafetyFinding]:
        return [LIKE_A if frame_of(one) // 10 == FLAGGED else SafetyFinding(1.0) for one in frames]


class Sign:
    """A sign that stands in the second clip."""

    model_id = "sign-1"

    def read(self, frame: np.ndarray) -> list[ReadText]:
        return [ReadText("free porn", (0, 0, 9, 9), 0.9)] if frame_of(frame) // 10 == FLAGGED else []


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantMore(PlantPairs):
    """Besides pairs a front view and a vector of each subject; the second clip's caption ends in `more`."""

    name: ClassVar[str] = "plant_more"
    makes: ClassVar[tuple[type, ...]] = (Clip, Caption, Subject, Appearance, Mask, Pair, Score, Anchor, Embedding)

    more: str = ""

    def _rows(self, item: Item, context: Context) -> tuple[Record, ...]:
        rows = PlantPairs._rows(self, item, context)
        clips = [row for row in rows if isinstance(row, Clip)]
        views = [row for row in rows if isinstance(row, Appearance)]
        found = [self._captioned(row, clips[FLAGGED].id) for row in rows]
        for n, (clip, view) in enumerate(zip(clips, views, strict=True)):
            vector = np.eye(3, dtype=np.float32)[n]
            found += [
                Anchor(appearance_id=view.id, clip_id=clip.id, kind="viewpoint", label="front", inside=True),
                Embedding(appearance_id=view.id, space="appearance", model="planted", vector=vector),
            ]
        return tuple(found)

    def _captioned(self, row: Record, clip_id: str) -> Record:
        if isinstance(row, Caption) and row.clip_id == clip_id:
            return replace(row, text=f"{row.text} {self.more}")
        return row


MEANS = {
    "caption": ("A naked man.", {"SafetyFilter": WordSafety}),
    "on-screen words": ("", {"SafetyFilter": WordSafety, "TextReader": Sign}),
    "picture": ("", {"SafetyFilter": Eyes}),
}


@pytest.fixture(params=quick(("on-screen words",), MEANS))
def curated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Workspace, Plan]]:
    """A project that was curated, and its plan with the gate closed; `workspace.plan` has it open."""
    more, roles = MEANS[request.param]
    likeness = Gate(record="pair", score="similarity", comparison=">=", value=0.5, source="planted")
    safety = Gate(record="clip", score="safety", comparison=">=", value=0.5, source="planted")
    closed = Plan(
        steps=(
            Step(ProbeSource()),
            Step(PlantMore(more=more), (likeness,)),
            Step(CheckSafety(), (safety,)),
            Step(AuditPairs()),
        ),
        model_ids={role: kind.model_id for role, kind in roles.items()},
    )
    opened = Workspace(tmp_path / "project", create=True)
    opened.plan = closed.with_gates(OPEN)
    opened.ingest(paths=(str(write_toy_video(tmp_path / "toy.mp4")),))
    bound = {role: f"{kind.__module__}:{kind.__name__}" for role, kind in roles.items()}
    crew = Inline(WorkerSettings(artifacts=opened.layout.artifacts, roles=bound))
    for plan in (opened.plan, closed):
        assert PlanRun(catalog=opened.catalog, artifacts=opened.artifacts, plan=plan, crew=crew)().failed == 0
    yield opened, closed
    opened.close()


def test_a_flagged_clip_is_in_no_standing_study_though_it_was_offered_before(curated: tuple[Workspace, Plan]) -> None:
    workspace, closed = curated
    clips, subjects = clips_in_order(workspace), workspace.items(kind="subject").ids
    asked = workspace.ask_verification(selection=Selection(kind="subject", ids=subjects), rater="ann")
    assert asked.pairs == 2
    assert offered(workspace) == {VERIFY_STUDY: {0, 1, 2}, SUBJECTS_STUDY: {0, 1, 2}, ANCHORS_STUDY: {0, 1, 2}}
    assert len(workspace.embedding_map(space="appearance", method="pca").subject_ids) == 3
    half_judge(workspace)
    assert workspace.status().counts["pairs"] == 2
    workspace.plan = closed
    assert workspace.status().counts["pairs"] == 1, "the flagged clip is the other's reference"
    assert offered(workspace) == {VERIFY_STUDY: {0, 2}, SUBJECTS_STUDY: {0, 2}, ANCHORS_STUDY: {0, 2}}
    assert len(workspace.embedding_map(space="appearance", method="pca").subject_ids) == 2
    with pytest.raises(ProjectError, match="no pairs"):
        workspace.ask_verification(selection=Selection(kind="clip", ids=(clips[FLAGGED],)), rater="ann")
    (gate,) = [row for row in workspace.status().gates if row.score == "safety"]
    assert (gate.entering, gate.dropped) == (3, 1), "it is counted"


@pytest.mark.parametrize("curated", ["picture"], indirect=True)
def test_cases_of_a_flagged_clip_are_in_no_study(curated: tuple[Workspace, Plan], tmp_path: Path) -> None:
    """The second case is of the flagged clip, the third shows it; the second gets another prompt later."""
    workspace, closed = curated
    file = cases_of(workspace, tmp_path / "bench") / "cases.json"
    everything = {"singleobj_1", "singlehuman_2", "singleobj_3", "singlehuman_4"}
    assert workspace.ask_approval(cases=str(file)).cases
    assert cases_up(workspace) == everything == drawn(workspace, file.parent, "open")

    workspace.plan = closed
    assert cases_up(workspace) == {"singleobj_1", "singlehuman_4"} == drawn(workspace, file.parent, "closed")
    raw = json.loads(file.read_text())
    raw["singlehuman_2"]["prompt"] = "A thing number 1 is praised."
    file.write_text(json.dumps(raw))
    workspace.ask_approval(cases=str(file))
    assert cases_up(workspace) == {"singleobj_1", "singlehuman_4"}
    file.write_text(json.dumps({name: raw[name] for name in ("singlehuman_2", "singleobj_3")}))
    with pytest.raises(ProjectError, match="all 2 cases are of clips that the gate"):
        drawn(workspace, file.parent, "none")


def offered(workspace: Workspace) -> dict[str, set[int]]:
    """The clips by number that each standing queue shows this rater."""
    number = {f"p-{clip}": n for n, clip in enumerate(clips_in_order(workspace))}
    found = {}
    for study in (VERIFY_STUDY, SUBJECTS_STUDY, ANCHORS_STUDY):
        trials = workspace.next_trials(study_id=study, rater="ann", limit=9)
        found[study] = {number[one.clip_media] for trial in trials for one in trial.stimuli if one.clip_media}
        assert workspace.queue_state(study_id=study, rater="ann").total == len(trials)
    return found


def clips_in_order(workspace: Workspace) -> list[str]:
    return [
        name for (name,) in workspace.catalog.query("SELECT DISTINCT ON (start_frame) id FROM clip ORDER BY start_frame")
    ]


def cases_of(workspace: Workspace, folder: Path) -> Path:
    """Four cases with videos of three systems: one of each clip, the third's picture from the second clip; the last of none."""
    write_benchmark(folder, cases=4)
    views = dict(workspace.catalog.query("SELECT s.clip_id, a.id FROM appearance a JOIN subject s ON s.id = a.subject_id"))
    clips = clips_in_order(workspace)
    raw = json.loads((folder / "cases.json").read_text())
    for fields, clip, shown in zip(raw.values(), clips, (clips[0], clips[1], clips[FLAGGED]), strict=False):
        fields |= {"clip": clip, "appearances": [views[shown]]}
    (folder / "cases.json").write_text(json.dumps(raw))
    return folder


def cases_up(workspace: Workspace) -> set[str]:
    """Names of the cases that wait for approval, by their prompts."""
    trials = workspace.next_trials(study_id=CASES_STUDY, rater="ann", limit=9)
    assert workspace.queue_state(study_id=CASES_STUDY, rater="ann").total == len(trials)
    said = {trial.stimuli[0].text.rstrip(".").split(" ")[3] for trial in trials}
    return {f"{'singlehuman' if int(k) % 2 else 'singleobj'}_{int(k) + 1}" for k in said}


def drawn(workspace: Workspace, benchmark: Path, name: str) -> set[str]:
    """Cases of an A/B study of two systems."""
    systems = named(benchmark)[:2]
    workspace.create_study(name=name, cases=str(benchmark / "cases.json"), systems=systems, form="ab", trials=2)
    return {item.case_id for item in workspace.study(name=name).items}


def half_judge(workspace: Workspace) -> None:
    """Answers the first question of every pair and subject, so that their trials are to be ended first."""
    for study in (VERIFY_STUDY, SUBJECTS_STUDY):
        for trial in workspace.next_trials(study_id=study, rater="ann", limit=9):
            question = IDENTITY_QUESTION if study == VERIFY_STUDY else workspace.form(name=trial.form).questions[0].name
            vote = Vote(
                id=trial.id, rev=1, study_id=study, trial_id=trial.id, item_id=trial.item_id, rater="ann",
                rater_kind="person", question=question, choice="same" if study == VERIFY_STUDY else "yes",
            )  # fmt: skip
            workspace.submit_votes(votes=(vote,))
