"""A pair that Studio was closed over, between its two questions, is the first one of the next session."""

from pathlib import Path

import pytest
from PySide6.QtTest import QTest

from backend.domain import VERIFY_STUDY
from backend.workspace import Workspace
from bench.studio_queue import PlantQueue
from studio.outbox import Outbox
from studio.sessions.verify import Phase
from studio.window import Window
from tests.studio.served import Service, planted_queue, window_over

pytestmark = pytest.mark.slow


def wait_for(qtbot, window: Window, question: str, *, judged: int = 0) -> str:
    """The pair of which a question is asked."""
    session = window.page.session

    def is_asked() -> bool:
        held = session.current
        is_open = session.phase is Phase.JUDGING and session.judged == judged
        return is_open and held is not None and held.open_question is not None and held.open_question.name == question

    qtbot.waitUntil(is_asked)
    return session.current.trial.item_id


def answers(workspace: Workspace, item: str) -> dict[str, str | None]:
    return {vote.question: vote.choice for vote in workspace.votes(study_id=VERIFY_STUDY, item_id=item)}


@pytest.mark.parametrize("is_sent", [True, False], ids=["sent", "in the outbox alone"])
def test_a_half_answered_pair_is_gone_on_with(qtbot, tmp_path: Path, is_sent: bool) -> None:
    with planted_queue(tmp_path, PlantQueue(clips=1, subjects=6)) as workspace:
        service = Service(workspace)
        service.start()
        with window_over(service, tmp_path, "verify") as window:
            item = wait_for(qtbot, window, "same")
            if not is_sent:
                service.stop()
            QTest.keyClicks(window.page, "1")
            assert wait_for(qtbot, window, "context") == item
            if is_sent:
                qtbot.waitUntil(lambda: answers(workspace, item) == {"same": "same"})
        if not is_sent:
            with Outbox(tmp_path / "state" / "p" / "outbox.sqlite") as outbox:
                assert [vote.item_id for vote in outbox.unsent()] == [item]
            assert answers(workspace, item) == {}
            service.start()
        with window_over(service, tmp_path, "verify") as window:
            assert wait_for(qtbot, window, "context") == item
            assert window.page.hint.text() == "You said: Same"
            assert "surroundings" in window.page.title.text()
            QTest.keyClicks(window.page, "z")
            assert wait_for(qtbot, window, "same") == item, "the answer of the session before is taken back"
            qtbot.waitUntil(lambda: answers(workspace, item) == {})
            QTest.keyClicks(window.page, "1")
            assert wait_for(qtbot, window, "context") == item
            QTest.keyClicks(window.page, "2")
            assert wait_for(qtbot, window, "same", judged=1) != item
            assert window.page.hint.text() == ""
            qtbot.waitUntil(lambda: answers(workspace, item) == {"same": "same", "context": "no"})
        assert workspace.queue_state(study_id=VERIFY_STUDY, rater="ann").judged == 1
        service.stop()
