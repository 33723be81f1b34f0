"""The forms of jobs that take models and folders, opened on the page: every setting that the service names has its field."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit

from backend.domain.jobs import JobRow
from backend.workspace import Workspace
from studio.pages.jobs import JobsPage
from studio.sessions.job_form import FormSession
from studio.sessions.jobs import STARTED_HERE
from tests.backend.workspace.study_project import write_benchmark
from tests.studio.served import Service, toy_workspace, window_over
from tests.training.made_export import made_export
from tests.training.made_run import SMALL

pytestmark = pytest.mark.slow
ASKED = {
    "train": {"recipe", "data", "out"},
    "generate": {"system", "cases", "out"},
    "latents": {"data"},
    "evaluate": {"cases", "videos", "system"},
}
"""Fields without which such a job cannot be started (docs/studio.md, `studio-backend KIND --help`)."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with toy_workspace(tmp_path_factory.mktemp("forms")) as workspace:
        made = Service(workspace)
        made.start()
        yield made
        made.stop()


@pytest.fixture
def page(qtbot, service: Service, tmp_path: Path) -> Iterator[JobsPage]:
    with window_over(service, tmp_path, "jobs") as window:
        found = window.page
        assert isinstance(found, JobsPage)
        qtbot.waitUntil(lambda: found.session.is_known)
        yield found


@pytest.mark.parametrize("kind", ASKED)
def test_each_form_has_a_field_for_every_setting_and_asks_for_what_is_missing(
    qtbot, page: JobsPage, service: Service, kind: str
) -> None:
    assert kind in STARTED_HERE
    QTest.keyClicks(page, "n")
    page.starter.offer(kind)
    form = page.layout_of.start.form
    qtbot.waitUntil(lambda: page.starter.form is not None and page.starter.form.form.kind == kind, timeout=300_000)
    told = service.connect().job_form(kind=kind)
    main = {one.name for one in told.main}
    assert set(form.rows) >= main >= ASKED[kind]
    assert all(row.editor.accessibleName() for row in form.rows.values())
    page.starter.start()
    troubled = {name for name, row in form.rows.items() if row.trouble.text()}
    missing = {one.name for one in told.main if one.required} - {"recipe"}  # of recipes the first is chosen
    assert troubled == missing, "what must be given says so, and nothing else"
    assert [job.kind for job in service.workspace.jobs()] == ["curate"], "nothing was started"


def fill(qtbot, page: JobsPage, kind: str, values: dict[str, str]) -> FormSession:
    """Opens a form and types, or chooses, these values."""
    page.run("new_job")
    page.starter.offer(kind)
    form = page.layout_of.start.form
    qtbot.waitUntil(lambda: page.starter.form is not None and page.starter.form.form.kind == kind, timeout=300_000)
    form.show_more(True)
    qtbot.waitUntil(lambda: values.keys() <= form.rows.keys())
    for name, value in values.items():
        editor = form.rows[name].editor
        if isinstance(editor, QComboBox):
            assert editor.findData(value) >= 0, f"{name} cannot be {value}"
            editor.setCurrentIndex(editor.findData(value))
        else:
            assert isinstance(editor, QLineEdit), name
            editor.setText(value)
    assert page.starter.form is not None
    return page.starter.form


def run_from_form(qtbot, page: JobsPage, workspace: Workspace, kind: str, values: dict[str, str]) -> JobRow:
    """The job that the form starts, when it has ended: it was asked just what was filled in."""
    before = {job.job_id for job in workspace.jobs()}
    form = fill(qtbot, page, kind, values)
    page.run("start_job")

    def started() -> list[JobRow]:
        return [job for job in workspace.jobs() if job.job_id not in before]

    qtbot.waitUntil(lambda: bool(started()))
    qtbot.waitUntil(lambda: started()[0].state not in ("queued", "running"), timeout=300_000)
    (job,) = started()
    log = "\n".join(workspace.job_log(job_id=job.job_id).lines)
    assert (job.kind, job.state) == (kind, "done"), log
    changed = {name: value for name, value in values.items() if form.is_changed(name)}
    assert changed.items() <= job.asked.items(), "what is as it was by itself needs no asking"
    return job


def test_scores_come_of_a_form_and_with_long_all_that_they_are_scores_of(
    qtbot, page: JobsPage, service: Service, tmp_path: Path, long: bool
) -> None:
    """Over the real service. With `--long` latents, a training and its videos come of their forms too, each of what the one before made."""
    workspace, benchmark = service.workspace, write_benchmark(tmp_path / "bench", cases=1, frames=4)
    cases, videos = str(benchmark / "cases.json"), benchmark / "good"
    if long:
        run = trained_from_forms(qtbot, page, workspace, made_export(tmp_path / "squares"))
        asked = {"system": f"run:{run}", "cases": cases, "out": str(tmp_path / "videos")}
        run_from_form(qtbot, page, workspace, "generate", asked)
        (video,) = (tmp_path / "videos").rglob("*.mp4")
        videos = video.parent
    asked = {"cases": cases, "videos": str(videos), "system": "ours", "metrics": "temporal_flickering"}
    run_from_form(qtbot, page, workspace, "evaluate", asked)
    (row,) = workspace.evaluation()
    assert (row.system, row.metric) == ("ours", "temporal_flickering")
    assert row.value is not None


def trained_from_forms(qtbot, page: JobsPage, workspace: Workspace, export: Path) -> str:
    """Latents of the export, then two steps of a small run on them; where that lies."""
    given = {name: value for name, _, value in (said.partition("=") for said in SMALL)}
    encoders = {name.removeprefix("data.latents."): value for name, value in given.items() if "latents" in name}
    encoders.pop("engine")  # of a job, what Studio's own settings say
    latents = run_from_form(qtbot, page, workspace, "latents", {"data": str(export), **encoders})
    assert latents.message.endswith("0 failed")
    small = {name: value for name, value in given.items() if "latents" not in name}
    small |= {f"data.latents.{name}": value for name, value in encoders.items()}
    asked = {"recipe": "tiny", "data": str(export), "run.steps": "2", **small}
    training = run_from_form(qtbot, page, workspace, "train", asked)
    assert (training.done, training.total) == (2, 2)
    return training.out
