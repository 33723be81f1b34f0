"""What the service refuses: told with its reason, sent again or dropped, over the real service of a study."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from backend.api import Api
from backend.domain import Vote
from backend.domain.studies import Participant
from backend.studies.book import trial_id
from backend.workspace import Workspace
from studio.ask_dialog import AskDialog
from studio.votes_sheet import VotesSheet
from studio.window import Window
from tests.backend.workspace.study_project import create, newcomer, write_benchmark
from tests.studio.served import served_window

pytestmark = pytest.mark.slow


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace(tmp_path / "project", create=True)
    benchmark = write_benchmark(tmp_path / "benchmark", cases=3, frames=2)
    create(cast(Api, opened), benchmark, trials=4, sequential=True, hold_out=0.5)  # so that trials are given out one by one
    yield opened
    opened.close()


def answer_to(person: Participant, position: int, *, comment: str = "") -> Vote:
    """Somebody's answer to their trial at a position, given out or not."""
    trial = trial_id(person.study_id, person.id, position)
    return Vote(
        id=f"{trial}-better",
        rev=1,
        study_id=person.study_id,
        trial_id=trial,
        item_id=trial,
        rater=person.id,
        rater_kind="person",
        question="better",
        choice="tie",
        comment=comment,
    )


def sheet_of(qtbot, window: Window) -> VotesSheet:
    window.rail.chip.click()
    qtbot.waitUntil(lambda: window.findChild(VotesSheet) is not None)
    sheet = window.findChild(VotesSheet)
    assert sheet is not None
    sheet.activateWindow()  # offscreen no window manager does it
    qtbot.waitUntil(sheet.rows.hasFocus)
    return sheet


def test_refused_votes_are_told_with_their_reason_sent_again_or_dropped(
    qtbot, workspace: Workspace, tmp_path: Path
) -> None:
    api = cast(Api, workspace)
    gone, person = newcomer(api, "taste"), newcomer(api, "taste")
    for one in (gone, person):
        api.study_trials(participant=one.id, start=0, limit=1)
    api.withdraw(participant=gone.id)
    withdrawn, long = answer_to(gone, 0), answer_to(person, 0, comment="x" * 3000)
    with served_window(workspace, tmp_path, "library") as window:
        for vote in (withdrawn, long):
            window.link.write(vote)
        qtbot.waitUntil(lambda: window.rail.chip.text() == "2 votes refused")
        assert window.rail.chip.property("tone") == "bad"
        assert window.rail.chip.toolTip() == "What was refused, and why (Ctrl+Shift+V)"
        sheet = sheet_of(qtbot, window)
        qtbot.waitUntil(lambda: sheet.rows.count() == 2)
        first, second = (sheet.rows.item(row).text() for row in range(2))
        assert "better: tie" in first
        assert "this response is withdrawn; it takes no further answers" in first
        assert "the reason has 3000 letters" in second
        sheet.rows.setCurrentRow(1)
        QTest.keyClick(sheet.rows, Qt.Key.Key_Delete)
        asked = sheet.findChild(AskDialog)
        assert asked is not None
        asked.cancel.click()
        assert window.link.outbox.counts().attention == 2, "who thinks better of it loses nothing"
        QTest.keyClick(sheet.rows, Qt.Key.Key_Delete)
        sheet.findChildren(AskDialog)[-1].go.click()
        qtbot.waitUntil(lambda: window.rail.chip.text() == "1 vote refused" and sheet.rows.count() == 1)
        with qtbot.waitSignal(window.link.vote_refused, timeout=30_000):
            QTest.keyClick(sheet.rows, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: window.link.outbox.counts().attention == 1)
        assert [one.said for one in window.link.outbox.refused()] == [withdrawn], "refused once more"
        sheet.accept()
    assert not workspace.votes(study_id=person.study_id)


def test_a_refused_vote_that_is_right_now_is_taken_when_it_is_sent_again(
    qtbot, workspace: Workspace, tmp_path: Path
) -> None:
    api = cast(Api, workspace)
    person = newcomer(api, "taste")
    with served_window(workspace, tmp_path, "library") as window:
        for position in range(4):
            window.link.write(answer_to(person, position))
        qtbot.waitUntil(lambda: window.rail.chip.text().endswith("refused"))
        qtbot.waitUntil(lambda: window.link.outbox.counts().pending == 0)
        sheet = sheet_of(qtbot, window)
        many = window.link.outbox.counts().attention
        qtbot.waitUntil(lambda: sheet.rows.count() == many)
        assert many > 0
        assert all("was not given out yet" in sheet.rows.item(row).text() for row in range(many))
        api.study_trials(participant=person.id, start=0, limit=4)
        sheet.again.click()
        qtbot.waitUntil(lambda: window.rail.chip.text() == "Saved")
        qtbot.waitUntil(lambda: not sheet.rows.isVisible())
        assert sheet.told.text() == "Everything was sent, and the service has it."
        sheet.accept()
    assert [(vote.rater, vote.choice) for vote in workspace.votes(study_id=person.study_id)] == [(person.id, "tie")] * 4
