"""The forms of jobs that take models and folders, opened on the page: every setting that the service names has its field."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtTest import QTest

from studio.pages.jobs import JobsPage
from studio.sessions.jobs import STARTED_HERE
from tests.studio.served import Service, toy_workspace, window_over

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
        qtbot.waitUntil(lambda: found.session.is_known, timeout=60_000)
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
