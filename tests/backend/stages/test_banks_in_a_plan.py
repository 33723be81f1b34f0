"""Videos and pictures through a real plan: made videos, real stages, banks below the project."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest

from backend.domain import ModelUnavailable, Source
from backend.engine.context import WorkerSettings
from backend.engine.crews import Inline
from backend.engine.plan import Gate, Plan, Step
from backend.engine.run import PlanRun, RunSummary
from backend.media.images import encode_png
from backend.media.writer import write_video
from backend.models import MODELS
from backend.stages.bank_pairs import PairAcross
from backend.stages.banks import BuildBanks
from backend.stages.embedding import EmbedAppearances
from backend.stages.ingest import ProbeSource
from backend.stages.masks import SegmentSubjects
from backend.stages.pair_verification import VerifyPairsAcross
from backend.stages.picture_subjects import FindPictureSubjects
from backend.stages.shots import SplitShots
from backend.stages.subjects import FindSubjects
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot

ROLES = ("Detector", "Segmenter", "AppearanceEmbedder", "BackgroundEmbedder", "FaceEmbedder")
MARGIN = Gate(record="pair", score="bank_cosine", comparison=">=", value=0.45, source="test")
PLAN = Plan(
    steps=(
        Step(ProbeSource()),
        Step(SplitShots()),
        Step(FindSubjects()),
        Step(SegmentSubjects()),
        Step(EmbedAppearances()),
        Step(FindPictureSubjects()),
        Step(BuildBanks()),
        Step(PairAcross(), (MARGIN,)),
    )
)


def toy(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (14, 10, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1)


def write_film(path: Path, *, look: int, place: int) -> None:
    """A toy that moves over a ground of soft colours for three seconds."""
    ground = np.random.default_rng(100 + place).integers(40, 200, (5, 8, 3), np.uint8)
    ground = cv2.resize(ground, (320, 180), interpolation=cv2.INTER_CUBIC)

    def frame(n: int) -> np.ndarray:
        picture = ground.copy()
        left = 40 + 4 * n
        picture[36:148, left : left + 80] = toy(look)
        return picture

    write_video(path, (frame(n) for n in range(36)), fps=12)


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    write_film(folder / "a.mp4", look=1, place=1)
    write_film(folder / "b.mp4", look=1, place=2)
    cut = np.dstack([toy(1), np.full((112, 80), 255, np.uint8)])
    (folder / "toy.png").write_bytes(encode_png(np.pad(cut, ((30, 30), (40, 40), (0, 0)))))
    return folder


class Project:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.catalog = Catalog(root / "catalog.duckdb")
        self.settings = WorkerSettings(
            artifacts=root / "artifacts", roles={role: MODELS[role]["embedded"] for role in ROLES}
        )

    def take(self, *paths: Path) -> None:
        rows = [
            Source(uri=str(path), num_bytes=path.stat().st_size, modified_ns=path.stat().st_mtime_ns, licence="CC0-1.0")
            for path in paths
        ]
        self.catalog.add_records(rows, work_key="listed")

    def run(self, *, until: str = "", plan: Plan = PLAN) -> RunSummary:
        """Runs the plan; with `until`, it is cancelled when that stage begins."""
        crew, cancelled = Inline(self.settings), Event()

        def progress(stage: str, done: int, total: int) -> None:
            if until and stage.startswith(until):
                cancelled.set()

        try:
            return PlanRun(
                catalog=self.catalog,
                artifacts=Artifacts(self.settings.artifacts),
                plan=plan,
                crew=crew,
                cancelled=cancelled,
                progress=progress,
            )()
        finally:
            crew.close()

    def pairs(self) -> set[tuple[str, str]]:
        with Snapshot(self.catalog).of(PLAN) as now:
            rows = now.query(
                """SELECT s.uri, r.uri FROM kept_pair k JOIN pair p ON p.id = k.id AND p.work_key = k.work_key
                JOIN kept_appearance a ON a.id = p.target_appearance_id JOIN source s ON s.id = a.source_id
                JOIN kept_appearance b ON b.id = p.reference_appearance_id JOIN source r ON r.id = b.source_id"""
            )
        return {(Path(target).name, Path(reference).name) for target, reference in rows}

    def catalog_hash(self) -> str:
        with Snapshot(self.catalog).of(PLAN) as now:
            return now.catalog_hash()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    made.catalog.close()


@pytest.mark.slow
def test_a_picture_and_a_film_are_references_across_sources(project: Project, media: Path) -> None:
    project.take(media / "a.mp4", media / "b.mp4", media / "toy.png")
    summary = project.run()
    assert summary.failed == 0
    assert project.pairs() == {("b.mp4", "a.mp4"), ("a.mp4", "toy.png"), ("b.mp4", "toy.png")}
    assert project.run().worked == {}
    assert {path.name for path in (project.root / "index" / "banks").iterdir()} == {"appearance", "face", "person"}


@pytest.mark.slow
def test_a_film_added_later_is_paired_and_nothing_before_it_is_done_again(project: Project, media: Path) -> None:
    project.take(media / "a.mp4", media / "toy.png")
    project.run()
    assert project.pairs() == {("a.mp4", "toy.png")}
    shutil.rmtree(project.root / "index")  # what is derived may be lost
    project.take(media / "b.mp4")
    worked = project.run().worked
    assert (worked["probe_source"], worked["build_banks"], worked["pair_across"]) == (1, 1, 1)
    assert project.pairs() == {("a.mp4", "toy.png"), ("b.mp4", "a.mp4"), ("b.mp4", "toy.png")}


@pytest.mark.slow
def test_a_judge_is_shown_frames_of_both_films(project: Project, media: Path) -> None:
    judge = "tests.backend.stages.answered_judges:Agreeing"
    project.settings = replace(project.settings, roles={**project.settings.roles, "Judge": judge})
    plan = Plan(steps=(*PLAN.steps, Step(VerifyPairsAcross())), model_ids={"Judge": "agreeing-1"})
    project.take(media / "a.mp4", media / "b.mp4", media / "toy.png")
    assert project.run(plan=plan).failed == 0
    with Snapshot(project.catalog).of(plan) as now:
        pairs = now.query("SELECT count(*) FROM kept_pair")[0][0]
        rows = now.query("SELECT value, evidence FROM live_score WHERE name = 'judged_context'")
    assert len(rows) == pairs > 0
    assert {value for value, _ in rows} == {1.0}
    told = [json.loads(file.read_text())["answer"] for file in (project.root / "index" / "answers").rglob("*.json")]
    assert {answer["model"] for answer in told} == {"agreeing-1"}
    shutil.rmtree(project.root / "index" / "banks")
    assert project.run(plan=plan).worked == {}


@pytest.mark.slow
def test_interrupted_runs_end_with_the_equal_catalog(project: Project, media: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Project(tmp_path / "other")
    for each in (project, other):
        each.take(media / "a.mp4", media / "b.mp4", media / "toy.png")
    project.run()
    for stage in ("find_picture_subjects", "build_banks", "pair_across"):
        assert other.run(until=stage).cancelled
    other.run()
    assert other.catalog_hash() == project.catalog_hash()
    other.catalog.close()


def test_an_unbound_role_is_named(project: Project, media: Path) -> None:
    project.settings = WorkerSettings(artifacts=project.root / "artifacts", roles={})
    project.take(media / "toy.png")
    plan = Plan(steps=(Step(FindPictureSubjects()),))
    PlanRun(
        catalog=project.catalog, artifacts=Artifacts(project.settings.artifacts), plan=plan, crew=Inline(project.settings)
    )()
    assert project.catalog.query("SELECT state, kind FROM work") == [("failed", ModelUnavailable.kind)]
