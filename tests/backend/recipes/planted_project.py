"""A project whose roles answer from the truth of the script's world, and what its catalog holds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Event

from backend.domain import Source
from backend.engine.context import WorkerSettings
from backend.engine.crews import Inline
from backend.engine.plan import Plan
from backend.engine.run import PlanRun, RunSummary
from backend.models.classical_phrases import KinshipPhrases
from backend.models.places import model_id_of
from backend.recipes import RECIPES
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from tests.backend.recipes import planted, planted_people

Roles = dict[str, type]
ROLES: Roles = {
    "Detector": planted.PlantedDetector,
    "Segmenter": planted.PlantedSegmenter,
    "TextSpotter": planted_people.OverlaySpotter,
    "PhraseEmbedder": KinshipPhrases,
    "PhraseExtractor": planted_people.TaggedPhrases,
    "Captioner": planted.PlantedCaptioner,
    "SafetyFilter": planted_people.CautiousSafety,
    "AppearanceEmbedder": planted_people.MakersAppearance,
    "BackgroundEmbedder": planted.PlantedBackground,
    "FaceEmbedder": planted.PlantedNoFace,
    "AestheticScorer": planted.PlantedScorer,
    "TechnicalScorer": planted.SpoiltFootage,
    "Judge": planted_people.SadJudge,
    "FaceWatcher": planted_people.PlantedWatcher,
    "PoseEstimator": planted.PlantedPose,
    "SyncScorer": planted_people.PlantedLips,
    "ExpressionClassifier": planted_people.PlantedMoods,
    "LogoFinder": planted_people.LabelReader,
    "Inpainter": planted.PlantedPainter,
    "ClipL14": planted_people.PlantedClip,
    "ReferenceSynthesizer": planted_people.PlantedArtist,
}
OPEN = {
    "appearance.completeness.min": -1.0,
    "appearance.specificity.min": -1.0,
    "appearance.brightness.min": -1.0,
    "appearance.brightness.max": 999.0,
    "appearance.clipped.max": 2.0,
    "appearance.sharpness.min": -1.0,
    "clip.motion.min": -1.0,
    "pair.near_duplicate.max": 2.0,
    "pair.prior.min": -1.0,
    "pair.made_similarity.min": 0.5,
}
"""Gates on pixels, which truth says nothing of, stand open; those that can be counted by hand keep their values. No bound
is known for planted vectors of made pictures, so that one is set."""


@dataclass
class Project:
    """A catalog that recipes share: what one has computed the next one finds."""

    catalog: Catalog
    folder: Path
    world: Path

    def settings(self, roles: Roles) -> WorkerSettings:
        paths = {role: f"{kind.__module__}:{kind.__name__}" for role, kind in roles.items()}
        (self.folder / "artifacts").mkdir(exist_ok=True)
        return WorkerSettings(
            artifacts=self.folder / "artifacts", roles=paths, models=dict.fromkeys(roles, str(self.world))
        )

    def plan(self, recipe: str, roles: Roles) -> Plan:
        steps = RECIPES[recipe](dict.fromkeys(roles, "paper"))
        ids = {role: _model_id(role, kind, self.world) for role, kind in roles.items()}
        plan = Plan(steps=steps, model_ids=ids)
        known = {gate.name for gate in plan.gates()}
        return plan.with_gates({name: value for name, value in OPEN.items() if name in known})

    def run(
        self,
        plan: Plan,
        roles: Roles,
        *,
        stop: Event | None = None,
        told: Callable[[str, int, int], None] = lambda stage, done, total: None,
    ) -> RunSummary:
        """In this process. `stop` cancels the run; `told` is called as `PlanRun` tells of progress."""
        crew = Inline(self.settings(roles))
        artifacts = Artifacts(self.folder / "artifacts")
        try:
            return PlanRun(
                catalog=self.catalog, artifacts=artifacts, plan=plan, crew=crew, cancelled=stop or Event(), progress=told
            )()
        finally:
            crew.close()

    @contextmanager
    def now(self, plan: Plan) -> Iterator[Snapshot]:
        """The catalog as the plan sees it."""
        snapshot = Snapshot(self.catalog)
        try:
            with snapshot.of(plan) as found:
                yield found
        finally:
            snapshot.close()

    def hash_of(self, plan: Plan) -> str:
        with self.now(plan) as now:
            return now.catalog_hash()


@contextmanager
def opened(world: Path, folder: Path) -> Iterator[Project]:
    """The project of a folder, with the world's videos listed once."""
    catalog = Catalog(folder / "catalog.duckdb")
    if not catalog.query("SELECT 1 FROM source LIMIT 1"):
        videos = sorted((world / "videos").glob("*.mp4"))
        sources = [
            Source(uri=str(f.resolve()), num_bytes=f.stat().st_size, modified_ns=f.stat().st_mtime_ns) for f in videos
        ]
        catalog.add_records(sources, work_key="listed")
    try:
        yield Project(catalog, folder, world)
    finally:
        catalog.close()


@lru_cache
def _model_id(role: str, kind: type, world: Path) -> str:
    """Read once: the id has a digest of the world's files."""
    return model_id_of(role, kind, {role: str(world)})
