"""Each recipe on a few real takes with the embedded profile: what its paper lists is done, and every item ends in a named state."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.domain import Source
from backend.domain.score_words import failure_title
from backend.engine.crews import Inline
from backend.engine.run import PlanRun
from backend.recipes import RECIPES, plan_for, worker_settings
from backend.settings import ProjectSettings
from backend.store.artifacts import Artifacts
from backend.store.catalog import Catalog
from backend.workspace.snapshot import Snapshot
from backend.workspace.status import status_of

pytestmark = pytest.mark.slow

TAKES = ("animal_blackswan.mp4", "id_woman_six_outfits.mp4")
FOOTAGE = {
    "probe_source",
    "split_shots",
    "find_borders",
    "find_overlays",
    "measure_motion",
    "caption_clips",
    "check_safety",
}
SUBJECTS = {"extract_phrases", "find_subjects", "segment_subjects", "embed_appearances"}
PAIRS = {"pair_subjects", "diverse_contexts", "assemble_samples", "audit_pairs"}
PHANTOM = {
    "verify_subjects",
    "find_logos",
    "match_logos",
    "build_banks",
    "find_picture_subjects",
    "pair_across",
    "verify_pairs",
}
OPENS2V = {"score_quality", "count_people_words", "follow_faces", "measure_face_spans", "score_references"}
OPENS2V |= {"paint_background", "match_phrases", "choose_references", "make_references"}
KALEIDO = {"check_categories", "follow_faces", "check_frontal", "paint_background", "choose_references", "make_references"}
GLORIA = {"follow_faces", "count_people", "measure_sync", "measure_viewpoints", "read_expressions", "select_anchors"}
GLORIA |= {"verify_anchors"}
OF_PAPERS = {"phantom": PHANTOM, "opens2v": OPENS2V, "kaleido": KALEIDO, "gloria": GLORIA}
"""What is done beside FOOTAGE, SUBJECTS and PAIRS: sections 3 and 4 of Phantom-Data, 4 of OpenS2V-Nexus, 3 of Kaleido, 3 of Gloria."""


@pytest.fixture(scope="module")
def project(real_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Catalog, Path]]:
    """One catalog for all recipes: what one has computed the next one finds."""
    folder = tmp_path_factory.mktemp("real-takes")
    (folder / "artifacts").mkdir()
    catalog = Catalog(folder / "catalog.duckdb")
    files = [real_media / "dev" / "video" / name for name in TAKES]
    sources = [Source(uri=str(f), num_bytes=f.stat().st_size, modified_ns=f.stat().st_mtime_ns) for f in files]
    catalog.add_records(sources, work_key="listed")
    yield catalog, folder
    catalog.close()


@pytest.mark.thorough
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_stage_of_the_paper_is_done_and_every_item_has_a_state(recipe: str, project: tuple[Catalog, Path]) -> None:
    catalog, folder = project
    settings = ProjectSettings(recipe=recipe)
    plan = plan_for(settings)
    # Of a few takes some gates let nobody through; they stand open, so that every stage behind them has something to do.
    plan = plan.with_gates({g.name: 1e9 if "<" in g.comparison else -1e9 for g in plan.gates() if g.comparison != "top"})
    crew = Inline(worker_settings(settings, folder / "artifacts"))
    try:
        PlanRun(catalog=catalog, artifacts=Artifacts(folder / "artifacts"), plan=plan, crew=crew)()
    finally:
        crew.close()
    with Snapshot(catalog).of(plan) as now:
        status = status_of(now, plan)
    wanted = FOOTAGE | SUBJECTS | PAIRS
    wanted |= set().union(*OF_PAPERS.values()) if recipe == "full" else OF_PAPERS[recipe]
    worked = {row.stage for row in status.stages if row.ok + row.warned + row.filtered}
    assert wanted <= worked, f"not done: {sorted(wanted - worked)}"
    assert sum(row.pending for row in status.stages) == 0
    assert [
        (row.stage, row.name, failure_title(row.kind), row.message) for row in status.failures if row.state == "failed"
    ] == []
    assert status.counts["clips"] >= len(TAKES)
    assert status.counts["pairs"] + status.counts["in_pairs"] > 0
