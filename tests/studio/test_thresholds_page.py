"""Thresholds by keys alone, over the real service: pairs of .9, .6 and .3 and a gate at .5."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QInputDialog, QLineEdit

from backend.domain import VERIFY_STUDY
from backend.workspace import Workspace
from studio.charts.chart import save_picture
from studio.export_dialog import ExportDialog
from studio.pages.thresholds import ThresholdsPage
from tests.backend.workspace.test_api import vote_on
from tests.studio.served import served_window, toy_workspace

pytestmark = pytest.mark.slow  # together they take too long for the fast run

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
GATE = "pair.similarity.min"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with toy_workspace(tmp_path) as opened:
        yield opened


@pytest.fixture
def page(qtbot, workspace: Workspace, tmp_path: Path) -> Iterator[ThresholdsPage]:
    with served_window(workspace, tmp_path, "thresholds") as window:
        found = window.page
        assert isinstance(found, ThresholdsPage)
        qtbot.waitUntil(lambda: found.outcome is not None)
        yield found


def press(page: ThresholdsPage, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    page.window().activateWindow()
    QApplication.processEvents()  # offscreen no window manager gives the focus back when a dialog has closed
    page.layout_of.plot.setFocus()
    QTest.keyClick(page.layout_of.plot, key, modifier)


def raise_to(qtbot, page: ThresholdsPage, value: float) -> None:
    """Moves the cut by keys until it stands at least there; waits for what that comes to."""
    for _ in range(100):
        if page.session.cuts[0].value >= value:
            break
        press(page, Qt.Key.Key_Right, SHIFT)
    qtbot.waitUntil(lambda: page.session.tried is not None and not page._asking_plan)


def test_the_cut_moves_by_keys_and_counts_follow(qtbot, page: ThresholdsPage) -> None:
    assert (page.session.score and page.session.score.name, page.layout_of.kept.text()) == ("similarity", "2")
    press(page, Qt.Key.Key_Right)
    (cut,) = page.session.cuts
    assert cut.value > 0.5
    assert cut.moved
    press(page, Qt.Key.Key_Left)
    assert not page.session.cuts[0].moved, "back on the grid is back where it was"
    raise_to(qtbot, page, 0.62)
    qtbot.waitUntil(lambda: page.layout_of.kept.text() == "1")
    qtbot.waitUntil(lambda: "2 → 1" in page.layout_of.counts.text())
    assert [step.dropped - step.dropped_before for step in page.session.funnel() if step.here] == [1]
    press(page, Qt.Key.Key_Backspace)
    qtbot.waitUntil(lambda: page.layout_of.kept.text() == "2")
    assert page.session.changes == ()


def test_the_cut_is_dragged_and_counts_follow(qtbot, page: ThresholdsPage) -> None:
    (line,) = page.layout_of.plot._lines
    line.setValue(0.7)
    line.sigDragged.emit(line)
    assert page.session.cuts[0].value == pytest.approx(0.7, abs=0.02), "on the grid that keys step on"
    assert page.session.cuts[0].moved
    qtbot.waitUntil(lambda: page.layout_of.kept.text() == "1")


def test_items_stand_on_either_side_of_the_cut_with_their_pictures(qtbot, page: ThresholdsPage) -> None:
    outside, inside = page.layout_of.outside, page.layout_of.inside
    assert [outside.item(n).text() for n in range(outside.count())] == ["0.3"]
    assert [inside.item(n).text() for n in range(inside.count())] == ["0.6", "0.9"]
    qtbot.waitUntil(lambda: bool(page.thumbnails.get("pair", inside.chosen()[0])))


def test_precision_is_told_from_verdicts(qtbot, page: ThresholdsPage, workspace: Workspace) -> None:
    assert page.layout_of.precision.text() == "–"
    trials = workspace.next_trials(study_id=VERIFY_STUDY, rater="bob")
    workspace.submit_votes(votes=(vote_on(trials[0], "same"), vote_on(trials[1], "different")))
    page.run("refresh")
    qtbot.waitUntil(lambda: page.layout_of.precision.text() == "0.500")
    assert "0.095 to 0.905" in page.layout_of.precision_words.text()  # Wilson of 1 in 2, by statsmodels


def test_a_selection_is_saved_taken_again_and_exported_with_what_stands_before(
    qtbot, page: ThresholdsPage, workspace: Workspace
) -> None:
    raise_to(qtbot, page, 0.62)
    press(page, Qt.Key.Key_S, CTRL)
    dialog = page.findChild(QInputDialog)
    assert dialog is not None
    field = dialog.findChild(QLineEdit)
    assert field is not None
    QTest.keyClicks(field, "strict")
    QTest.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(workspace.selections()))
    (kept,) = workspace.selections()
    assert kept.gates == {GATE: page.session.cuts[0].value}
    press(page, Qt.Key.Key_Backspace)
    page._take(kept)
    assert page.session.changes[0].value == kept.gates[GATE]
    press(page, Qt.Key.Key_E, CTRL)
    export = page.findChild(ExportDialog)
    assert export is not None
    qtbot.waitUntil(lambda: export.what.count() == 2)
    export.what.setCurrentIndex(1)
    export.split.setText("train=.5,test=.5")
    qtbot.waitUntil(lambda: "No leak" in export.forecast.text() and export.forecast.text().startswith("1 pair"))
    assert "CC0-1.0 (1)" in export.forecast.text()
    export.go.click()
    qtbot.waitUntil(lambda: "1 pair exported" in page.layout_of.status.text())
    assert workspace.status().counts["pairs"] == 2, "the project's own gates stay"


def test_gates_are_given_to_the_project(qtbot, page: ThresholdsPage, workspace: Workspace) -> None:
    press(page, Qt.Key.Key_Return, CTRL)
    assert "No gate is moved" in page.layout_of.status.text()
    workspace.use = lambda settings: setattr(workspace, "plan", workspace.plan.with_gates(settings.gates))  # toy plan
    raise_to(qtbot, page, 0.62)
    wanted = page.session.cuts[0].value
    press(page, Qt.Key.Key_Return, CTRL)
    qtbot.waitUntil(lambda: workspace.status().gates[-1].value == wanted)
    qtbot.waitUntil(lambda: not page.session.changes and page.session.cuts[0].saved == wanted)


def test_the_rest_of_the_keys(qtbot, page: ThresholdsPage, workspace: Workspace) -> None:
    press(page, Qt.Key.Key_V)
    qtbot.waitUntil(lambda: "first in the queue" in page.layout_of.status.text())
    press(page, Qt.Key.Key_P)
    assert page.session.score is not None
    assert page.session.score.name != "similarity" or len(page.session.scores) == 1
    press(page, Qt.Key.Key_N)
    press(page, Qt.Key.Key_C)
    press(page, Qt.Key.Key_Right, SHIFT)
    press(page, Qt.Key.Key_Left, SHIFT)
    press(page, Qt.Key.Key_B)
    qtbot.waitUntil(lambda: "No selection" in page.layout_of.status.text())
    assert page.session.changes == ()


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_histogram_is_kept_as_a_picture(page: ThresholdsPage, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"cut.{ending}"
    save_picture(page.layout_of.plot, path)
    found = path.read_bytes()
    assert found.startswith(b"\x89PNG") if ending == "png" else b"<svg" in found[:400]
    assert len(found) > 2000
    QApplication.processEvents()
