"""The Verify page as a person uses it: by keys, over a service that answers for real."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from backend.domain import VERIFY_STUDY
from studio.cheat_sheet import CheatSheet
from studio.outbox import Outbox
from studio.pages.compare import ComparePage
from studio.pages.verify import VerifyPage
from studio.sessions.verify import Phase
from studio.window import Window
from tests.studio.world import PARTS, World

pytestmark = pytest.mark.slow  # together they take too long for the fast run

Open = Callable[[World], Window]


def wait_for(qtbot, window: Window, judged: int) -> None:
    """Until trial number `judged` + 1 can be judged."""
    session = window.page.session
    qtbot.waitUntil(lambda: session.phase is Phase.JUDGING and session.judged == judged, timeout=10_000)


def press(window: Window, key: str) -> None:
    QTest.keyClicks(window.page, key)


def begin_study(qtbot, window: Window) -> None:
    """Opens Compare, chooses the study and agrees."""
    window.open_page("compare")
    page = window.page
    assert isinstance(page, ComparePage)
    qtbot.waitUntil(lambda: "taste" in page.gate.buttons, timeout=5000)
    page.gate.buttons["taste"].click()
    qtbot.waitUntil(lambda: "agree" in page.gate.buttons, timeout=5000)
    page.gate.buttons["agree"].click()


@pytest.mark.parametrize(("key", "choice"), [("1", "same"), ("2", "different"), ("3", "near_duplicate"), ("4", "unsure")])
def test_each_key_gives_the_verdict_it_says(qtbot, opened: Open, world: World, key: str, choice: str) -> None:
    window = opened(world)
    wait_for(qtbot, window, 0)
    press(window, key)
    wait_for(qtbot, window, 1)
    qtbot.waitUntil(lambda: len(world.stored) == 1, timeout=5000)
    (vote,) = world.stored.values()
    assert (vote.item_id, vote.choice, vote.rater, vote.question) == ("pair_0000", choice, "ann", "identity")
    assert vote.shown_order == ("target", "reference")
    assert window.page.form_view.buttons[choice].accessibleName().endswith(f"key {key}")


def test_the_vote_is_in_the_outbox_before_the_next_pair_is_shown(qtbot, monkeypatch, opened: Open, world: World) -> None:
    window = opened(world)
    wait_for(qtbot, window, 0)
    qtbot.waitUntil(lambda: len(window.page.loader.stills) == 3, timeout=10_000)
    world.away = True
    durable: list[int] = []
    show = window.page.form_view.show_trial

    def watched(*args) -> None:
        with Outbox(window.link.outbox.path) as other:
            durable.append(other.counts().pending)
        show(*args)

    monkeypatch.setattr(window.page.form_view, "show_trial", watched)
    press(window, "1")
    wait_for(qtbot, window, 1)
    press(window, "2")
    wait_for(qtbot, window, 2)
    assert durable == [1, 2]


def test_holding_a_key_gives_one_verdict(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    wait_for(qtbot, window, 0)
    page = window.page
    press(window, "1")
    wait_for(qtbot, window, 1)
    for _ in range(5):
        held = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_1, Qt.KeyboardModifier.NoModifier, "1", True)
        QApplication.sendEvent(page, held)
        qtbot.wait(30)
    assert page.session.judged == 1


def test_undo_brings_the_last_pair_back_and_withdraws_its_vote(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    wait_for(qtbot, window, 0)
    press(window, "2")
    wait_for(qtbot, window, 1)
    press(window, "z")
    wait_for(qtbot, window, 0)
    page = window.page
    assert page.session.current is not None
    assert page.session.current.trial.item_id == "pair_0000"
    assert "Different" in page.hint.text()
    qtbot.waitUntil(lambda: [v.choice for v in world.journal] == ["different", None], timeout=5000)
    press(window, "1")
    wait_for(qtbot, window, 1)
    qtbot.waitUntil(lambda: len(world.journal) == 3, timeout=5000)
    (vote,) = world.api.votes(study_id=VERIFY_STUDY)
    assert (vote.choice, vote.rev) == ("same", 3)


def test_reasons_are_ticked_by_key_and_go_with_the_verdict(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    wait_for(qtbot, window, 0)
    press(window, "cr")
    press(window, "cs")
    press(window, "c")
    window.page.form_view.comment.setFocus()
    QTest.keyClicks(window.page.form_view.comment, "worn 1z")
    QTest.keyClick(window.page.form_view.comment, Qt.Key.Key_Return)
    press(window, "2")
    wait_for(qtbot, window, 1)
    qtbot.waitUntil(lambda: len(world.stored) == 1, timeout=5000)
    (vote,) = world.stored.values()
    assert (vote.reasons, vote.comment, vote.choice) == (("shape",), "worn 1z", "different")
    assert not window.page.form_view.reasons_open


def test_the_next_two_pairs_are_loaded_while_one_is_judged(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    wait_for(qtbot, window, 0)
    loader = window.page.loader
    wanted = {world.trial(number).id for number in range(3)}
    qtbot.waitUntil(lambda: set(loader.stills) == wanted and set(loader.clips) == wanted, timeout=10_000)
    first_frames = [(world.folder / f"clip_{n}_{side}.mp4").as_posix() for n in (1, 2) for side in ("target", "reference")]
    qtbot.waitUntil(lambda: all(window.page.deck.cache.has(path, 0) for path in first_frames), timeout=10_000)


def test_judging_goes_on_offline_and_everything_arrives_later(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    wait_for(qtbot, window, 0)
    loader = window.page.loader
    qtbot.waitUntil(lambda: len(loader.stills) == 3 and len(loader.clips) == 3, timeout=10_000)
    world.away = True
    for judged, key in enumerate("121"):
        wait_for(qtbot, window, judged)
        press(window, key)
    qtbot.waitUntil(lambda: window.rail.chip.text() == "Offline · 3 votes waiting", timeout=10_000)
    qtbot.waitUntil(lambda: "cannot be opened" in window.page.rest_head.text(), timeout=10_000)
    world.away = False
    window.link._sync.wake()
    window.page.run("refresh")
    wait_for(qtbot, window, 3)
    qtbot.waitUntil(lambda: window.rail.chip.text() == "Saved", timeout=15_000)
    assert [vote.choice for vote in world.journal] == ["same", "different", "same"]


def test_a_lost_service_is_found_again(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    wait_for(qtbot, window, 0)
    other = World(folder=world.folder, num_pairs=6, num_frames=14, size=(320, 180))
    window.link._revive = lambda: other.api
    world.away = True
    press(window, "1")
    qtbot.waitUntil(lambda: [vote.choice for vote in other.journal] == ["same"], timeout=10_000)
    assert world.journal == []


def test_a_verdict_that_cannot_be_written_is_asked_for_again(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    wait_for(qtbot, window, 0)
    window.link.outbox.close()
    press(window, "1")
    qtbot.waitUntil(lambda: "not saved" in window.banner_words.text(), timeout=5000)
    assert window.page.session.judged == 0
    assert window.page.session.phase is Phase.JUDGING


def test_an_empty_queue_says_what_to_do_and_fills_by_itself(qtbot, opened: Open, world: World) -> None:
    world.num_pairs = 0
    window = opened(world)
    qtbot.waitUntil(lambda: window.page.session.phase is Phase.EMPTY, timeout=5000)
    assert window.page.rest_head.text() == "No pairs to verify yet"
    assert "studio-backend curate" in window.page.rest_words.text()
    world.num_pairs = 2
    window.page.run("refresh")
    wait_for(qtbot, window, 0)
    press(window, "1")
    wait_for(qtbot, window, 1)
    press(window, "1")
    qtbot.waitUntil(lambda: window.page.rest_head.text() == "All pairs are judged", timeout=5000)
    press(window, "z")
    wait_for(qtbot, window, 1)


def test_pairs_leased_to_another_rater_are_not_offered(qtbot, opened: Open, world: World) -> None:
    world.api.next_trials(study_id=VERIFY_STUDY, rater="bob", limit=4)
    window = opened(world)
    wait_for(qtbot, window, 0)
    session = window.page.session
    assert session.current is not None
    assert session.current.trial.item_id == "pair_0004"
    press(window, "1")
    wait_for(qtbot, window, 1)
    press(window, "1")
    qtbot.waitUntil(lambda: window.page.rest_head.text() == "Nothing for you just now", timeout=5000)


def test_a_picture_that_cannot_be_had_is_a_sentence_and_the_pair_can_be_judged(qtbot, opened: Open, world: World) -> None:
    world.broken |= {"crop_0_target", "clip_0_reference"}
    window = opened(world)
    wait_for(qtbot, window, 0)
    views = window.page.form_view.views
    assert "put it back" in views["target"].still.sentence
    qtbot.waitUntil(lambda: "put it back" in views["reference"].movie.sentence, timeout=5000)
    press(window, "4")
    wait_for(qtbot, window, 1)


def test_every_question_of_a_form_is_asked_in_turn(qtbot, opened: Open, world: World) -> None:
    world.form = PARTS
    window = opened(world)
    wait_for(qtbot, window, 0)
    assert window.page.title.text() == "Is the colour the same?"
    press(window, "1")
    qtbot.waitUntil(lambda: window.page.title.text() == "Is the scene another one?", timeout=5000)
    press(window, "2")
    wait_for(qtbot, window, 1)
    qtbot.waitUntil(lambda: len(world.stored) == 2, timeout=5000)
    answers = {vote.question: vote.choice for vote in world.stored.values()}
    assert answers == {"colour": "yes", "scene": "no"}


def test_playback_zoom_flicker_and_scores_obey_their_keys(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    wait_for(qtbot, window, 0)
    page = window.page
    qtbot.waitUntil(lambda: page.deck.clock.playing, timeout=10_000)
    press(window, " ")
    assert not page.deck.clock.playing
    at = page.deck.index
    press(window, ".")
    qtbot.waitUntil(lambda: page.deck.index == (at + 1) % 14, timeout=5000)
    press(window, ",")
    qtbot.waitUntil(lambda: page.deck.index == at, timeout=5000)
    mains = [view.main for view in page.form_view.views.values()]
    press(window, "+")
    assert [pane.look.zoom for pane in mains] == [1.25, 1.25]
    press(window, "g")
    mains[0].zoom_by(2.0)
    assert [pane.look.zoom for pane in mains] == [2.5, 1.25]
    press(window, "f")
    assert page.form_view.flickering
    press(window, "f")
    assert not page.form_view.flickering
    press(window, "h")
    assert isinstance(page, VerifyPage)
    assert page.scores.isHidden()


def test_the_sheet_shows_every_key_and_the_verdicts(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    wait_for(qtbot, window, 0)
    press(window, "?")
    sheet = window.findChild(CheatSheet)
    assert sheet is not None
    from PySide6.QtWidgets import QLabel

    words = {label.text() for label in sheet.findChildren(QLabel)}
    assert {"Same", "Near-duplicate", "Undo last verdict", "Flicker between the sides", "Z", "1"} <= words
    sheet.close()


def test_two_videos_are_compared_only_after_both_were_watched(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    begin_study(qtbot, window)
    wait_for(qtbot, window, 0)
    page = window.page
    press(window, "a")
    assert "Watch" in page.hint.text()
    qtbot.waitUntil(lambda: page.watched, timeout=10_000)
    press(window, "a")
    wait_for(qtbot, window, 1)
    qtbot.waitUntil(lambda: len(world.stored) == 1, timeout=5000)
    (vote,) = world.stored.values()
    assert (vote.study_id, vote.rater, vote.item_id, vote.choice) == ("compare", "p_ann", "case_0000", "a")


def test_videos_that_are_not_there_yet_cannot_be_compared(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    world.clip_delay_s = 1.0
    begin_study(qtbot, window)
    page = window.page
    wait_for(qtbot, window, 0)
    assert page.loader.clips == {}
    press(window, "a")
    assert "Watch" in page.hint.text()
    assert page.session.phase is Phase.JUDGING


def test_votes_survive_a_window_that_never_reached_the_service(qtbot, opened: Open, world: World, tmp_path: Path) -> None:
    window = opened(world)
    wait_for(qtbot, window, 0)
    world.away = True
    press(window, "1")
    wait_for(qtbot, window, 1)
    window.close()
    world.away = False
    again = opened(world)
    qtbot.waitUntil(lambda: [vote.item_id for vote in world.journal] == ["pair_0000"], timeout=10_000)
    wait_for(qtbot, again, 1)
    assert again.page.session.current is not None
    assert again.page.session.current.trial.item_id == "pair_0001"


def test_the_theme_changes_while_a_pair_is_open(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    wait_for(qtbot, window, 0)
    press(window, "rc")
    window.actions_.qt["theme"].trigger()
    assert window.theme.name == "dark"
    assert window.page.form_view.reason_buttons["colour"].isChecked()
    assert window.page.session.reasons == ("colour",)
