"""Projects that go away, clips that are odd, clocks that run back: a clear state on the screen, and nothing lost."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from backend.domain import VERIFY_STUDY
from backend.media.reader import VideoReader
from backend.media.writer import write_preview, write_video
from backend.store.journal_schema import vote_of
from backend.workspace import Workspace
from studio.outbox import Outbox
from studio.pages.compare import ComparePage
from studio.pages.judge import JudgePage
from studio.player.deck import Deck
from studio.player.decoder import Reel
from studio.player.pane import Pane
from studio.sessions.verify import Phase
from studio.votes_sheet import VotesSheet
from studio.window import Window
from tests.studio.served import served_window, toy_workspace
from tests.studio.world import World

pytestmark = pytest.mark.slow


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with toy_workspace(tmp_path) as opened:
        yield opened


def shown(qtbot, window: Window, judged: int) -> JudgePage:
    """The page, once pair `judged` + 1 is on it."""
    page = window.page
    assert isinstance(page, JudgePage)
    qtbot.waitUntil(lambda: page.session.phase is Phase.JUDGING and page.session.judged == judged)
    return page


def judge(qtbot, window: Window, judged: int) -> None:
    """Waits for pair `judged` + 1 and gives a verdict."""
    page = shown(qtbot, window, judged)
    QTest.keyClick(page, Qt.Key.Key_2)
    qtbot.waitUntil(lambda: page.session.judged == judged + 1)


def test_a_project_that_is_moved_away_keeps_votes_waiting_and_takes_them_when_it_is_back(
    qtbot, workspace: Workspace, tmp_path: Path
) -> None:
    project, away = workspace.layout.root, tmp_path / "away"
    with served_window(workspace, tmp_path, "verify") as window:
        judge(qtbot, window, 0)
        qtbot.waitUntil(lambda: window.link.outbox.counts().pending == 0)
        shown(qtbot, window, 1)
        project.rename(away)
        judge(qtbot, window, 1)
        qtbot.waitUntil(lambda: "1" in window.rail.chip.text())
        counts = window.link.outbox.counts()
        assert (counts.pending, counts.sent, counts.attention) == (1, 1, 0)
        assert window.rail.chip.text() != "Saved"
        away.rename(project)
        window.link._sync.wake()
        qtbot.waitUntil(lambda: window.link.outbox.counts().pending == 0)
        assert len(workspace.votes(study_id=VERIFY_STUDY)) == 2


def test_a_project_that_is_deleted_is_told_and_what_was_judged_stays_on_this_disk(
    qtbot, workspace: Workspace, tmp_path: Path
) -> None:
    with served_window(workspace, tmp_path, "verify") as window:
        judge(qtbot, window, 0)
        qtbot.waitUntil(lambda: window.link.outbox.counts().pending == 0)
        shown(qtbot, window, 1)
        shutil.rmtree(workspace.layout.root)
        judge(qtbot, window, 1)
        qtbot.waitUntil(lambda: "1 vote waiting" in window.rail.chip.text())
        counts = window.link.outbox.counts()
        assert (counts.pending, counts.sent, counts.attention) == (1, 1, 0)
        assert window.rail.chip.property("tone") == "warn"
        assert str(workspace.layout.root) in window.rail.chip.toolTip()
        sheet = VotesSheet(window, window.link)
        qtbot.waitUntil(lambda: "1 waits on this disk" in sheet.told.text())
        sheet.accept()
    with Outbox(tmp_path / "state" / "p" / "outbox.sqlite") as kept:
        assert len(kept.unsent()) == 1


def test_a_project_that_another_process_holds_is_told_in_a_sentence(workspace: Workspace) -> None:
    started = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-m", "studio", str(workspace.layout.root)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.returncode == 1
    assert told.stderr.startswith(f"studio: project {workspace.layout.root} is in use by process {os.getpid()}")
    assert time.monotonic() - started < 30


def test_a_clock_that_is_set_back_changes_no_order_and_loses_nothing(qtbot, workspace: Workspace, tmp_path: Path) -> None:
    with served_window(workspace, tmp_path, "verify") as window:
        session = window.page.session
        judge(qtbot, window, 0)
        session.now = lambda: (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="milliseconds")
        judge(qtbot, window, 1)
        qtbot.waitUntil(lambda: window.link.outbox.counts().pending == 0)
    events = sorted((e for e in workspace.journal.tail(50) if e.kind == "vote"), key=lambda event: event.seq)
    first, second = [vote_of(event) for event in events]
    assert (first.rev, second.rev, first.item_id != second.item_id) == (1, 1, True)
    assert second.made_at < first.made_at
    assert min(first.visible_ms, second.visible_ms) >= 0


def test_videos_that_take_long_to_come_cannot_be_compared_before_they_are_there(qtbot, opened, world: World) -> None:
    """Over a service of the tests' own, whose previews take a second: how long the real one takes is nobody's to say."""
    world.clip_delay_s = 1.0
    window = opened(world)
    window.open_page("compare")
    page = window.page
    assert isinstance(page, ComparePage)
    for button in ("taste", "agree"):
        qtbot.waitUntil(lambda button=button: button in page.gate.buttons)
        page.gate.buttons[button].click()
    qtbot.waitUntil(lambda: page.session.phase is Phase.JUDGING)
    assert page.loader.clips == {}
    QTest.keyClicks(page, "a")
    assert "Watch" in page.hint.text()
    assert page.session.phase is Phase.JUDGING


class Pipe:
    """Takes bytes as a pipe does: nobody can go back and write how long it became."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, data: bytes) -> int:
        return self._file.write(data)

    def close(self) -> None:
        self._file.close()


def frames_of(count: int, size: tuple[int, int]) -> Iterator[np.ndarray]:
    for number in range(count):
        yield np.full((size[1], size[0], 3), 30 + number % 200, np.uint8)


def of_one_frame(path: Path) -> int:
    return write_video(path, frames_of(1, (320, 180)), fps=24, preset="ultrafast")


def of_4k(path: Path) -> int:
    return write_video(path, frames_of(6, (3840, 2160)), fps=24, preset="ultrafast")


def of_120_a_second(path: Path) -> int:
    return write_video(path, frames_of(60, (320, 180)), fps=120, preset="ultrafast")


def without_duration(path: Path) -> int:
    pipe = Pipe(path)
    with av.open(pipe, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for pixels in frames_of(12, (320, 180)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    pipe.close()
    with av.open(str(path)) as container:
        assert container.duration is None
    return 12


@pytest.mark.parametrize(
    ("make", "name"),
    [(of_one_frame, "one.mp4"), (of_4k, "large.mp4"), (of_120_a_second, "quick.mp4"), (without_duration, "endless.mkv")],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_an_odd_clip_plays_from_its_first_frame_to_its_last(qtbot, tmp_path: Path, make, name: str) -> None:
    count = make(tmp_path / name)
    with VideoReader(tmp_path / name) as reader:
        assert reader.num_frames == count
        assert write_preview(reader, 0, count, tmp_path / "preview.mp4") == count
        fps = 1 / float(np.diff(reader.times_s).mean()) if count > 1 else 25.0
    deck, pane = Deck(), Pane("A")
    qtbot.addWidget(pane)
    deck.load([(pane, Reel(path=str(tmp_path / "preview.mp4"), num_frames=count, fps=fps))], play=False)
    qtbot.waitUntil(lambda: pane.shown_index == 0)
    assert pane.frame is not None
    assert max(pane.frame.shape) <= 1280
    deck.seek(count - 1)
    qtbot.waitUntil(lambda: pane.shown_index == count - 1)
    assert abs(int(pane.frame[5, 5, 0]) - (30 + (count - 1) % 200)) < 6
    deck.toggle()
    qtbot.wait(50)
    deck.close()
