"""An evaluation by its form; projects from before jobs were listed."""

import json
import time
from pathlib import Path

import duckdb
import numpy as np
import pytest

from backend.domain.jobs import JobRow
from backend.media.writer import write_video
from backend.workspace import Workspace
from tests.backend.workspace.toy_project import plan, write_toy_video
from tests.metrics import made_cases


def ended(project: Workspace, job: JobRow) -> JobRow:
    deadline = time.monotonic() + 60
    while (row := next(row for row in project.jobs() if row.job_id == job.job_id)).state == "running":
        assert time.monotonic() < deadline, "the job hangs"
        time.sleep(0.01)
    return row


def test_evaluation_is_started_by_its_form_and_gives_the_same_rows(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    ramp = (np.full((64, 96, 3), 20 + 10 * n, np.uint8) for n in range(8))
    write_video(tmp_path / "videos" / "mug_1.mp4", ramp, fps=8.0, crf=1)
    case = {"img_paths": ["mug.png"], "prompt": "A red mug.", "class_label": ["mug"]}
    (tmp_path / "cases.json").write_text(json.dumps({"mug_1": case, "mug_2": case}))
    settings = {
        "cases": str(tmp_path / "cases.json"),
        "videos": str(tmp_path / "videos"),
        "system": "ours",
        "metrics": "temporal_flickering, motion_amplitude_compat",
        "engine": "inline",
    }
    row = ended(workspace, workspace.start_job(kind="evaluate", settings=settings, rater="ann"))
    assert (row.state, row.kind, row.asked, row.message) == ("done", "evaluate", settings, "2 items worked on, 0 failed")
    values = {row.metric: row.value for row in workspace.evaluation(systems=("ours",))}
    assert values.keys() == {"temporal_flickering", "motion_amplitude_compat"}
    text = "\n".join(workspace.job_log(job_id=row.job_id).lines)
    assert "1 reference images are missing" in text
    assert "case mug_2 has no video" in text
    assert (
        ended(workspace, workspace.start_job(kind="evaluate", settings=row.asked)).message == "0 items worked on, 0 failed"
    )


def test_project_from_before_jobs_were_listed_lists_them(tmp_path: Path) -> None:
    made = Workspace(tmp_path / "project", create=True)
    made.plan = plan()
    write_toy_video(tmp_path / "mug.mp4")
    settings = {"engine": "inline", "paths": json.dumps([str(tmp_path / "mug.mp4")])}
    row = ended(made, made.start_job(kind="curate", settings=settings))
    made.close()
    with duckdb.connect(str(made.layout.catalog)) as older:
        older.execute("DROP TABLE job")
        older.execute("ALTER TABLE work DROP COLUMN ended_at")
        older.execute("UPDATE meta SET value = '11'")
    again = Workspace(tmp_path / "project")
    try:
        again.plan = plan()
        assert again.jobs() == (row,)
        assert [flow.passed for flow in again.stage_flow()] == [1, 1], "what machines found is not read anew"
    finally:
        again.close()


@pytest.mark.thorough
def test_a_generate_job_says_what_room_the_projects_models_made(workspace: Workspace, tmp_path: Path) -> None:
    cases = made_cases.written(tmp_path, {"singleobj_1": made_cases.case()}, pictures=1)
    asked = {"system": f"diffusers:{tmp_path}", "cases": cases, "out": str(tmp_path / "videos")}
    job = ended(workspace, workspace.start_job(kind="generate", settings=asked))
    lines = workspace.job_log(job_id=job.job_id).lines
    room = next(n for n, line in enumerate(lines) if "the project holds no models on the device" in line)
    begun = next(n for n, line in enumerate(lines) if "studio-backend generate" in line)
    assert room < begun
