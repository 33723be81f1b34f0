"""Where the judge of pairs and people agree, criterion by criterion, against a table worked out by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

import pytest

from backend.domain import (
    VERIFY_STUDY,
    Appearance,
    Clip,
    Context,
    Item,
    Ok,
    Pair,
    Record,
    Resources,
    Result,
    Score,
    Subject,
    Video,
    Vote,
)
from backend.domain.statistics import JudgeAgreement
from backend.engine.plan import Plan, Step
from backend.measures.intervals import wilson
from backend.report.page import Table
from backend.report.statistics import statistics_sections
from backend.stages.ingest import ProbeSource
from backend.workspace import Workspace
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import write_toy_video

UNSURE, NOBODY = "unsure: the judge chose unsure", "unavailable: no judge is set"
JUDGED: tuple[dict[str, float | str], ...] = (
    {"identity": 1, "face": 1, "context": 1, "scene": 1},
    {"identity": 0, "face": 0, "context": 0, "scene": 1},
    {"identity": 0, "face": 0},
    {"identity": 1, "face": 1},
    {"identity": 0, "face": 1, "clothing": 0},
    {"identity": UNSURE, "face": UNSURE, "context": 0, "scene": 0},
    {"identity": 1, "face": 1},
    {"identity": NOBODY, "face": NOBODY},
)
"""Of pairs 0 to 7."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantJudgedPairs:
    """A clip, one subject a pair and the one that they are paired with, and what the judge says of each pair."""

    name: ClassVar[str] = "plant_judged_pairs"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Clip, Subject, Appearance, Pair, Score)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, self._rows(item)) for item in items]

    def _rows(self, item: Item) -> list[Record]:
        clip = Clip(video_id=item.id, start_frame=0, stop_frame=20, start_s=0, stop_s=0.8, opens_with="start")
        rows: list[Record] = [clip]
        ends = []
        for number in range(len(JUDGED) + 1):
            subject = Subject(clip_id=clip.id, track_id=f"t{number}", phrase=None, category="woman", is_living=True)
            view = Appearance(
                subject_id=subject.id, frame=number, box=(0.0, 0.0, 30.0, 40.0), confidence=0.9, origin="video"
            )
            rows += [subject, view]
            ends.append((subject, view))
        (other, reference), *targets = ends
        for (subject, target), judged in zip(targets, JUDGED, strict=True):
            pair = Pair(
                target_subject_id=subject.id,
                target_appearance_id=target.id,
                reference_subject_id=other.id,
                reference_appearance_id=reference.id,
                kind="cross_frame",
            )
            rows.append(pair)
            for name, said in judged.items():
                value, reason = (None, said) if isinstance(said, str) else (float(said), None)
                rows.append(Score(target=pair.id, name=f"judged_{name}", value=value, producer="planted", reason=reason))
        return rows


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace(tmp_path / "project", create=True)
    opened.plan = Plan(steps=(Step(ProbeSource()), Step(PlantJudgedPairs())))
    opened.ingest(paths=(str(write_toy_video(tmp_path / "toy.mp4")),))
    curated(opened)
    yield opened
    opened.close()


def told(
    workspace: Workspace,
    number: int,
    choice: str,
    *reasons: str,
    context: str = "",
    rater: str = "ann",
    kind: str = "person",
) -> None:
    """A vote on the pair of that number, and on its context where one is said."""
    ((pair,),) = workspace.catalog.query(
        "SELECT p.id FROM pair p JOIN appearance a ON a.id = p.target_appearance_id WHERE a.frame = ?", [number + 1]
    )
    said = [("same", choice, reasons)] + ([("context", context, ())] if context else [])
    workspace.submit_votes(
        votes=tuple(
            Vote(
                id=f"{rater}-{number}-{question}", rev=1, study_id=VERIFY_STUDY, trial_id=f"{rater}-{number}", item_id=pair,
                rater=rater, rater_kind=kind, question=question, choice=value, reasons=why, made_at="2026-01-01T00:00:00Z",
            )
            for question, value, why in said
        )
    )  # fmt: skip


def test_agreement_of_each_criterion_is_what_hands_count(workspace: Workspace) -> None:
    assert workspace.statistics().judge_agreement == (), "nobody has said anything"
    told(workspace, 0, "same", context="yes")
    told(workspace, 1, "same", context="no")
    told(workspace, 2, "different", "face")
    told(workspace, 3, "different", "face")
    told(workspace, 3, "different", "clothing", rater="ben")
    told(workspace, 4, "different", "clothing")
    told(workspace, 5, "near_duplicate")
    told(workspace, 6, "same")
    told(workspace, 6, "different", "face", rater="ben")  # disputed
    told(workspace, 7, "same")
    told(workspace, 7, "different", "face", rater="model", kind="model")
    found = workspace.statistics()

    def row(name: str, counts: tuple[int, ...], share: float, kappa: float | None) -> JudgeAgreement:
        both_yes, both_no, only_people, only_judge, unsure = counts
        low, high = wilson(share, sum(counts[:4]))
        return JudgeAgreement(
            criterion=name, both_yes=both_yes, both_no=both_no, only_people=only_people, only_judge=only_judge,
            unsure=unsure, agreement=share, agreement_low=low, agreement_high=high,
            kappa=None if kappa is None else cast(float, pytest.approx(kappa)),
        )  # fmt: skip

    assert found.judge_agreement == (
        row("identity", (1, 2, 1, 1, 1), 3 / 5, (0.6 - 0.52) / 0.48),
        row("face", (1, 1, 1, 1, 1), 1 / 2, 0.0),
        row("clothing", (0, 1, 0, 0, 0), 1.0, None),
        row("context", (1, 2, 0, 0, 0), 1.0, 1.0),
        row("scene", (0, 1, 0, 1, 0), 1 / 2, 0.0),
    )
    cells = [cell for block in statistics_sections(found)[0].blocks if isinstance(block, Table) for cell in block.rows]
    assert ("Clothing", "0", "1", "0", "0", "0", "1.00", "0.21 to 1.00", "–") in cells
