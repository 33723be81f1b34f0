"""A service that stops, or is killed, under an open Verify page: verdicts go on, and each arrives once."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from backend.client import connect
from backend.domain import CASES_STUDY
from backend.workspace import Workspace
from bench.studio_queue import PlantQueue, plant
from studio.app import open_window
from studio.outbox import Outbox
from studio.pages.judge import HELD
from studio.pages.page import Page
from studio.sessions.verify import Phase
from studio.window import Window
from tests.metrics.made_cases import case, written
from tests.studio.served import Service, planted_queue, served_window, window_over

pytestmark = pytest.mark.slow


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """One clip with six subjects: 15 pairs, of which a window holds five."""
    opened = Workspace(tmp_path / "queue", create=True)
    plant(opened, PlantQueue(clips=1, subjects=6))
    yield opened
    opened.close()


def wait_for(qtbot, page: Page, judged: int) -> None:
    session = page.session
    qtbot.waitUntil(lambda: session.phase is Phase.JUDGING and session.judged == judged)


def judge(qtbot, window: Window, judged: int) -> str:
    """A verdict on pair `judged` + 1, which the screen then moves on from; the pair."""
    wait_for(qtbot, window.page, judged)
    item = window.page.session.current.trial.item_id
    QTest.keyClicks(window.page, "2")
    qtbot.waitUntil(lambda: window.page.session.judged == judged + 1)
    return item


def arrived(workspace: Workspace) -> list[str]:
    """The pairs of which the journal has a verdict, in its order, once for each that it has."""
    events = sorted(workspace.journal.tail(1000), key=lambda event: event.seq)
    return [event.body["item_id"] for event in events if event.kind == "vote"]


def test_the_vote_is_in_the_outbox_before_the_next_pair_is_shown_and_judging_goes_on_while_the_service_is_away(
    qtbot, monkeypatch: pytest.MonkeyPatch, workspace: Workspace, tmp_path: Path
) -> None:
    service = Service(workspace)
    service.start()
    with window_over(service, tmp_path, "verify") as window:
        page = window.page
        wait_for(qtbot, page, 0)
        qtbot.waitUntil(lambda: len(page.loader.stills) == 3 and len(page.loader.clips) == 1 + HELD)
        service.stop()
        durable, show = list[int](), page.form_view.show_trial

        def watched(*args) -> None:
            with Outbox(window.link.outbox.path) as other:  # as another process would read it
                durable.append(other.counts().pending)
            show(*args)

        monkeypatch.setattr(page.form_view, "show_trial", watched)
        judged = [judge(qtbot, window, number) for number in range(3)]
        assert durable[:2] == [1, 2]
        qtbot.waitUntil(lambda: window.rail.chip.text() == "Offline · 3 votes waiting")
        qtbot.waitUntil(lambda: "cannot be opened" in page.rest.head.text())
        assert not window.banner.isVisible(), "the network's troubles are told by the chip alone"
        assert arrived(workspace) == []
        service.start()
        window.link._sync.wake()
        wait_for(qtbot, page, 3)
        qtbot.waitUntil(lambda: window.rail.chip.text() == "Saved")
        assert arrived(workspace) == judged
    service.stop()


def test_previews_that_are_cleared_while_pairs_are_held_are_made_again(qtbot, tmp_path: Path) -> None:
    with (
        planted_queue(tmp_path, PlantQueue(clips=4, subjects=1)) as workspace,
        served_window(workspace, tmp_path, "verify") as window,
    ):
        page = window.page
        wait_for(qtbot, page, 0)
        qtbot.waitUntil(lambda: len(page.loader.clips) == 1 + HELD)
        (following, *_) = page.session.upcoming
        previews = [Path(reel.path) for reel in page.loader.clips[following.id].reels.values()]
        assert len(previews) == 2 and all(preview.exists() for preview in previews)
        window.link.api.clear_storage(kinds=("previews",))
        judge(qtbot, window, 0)
        wait_for(qtbot, page, 1)
        assert page.session.current is following
        qtbot.waitUntil(lambda: all(preview.exists() for preview in previews))
        qtbot.waitUntil(lambda: all(view.movie.frame is not None for view in page.form_view.views.values()))


@pytest.mark.server
def test_a_service_killed_under_an_open_window_is_started_again_and_judging_goes_on(qtbot, tmp_path: Path) -> None:
    """Over three cases: a service that Studio starts has the plan of the project's recipe, in which nothing can be planted."""
    project = tmp_path / "project"
    (tmp_path / "bench").mkdir()
    cases = {f"singleobj_{number}": case(number, prompt=f"Cups: {number}.") for number in (1, 2, 3)}
    with closing(Workspace(project, create=True)) as opened:
        opened.ask_approval(cases=written(tmp_path / "bench", cases, pictures=3))
    mine, state = psutil.Process(), tmp_path / "state" / "p"
    before = set(mine.children(recursive=True))
    start = partial(connect, project, start=True)
    window = open_window(start(), project=project, rater="ann", theme="light", state=state, page="verify", revive=start)
    window.show()
    window.activateWindow()
    try:
        qtbot.waitUntil(window.isActiveWindow)
        QTest.keyClick(window.page, Qt.Key.Key_4, Qt.KeyboardModifier.ControlModifier)
        judged = [judge(qtbot, window, 0)]
        wait_for(qtbot, window.page, 1)
        (killed,) = services(mine, before)
        for process in (killed, *killed.children(recursive=True)):
            process.kill()
        judged.append(judge(qtbot, window, 1))
        qtbot.waitUntil(lambda: window.link.outbox.counts().sent == 2, timeout=180_000)
        (again,) = services(mine, before)
        assert again.pid != killed.pid
        judged.append(judge(qtbot, window, 2))
        qtbot.waitUntil(lambda: window.link.outbox.counts().sent == 3)
        qtbot.waitUntil(lambda: window.rail.chip.text() == "Saved")
        votes = connect(project).votes(study_id=CASES_STUDY)
        assert sorted(vote.item_id for vote in votes) == sorted(judged)
    finally:
        window.close()
        window.deleteLater()
        for child in services(mine, before):
            child.terminate()
            child.wait(20)


def services(of: psutil.Process, before: set[psutil.Process]) -> list[psutil.Process]:
    """Children that serve, of those that were not there before."""
    found = [child for child in of.children() if child not in before and child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in found if "serve" in child.cmdline()]
