"""Each recipe with models in their real formats, tiny and random: everything runs and ends in a named state.

Nothing is asserted about the pairs that random weights give.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.domain import Source
from backend.engine.crews import Inline
from backend.engine.run import PlanRun
from backend.media.writer import write_video
from backend.recipes import RECIPES, plan_for, worker_settings
from backend.settings import ProjectSettings
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from backend.workspace.status import status_of
from tests.backend.stages.moving_things import MovingThings
from tests.thorough import quick

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow

OPEN = ("appearance.area_fraction", "appearance.min_side_px", "appearance.completeness", "appearance.specificity", "clip.")
"""Random boxes and captions pass no gate; they stand open, so that the stages behind them have something to do."""
PHRASES = '{"background": [], "subject": ["red dog"], "object": []}'


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Implementation and place of each role that has a tiny checkpoint."""
    from tests.backend.models import tiny_flux, tiny_grounding, tiny_vision, tiny_words
    from tests.metrics import checkpoints_language

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny")
    made = {
        "Detector": ("paper", tiny_grounding.save_grounding_dino(folder / "dino")),
        "Segmenter": ("paper", tiny_grounding.save_sam2(folder / "sam")),
        "AppearanceEmbedder": ("dinov2", tiny_vision.save_dino(folder / "dinov2", "dinov2")),
        "ClipL14": ("paper", tiny_vision.save_clip(folder / "clip")),
        "Captioner": ("paper", tiny_words.qwen25_vl(folder / "captioner", says="A red dog walks.")),
        "PhraseExtractor": ("local", tiny_words.causal(folder / "phrases", says=PHRASES)),
        "Judge": ("local", checkpoints_language.qwen2_vl(folder / "judge", words=("0", "1", "2"))),
        "Inpainter": ("paper", tiny_flux.save_lama(folder / "big-lama.pt")),
    }
    return {role: (name, str(place)) for role, (name, place) in made.items()}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Catalog, Path]]:
    folder = tmp_path_factory.mktemp("tiny-project")
    (folder / "artifacts").mkdir()
    reader = MovingThings([((200, 150), (2, 0), (60, 80))])
    film = folder / "film.mp4"
    write_video(film, reader.at(range(reader.num_frames)), fps=24)
    found = Catalog(folder / "catalog.duckdb")
    stat = film.stat()
    source = Source(uri=str(film), num_bytes=stat.st_size, modified_ns=stat.st_mtime_ns)
    found.add_records([source], work_key="listed")
    yield found, folder
    found.close()


@pytest.mark.parametrize("recipe", quick(("full",), RECIPES))
def test_every_item_ends_in_a_named_state(
    recipe: str, models: dict[str, tuple[str, str]], catalog: tuple[Catalog, Path]
) -> None:
    settings = ProjectSettings(
        recipe=recipe,
        roles={role: name for role, (name, _) in models.items()},
        models={role: place for role, (_, place) in models.items()},
        device="cpu",
    )
    plan = plan_for(settings)
    plan = plan.with_gates({g.name: 1e9 if "<" in g.comparison else -1e9 for g in plan.gates() if g.name.startswith(OPEN)})
    opened, folder = catalog
    crew = Inline(worker_settings(settings, folder / "artifacts"))
    try:
        PlanRun(catalog=opened, artifacts=Artifacts(folder / "artifacts"), plan=plan, crew=crew)()
    finally:
        crew.close()
    with Snapshot(opened).of(plan) as now:
        status = status_of(now, plan)
        asked = now.query("SELECT count(*) FROM live_score WHERE name LIKE 'judged_%' AND value NOTNULL")[0][0]
    assert sum(row.pending for row in status.stages) == 0
    assert status.counts["captions"] == 1
    kinds = {(row.stage, row.kind) for row in status.failures if row.state == "failed"}
    assert {kind for _, kind in kinds} <= {"phrases_unreadable", "unavailable", "answer"}, kinds
    if recipe in ("phantom", "full") and status.counts["appearances"]:
        assert asked > 0
