"""Each recipe on a sample world with planted roles: what stands in the catalog is what can be counted from the truth by hand."""

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from backend.domain import Source
from backend.engine.context import WorkerSettings
from backend.engine.crews import Inline
from backend.engine.plan import Plan
from backend.engine.run import PlanRun, RunSummary
from backend.models.classical_phrases import KinshipPhrases
from backend.models.places import model_id_of
from backend.recipes import RECIPES
from backend.sampleworld import ShotTruth, render_world
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from tests.backend.recipes import planted
from tests.promises import Tally
from tests.thorough import quick

pytestmark = pytest.mark.slow

SAMPLE_AT = (0.05, 0.5, 0.95)
ROLES = {
    "Detector": planted.PlantedDetector,
    "Segmenter": planted.PlantedSegmenter,
    "TextSpotter": planted.PlantedSpotter,
    "PhraseEmbedder": KinshipPhrases,
    "PhraseExtractor": planted.PlantedPhrases,
    "Captioner": planted.PlantedCaptioner,
    "SafetyFilter": planted.PlantedSafety,
    "AppearanceEmbedder": planted.PlantedAppearance,
    "BackgroundEmbedder": planted.PlantedBackground,
    "FaceEmbedder": planted.PlantedNoFace,
    "AestheticScorer": planted.PlantedScorer,
    "TechnicalScorer": planted.PlantedScorer,
    "Judge": planted.PlantedJudge,
    "FaceWatcher": planted.PlantedFaces,
    "PoseEstimator": planted.PlantedPose,
    "SyncScorer": planted.PlantedSync,
    "ExpressionClassifier": planted.PlantedExpressions,
    "LogoFinder": planted.PlantedLogos,
    "Inpainter": planted.PlantedPainter,
}
OPEN = {
    "appearance.completeness.min": -1.0,
    "appearance.specificity.min": -1.0,
    "appearance.brightness.min": -1.0,
    "appearance.brightness.max": 999.0,
    "appearance.clipped.max": 2.0,
    "appearance.sharpness.min": -1.0,
    "appearance.frontal_face.min": -1.0,
    "clip.motion.min": -1.0,
    "clip.human.min": -1.0,
    "clip.face_span_frames.min": -1.0,
    "clip.single_person.min": -1.0,
    "pair.near_duplicate.max": 2.0,
}
"""Gates on pixels, which truth says nothing of, stand open; those that can be counted by hand keep their values."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted-world")
    render_world(folder, seed=1, videos=1, duration_s=15.0)
    return folder


@dataclass
class Project:
    """A catalog that recipes share: what one has computed the next one finds."""

    catalog: Catalog
    folder: Path
    world: Path

    def settings(self, roles: dict[str, type]) -> WorkerSettings:
        paths = {role: f"{kind.__module__}:{kind.__name__}" for role, kind in roles.items()}
        (self.folder / "artifacts").mkdir(exist_ok=True)
        return WorkerSettings(
            artifacts=self.folder / "artifacts", roles=paths, models=dict.fromkeys(roles, str(self.world))
        )

    def plan(self, recipe: str, roles: dict[str, type]) -> Plan:
        models = dict.fromkeys(roles, str(self.world))
        steps = RECIPES[recipe](dict.fromkeys(roles, "paper") | {"SyncScorer": "embedded"})  # nobody here has a face
        ids = {role: model_id_of(role, kind, models) for role, kind in roles.items()}
        plan = Plan(steps=steps, model_ids=ids)
        known = {gate.name for gate in plan.gates()}
        return plan.with_gates({name: value for name, value in OPEN.items() if name in known})

    def run(self, plan: Plan, roles: dict[str, type], *, stop_after: int | None = None) -> RunSummary:
        """With `stop_after` the run is cancelled once so many batches were committed."""
        crew, stop, told = Inline(self.settings(roles)), Event(), itertools.count(1)

        def progress(stage: str, done: int, total: int) -> None:
            if next(told) == stop_after:
                stop.set()

        artifacts = Artifacts(self.folder / "artifacts")
        try:
            return PlanRun(
                catalog=self.catalog, artifacts=artifacts, plan=plan, crew=crew, cancelled=stop, progress=progress
            )()
        finally:
            crew.close()

    def hash_of(self, plan: Plan) -> str:
        with Snapshot(self.catalog).of(plan) as now:
            return now.catalog_hash()

    def counted(self, plan: Plan) -> dict[str, int]:
        with Snapshot(self.catalog).of(plan) as now:
            samples = dict(
                now.query(
                    "SELECT s.kind, count(*) FROM kept_sample k JOIN sample s ON s.id = k.id AND s.work_key = k.work_key GROUP BY 1"
                )
            )
            counts = now.counts()
            names = ("clips", "subjects", "appearances", "masks", "pairs", "in_pairs")
            return {name: counts[name] for name in names} | {f"{kind} samples": n for kind, n in samples.items()}


@contextmanager
def opened(world: Path, folder: Path) -> Iterator[Project]:
    catalog = Catalog(folder / "catalog.duckdb")
    videos = sorted((world / "videos").glob("*.mp4"))
    sources = [Source(uri=str(f.resolve()), num_bytes=f.stat().st_size, modified_ns=f.stat().st_mtime_ns) for f in videos]
    catalog.add_records(sources, work_key="listed")
    yield Project(catalog, folder, world)
    catalog.close()


@pytest.fixture(scope="module")
def project(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with opened(world, tmp_path_factory.mktemp("planted-project")) as found:
        yield found


def by_hand(world: Path, *, without: Collection[int] = (), alike: Mapping[str, str] | None = None) -> dict[str, int]:
    """Counts from the truth alone: Phantom-Data's boxes on three frames, and every two clips of one identity.

    `without` these shots; `alike` names identities that are taken for another.
    """
    counts: dict[str, int] = defaultdict(int)
    links: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    clips_with: dict[str, set[int]] = {"cross_pair samples": set(), "in_pair samples": set()}
    for video in planted.truth_of(world).videos:
        area = (video.content[2] - video.content[0]) * (video.content[3] - video.content[1])
        for number, shot in enumerate(video.shots):
            if number in without:
                continue
            counts["clips"] += 1
            frames = [shot.start_frame + int(at * (shot.stop_frame - shot.start_frame - 1)) for at in SAMPLE_AT]
            kept: dict[str, int] = defaultdict(int)
            seen: set[str] = set()
            for frame in sorted(set(frames)):
                for subject, (x0, y0, x1, y1) in planted.present(video, frame):
                    seen.add(subject.identity)
                    share = (x1 - x0) * (y1 - y0) / area
                    if 0.04 <= share <= 0.9 and min(x1 - x0, y1 - y0) >= 128:
                        kept[subject.identity] += 1
            counts["subjects"] += len(seen)
            counts["appearances"] += sum(kept.values())
            for name, views in kept.items():
                links[(alike or {}).get(name, name)].append((number, shot.context, views))
                if views >= 2:
                    counts["in_pairs"] += 1
                    clips_with["in_pair samples"].add(number)
    for places in links.values():
        for (i, here, n), (j, there, m) in itertools.combinations(places, 2):
            if here != there:
                counts["pairs"] += min(2, n * m)
                clips_with["cross_pair samples"] |= {i, j}
    counts["masks"] = counts["appearances"]
    return dict(counts) | {name: len(clips) for name, clips in clips_with.items() if clips}


@pytest.mark.parametrize("recipe", RECIPES)
def test_counts_are_those_worked_out_by_hand(recipe: str, project: Project) -> None:
    plan = project.plan(recipe, ROLES)
    summary = project.run(plan, ROLES)
    assert summary.failed == 0
    found, wanted = project.counted(plan), by_hand(project.world)
    if recipe in ("gloria", "full"):  # sides of people are appearances of their own
        assert found.pop("appearances") >= wanted.pop("appearances")
    assert found == wanted


def test_a_clip_with_technical_faults_is_held_back_with_all_that_is_its(project: Project) -> None:
    roles = {**ROLES, "TechnicalScorer": planted.SpoiltFootage}
    plan = project.plan("opens2v", roles)
    project.run(plan, roles)
    spoilt = {n for n, shot in enumerate(planted.truth_of(project.world).videos[0].shots) if _only_a_dog(shot)}
    assert spoilt == {2}
    assert project.counted(plan) == {"pairs": 0, **by_hand(project.world, without=spoilt)}
    loose = plan.with_gates({"clip.technical.min": -1.0})
    project.run(loose, roles)
    assert project.counted(loose) == by_hand(project.world)


def test_look_alikes_of_other_names_are_no_pair(project: Project) -> None:
    """The eyes take a cow and a dog for one; their phrases do not."""
    roles = {**ROLES, "PhraseExtractor": planted.NamedPhrases, "AppearanceEmbedder": planted.ConfusedAppearance}
    plan = project.plan("opens2v", roles).with_gates({"pair.rival_margin.min": -2.0})
    project.run(plan, roles)
    right, confused = by_hand(project.world), by_hand(project.world, alike={"cow_1": "dog_2"})
    assert confused["pairs"] == 2 * right["pairs"] > 0
    assert project.counted(plan) == right
    loose = plan.with_gates({"pair.phrase_cosine.min": -1.0})
    project.run(loose, roles)
    assert project.counted(loose)["pairs"] == confused["pairs"]


def test_a_judge_that_denies_everything_leaves_no_pair(project: Project) -> None:
    roles = {**ROLES, "Judge": planted.DenyingJudge}
    plan = project.plan("phantom", roles)
    plan = plan.with_gates({g.name: -1.0 for g in plan.gates() if g.score.startswith("judged_") and g.record != "pair"})
    project.run(plan, roles)
    found = project.counted(plan)
    assert found["pairs"] == 0
    assert found["clips"] == by_hand(project.world)["clips"]
    assert "cross_pair samples" not in found


def test_a_profile_without_a_judge_keeps_what_nobody_denied(project: Project) -> None:
    roles = {role: kind for role, kind in ROLES.items() if role != "Judge"}
    plan = project.plan("phantom", roles)
    project.run(plan, roles)
    assert project.counted(plan) == by_hand(project.world)


def test_recipes_share_what_they_have_in_common(project: Project) -> None:
    """After `full` nothing that it computes with equal settings is computed again."""
    project.run(project.plan("full", ROLES), ROLES)
    again = project.run(project.plan("phantom", ROLES), ROLES)
    shared = {"probe_source", "split_shots", "find_borders", "find_overlays", "find_subjects", "segment_subjects"}
    assert shared.isdisjoint(again.worked)


def test_moving_a_gate_hides_rows_and_runs_nothing_before_it(project: Project) -> None:
    plan = project.plan("phantom", ROLES)
    project.run(plan, ROLES)
    tighter = replace(plan.with_gates({"pair.similarity.min": 0.99}))
    assert project.counted(tighter)["pairs"] == 0
    worked = project.run(tighter, ROLES).worked
    assert set(worked) <= {
        "diverse_contexts", "verify_pairs", "verify_pairs_across", "select_anchors", "assemble_samples", "build_banks", "pair_across", "match_logos", "match_logos_across",
    }  # fmt: skip


@pytest.mark.promise(
    "A curation that is stopped at random moments, by whatever recipe, ends with the catalog of one that nobody stopped",
    area="Durability",
    goal="equal hashes after 20 stops of each of 5 recipes",
    control="tests/backend/recipes/test_planted.py::test_a_run_that_is_not_taken_up_again_has_another_hash",
)
@pytest.mark.parametrize("recipe", quick(("full",), RECIPES))
def test_a_run_that_is_interrupted_ends_as_one_that_is_not(
    recipe: str, project: Project, world: Path, tmp_path: Path, long: bool, tally: Tally
) -> None:
    whole = project.plan(recipe, ROLES)
    project.run(whole, ROLES)
    rng = np.random.default_rng(7)
    with opened(world, tmp_path) as broken:
        plan = broken.plan(recipe, ROLES)
        asked, stopped = 20 if long else 4, 0
        for _ in range(asked):
            stopped += broken.run(plan, ROLES, stop_after=int(rng.integers(1, 4))).cancelled
        assert stopped >= asked / 2, "later runs find little left to do"
        last = broken.run(plan, ROLES)
        assert not last.cancelled
        assert broken.run(plan, ROLES).worked == {}
        is_equal = broken.hash_of(plan) == project.hash_of(whole)
        tally.record(stopped, lost=0 if is_equal else stopped)
        assert is_equal


@pytest.mark.thorough
def test_a_run_that_is_not_taken_up_again_has_another_hash(project: Project, world: Path, tmp_path: Path) -> None:
    whole = project.plan("phantom", ROLES)
    project.run(whole, ROLES)
    with opened(world, tmp_path) as broken:
        plan = broken.plan("phantom", ROLES)
        assert broken.run(plan, ROLES, stop_after=2).cancelled
        assert broken.hash_of(plan) != project.hash_of(whole)


def _only_a_dog(shot: ShotTruth) -> bool:
    return [subject.category for subject in shot.subjects] == ["dog"]
