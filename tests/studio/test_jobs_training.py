"""A training run on the jobs page, over the real service: a run folder as training leaves it, on a made export of two videos."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from backend.exports.reader import read_manifest
from backend.media.writer import write_video
from backend.store.job_events import ended_event, submitted_event
from backend.workspace import Workspace
from studio.pages.compare import ComparePage
from studio.pages.jobs import JobsPage
from studio.window import Window
from tests.studio.served import served_window, toy_workspace
from tests.training.made_export import made_export

SHIFT = Qt.KeyboardModifier.ShiftModifier
STEPS = (20, 40, 60)
pytestmark = pytest.mark.slow


def write_run(workspace: Workspace, folder: Path) -> Path:
    """60 of 100 steps whose loss is 100 / step, validations at 20, 40 and 60 with a video for each clip of the export."""
    export, run = made_export(folder / "squares"), folder / "runs" / "tiny-1"
    clips = sorted({sample.clip_id for sample in read_manifest(export).samples()})
    assert len(clips) == 2
    for step in STEPS:
        samples = run / "samples" / f"step-{step:08d}"
        samples.mkdir(parents=True)
        for clip in clips:
            write_video(samples / f"{clip}.mp4", np.full((5, 48, 64, 3), step, np.uint8), fps=8)
    (run / "config.json").write_text(json.dumps({"recipe": "tiny", "run": {"steps": 100}}))
    lines = [{"step": n, "loss": 100 / n, "gradient_norm": 1.0} for n in range(1, 61)]
    lines += [{"step": step, "validation/loss": 100 / step} for step in STEPS]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = {"data": str(export), "recipe": "tiny"}
    workspace.journal.append(
        [
            submitted_event("train-1", "train", actor="ann", asked=asked, out=str(run), about={}),
            ended_event("train-1", state="cancelled", message="", stage="train", done=60, total=100),
        ]
    )
    return run


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with toy_workspace(tmp_path) as opened:
        write_run(opened, tmp_path)
        yield opened


@pytest.fixture
def page(qtbot, workspace: Workspace, tmp_path: Path) -> Iterator[JobsPage]:
    with served_window(workspace, tmp_path, "jobs") as window:
        found = window.page
        assert isinstance(found, JobsPage)
        qtbot.waitUntil(lambda: found.session.is_known)
        found.run("jobs_training")
        qtbot.waitUntil(lambda: found.training.curves is not None and bool(found.training.pairs()))
        yield found


def press(page: JobsPage, key: str | Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    page.window().activateWindow()
    QApplication.processEvents()
    plot = page.layout_of.training.plot
    plot.setFocus()
    if isinstance(key, str):
        QTest.keyClicks(plot, key, modifier)
    else:
        QTest.keyClick(plot, key, modifier)


def test_curves_are_what_the_run_said_and_the_cursor_reads_them(qtbot, page: JobsPage) -> None:
    panel = page.layout_of.training
    assert [line.name for line in page.training.lines()] == ["loss", "validation/loss"]
    assert panel.plot.values_at(40) == {"loss": 2.5, "validation/loss": 2.5}
    press(page, Qt.Key.Key_End)
    assert panel.plot.step == 60
    press(page, Qt.Key.Key_Left)
    assert panel.plot.step == 59
    assert panel.reading.text() == f"step 59:   loss {100 / 59:.5g}   validation/loss 2.5"
    assert panel.plot.accessibleDescription() == panel.reading.text()
    before = page.training.smoothing
    press(page, "s")
    assert page.training.smoothing == pytest.approx(before + 0.05)
    press(page, "S", SHIFT)
    assert page.training.smoothing == pytest.approx(before)
    press(page, "g")
    assert page.training.is_log
    low, high = panel.plot.getViewBox().viewRange()[1]
    assert low < np.log10(100 / 60)
    assert 2.0 < high < 2.5, "100 stands at two of the logarithmic axis"
    press(page, "g")
    panel.names.setCurrentRow(2)
    panel.names.setFocus()
    QTest.keyClick(panel.names, Qt.Key.Key_Space)
    assert "gradient_norm" in [line.name for line in page.training.lines()], "chosen by the space bar"


def test_two_validations_stand_beside_each_other_in_step(qtbot, page: JobsPage) -> None:
    panel, training = page.layout_of.training, page.training
    assert training.sides == (20, 60)
    wanted = 2 * len(training.pairs())
    qtbot.waitUntil(lambda: len(panel.deck.sides) == wanted)
    press(page, ".")
    qtbot.waitUntil(lambda: {pane.shown_index for pane in panel.panes.values()} == {1})
    left = {int(pane.image.pixelColor(30, 20).red()) for (side, _), pane in panel.panes.items() if side == 0}
    right = {int(pane.image.pixelColor(30, 20).red()) for (side, _), pane in panel.panes.items() if side == 1}
    assert max(left) < 30 < 50 < min(right), "steps 20 and 60 were painted that grey"
    press(page, "a")
    assert training.sides == (40, 60)
    press(page, "B", SHIFT)
    assert training.sides == (40, 40)
    assert not panel.send.isEnabled(), "a step is not compared with itself"
    press(page, "v")
    assert "two different steps" in page.layout_of.status.text()
    press(page, "b")
    assert training.sides == (40, 60)
    press(page, "A", SHIFT)
    assert training.sides == (20, 60)
    press(page, "m")
    assert training.first_video == 0, "there are no others"


def test_both_sides_play_stop_and_zoom_together(qtbot, page: JobsPage) -> None:
    panel = page.layout_of.training
    qtbot.waitUntil(lambda: len(panel.deck.sides) == len(panel.panes) > 1)
    qtbot.waitUntil(lambda: {pane.shown_index for pane in panel.panes.values()} == {0})
    clock = panel.deck.clock
    press(page, Qt.Key.Key_Space)
    assert clock.playing
    press(page, "]")
    press(page, "[")
    assert clock.rate == 1.0
    press(page, "l")
    assert not clock.loops
    page.look_at("list")
    assert not clock.playing, "what is not seen does not play"
    page.look_at("training")
    press(page, ",")
    press(page, "=")
    assert {pane.look.zoom for pane in panel.panes.values()} == {1.25}
    press(page, "-")
    press(page, "0")
    assert {pane.look.zoom for pane in panel.panes.values()} == {1.0}


def test_two_checkpoints_are_sent_to_compare_as_a_blind_study(qtbot, page: JobsPage, workspace: Workspace) -> None:
    qtbot.waitUntil(lambda: page.training.comparable == (20, 60))
    press(page, "v")
    qtbot.waitUntil(lambda: bool(workspace.studies()))
    (study,) = workspace.studies()
    assert set(study.systems) == {"step 20", "step 60"}
    window = page.window()
    assert isinstance(window, Window)
    qtbot.waitUntil(lambda: window.page is window.pages.get("compare"))
    assert study.name in page.layout_of.status.text()
    compare = window.page
    assert isinstance(compare, ComparePage)
    qtbot.waitUntil(lambda: compare._design is not None and compare._design.name == study.name)
