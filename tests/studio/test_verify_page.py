"""The Verify page as a person uses it: by keys, over the real service of one long queue, each test as another rater."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from backend.domain import VERIFY_STUDY, Vote
from backend.store.journal_schema import vote_of
from backend.workspace import Workspace
from studio.cheat_sheet import CheatSheet
from studio.outbox import Outbox
from studio.pages.judge import HELD, READY
from studio.pages.verify import VerifyPage
from studio.player.pane import Look
from studio.sessions.verify import Phase
from studio.window import Window
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import plan, write_toy_video
from tests.studio.served import Service, long_queue, served_window, toy_workspace, window_over

pytestmark = pytest.mark.slow  # together they take too long for the fast run


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with long_queue(tmp_path_factory.mktemp("verify")) as workspace:
        made = Service(workspace)
        made.start()
        yield made
        made.stop()


@pytest.fixture
def rater(request: pytest.FixtureRequest) -> str:
    return request.node.name


@pytest.fixture
def window(qtbot, service: Service, tmp_path: Path, rater: str) -> Iterator[Window]:
    with window_over(service, tmp_path, "verify", rater=rater) as shown:
        wait_for(qtbot, shown, 0)
        yield shown


def wait_for(qtbot, window: Window, judged: int) -> None:
    """Until pair `judged` + 1 can be judged."""
    session = window.page.session
    qtbot.waitUntil(lambda: session.phase is Phase.JUDGING and session.judged == judged and not session.current.answers)


def press(window: Window, key: str) -> None:
    QTest.keyClicks(window.page, key)


def shown_item(window: Window) -> str:
    held = window.page.session.current
    assert held is not None
    return held.trial.item_id


def wait_loaded(qtbot, window: Window) -> None:
    """Until the pictures and clips of everything that is held are there."""
    page = window.page
    qtbot.waitUntil(lambda: len(page.loader.stills) == 1 + READY and len(page.loader.clips) == 1 + HELD)


def said(service: Service, rater: str) -> list[Vote]:
    """Every revision that the journal holds of somebody, in its order."""
    events = service.workspace.journal.tail(1000)
    votes = [vote_of(event) for event in sorted(events, key=lambda event: event.seq) if event.kind == "vote"]
    return [vote for vote in votes if vote.rater == rater]


@pytest.mark.parametrize(("key", "choice"), [("1", "same"), ("2", "different"), ("3", "near_duplicate"), ("4", "unsure")])
def test_each_key_gives_the_verdict_it_says(
    qtbot, window: Window, service: Service, rater: str, key: str, choice: str
) -> None:
    item = shown_item(window)
    assert window.page.form_view.buttons[choice].accessibleName().endswith(f"key {key}")
    press(window, key)
    expected = [("same", choice)]
    if choice == "same":
        qtbot.waitUntil(lambda: "surroundings" in window.page.title.text())
        press(window, "2")
        expected.append(("context", "no"))
    wait_for(qtbot, window, 1)
    qtbot.waitUntil(lambda: len(said(service, rater)) == len(expected))
    votes = said(service, rater)
    assert [(vote.question, vote.choice) for vote in votes] == expected
    assert {(vote.item_id, vote.study_id, vote.rater_kind) for vote in votes} == {(item, VERIFY_STUDY, "person")}
    assert {vote.shown_order for vote in votes} == {("target", "reference")}


def test_holding_a_key_gives_one_verdict(qtbot, window: Window) -> None:
    press(window, "2")
    wait_for(qtbot, window, 1)
    for _ in range(5):
        held = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_2, Qt.KeyboardModifier.NoModifier, "2", True)
        QApplication.sendEvent(window.page, held)
        qtbot.wait(30)
    assert window.page.session.judged == 1


def test_undo_brings_the_last_pair_back_and_withdraws_its_vote(qtbot, window: Window, service: Service, rater: str) -> None:
    item = shown_item(window)
    press(window, "2")
    wait_for(qtbot, window, 1)
    press(window, "z")
    session = window.page.session
    qtbot.waitUntil(lambda: session.phase is Phase.JUDGING and session.judged == 0)
    assert shown_item(window) == item
    assert "Different" in window.page.hint.text()
    qtbot.waitUntil(lambda: [vote.choice for vote in said(service, rater)] == ["different", None])
    press(window, "4")
    wait_for(qtbot, window, 1)
    qtbot.waitUntil(lambda: len(said(service, rater)) == 3)
    stored = service.workspace.votes(study_id=VERIFY_STUDY, item_id=item)
    assert [(vote.choice, vote.rev) for vote in stored if vote.rater == rater] == [("unsure", 3)]


def test_reasons_are_ticked_by_key_and_go_with_the_verdict(qtbot, window: Window, service: Service, rater: str) -> None:
    press(window, "cr")  # no reason before they are open
    press(window, "cs")
    press(window, "c")
    window.page.form_view.comment.setFocus()
    QTest.keyClicks(window.page.form_view.comment, "worn 1z")
    QTest.keyClick(window.page.form_view.comment, Qt.Key.Key_Return)
    press(window, "2")
    wait_for(qtbot, window, 1)
    qtbot.waitUntil(lambda: len(said(service, rater)) == 1)
    (vote,) = said(service, rater)
    assert (vote.reasons, vote.comment, vote.choice) == (("shape",), "worn 1z", "different")
    assert not window.page.form_view.reasons_open


def test_tab_goes_from_the_open_reasons_to_the_note_and_enter_comes_back(
    qtbot, window: Window, service: Service, rater: str
) -> None:
    page = window.page
    press(window, "r")
    QTest.keyClick(page, Qt.Key.Key_Tab)
    qtbot.waitUntil(page.form_view.comment.hasFocus)
    QTest.keyClicks(page.form_view.comment, "3 arms")
    QTest.keyClick(page.form_view.comment, Qt.Key.Key_Return)
    press(window, "2")
    wait_for(qtbot, window, 1)
    qtbot.waitUntil(lambda: len(said(service, rater)) == 1)
    assert [(vote.choice, vote.comment) for vote in said(service, rater)] == [("different", "3 arms")]


def test_the_next_two_pairs_are_decoded_and_the_clips_of_two_more_are_made_while_one_is_judged(
    qtbot, window: Window
) -> None:
    page = window.page
    wait_loaded(qtbot, window)
    held = [each.id for each in page.session.held]
    assert (set(page.loader.stills), set(page.loader.clips)) == (set(held[:3]), set(held))
    soon = [reel.path for trial_id in held[1:3] for reel in page.loader.clips[trial_id].reels.values()]
    qtbot.waitUntil(lambda: all(page.deck.cache.has(path, 0) for path in soon))


def test_a_verdict_that_cannot_be_written_is_asked_for_again(qtbot, window: Window) -> None:
    window.link.outbox.close()
    press(window, "2")
    qtbot.waitUntil(lambda: "not saved" in window.banner_words.text())
    assert window.page.session.judged == 0
    assert window.page.session.phase is Phase.JUDGING


def test_playback_zoom_flicker_and_scores_obey_their_keys(qtbot, window: Window) -> None:
    page = window.page
    assert isinstance(page, VerifyPage)
    qtbot.waitUntil(lambda: page.deck.clock.playing)
    press(window, " ")
    assert not page.deck.clock.playing
    at = page.deck.index
    press(window, ".")
    qtbot.waitUntil(lambda: page.deck.index == (at + 1) % 24)
    press(window, ",")
    qtbot.waitUntil(lambda: page.deck.index == at)
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
    assert page.scores.isHidden()


def test_flicker_shows_the_sides_in_turn_and_wipe_both_at_once(qtbot, window: Window) -> None:
    page = window.page
    assert isinstance(page, VerifyPage)
    qtbot.waitUntil(lambda: page.deck.clock.playing)
    press(window, " ")
    view = page.form_view
    first, second = view._compared
    sides = {side.panel.label: side.main.image for side in (first, second)}
    assert first.main.image != second.main.image
    press(window, "f")
    seen: list[str] = []

    def looked() -> bool:
        badge = view._flick._badge
        assert view._flick.image == sides[badge], "the picture is that of the side which is named"
        if seen[-1:] != [badge]:
            seen.append(badge)
        return len(seen) == 4

    qtbot.waitUntil(looked)
    assert seen[:2] == seen[2:]
    assert set(seen) == set(sides)
    press(window, "w")
    assert not view.flickering
    assert (view._wipe.image, view._wipe._second) == (first.main.image, second.main.image)


def test_fitting_while_zoomed_apart_fits_the_sides_in_turn_too(window: Window) -> None:
    view = window.page.form_view
    view.zoom(2.0)
    assert view._flick.look != Look()
    press(window, "g")
    view.zoom(0)
    assert (view._flick.look, view._wipe.look) == (Look(), Look())


def test_the_sheet_shows_every_key_and_the_verdicts(window: Window) -> None:
    press(window, "?")
    sheet = window.findChild(CheatSheet)
    assert sheet is not None
    words = {label.text() for label in sheet.findChildren(QLabel)}
    assert {"Same", "Near-duplicate", "Undo last verdict", "Flicker between the sides", "Z", "1"} <= words
    sheet.close()


def test_the_theme_changes_while_a_pair_is_open(window: Window) -> None:
    press(window, "rc")
    window.actions_.qt["theme"].trigger()
    assert window.theme.name == "dark"
    assert window.page.form_view.reason_buttons["clothing"].isChecked()
    assert window.page.session.reasons == ("clothing",)


def test_pace_and_known_answers_are_told_from_the_fifth_on(qtbot, window: Window) -> None:
    page = window.page
    total = page.session.total
    for judged in range(4):
        press(window, "2")
        wait_for(qtbot, window, judged + 1)
    assert page.progress_text.text() == f"5 of {total}", "nobody's pace is that of four"
    assert (page.progress.value(), page.progress.maximum()) == (4, total)
    press(window, "2")
    wait_for(qtbot, window, 5)
    looked_ms = sum(page.session._looked.values())
    assert page.session.pace == pytest.approx(5 * 60_000 / max(1, looked_ms))
    pace = f"{round(page.session.pace)} a minute"
    assert page.progress_text.text() == f"6 of {total} · {pace}"
    for seen, told in ((4, ""), (5, " · 3 of 5 as others agree")):
        page.session.gold_seen, page.session.gold_right = seen, 3
        page._refresh_progress()
        assert page.progress_text.text() == f"6 of {total} · {pace}{told}"


def test_pairs_leased_to_another_rater_are_not_offered(qtbot, tmp_path: Path) -> None:
    with toy_workspace(tmp_path) as workspace, served_window(workspace, tmp_path, "library") as window:
        leased = workspace.next_trials(study_id=VERIFY_STUDY, rater="bob", limit=1)
        window.open_page("verify")
        wait_for(qtbot, window, 0)
        assert shown_item(window) not in {trial.item_id for trial in leased}
        press(window, "2")
        qtbot.waitUntil(lambda: window.page.rest.head.text() == "Nothing for you just now")


def test_pairs_on_the_screen_for_long_stay_with_their_rater(qtbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_s = [1_000_000.0]
    with toy_workspace(tmp_path) as workspace:
        monkeypatch.setattr(workspace._queue._leases, "_clock", lambda: at_s[0])
        with served_window(workspace, tmp_path, "verify") as window:
            wait_for(qtbot, window, 0)
            page = window.page
            qtbot.waitUntil(lambda: page._renew.isActive() and len(page.session.held) == 2)
            assert 2 * page._renew.interval() < 600_000, "one renewal may fail before the lease ends"
            page._renew.setInterval(50)
            for _ in range(3):
                at_s[0] += 300.0
                moved_at_s = page.session.clock()
                qtbot.waitUntil(lambda: page.session.held[0].leased_at_s > moved_at_s)  # noqa: B023
            assert workspace.next_trials(study_id=VERIFY_STUDY, rater="bob", limit=5) == (), "900 s after both were leased"
            window.open_page("library")
            assert not page._renew.isActive(), "who looks at something else lets go in time"
            at_s[0] += 601.0
            assert len(workspace.next_trials(study_id=VERIFY_STUDY, rater="bob", limit=5)) == 2


def test_an_empty_queue_says_what_to_do_and_fills_by_itself(qtbot, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "project", create=True)
    workspace.plan = plan()
    with served_window(workspace, tmp_path, "verify") as window:
        page = window.page
        qtbot.waitUntil(lambda: page.session.phase is Phase.EMPTY)
        assert page.rest.head.text() == "No pairs to verify yet"
        assert "studio-backend curate" in page.rest.words.text()
        workspace.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),), licence="CC0-1.0")
        curated(window.link.api)
        page.run("refresh")
        for judged in range(2):  # the third pair is held back by its gate
            wait_for(qtbot, window, judged)
            press(window, "2")
        qtbot.waitUntil(lambda: page.rest.head.text() == "All pairs are judged")
        press(window, "z")
        qtbot.waitUntil(lambda: page.session.phase is Phase.JUDGING)
    workspace.close()


def test_a_picture_and_a_clip_that_cannot_be_had_are_sentences_and_the_pair_can_be_judged(qtbot, tmp_path: Path) -> None:
    with toy_workspace(tmp_path) as workspace, served_window(workspace, tmp_path, "library") as window:
        (trial, *_) = workspace.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1)
        picture = next(one.media for one in trial.stimuli if one.slot == "reference")
        assert picture is not None
        Path(workspace.media(media_id=picture).path).unlink()
        (tmp_path / "mug.mp4").unlink()
        window.open_page("verify")
        wait_for(qtbot, window, 0)
        assert shown_item(window) == trial.item_id
        views = window.page.form_view.views
        assert "does not exist" in views["reference"].still.sentence
        qtbot.waitUntil(lambda: "mug.mp4" in views["target"].movie.sentence)
        press(window, "4")
        wait_for(qtbot, window, 1)
        qtbot.waitUntil(lambda: len(workspace.votes(study_id=VERIFY_STUDY)) == 1)


@pytest.mark.parametrize(
    "damaged",
    [lambda held: held[: len(held) // 3], lambda held: b"neither picture nor clip " * 40],
    ids=["cut off", "garbage"],
)
def test_a_damaged_picture_and_clip_are_sentences_and_the_pair_can_be_judged(
    qtbot, tmp_path: Path, damaged: Callable[[bytes], bytes]
) -> None:
    with toy_workspace(tmp_path) as workspace, served_window(workspace, tmp_path, "library") as window:
        (trial, *_) = workspace.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1)
        picture = next(one.media for one in trial.stimuli if one.slot == "reference")
        assert picture is not None
        for path in (Path(workspace.media(media_id=picture).path), tmp_path / "mug.mp4"):
            path.chmod(0o644)
            path.write_bytes(damaged(path.read_bytes()))
        window.open_page("verify")
        wait_for(qtbot, window, 0)
        assert shown_item(window) == trial.item_id
        views = window.page.form_view.views
        assert "the picture cannot be shown" in views["reference"].still.sentence
        qtbot.waitUntil(lambda: "mug.mp4" in views["target"].movie.sentence)
        press(window, "4")
        wait_for(qtbot, window, 1)
        qtbot.waitUntil(lambda: len(workspace.votes(study_id=VERIFY_STUDY)) == 1)


def test_votes_survive_a_window_that_never_reached_the_service(qtbot, tmp_path: Path) -> None:
    with toy_workspace(tmp_path) as workspace:
        service = Service(workspace)
        service.start()
        with window_over(service, tmp_path, "verify") as window:
            wait_for(qtbot, window, 0)
            item = shown_item(window)
            wait_stills(qtbot, window, 2)
            service.stop()
            press(window, "2")
            wait_for(qtbot, window, 1)
        assert workspace.votes(study_id=VERIFY_STUDY) == ()
        with Outbox(tmp_path / "state" / "p" / "outbox.sqlite") as outbox:
            assert [vote.item_id for vote in outbox.unsent()] == [item]
        service.start()
        with window_over(service, tmp_path, "verify") as again:
            qtbot.waitUntil(lambda: [vote.item_id for vote in workspace.votes(study_id=VERIFY_STUDY)] == [item])
            wait_for(qtbot, again, 1)
            assert shown_item(again) != item
        service.stop()


def wait_stills(qtbot, window: Window, count: int) -> None:
    qtbot.waitUntil(lambda: len(window.page.loader.stills) >= count)
