"""The commands about studies, as they are typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.api import Api
from backend.cli.app import app
from backend.domain import ProjectError
from backend.workspace import Workspace
from tests.backend.workspace.study_project import SYSTEMS, finished, named, write_benchmark

pytestmark = pytest.mark.slow  # together they take too long for the fast run


def run(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    videos = write_benchmark(folder / "videos", cases=4)
    run("init", "--project", folder / "p")
    systems = [word for system in named(videos) for word in ("--system", system)]
    rules = [w for rule in ("min_seconds=0", "min_item_seconds=0", "min_gold_accuracy=0") for w in ("--rule", rule)]
    said = run(
        "study", "create", "taste", "--form", "ab", "--trials", 5, "--cases", videos / "cases.json", *systems, *rules,
        "--project", folder / "p",
    )  # fmt: skip
    assert "12 items of good, fair, poor" in said
    assert "this study" in said
    return folder / "p"


def test_studies_are_listed_with_how_far_they_are(project: Path) -> None:
    assert "taste" in run("study", "list", "--project", project)
    (one,) = json.loads(run("study", "list", "--project", project, "--json"))
    assert (one["name"], one["systems"]) == ("taste", list(SYSTEMS))


def test_invitations_are_links_and_tokens(project: Path) -> None:
    links = run("study", "invite", "taste", "--num", 3, "--url", "https://study.example/", "--project", project).split()
    assert len(links) == 3
    assert all(link.startswith("https://study.example/s/join/") and len(link) == 29 + 43 for link in links)
    (one,) = json.loads(run("study", "invite", "taste", "--group", "expert", "--project", project, "--json"))
    assert (one["group"], len(one["token"])) == ("expert", 43)


@pytest.mark.slow
def test_votes_go_out_come_in_and_are_erased(project: Path, tmp_path: Path) -> None:
    opened = Workspace(project)
    api: Api = opened  # pyright: ignore[reportAssignmentType]
    try:
        person = finished(api, "taste", lambda *_: "left")
    finally:
        opened.close()
    said = run("study", "results", "taste", "--bootstraps", 50, "--project", project)
    assert "better: 5 votes" in said
    assert "left side" in said
    found = json.loads(run("study", "results", "taste", "--bootstraps", 50, "--project", project, "--json"))
    assert [row["participant"] for row in found["raters"]] == [person.id]
    page, figures = tmp_path / "out" / "taste.html", tmp_path / "figures"
    said = run("study", "results", "taste", "--bootstraps", 50, "--html", page, "--figures", figures, "--project", project)
    assert f"written: {page}" in said
    assert "1 response counts" in page.read_text("utf-8")
    drawings = {path.stem for path in figures.glob("*.svg")}
    assert {"win_tie_loss", "funnel", "power"} <= drawings == {path.stem for path in figures.glob("*.csv")}
    out = tmp_path / "votes.csv"
    assert "9 votes" in run("study", "export", "taste", "--out", out, "--format", "csv", "--project", project)
    assert "5 votes" in run("study", "import", "taste", out, "--format", "csv", "--project", project)
    assert "votes among them" in run("erase", "--participant", person.id, "--project", project)
    with pytest.raises(ProjectError, match="takes part in no study"):
        run("erase", "--participant", person.id, "--project", project)


@pytest.mark.slow
def test_a_study_is_looked_at_closed_and_reopened(project: Path) -> None:
    rules = [w for rule in ("min_seconds=0", "min_item_seconds=0", "min_gold_accuracy=0") for w in ("--rule", rule)]
    run("study", "create", "looked", "--form", "ab", "--trials", 5, *rules, "--project", project)
    opened = Workspace(project)
    api: Api = opened  # pyright: ignore[reportAssignmentType]
    try:
        finished(api, "looked", lambda *_: "left")
    finally:
        opened.close()
    said = run("study", "status", "looked", "--project", project)
    assert "1 responses count after the study's rules" in said
    assert "as they came in, of 1 raters" in said
    seen = json.loads(run("study", "list", "--project", project, "--json"))[-1]["trials"]
    assert "study looked is closed: the deadline came" in run(
        "study", "close", "looked", "--because", "the deadline came", "--project", project
    )
    assert "closed 20" in run("study", "list", "--project", project)
    told = json.loads(run("study", "status", "looked", "--project", project, "--json"))
    assert (told["is_open"], told["study"]["closed_because"]) == (False, "the deadline came")
    assert told["stop"] == {"wanted": 0.0, "widest": None, "about": ""}
    assert sum(row["wins"] + row["losses"] for row in told["came_in"]["pairs"]) == seen
    with pytest.raises(ProjectError, match="was closed"):
        run("study", "invite", "looked", "--project", project)
    assert "takes answers again" in run("study", "reopen", "looked", "--project", project)
    assert json.loads(run("study", "status", "looked", "--project", project, "--json"))["is_open"]


def test_a_sequential_study_says_what_it_will_do(project: Path) -> None:
    said = run("study", "create", "chosen", "--form", "ab", "--sequential", "--stop-at", 0.25, "--project", project)
    assert "pairs are chosen where votes tell most" in said
    assert "closes itself when every main figure is known to +-0.25" in said
    said = run("study", "status", "chosen", "--project", project)
    assert "to close at +-0.25: 0 responses count; the rule looks at 5 or more" in said


def test_a_study_is_planned_without_being_made(project: Path) -> None:
    about = ("study", "create", "planned", "--form", "ab", "--pairs", 6, "--raters", 3, "--dry-run", "--project", project)
    said = run(*about)
    assert "6 items of fair, good, poor" in said
    assert "nothing was decided" in said
    assert [row["pairs"] for row in json.loads(run(*about, "--json"))["power"] if row["chosen"]] == [6]
    assert "planned" not in run("study", "list", "--project", project)


def test_every_command_is_told_in_the_document() -> None:
    text = (Path(__file__).parents[3] / "docs" / "studies.md").read_text("utf-8")
    assert [
        name
        for name in ("create", "invite", "list", "status", "close", "reopen", "results", "export", "import")
        if f"study {name}" not in text
    ] == []
    assert "erase --participant" in text
