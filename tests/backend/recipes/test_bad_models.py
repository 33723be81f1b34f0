"""Models that answer nonsense, checkpoints that cannot be used, films and captions that no model can help: `status` names each."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from backend.api import Status
from backend.domain import Source
from backend.engine.context import WorkerSettings, load
from backend.engine.crews import Inline
from backend.engine.plan import Plan
from backend.engine.run import PlanRun
from backend.media.writer import write_video
from backend.models import MODELS
from backend.models.places import model_id_of
from backend.recipes import RECIPES
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from backend.workspace.status import status_of
from tests.backend.stages.moving_things import MovingThings

pytestmark = pytest.mark.slow

PLANTED = "tests.backend.recipes.bad_models:"
STEPS = (
    "probe_source",
    "split_shots",
    "caption_clips",
    "extract_phrases",
    "find_subjects",
    "segment_subjects",
    "embed_appearances",
)
"""What asks the planted roles, and what that needs."""


@dataclass
class Project:
    """A catalog of one film, which the cases share: what one has computed the next one finds."""

    catalog: Catalog
    folder: Path

    def status(
        self,
        roles: Mapping[str, str],
        models: Mapping[str, str] | None = None,
        *,
        to: str = STEPS[-1],
        steps: Sequence[str] = STEPS,
    ) -> Status:
        """After a run of the steps as far as `to` with these implementations in place of the embedded ones."""
        paths = {role: found["embedded"] for role, found in MODELS.items() if "embedded" in found}
        paths |= {"Detector": f"{PLANTED}Sound"} | dict(roles)
        (self.folder / "artifacts").mkdir(exist_ok=True)
        settings = WorkerSettings(artifacts=self.folder / "artifacts", roles=paths, models=models or {}, device="cpu")
        wanted = steps[: steps.index(to) + 1]
        recipe = RECIPES["phantom"](dict.fromkeys(paths, "embedded"))
        plan = Plan(
            steps=tuple(step for step in recipe if step.stage.name in wanted),
            model_ids={role: model_id_of(role, load(path), settings.models) for role, path in paths.items()},
        )
        plan = plan.with_gates({g.name: 1e9 if "<" in g.comparison else -1e9 for g in plan.gates()})
        crew = Inline(settings)
        try:
            PlanRun(catalog=self.catalog, artifacts=Artifacts(settings.artifacts), plan=plan, crew=crew)()
        finally:
            crew.close()
        with Snapshot(self.catalog).of(plan) as now:
            return status_of(now, plan)


def opened(folder: Path, *, caption: str = "") -> Project:
    film = folder / "film.mp4"
    reader = MovingThings([((240, 140), (1, 0), (80, 70))])
    write_video(film, reader.at(range(reader.num_frames)), fps=24)
    if caption:
        film.with_suffix(".txt").write_text(caption, encoding="utf-8")
    catalog = Catalog(folder / "catalog.duckdb")
    stat = film.stat()
    source = Source(uri=str(film), num_bytes=stat.st_size, modified_ns=stat.st_mtime_ns)
    catalog.add_records([source], work_key="listed")
    return Project(catalog, folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    found = opened(tmp_path_factory.mktemp("bad-models"), caption="A red dog runs.")
    yield found
    found.catalog.close()


def remarks(status: Status) -> set[tuple[str, str, str, int]]:
    return {(row.stage, row.state, row.reason, row.num_items) for row in status.remarks}


def failures(status: Status) -> set[tuple[str, str, str]]:
    assert all(row.name.startswith("film.mp4 ") for row in status.failures), "each names its file"
    return {(row.stage, row.state, row.kind) for row in status.failures}


def test_beside_sound_models_nothing_is_said_of_boxes_phrases_and_vectors(project: Project) -> None:
    status = project.status({})
    assert failures(status) == set()
    assert not {row.stage for row in status.remarks} & {"find_subjects", "extract_phrases", "embed_appearances"}
    assert (status.counts["clips"], status.counts["subjects"], status.counts["appearances"]) == (1, 1, 3)


@pytest.mark.parametrize(
    ("detector", "said", "subjects"),
    [
        ("Outside", {("find_subjects", "warned", "boxes empty or outside of the picture: 3", 1)}, 1),
        ("Unasked", {("find_subjects", "warned", "boxes with a label that was not asked for: 3", 1)}, 1),
        (
            "NotANumber",
            {
                (
                    "find_subjects",
                    "filtered",
                    "no subject stands out on 3 frames; boxes with numbers that are not finite: 3",
                    1,
                )
            },
            0,
        ),
        ("Blind", {("find_subjects", "filtered", "no subject stands out on 3 frames", 1)}, 0),
    ],
)
def test_what_a_detector_should_not_have_said_is_a_remark(
    project: Project, detector: str, said: set[tuple[str, str, str, int]], subjects: int
) -> None:
    status = project.status({"Detector": PLANTED + detector}, to="find_subjects")
    assert said <= remarks(status)
    assert status.states == {"ok": 1}
    assert status.counts["subjects"] == subjects
    assert project.catalog.query("SELECT count(*) FROM subject WHERE phrase = 'a spaceship'") == [(0,)]


@pytest.mark.parametrize(
    ("role", "planted", "failed", "word"),
    [
        ("PhraseExtractor", "Prose", ("extract_phrases", "failed", "phrases_unreadable"), "JSON"),
        ("AppearanceEmbedder", "NanVectors", ("embed_appearances", "failed", "not_finite"), "nan-vectors-1"),
    ],
)
def test_an_answer_that_is_none_fails_its_items_by_name(
    project: Project, role: str, planted: str, failed: tuple[str, str, str], word: str
) -> None:
    status = project.status({role: PLANTED + planted}, to=failed[0])
    assert failures(status) == {failed}
    assert all(word in row.message for row in status.failures)
    assert status.counts["clips"] == 1


def test_captions_in_a_script_that_is_not_read_are_told(tmp_path: Path) -> None:
    project = opened(tmp_path, caption="赤い犬が走っている。")
    status = project.status({}, to="find_subjects")
    said = "captions in ja are not read, only in en, zh"
    assert ("extract_phrases", "filtered", said, 1) in remarks(status)
    assert (status.counts["captions"], status.counts["subjects"]) == (1, 1), "what needs no words goes on"
    project.catalog.close()


@pytest.mark.parametrize("damage", ["truncated", "another network's weights", "another network"])
@pytest.mark.parametrize("role", ["Detector", "Segmenter"])
def test_a_checkpoint_that_cannot_be_used_fails_what_asks_it(
    project: Project, tmp_path: Path, checkpoints: Mapping[str, Path], role: str, damage: str
) -> None:
    own, other = checkpoints[role], checkpoints["Segmenter" if role == "Detector" else "Detector"]
    folder = tmp_path / "weights"
    shutil.copytree(other if damage == "another network" else own, folder)
    weights = folder / "model.safetensors"
    if damage == "truncated":
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    elif damage != "another network":
        shutil.copy(other / "model.safetensors", weights)
    stage = {"Detector": "find_subjects", "Segmenter": "segment_subjects"}[role]
    status = project.status({role: MODELS[role]["paper"]}, {role: str(folder)}, to=stage)
    assert failures(status) == {(stage, "failed", "model_unavailable")}
    assert all(str(folder) in row.message and "Traceback" not in row.message for row in status.failures)
    assert status.counts["clips"] == 1


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    pytest.importorskip("torch")
    from tests.backend.models import tiny_grounding

    folder = tmp_path_factory.mktemp("tiny")
    return {
        "Detector": tiny_grounding.save_grounding_dino(folder / "dino"),
        "Segmenter": tiny_grounding.save_sam2(folder / "sam"),
    }
