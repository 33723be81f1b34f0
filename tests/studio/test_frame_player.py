"""A metric's values by frame over the real service, and the videos beneath them: three systems, one case of 24 frames."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from backend.api import Api
from backend.domain import ProjectError
from backend.workspace import Workspace
from studio.pages.results import ResultsPage
from tests.backend.workspace.study_project import SHADES, SYSTEMS, write_benchmark
from tests.studio.served import served_window

pytestmark = pytest.mark.slow
FRAMES, METRIC = 24, "colour_drift"


@pytest.fixture
def page(qtbot, tmp_path: Path) -> Iterator[ResultsPage]:
    benchmark = write_benchmark(tmp_path / "benchmark", cases=1, frames=FRAMES)
    opened = Workspace(tmp_path / "project", create=True)
    api = cast(Api, opened)
    for system in SYSTEMS:
        asked = api.evaluate(
            cases=str(benchmark / "cases.json"),
            videos=str(benchmark / system),
            system=system,
            metrics=(METRIC,),
            engine="inline",
        )
        qtbot.waitUntil(lambda job=asked.job: api.progress(job_id=job.job_id).state == "done")
    with served_window(opened, tmp_path, "results") as window:
        found = window.page
        assert isinstance(found, ResultsPage)
        qtbot.waitUntil(lambda: found.board is not None)
        found.look_at("frames")
        qtbot.waitUntil(lambda: len(found.player.deck.sides) == len(SYSTEMS))
        yield found
    opened.close()


def shades(page: ResultsPage) -> list[int]:
    """The middle pixel of every pane."""
    frames = [pane.frame for pane in page.player.panes.values()]
    return [int(frame[24, 48, 0]) if frame is not None else -1 for frame in frames]


def test_the_cursor_follows_the_videos_and_the_videos_the_cursor(qtbot, page: ResultsPage) -> None:
    qtbot.waitUntil(lambda: -1 not in shades(page))
    expected = [SHADES[name] for name in page.player.panes]
    assert all(abs(seen - planted) < 8 for seen, planted in zip(shades(page), expected, strict=True))
    cursor = page.layout_of.chart._cursor
    assert cursor is not None
    page.layout_of.chart.setFocus()
    QTest.keyClick(page.layout_of.chart, Qt.Key.Key_Period)
    QTest.keyClick(page.layout_of.chart, Qt.Key.Key_Period)
    qtbot.waitUntil(lambda: {pane.shown_index for pane in page.player.panes.values()} == {2})
    assert cursor.value() == 2
    page.layout_of.chart.asked_for.emit(17.4)
    qtbot.waitUntil(lambda: {pane.shown_index for pane in page.player.panes.values()} == {17})
    assert cursor.value() == 17


def test_every_player_action_moves_the_deck_and_another_view_pauses_it(qtbot, page: ResultsPage) -> None:
    deck = page.player.deck
    page.layout_of.chart.setFocus()
    page.run("play")
    assert deck.clock.playing
    page.run("slower")
    assert deck.clock.rate < 1
    page.run("faster")
    assert deck.clock.rate == 1
    looped = deck.clock.loops
    page.run("loop")
    assert deck.clock.loops is not looped
    page.run("zoom_in")
    assert {pane.look.zoom for pane in page.player.panes.values()} == {1.25}
    page.run("zoom_out")
    page.run("zoom_in")
    page.run("zoom_fit")
    assert {pane.look.zoom for pane in page.player.panes.values()} == {1.0}
    page.run("play")
    page.look_at("leaderboard")
    assert not deck.clock.playing
    assert page.player.isHidden()
    page.run("step_on")
    page.run("step_back")


def test_a_generated_video_that_is_gone_says_so_in_its_pane_and_the_others_play(
    qtbot, page: ResultsPage, tmp_path: Path
) -> None:
    api = page.link.api
    (row, *_) = [row for row in api.evaluation() if row.system == "fair"]
    for preview in (tmp_path / "project").rglob(f"{row.generation_id}.mp4"):
        preview.unlink()
    (tmp_path / "benchmark" / "fair").rename(tmp_path / "benchmark" / "away")
    page.player.show_videos([])
    page._show_frames()
    qtbot.waitUntil(lambda: len(page.player.deck.sides) == 2)
    assert page.player.panes["fair"].sentence
    assert not page.player.panes["good"].sentence
    with pytest.raises(ProjectError, match="no video of generation_"):
        api.media(media_id="g-generation_" + "0" * 20)
