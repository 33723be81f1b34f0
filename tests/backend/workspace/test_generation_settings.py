"""Settings of generations: kept with them, measured nothing anew, shown and warned of by the leaderboard, and in older projects too."""

import json
from pathlib import Path

import duckdb
import numpy as np
import pytest

from backend.api import Api
from backend.domain.generation_settings import GenerationSettings
from backend.media.writer import write_video
from backend.store.schema import SCHEMA_VERSION
from backend.workspace import Workspace
from tests.backend.workspace.test_evaluating import METRICS, PROMPT, measured

TOLD = 'system = "ours"\nmodel = "Ours 1B"\nsteps = 50\ngpu_hours = 0.5\n'


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    case = {"img_paths": ["mug.png"], "prompt": PROMPT, "class_label": ["Cup"]}
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"singleobj_1": case, "singleobj_2": {**case, "prompt": f"{PROMPT} It is full."}}))
    return path


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Two of 96x64, 8 frames at 8 a second."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in (1, 2):
        write_video(folder / f"singleobj_{number}.mp4", np.full((8, 64, 96, 3), 60 * number, np.uint8), fps=8)
    return folder


def kept(workspace: Workspace) -> list[GenerationSettings]:
    rows = workspace.catalog.query(
        "SELECT settings FROM generation QUALIFY row_number() OVER (PARTITION BY id ORDER BY rowid DESC) = 1 ORDER BY id"
    )
    return [GenerationSettings.of_text(text) for (text,) in rows]


def test_settings_that_are_told_later_are_kept_and_nothing_is_measured_again(
    workspace: Workspace, cases: Path, videos: Path
) -> None:
    _, before = measured(workspace, cases, videos)  # pyright: ignore[reportArgumentType]
    assert {(one.width, one.height, one.frames, one.model) for one in kept(workspace)} == {(96, 64, 8, "")}
    work = workspace.catalog.query("SELECT count(*) FROM work")
    (videos / "settings.toml").write_text(TOLD)
    _, after = measured(workspace, cases, videos)  # pyright: ignore[reportArgumentType]
    assert after == before
    assert workspace.catalog.query("SELECT count(*) FROM work") == work
    assert {(one.model, one.gpu_hours, one.told_by) for one in kept(workspace)} == {("Ours 1B", 0.5, "settings.toml")}
    (ours,) = workspace.leaderboard().settings
    assert (ours.system, ours.videos, ours.told, ours.models, ours.sizes) == ("ours", 2, 2, ("Ours 1B",), ("96x64",))
    assert (ours.steps, ours.gpu_hours) == (("50",), 1.0)


def test_systems_of_other_sizes_and_rates_are_warned_of(api: Api, cases: Path, videos: Path, tmp_path: Path) -> None:
    measured(api, cases, videos)
    other = tmp_path / "other"
    other.mkdir()
    for number in (1, 2):
        write_video(other / f"singleobj_{number}.mp4", np.full((8, 32, 48, 3), 99, np.uint8), fps=16)
    measured(api, cases, other, "theirs")
    page = tmp_path / "board.html"
    board = api.leaderboard(html=str(page))
    told = " ".join(board.remarks)
    assert "sizes differ between systems (ours 96x64; theirs 48x32)" in told
    assert "frame rates differ between systems (ours 8; theirs 16)" in told
    assert "numbers of frames" not in told
    assert "How the videos were made" in page.read_text()


def test_a_project_from_before_settings_opens_and_learns_them(cases: Path, videos: Path, tmp_path: Path) -> None:
    made = Workspace(tmp_path / "project", create=True)
    _, before = measured(made, cases, videos)  # pyright: ignore[reportArgumentType]
    made.close()
    with duckdb.connect(str(made.layout.catalog)) as older:
        older.execute("ALTER TABLE generation DROP COLUMN settings")
        older.execute("UPDATE meta SET value = '8'")
    again = Workspace(tmp_path / "project")
    assert again.catalog.query("SELECT value FROM meta") == [(str(SCHEMA_VERSION),)]
    assert kept(again) == [GenerationSettings()] * 2
    assert again.evaluation(systems=("ours",), metrics=METRICS) == before
    assert again.leaderboard().settings[0].told == 0
    measured(again, cases, videos)  # pyright: ignore[reportArgumentType]
    assert {one.width for one in kept(again)} == {96}
    again.close()
