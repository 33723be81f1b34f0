"""Settings tried, saved and taken back; what that means for work; the disk; what is kept of people."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from backend.api import Api
from backend.domain import SettingsError
from backend.domain.project_care import StageForecast
from backend.engine.plan import Step
from backend.settings import read_settings
from backend.workspace import Workspace
from backend.workspace.disk_use import KINDS, OTHER, storage_of
from backend.workspace.settings_forecast import stage_forecasts, work_of
from tests.backend.workspace.test_api import vote_on
from tests.backend.workspace.toy_project import PlantPairs

pytestmark = pytest.mark.slow  # together they take too long for the fast run

MAX_S = "stages.split_shots.max_s"


@pytest.fixture
def listed(workspace: Workspace, tmp_path: Path) -> Workspace:
    """A project of the real recipe with one video on its list, and nothing worked on yet."""
    (tmp_path / "clip.mp4").write_bytes(b"not read here")
    workspace.use(workspace.settings)
    workspace.ingest(paths=(str(tmp_path / "clip.mp4"),))
    return workspace


def done(workspace: Workspace, stage: str) -> None:
    """Writes down that a stage is done with every item that it takes now."""
    step = next(step for step in workspace.plan.steps if step.stage.name == stage)
    with workspace._apart(workspace.plan) as now:
        keys = [row[0] for row in now.query(f"SELECT work_key FROM item_{stage}")]
    assert keys
    with workspace.catalog.session() as connection:
        for key in keys:
            connection.execute(
                "INSERT INTO work BY NAME SELECT ? AS work_key, ? AS stage, 'failed' AS state, 'corrupt' AS kind",
                [key, step.stage.name],
            )


def test_a_draft_is_tried_without_saving_and_saved_as_a_whole(api: Api, workspace: Workspace) -> None:
    before = workspace.layout.settings.read_text()
    found = api.try_settings(assignments=(f"{MAX_S}=30", "workers=2"))
    assert [(change.name, change.before, change.after) for change in found.changes] == [
        ("workers", "0", "2"),
        (MAX_S, "", "30"),
    ]
    assert workspace.layout.settings.read_text() == before
    with pytest.raises(SettingsError, match="did you mean max_s"):
        api.set_settings(assignments=("workers=2", "stages.split_shots.max=3"))
    assert workspace.layout.settings.read_text() == before, "the right part of a wrong draft is not saved either"
    api.set_settings(assignments=(f"{MAX_S}=30", "workers=2"))
    kept = read_settings(workspace.layout.settings)
    assert (kept.workers, kept.stages) == (2, {"split_shots": {"max_s": 30}})
    row = next(row for stage in api.settings_sheet().stages for row in stage.settings if row.name == MAX_S)
    assert (row.value, row.default, row.is_set) == ("30", "60", True)
    assert api.set_settings(reset=(MAX_S, "workers")).changes
    assert read_settings(workspace.layout.settings) == read_settings(Path("/nowhere/project.toml"))


@pytest.mark.slow
def test_work_keys_say_which_stages_work_otherwise(listed: Workspace) -> None:
    done(listed, "probe_source")
    assert listed.try_settings(assignments=("workers=7",)).stages == ()
    other = listed.try_settings(assignments=("profile=paper",)).stages
    assert {stage.stage for stage in other if stage.is_other} >= {"find_overlays", "find_subjects"}
    assert "probe_source" not in {stage.stage for stage in other}, "it asks no model"
    (again,) = listed.try_settings(assignments=(f"{MAX_S}=9",)).stages
    assert (again.stage, again.is_other, again.pending, again.set_aside) == ("split_shots", True, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantShades(PlantPairs):
    """As planted, in another shade."""

    shade: int = 0


def test_other_settings_make_items_pending_and_set_results_aside(curated_api: Api, workspace: Workspace) -> None:
    probe, plant = workspace.plan.steps
    shaded = replace(workspace.plan, steps=(probe, Step(PlantShades(shade=1), plant.gates)))
    before = work_of(workspace._apart(workspace.plan), workspace.plan)
    assert (before["probe_source"].done, before["plant_pairs"].done) == (3, 1)
    (row,) = stage_forecasts(before, work_of(workspace._apart(shaded), shaded))
    wanted = StageForecast(stage="plant_pairs", over="video", pending_before=0, pending=1, set_aside=1, is_other=True)
    assert row == wanted
    without = replace(workspace.plan, steps=(probe,))
    (gone,) = stage_forecasts(before, work_of(workspace._apart(without), without))
    assert (gone.stage, gone.pending, gone.set_aside, gone.is_other) == ("plant_pairs", 0, 1, False)
    tighter = workspace.plan.with_gates({"pair.similarity.min": 0.8})
    assert stage_forecasts(before, work_of(workspace._apart(tighter), tighter)) == (), "a gate re-runs nothing"


def test_doctor_checks_a_draft_of_roles_and_places(api: Api, tmp_path: Path) -> None:
    assert api.doctor().roles["Segmenter"].implementation == "embedded"
    drafted = api.try_doctor(assignments=("roles.Segmenter=paper", f"models.Segmenter={tmp_path / 'weights'}"))
    row = drafted.roles["Segmenter"]
    assert (row.implementation, row.available) == ("paper", False)
    assert "does not exist" in row.reason
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.safetensors").write_bytes(b"x" * 700)
    again = api.try_doctor(assignments=("roles.Segmenter=paper", f"models.Segmenter={tmp_path / 'weights'}"))
    assert (again.roles["Segmenter"].available, again.roles["Segmenter"].num_bytes) == (True, 700)
    assert api.doctor().roles["Segmenter"].implementation == "embedded", "nothing was saved"
    with pytest.raises(SettingsError, match="does not exist"):
        api.try_doctor(assignments=("roles.Segmenter=papre",))


def test_models_are_let_go_of_when_they_are_to_run_otherwise(workspace: Workspace) -> None:
    before = workspace.model_service
    workspace.set_settings(assignments=("workers=2",))
    assert workspace.model_service is before
    workspace.set_settings(assignments=("device=cpu",))
    assert workspace.model_service is not before


def test_every_file_of_the_project_is_of_one_kind(api: Api, workspace: Workspace) -> None:
    root = workspace.layout.root
    planted = {
        "index/previews/a.mp4": "previews",
        "index/previews/thumbnails/b.jpg": "thumbnails",
        "index/studies/s/c-9.mp4": "study_copies",
        "index/features/d.npy": "features",
        "index/answers/e.json": "answers",
        "index/bank-1/vectors.npy": "banks",
        "artifacts/ab/f.png": "artifacts",
        "exports/g/manifest.json": "exports",
        "runs/h/model.pt": "training",
        "backups/i/MANIFEST": "backups",
        "sample-world/videos/j.mp4": "sample",
        "service.log": "logs",
        "notes.txt": "other",
        "odd/folder/k": "other",
    }
    before = {kind.kind: kind.num_bytes for kind in api.storage().kinds}
    for place, (name, _) in enumerate(planted.items(), start=1):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * 1000 * 2**place)  # sums of other sets of them differ
    os.symlink("/", root / "exports" / "elsewhere")
    found = {kind.kind: kind for kind in api.storage().kinds}
    link = (root / "exports" / "elsewhere").lstat().st_size
    wanted = dict.fromkeys((*KINDS, OTHER), 0)
    for place, kind in enumerate(planted.values(), start=1):
        wanted[kind] += 1000 * 2**place
    wanted["exports"] += link
    grown = {kind: found[kind].num_bytes - before[kind] for kind in wanted if kind not in ("journal", "catalog")}
    assert grown == {kind: size for kind, size in wanted.items() if kind not in ("journal", "catalog")}
    assert found["journal"].num_bytes > 0
    assert found["catalog"].num_bytes > 0
    total = sum(path.lstat().st_size for path in root.rglob("*") if path.is_symlink() or path.is_file())
    assert sum(kind.num_bytes for kind in found.values()) == pytest.approx(total, abs=1 << 16)  # the journal's head moves
    assert {kind.kind for kind in found.values() if kind.clearable} == {"previews", "thumbnails", "study_copies"}


def test_an_empty_folder_takes_nothing(tmp_path: Path) -> None:
    use = storage_of(tmp_path, clearable=(), limits={})
    assert sum(kind.num_bytes for kind in use.kinds) == sum(kind.num_files for kind in use.kinds) == 0
    assert use.free_bytes > 0


def test_only_what_is_made_again_is_cleared_and_copies_for_people_are_journalled(api: Api, workspace: Workspace) -> None:
    layout = workspace.layout
    copies = layout.study_media / "study"
    for path in (layout.previews / "clip.mp4", layout.previews / "thumbnails" / "a.jpg", copies / "b-9.mp4"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 50)
    (copies / "class.json").write_text("{}")
    with pytest.raises(SettingsError, match="journal cannot be made again"):
        api.clear_storage(kinds=("previews", "journal"))
    with pytest.raises(SettingsError, match="did you mean previews"):
        api.clear_storage(kinds=("preview",))
    assert (layout.previews / "clip.mp4").exists()
    cleared = api.clear_storage(kinds=("previews", "thumbnails"))
    assert (cleared.num_files, cleared.num_bytes) == (2, 100)
    assert all(event["kind"] != "storage_cleared" for event in api.journal_tail())
    assert api.clear_storage(kinds=("study_copies",), rater="ann").num_files == 1
    assert (copies / "class.json").exists(), "the class that people were shown stays"
    told = api.journal_tail()[-1]
    assert (told["kind"], told["actor"], told["body"]) == ("storage_cleared", "ann", {"kinds": ["study_copies"]})


def test_previews_are_kept_within_the_projects_limit(workspace: Workspace) -> None:
    for number in range(4):
        path = workspace.layout.previews / f"{number}.mp4"
        path.write_bytes(b"x" * 1000)
        os.utime(path, (number, number))
    workspace.set_settings(assignments=(f"preview_gib={2500 / 2**30}",))
    assert sorted(path.name for path in workspace.layout.previews.glob("*.mp4")) == ["2.mp4", "3.mp4"]
    limits = {kind.kind: kind.limit_bytes for kind in workspace.storage().kinds}
    assert limits["previews"] == 2500


def test_a_cleared_preview_is_made_again(curated_api: Api, workspace: Workspace) -> None:
    ((clip,), *_) = workspace.catalog.query("SELECT id FROM clip ORDER BY id")
    media_id = f"p-{clip}"
    first = Path(curated_api.media(media_id=media_id).path).stat().st_size
    assert curated_api.clear_storage(kinds=("previews",)).num_files == 1
    assert Path(curated_api.media(media_id=media_id).path).stat().st_size == first


def test_privacy_counts_people_and_names_what_leaves_the_machine(curated_api: Api, workspace: Workspace) -> None:
    empty = curated_api.privacy()
    assert (empty.raters, empty.verdicts, empty.participants, empty.far) == (0, 0, 0, ())
    assert (empty.sources, empty.without_licence, empty.subjects, empty.faces) == (3, 0, 3, 0)
    trials = curated_api.next_trials(study_id="verify", rater="ann")
    curated_api.submit_votes(votes=(vote_on(trials[0], "same"),))
    far = {"Judge": "openai:m@https://far.example/v1"}
    workspace.settings = replace(workspace.settings, roles={"Judge": "openai"}, models=far)
    found = curated_api.privacy()
    assert (found.raters, found.verdicts) == (1, 1)
    assert [(far.role, far.url, far.on_this_machine) for far in found.far] == [("Judge", "https://far.example/v1", False)]
