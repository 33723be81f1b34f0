"""Cases in Verify by keys alone, over the real service: prompts are corrected, taken back, and arrive whatever is away."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from backend.domain import CASES_STUDY
from backend.domain.corrections import Correction
from backend.workspace import Workspace
from studio.outbox import Outbox
from studio.pages.verify import VerifyPage
from studio.sessions.verify import Phase
from studio.window import Window
from tests.metrics.made_cases import case, written
from tests.studio.served import away, served_window
from tests.studio.test_verify_modes import CTRL

pytestmark = pytest.mark.slow  # each opens a window over a service


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "bench").mkdir()
    cases = {"singleobj_1": case(prompt="A cup."), "singleobj_2": case(2, prompt="Two cups."), "singleobj_3": case(3)}
    with closing(Workspace(tmp_path / "project", create=True)) as opened:
        opened.ask_approval(cases=written(tmp_path / "bench", cases, pictures=3))
        yield opened


@contextmanager
def cases_page(qtbot, workspace: Workspace, folder: Path) -> Iterator[VerifyPage]:
    with served_window(workspace, folder, "verify") as window:
        page = window.page
        assert isinstance(page, VerifyPage)
        qtbot.waitUntil(window.isActiveWindow)
        QTest.keyClick(page, Qt.Key.Key_4, CTRL)
        qtbot.waitUntil(lambda: page.session.phase is Phase.JUDGING)
        yield page


def prompt_of(page: VerifyPage) -> str:
    return page.form_view.views["prompt"].words.text()


def shows(page: VerifyPage, prompt: str) -> Callable[[], bool]:
    return lambda: page.session.phase is Phase.JUDGING and not page.is_editing and prompt_of(page) == prompt


def rewrite(page: VerifyPage, prompt: str) -> None:
    QTest.keyClicks(page, "e")
    assert page.is_editing
    QTest.keyClick(page.prompt.field, Qt.Key.Key_A, CTRL)
    QTest.keyClicks(page.prompt.field, prompt)
    QTest.keyClick(page.prompt.field, Qt.Key.Key_S, CTRL)


def prompts(workspace: Workspace, folder: Path) -> list[str]:
    return [one.prompt for one in workspace.review_cases(cases=str(folder / "bench" / "cases.json")).cases]


def test_a_prompt_is_corrected_approved_as_it_is_and_taken_back(qtbot, workspace: Workspace, tmp_path: Path) -> None:
    with cases_page(qtbot, workspace, tmp_path) as page:
        assert prompt_of(page) == "A cup."
        prompt = page.form_view.views["prompt"]
        # Pictures get the room
        qtbot.waitUntil(lambda: prompt.height() < prompt.sizeHint().height() + 20)
        QTest.keyClick(page, Qt.Key.Key_Backspace, CTRL)
        assert "Nothing was corrected" in cast(Window, page.window()).banner_words.text()
        rewrite(page, "A grey cup on a table.")
        qtbot.waitUntil(shows(page, "A grey cup on a table."))
        QTest.keyClicks(page, "1")
        qtbot.waitUntil(shows(page, "Two cups."))
        rewrite(page, "Two grey cups.")
        qtbot.waitUntil(shows(page, "Two grey cups."))
        QTest.keyClick(page, Qt.Key.Key_Backspace, CTRL)
        qtbot.waitUntil(shows(page, "Two cups."))
        assert prompts(workspace, tmp_path)[:2] == ["A grey cup on a table.", "Two cups."]
        approved = workspace.review_cases(cases=str(tmp_path / "bench" / "cases.json")).cases[0]
        assert (approved.verdict, approved.caption_by) == ("approve", "ann")
        events = [
            (event["actor"], event["rev"]) for event in workspace.journal_tail(limit=50) if event["kind"] == "corrected"
        ]
        assert events == [("ann", 1), ("ann", 1), ("ann", 2)]
        QTest.keyClicks(page, "e")
        assert page.prompt.take_back_button.isEnabled()
        QTest.keyClick(page.prompt.field, Qt.Key.Key_Escape)
        qtbot.waitUntil(shows(page, "Two cups."))


def test_a_prompt_without_a_service_waits_here_and_the_next_case_is_judged(
    qtbot, workspace: Workspace, tmp_path: Path
) -> None:
    with cases_page(qtbot, workspace, tmp_path) as page:
        qtbot.waitUntil(lambda: any(each.id in page.loader.stills for each in page.session.upcoming))
        with away(page.link):
            rewrite(page, "A grey cup on a table.")
            qtbot.waitUntil(shows(page, "Two cups."))
            assert "Saved on this machine" in cast(Window, page.window()).banner_words.text()
            assert prompts(workspace, tmp_path)[0] == "A cup."
        qtbot.waitUntil(shows(page, "A grey cup on a table."))
        assert prompts(workspace, tmp_path)[0] == "A grey cup on a table."


def test_a_prompt_that_a_killed_window_left_arrives_and_its_case_is_asked_as_it_is(
    qtbot, workspace: Workspace, tmp_path: Path
) -> None:
    first = workspace.next_trials(study_id=CASES_STUDY, rater="ann", limit=1)[0]
    with Outbox(tmp_path / "state" / "p" / "outbox.sqlite") as outbox:
        outbox.put(Correction(id="c1", rev=1, kind="prompt", item_id=first.item_id, rater="ann", text="A blue cup."))
    with cases_page(qtbot, workspace, tmp_path) as page:
        qtbot.waitUntil(shows(page, "A blue cup."))
        assert page.link.outbox.counts().pending == 0
    assert [event["id"] for event in workspace.journal_tail(limit=20) if event["kind"] == "corrected"] == ["c1"]


def test_a_prompt_that_cannot_be_stays_in_its_field_and_is_told(qtbot, workspace: Workspace, tmp_path: Path) -> None:
    with cases_page(qtbot, workspace, tmp_path) as page:
        QTest.keyClicks(page, "e")
        page.prompt.field.setPlainText("m" * 100_001)
        QTest.keyClick(page.prompt.field, Qt.Key.Key_S, CTRL)
        banner = cast(Window, page.window()).banner_words
        qtbot.waitUntil(lambda: "write 1 to 100000" in banner.text())
        assert page.is_editing
        assert len(page.prompt.field.toPlainText()) == 100_001
        assert page.link.outbox.counts().attention == 0
        page.prompt.field.setPlainText("A cup.")
        QTest.keyClick(page.prompt.field, Qt.Key.Key_S, CTRL)
        qtbot.waitUntil(shows(page, "A cup."))
    assert not [event for event in workspace.journal_tail(limit=20) if event["kind"] == "corrected"]
