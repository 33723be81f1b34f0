"""The form made from a job's fields, and the log that follows its end: widgets alone."""

import json

import pytest
from PySide6.QtCore import QCoreApplication, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QFileDialog, QLineEdit, QPushButton, QWidget

from backend.domain.jobs import JobField, JobForm, JobLog
from studio.log_view import LogView
from studio.path_fields import PathLines
from studio.sessions.job_form import FormSession, as_paths
from studio.sessions.jobs import LogTail
from studio.settings_form import SettingsForm
from studio.theme import load_theme

FORM = JobForm(
    kind="train",
    main=(
        JobField(name="data", type="folder", required=True, words="An export."),
        JobField(name="cases", type="file"),
        JobField(name="resume", type="boolean", default="false"),
        JobField(name="selection", type="choice", choices=("", "strict")),
        JobField(name="seed", type="integer", default="0"),
        JobField(name="paths", type="paths", words="Files to ingest first."),
    ),
    more=(
        JobField(name="run.steps", type="integer", default="1000", words="How many updates."),
        JobField(name="optimizer.learning_rate", type="number", default="0.002"),
        JobField(name="optimizer.betas", type="list", default="[0.9, 0.99]"),
    ),
)


@pytest.fixture
def form(qtbot) -> SettingsForm:
    shown = SettingsForm()
    qtbot.addWidget(shown)
    shown.resize(700, 600)
    shown.show_form(FormSession(form=FORM))
    shown.show()
    return shown


def session_of(form: SettingsForm) -> FormSession:
    assert form.session is not None
    return form.session


def line(form: SettingsForm, name: str) -> QLineEdit:
    editor = form.rows[name].editor
    assert isinstance(editor, QLineEdit)
    return editor


def test_every_type_has_an_editor_that_can_be_typed_or_chosen_in(form: SettingsForm) -> None:
    resume, selection = form.rows["resume"].editor, form.rows["selection"].editor
    assert isinstance(resume, QComboBox)
    assert isinstance(selection, QComboBox)
    QTest.keyClicks(line(form, "data"), "/exports/one")
    resume.setCurrentIndex(resume.findText("yes"))
    selection.setCurrentIndex(selection.findText("strict"))
    assert session_of(form).settings() == {"data": "/exports/one", "resume": "true", "selection": "strict"}


def test_what_is_changed_is_marked_and_can_be_put_back(form: SettingsForm) -> None:
    row = form.rows["seed"]
    assert not row.back.isVisible()
    QTest.keyClicks(line(form, "seed"), "7")
    assert (row.title.text(), row.back.isVisible()) == ("● seed", True)
    assert "changed, was 0" in row.editor.accessibleDescription()
    row.back.click()
    assert (row.title.text(), line(form, "seed").text()) == ("seed", "0")
    assert line(form, "seed").hasFocus()


def test_further_settings_are_folded_away_and_found_by_their_meaning(qtbot, form: SettingsForm) -> None:
    assert "run.steps" not in form.rows
    assert "3 further settings" in form.more.text()
    form.more.click()
    assert {"run.steps", "optimizer.learning_rate", "optimizer.betas"} <= set(form.rows)
    assert form.search.hasFocus()
    QTest.keyClicks(form.search, "updates")
    qtbot.waitUntil(lambda: "optimizer.betas" not in form.rows)
    assert form.found.text() == "1 of 3"
    line(form, "run.steps").setText("20")
    assert "● 1" in form.more.text()
    form.more.click()
    assert "run.steps" not in form.rows
    assert session_of(form).values == {"run.steps": "20"}, "what is folded away stays filled in"


def test_a_problem_of_a_setting_that_is_folded_away_is_shown(form: SettingsForm) -> None:
    form.show_problems({"optimizer.betas": "betas are two numbers"})
    row = form.rows["optimizer.betas"]
    assert row.trouble.text() == "✕ betas are two numbers"
    assert row.editor.hasFocus()


def test_a_form_that_comes_while_another_window_is_active_has_the_keyboard_afterwards(qtbot, form: SettingsForm) -> None:
    other = QWidget()
    qtbot.addWidget(other)
    other.show()
    other.activateWindow()
    qtbot.waitUntil(other.isActiveWindow)
    form.show_form(FormSession(form=FORM))
    form.focus_first()
    other.close()
    form.activateWindow()
    qtbot.waitUntil(form.isActiveWindow)
    assert line(form, "data").hasFocus()


def test_a_hundred_settings_come_a_few_at_a_time(qtbot, form: SettingsForm) -> None:
    many = tuple(JobField(name=f"a.n{n}", type="integer", default=str(n)) for n in range(100))
    form.show_form(FormSession(form=JobForm(kind="train", main=FORM.main, more=many)))
    form.more.click()
    assert len(form.rows) < 30, "the window is not held up"
    qtbot.waitUntil(lambda: len(form.rows) == 106)
    form.more.click()
    form.more.click()
    form.show_problems({"a.n99": "too much"})
    assert form.rows["a.n99"].editor.hasFocus()


@pytest.mark.parametrize(
    ("name", "mode"), [("data", QFileDialog.FileMode.Directory), ("cases", QFileDialog.FileMode.AnyFile)]
)
def test_folders_and_files_are_picked_without_holding_anything_up(
    form: SettingsForm, name: str, mode: QFileDialog.FileMode
) -> None:
    browse = form.rows[name].findChild(QPushButton)
    assert browse is not None
    browse.click()
    dialog = form.findChild(QFileDialog)
    assert dialog is not None
    assert dialog.fileMode() is mode
    dialog.fileSelected.emit("/picked")
    dialog.reject()
    assert line(form, name).text() == "/picked"


def lines(form: SettingsForm) -> PathLines:
    editor = form.rows["paths"].editor
    assert isinstance(editor, PathLines)
    return editor


def drop(target: QWidget, what: QMimeData) -> None:
    """Drags in and lets go, as the window system does."""
    given = (Qt.DropAction.CopyAction, what, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(5, 5), *given)
    QCoreApplication.sendEvent(target, enter)
    assert enter.isAccepted()
    QCoreApplication.sendEvent(target, QDropEvent(QPointF(5, 5), *given))


def test_several_paths_are_typed_one_a_line_and_empty_lines_count_for_nothing(form: SettingsForm) -> None:
    editor = lines(form)
    editor.setFocus()
    QTest.keyClicks(editor, "/videos/one.mp4")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    QTest.keyClick(editor, Qt.Key.Key_Return)
    QTest.keyClicks(editor, "  /videos/two, three  ")
    assert json.loads(session_of(form).settings()["paths"]) == ["/videos/one.mp4", "/videos/two, three"]
    assert editor.toPlainText().count("\n") == 2, "nothing is taken away under somebody's hands"
    QTest.keyClick(editor, Qt.Key.Key_Tab)
    assert not editor.hasFocus(), "Tab leaves the field"
    form.rows["paths"].back.click()
    assert editor.toPlainText() == ""
    assert "paths" not in session_of(form).settings()


def test_files_that_are_dropped_or_picked_become_lines_but_none_twice(form: SettingsForm) -> None:
    editor, files = lines(form), QMimeData()
    files.setUrls([QUrl.fromLocalFile("/videos/a.mp4"), QUrl.fromLocalFile("/videos/b c.mp4"), QUrl("https://a.b/c.mp4")])
    drop(editor.viewport(), files)
    assert editor.paths() == ("/videos/a.mp4", "/videos/b c.mp4")
    add_files, add_folder = form.rows["paths"].findChildren(QPushButton)
    for button, mode, picked in (
        (add_files, QFileDialog.FileMode.ExistingFiles, "/videos/a.mp4"),
        (add_folder, QFileDialog.FileMode.Directory, "/more"),
    ):
        button.click()
        dialog = form.findChildren(QFileDialog)[-1]
        assert dialog.fileMode() is mode
        dialog.filesSelected.emit([picked])
        dialog.reject()
    assert json.loads(session_of(form).value("paths")) == ["/videos/a.mp4", "/videos/b c.mp4", "/more"]


def test_a_file_dropped_on_a_field_for_one_becomes_its_path(form: SettingsForm) -> None:
    files = QMimeData()
    files.setUrls([QUrl.fromLocalFile("/cases.json")])
    drop(line(form, "cases"), files)
    assert session_of(form).value("cases") == "/cases.json"


def test_paths_that_are_not_there_are_known_by_their_field(tmp_path, form: SettingsForm) -> None:
    (tmp_path / "one.mp4").touch()
    session = session_of(form)
    session.fill("paths", as_paths(("one.mp4", str(tmp_path), "gone.mp4")))
    session.fill("data", "one.mp4")
    session.fill("cases", "one.mp4")
    assert session.missing(tmp_path) == {"data": ("folder", "one.mp4"), "paths": ("paths", "gone.mp4")}
    session.fill("paths", as_paths(("one.mp4",)))
    session.fill("data", ".")
    assert session.missing(tmp_path) == {}


@pytest.fixture
def log(qtbot) -> LogView:
    view = LogView(LogTail())
    view.set_theme(load_theme("light"))
    qtbot.addWidget(view)
    view.resize(600, 300)
    view.show()
    return view


def say(log: LogView, *lines: str) -> None:
    tail = log._tail
    log.append(tail.take(tail.job_id, tail.after, JobLog(lines=lines, next_after=tail.after + len(lines))))


def at_end(log: LogView) -> bool:
    bar = log.lines.verticalScrollBar()
    return bar.value() == bar.maximum()


def test_a_log_follows_its_end_until_somebody_scrolls_back(log: LogView) -> None:
    say(log, *(f"line {n}" for n in range(200)))
    assert log.follows
    assert at_end(log)
    log.lines.verticalScrollBar().setValue(20)
    assert not log.follows
    say(log, "more")
    assert log.lines.verticalScrollBar().value() == 20, "who reads is not moved"
    log.lines.verticalScrollBar().setValue(log.lines.verticalScrollBar().maximum())
    assert log.follows, "who comes back to the end follows it again"
    say(log, *(f"more {n}" for n in range(50)))
    assert at_end(log)


def test_a_log_is_searched_forwards_and_back_and_finds_what_comes_later(log: LogView) -> None:
    say(log, *("warning" if n % 50 == 0 else f"line {n}" for n in range(200)))
    QTest.keyClicks(log.search, "Warning")
    assert log.found.text() == "4 of 4"
    assert not log.follows
    QTest.keyClick(log.search, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert log.lines.textCursor().blockNumber() == 100
    QTest.keyClick(log.search, Qt.Key.Key_Return)
    QTest.keyClick(log.search, Qt.Key.Key_Return)
    assert log.lines.textCursor().blockNumber() == 0, "around the end"
    say(log, "a warning at last")
    assert log.found.text() == "1 of 5"
    assert len(log.lines.extraSelections()) == 5
    log.search.clear()
    assert log.lines.extraSelections() == []
