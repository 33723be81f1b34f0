"""`studio-backend erase` of footage: tells first, erases when that is said, and `ingest` leaves out what was erased."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli.app import app
from backend.domain import ProjectError
from tests.backend.workspace.toy_project import write_toy_video

pytestmark = pytest.mark.slow  # together they take too long for the fast run


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    run("init", "--project", folder)
    run("ingest", write_toy_video(tmp_path / "ann.mp4"), "--project", folder)
    return folder


def test_nothing_goes_before_yes_and_everything_after_it(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "ann.mp4"
    backup = Path(run("backup", "--project", project).strip())
    said = run("erase", "--source", file, "--project", project)
    assert f"{file} (the file itself stays where it is)" in said
    assert "Nothing was changed" in said
    assert json.loads(run("status", "--project", project, "--json"))["states"] == {"pending": 1}
    found = json.loads(run("erase", "--source", file, "--project", project, "--json"))
    assert (found["files"], found["rows"]) == ([str(file)], {"source": 1})
    said = run("erase", "--source", file, "--project", project, "--yes", "--rater", "ann")
    assert "Erased:" in said
    assert f"{backup} (backup of 2" in said
    assert json.loads(run("status", "--project", project, "--json"))["states"] == {}
    with pytest.raises(ProjectError, match="--again takes it"):
        run("ingest", file, "--project", project)
    assert "1 files taken" in run("ingest", file, "--again", "--project", project)
    assert "ok:" in run("verify", "--project", project)


def test_one_kind_is_named_and_it_must_be_there(project: Path) -> None:
    both = ["erase", "--video", "a", "--subject", "b", "--project", str(project)]
    assert CliRunner().invoke(app, both).exit_code == 2
    with pytest.raises(ProjectError, match="no video of this project is video_0"):
        run("erase", "--video", "video_0", "--project", project)
