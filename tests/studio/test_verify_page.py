"""The Verify page as a person uses it: by keys, over a service that answers for real."""

import pytest
from PySide6.QtTest import QTest

from studio.sessions.verify import Phase
from studio.window import Window
from tests.studio.world import World


def judging(window: Window) -> bool:
    return window.page.session.phase is Phase.JUDGING


def wait_for_next(qtbot, window: Window, judged: int) -> None:
    qtbot.waitUntil(lambda: judging(window) and window.page.session.judged == judged, timeout=10_000)


@pytest.mark.parametrize(("key", "choice"), [("1", "same"), ("2", "different"), ("3", "near_duplicate"), ("4", "unsure")])
def test_each_key_gives_the_verdict_it_says(qtbot, opened, world: World, key: str, choice: str) -> None:
    window = opened(world)
    wait_for_next(qtbot, window, 0)
    QTest.keyClicks(window.page, key)
    wait_for_next(qtbot, window, 1)
    qtbot.waitUntil(lambda: len(world.stored) == 1, timeout=5000)
    (vote,) = world.stored.values()
    assert (vote.item_id, vote.choice, vote.rater, vote.question) == ("pair_0000", choice, "ann", "identity")
    assert vote.shown_order == ("target", "reference")
