"""Jobs over the real service, by keys: a project that was curated once, a broken file in quarantine, a stage that waits to be told."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QWidget

from backend.domain import Caption, Context, Item, Ok, Resources, Result, Video
from backend.engine.plan import Step
from backend.media.writer import write_video
from backend.workspace import Workspace
from studio.pages.jobs import JobsPage
from studio.pages.jobs_layout import FORM, JOB
from studio.window import Window
from tests.studio.served import away, served_window, toy_workspace

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
pytestmark = pytest.mark.slow
go_on = threading.Event()


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForWord:
    """Finds nothing, once it is told to."""

    name: ClassVar[str] = "wait_for_word"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = ()
    makes: ClassVar[tuple[type, ...]] = (Caption,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        assert go_on.wait(60), "nobody told the stage to go on"
        return [Ok(item.id, ()) for item in items]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with toy_workspace(tmp_path) as opened:
        yield opened


@contextmanager
def shown(qtbot, workspace: Workspace, folder: Path) -> Iterator[JobsPage]:
    with served_window(workspace, folder, "jobs") as window:
        found = window.page
        assert isinstance(found, JobsPage)
        qtbot.waitUntil(lambda: found.session.is_known)
        yield found


@pytest.fixture
def page(qtbot, workspace: Workspace, tmp_path: Path) -> Iterator[JobsPage]:
    with shown(qtbot, workspace, tmp_path) as found:
        yield found


def press(page: JobsPage, key: str | Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """A key to whatever has the focus on the page."""
    page.window().activateWindow()
    QApplication.processEvents()
    target = QApplication.focusWidget()
    assert target is not None
    assert page is target or page.isAncestorOf(target), "the page has the focus"
    if isinstance(key, str):
        QTest.keyClicks(target, key, modifier)
    else:
        QTest.keyClick(target, key, modifier)


def field(page: JobsPage, name: str) -> QWidget:
    return page.layout_of.start.form.rows[name].editor


def test_the_job_that_made_the_project_is_listed_with_its_log(qtbot, page: JobsPage) -> None:
    assert [(job.kind, job.state) for job in page.session.jobs] == [("curate", "done")]
    assert page.layout_of.job.title.text() == "Curate"
    qtbot.waitUntil(lambda: bool(page.session.tail.lines))
    log = page.layout_of.job.log
    assert log.lines.toPlainText().splitlines() == page.session.tail.lines
    press(page, "f")
    assert not log.follows
    press(page, "f")
    assert log.follows
    press(page, "/")
    assert log.search.hasFocus()
    press(page, "CURATE")
    places = page.session.tail.matches("curate")
    assert log.found.text() == f"{len(places)} of {len(places)}", "the newest is gone to first"
    press(page, Qt.Key.Key_Return)
    assert log.found.text() == f"1 of {len(places)}"
    assert log.lines.textCursor().blockNumber() == places[0]
    press(page, Qt.Key.Key_F3, SHIFT)
    assert log.found.text() == f"{len(places)} of {len(places)}"
    press(page, Qt.Key.Key_F3)
    assert log.found.text() == f"1 of {len(places)}"
    page.layout_of.jobs.setFocus()
    for digit, view in zip("2341", ("flow", "quarantine", "training", "list"), strict=True):
        press(page, digit)
        assert page.session.view == view
    for view in ("quarantine", "training"):
        page.look_at(view)
        qtbot.waitUntil(lambda view=view: page.layout_of.rests[view].head.text().startswith("No"))
    press(page, Qt.Key.Key_F5)
    assert page.actions_.qt["refresh"].isEnabled()


def test_a_job_is_started_from_its_form_by_keys_and_followed_to_its_end(qtbot, page: JobsPage) -> None:
    press(page, "n")
    form = page.layout_of.start.form
    qtbot.waitUntil(lambda: "engine" in form.rows and page.starter.form is not None)
    qtbot.waitUntil(lambda: page.layout_of.beside.currentIndex() == FORM and form.isVisible())
    engine, workers = field(page, "engine"), field(page, "workers")
    assert isinstance(engine, QComboBox)
    assert isinstance(workers, QLineEdit)
    engine.setCurrentIndex(engine.findData("inline"))
    workers.setFocus()
    press(page, Qt.Key.Key_A, CTRL)
    press(page, "many")
    press(page, Qt.Key.Key_Return, CTRL)
    assert "whole number" in form.rows["workers"].trouble.text()
    assert "1 field" in page.layout_of.start.trouble.text()
    form.rows["workers"].back.click()
    assert not form.rows["workers"].trouble.isVisible()
    assert page.starter.form is not None
    assert page.starter.form.settings() == {"engine": "inline"}
    assert form.rows["engine"].title.text().startswith("●"), "what is changed is marked"
    press(page, Qt.Key.Key_Return, CTRL)
    qtbot.waitUntil(lambda: len(page.session.jobs) == 2)
    qtbot.waitUntil(lambda: page.session.job is not None and page.session.job.state == "done")
    newest = page.session.jobs[0]
    assert (newest.kind, newest.actor, newest.asked) == ("curate", "ann", {"engine": "inline"})
    assert page.layout_of.beside.currentIndex() == JOB
    press(page, "r")
    qtbot.waitUntil(lambda: len(page.session.jobs) == 3)
    assert page.session.jobs[0].asked == {"engine": "inline"}, "again as it was"
    qtbot.waitUntil(lambda: not page.session.is_busy)
    press(page, "e")
    qtbot.waitUntil(lambda: page.starter.form is not None and page.starter.form.values == {"engine": "inline"})
    press(page, Qt.Key.Key_Backspace, CTRL)
    assert page.starter.form is not None
    assert page.starter.form.values == {}
    assert not page.starter.form.with_more, "curation has no further settings"
    press(page, "m", CTRL)
    assert not page.starter.form.with_more
    press(page, Qt.Key.Key_Escape)
    assert page.layout_of.beside.currentIndex() == JOB


def test_what_must_be_given_is_asked_for_where_it_is_missing(qtbot, page: JobsPage) -> None:
    page.offer("evaluate")
    form = page.layout_of.start.form
    qtbot.waitUntil(lambda: "cases" in form.rows)
    press(page, Qt.Key.Key_Return, CTRL)
    missing = [name for name, row in form.rows.items() if "must be given" in row.trouble.text()]
    assert missing == ["cases", "videos", "system"]
    assert field(page, "cases").hasFocus(), "where one can go on typing"
    press(page, "/no/such/cases.json")
    for name in ("videos", "system"):
        form.rows[name].take("x")
    press(page, Qt.Key.Key_Return, CTRL)
    qtbot.waitUntil(lambda: "/no/such/cases.json" in form.rows["cases"].trouble.text())
    assert "/no/such" not in page.layout_of.start.trouble.text(), "the field says it"
    assert len(page.session.jobs) == 1


def test_a_path_that_is_not_there_is_told_beside_its_field_before_anything_starts(qtbot, page: JobsPage) -> None:
    press(page, "n")
    qtbot.waitUntil(lambda: "paths" in page.layout_of.start.form.rows)
    press(page, "/videos/gone.mp4")
    press(page, Qt.Key.Key_Return)
    press(page, "nor-this")
    press(page, Qt.Key.Key_Return, CTRL)
    row = page.layout_of.start.form.rows["paths"]
    qtbot.waitUntil(lambda: row.trouble.text() == "✕ There is neither a file nor a folder /videos/gone.mp4.")
    assert row.editor.hasFocus()
    assert page.layout_of.start.trouble.text() == "1 field has to be put right first"
    assert [(job.kind, job.state) for job in page.session.jobs] == [("curate", "done")]


def test_pairs_are_exported_to_a_folder(qtbot, page: JobsPage, tmp_path: Path) -> None:
    page.offer("export")
    form = page.layout_of.start.form
    qtbot.waitUntil(lambda: "out" in form.rows)
    form.rows["format"].take("manifest")
    field(page, "out").setFocus()
    press(page, Qt.Key.Key_A, CTRL)
    press(page, str(tmp_path / "out"))
    press(page, Qt.Key.Key_Return, CTRL)
    qtbot.waitUntil(lambda: [(j.kind, j.state) for j in page.session.jobs[:1]] == [("export", "done")])
    assert any((tmp_path / "out").iterdir())
    assert page.session.jobs[0].out == str(tmp_path / "out")


def test_items_through_the_stages_are_looked_at_by_arrows(qtbot, page: JobsPage, workspace: Workspace) -> None:
    press(page, "2")
    flow = page.layout_of.flow
    qtbot.waitUntil(lambda: bool(flow.stages))
    assert flow.stages == workspace.stage_flow()
    assert [stage.stage for stage in flow.stages] == ["probe_source", "plant_pairs"]
    qtbot.waitUntil(flow.hasFocus)
    before = flow.accessibleDescription()
    assert "takes 1 source, passes 1" in before
    press(page, Qt.Key.Key_Down)
    assert flow.accessibleDescription() == page.layout_of.sentence.text()
    assert "plant pairs, stage 2 of 2" in flow.accessibleDescription()
    assert "1 held back by" in flow.accessibleDescription(), "a pair of .3 under the gate of .5"
    press(page, Qt.Key.Key_Home)
    assert flow.accessibleDescription() == before
    press(page, "o")
    assert "failed on nothing" in page.layout_of.status.text()
    press(page, Qt.Key.Key_S, CTRL | SHIFT)
    pictures = workspace.layout.root / "exports" / "jobs"
    assert (pictures / "flow.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (pictures / "flow.svg").read_bytes()[:400]


def test_what_failed_is_found_read_and_tried_again(qtbot, workspace: Workspace, tmp_path: Path) -> None:
    for name in ("torn.mp4", "empty.mp4"):
        (tmp_path / name).write_bytes(b"\0\0\0\x18ftypmp42" if name == "torn.mp4" else b"")
    workspace.ingest(paths=(str(tmp_path / "torn.mp4"), str(tmp_path / "empty.mp4")), licence="CC0-1.0")
    job = workspace.curate(engine="inline")
    qtbot.waitUntil(lambda: workspace.progress(job_id=job.job_id).state == "done")
    told = workspace.quarantine().rows
    with shown(qtbot, workspace, tmp_path) as page:
        panel = page.layout_of.quarantine
        press(page, "2")
        qtbot.waitUntil(lambda: bool(page.layout_of.flow.stages))
        qtbot.waitUntil(page.layout_of.flow.hasFocus)
        press(page, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: page.session.view == "quarantine" and page.held.is_known)
        assert (page.held.stage, panel.stages.currentData()) == ("probe_source", "probe_source")
        assert [row.work_key for row in page.held.rows] == [row.work_key for row in told]
        assert panel.message.toPlainText() == told[0].message, "the whole of it"
        qtbot.waitUntil(panel.table.hasFocus)
        press(page, Qt.Key.Key_Down)
        assert panel.title.text() == told[1].name
        press(page, "/")
        press(page, "no such word")
        qtbot.waitUntil(lambda: page.held.is_known and page.held.total == 0)
        panel.search.clear()
        qtbot.waitUntil(lambda: len(page.held.rows) == len(told))
        panel.table.setFocus()
        panel.table.go(1)
        (tmp_path / "cut.mp4").write_bytes(b"\0\0\0\x20ftypisom")
        workspace.ingest(paths=(str(tmp_path / "cut.mp4"),), licence="CC0-1.0")
        job = workspace.curate(engine="inline")
        qtbot.waitUntil(lambda: workspace.progress(job_id=job.job_id).state == "done")
        page.feed.hurry("quarantine")
        qtbot.waitUntil(lambda: page.held.total == 3)
        assert panel.title.text() == told[1].name, "who reads one goes on reading it"
        told = workspace.quarantine().rows
        panel.table.go(0)
        press(page, "r")
        qtbot.waitUntil(lambda: len(page.session.jobs) == 4)
        assert page.session.view == "list", "the job that tries again is looked at"
        qtbot.waitUntil(lambda: not page.session.is_busy)
        tried = {row.work_key: row.attempts for row in workspace.quarantine().rows}
        assert sorted(tried.values()) == [1, 1, 2]
        assert tried[told[0].work_key] == 2
        press(page, "3")
        qtbot.waitUntil(lambda: len(page.held.rows) == 3)
        press(page, Qt.Key.Key_A, CTRL)
        assert page.held.all_chosen
        press(page, "r")
        qtbot.waitUntil(lambda: len(page.session.jobs) == 5)
        qtbot.waitUntil(lambda: not page.session.is_busy)
        press(page, "3")
        press(page, "R", SHIFT)
        qtbot.waitUntil(lambda: len(page.session.jobs) == 6)
        qtbot.waitUntil(lambda: not page.session.is_busy)
        assert sorted(row.attempts for row in workspace.quarantine().rows) == [3, 3, 4]


def test_a_running_job_is_cancelled_and_nothing_is_asked_once_the_page_is_left(qtbot, tmp_path: Path) -> None:
    go_on.set()
    with toy_workspace(tmp_path, Step(WaitForWord())) as workspace, shown(qtbot, workspace, tmp_path) as page:
        go_on.clear()
        write_video(tmp_path / "other.mp4", np.full((30, 48, 64, 3), 90, np.uint8), fps=25)
        workspace.ingest(paths=(str(tmp_path / "other.mp4"),), licence="CC0-1.0")
        workspace.curate(engine="inline")
        qtbot.waitUntil(lambda: len(page.session.jobs) == 2)
        press(page, Qt.Key.Key_Home)
        assert page.session.can_cancel
        press(page, "C", SHIFT)
        qtbot.waitUntil(lambda: "stops" in page.layout_of.status.text())
        go_on.set()
        qtbot.waitUntil(lambda: page.session.jobs[0].state == "cancelled")
        window = page.window()
        assert isinstance(window, Window)
        window.open_page("embeddings")
        assert not page.feed.is_on
        assert not page.feed._timer.isActive()
        window.open_page("jobs")
        assert page.feed.is_on


def test_a_service_that_is_away_is_told_by_a_chip_and_comes_back(qtbot, workspace: Workspace, tmp_path: Path) -> None:
    with shown(qtbot, workspace, tmp_path) as page:
        jobs = page.session.jobs
        assert not page.layout_of.trouble.isVisible()
        with away(page.link):
            page.feed.hurry()
            qtbot.waitUntil(page.layout_of.trouble.isVisible)
            assert page.session.jobs == jobs, "what was known stays on the screen"
            assert QApplication.activeModalWidget() is None
            assert page.layout_of.jobs.isVisible()
        page.feed.hurry()
        qtbot.waitUntil(lambda: not page.layout_of.trouble.isVisible())
