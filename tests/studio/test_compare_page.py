"""A study answered in the Compare page, over a real project: choose, agree, judge by keys, end."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from backend.api import Api
from backend.domain.studies import MAIN, Participant, StudyPass
from backend.media.writer import write_video
from backend.workspace import Workspace
from studio.app import open_window
from studio.pages.compare import ComparePage
from studio.sessions.verify import Phase
from studio.window import Window
from tests.backend.workspace.study_project import SYSTEMS, named, write_benchmark
from tests.studio.served import served_window


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    folder = write_benchmark(tmp_path / "videos", cases=2, size=(160, 90), frames=3)
    opened = Workspace(tmp_path / "p", create=True)
    cast(Api, opened).create_study(
        name="taste",
        form="kaleido",
        aspects=("video_quality", "prompt_alignment"),
        systems=named(folder)[1:],
        cases=str(folder / "cases.json"),
        trials=2,
        rules=("min_seconds=0", "min_item_seconds=0", "min_gold_accuracy=0"),
    )
    yield opened
    opened.close()


def shown(qtbot, tmp_path: Path, workspace: Workspace, *, run: str) -> Window:
    window = open_window(
        cast(Api, workspace), project=tmp_path / "p", rater="ann", theme="light", state=tmp_path / run / "s", page="compare"
    )
    window.resize(1280, 860)
    window.show()
    window.activateWindow()
    return window


def agree(qtbot, window: Window, *, is_new: bool = True, practice: str = "2 for practice") -> ComparePage:
    page = window.page
    assert isinstance(page, ComparePage)
    go_to(qtbot, page, "taste")
    go_to(qtbot, page, "agree")
    if is_new:
        qtbot.waitUntil(lambda: "start" in page.gate.buttons)
        assert practice in page.gate.words.text()
        go_to(qtbot, page, "start")
    return page


def go_to(qtbot, page: ComparePage, name: str) -> None:
    """Presses a button of the gate by keys: Tab from where the focus is, then Return."""
    qtbot.waitUntil(lambda: name in page.gate.buttons)
    window = page.window()
    window.activateWindow()
    qtbot.waitUntil(lambda: page.gate.isAncestorOf(window.focusWidget()))
    walked = []
    while window.focusWidget() is not page.gate.buttons[name]:
        walked.append(window.focusWidget())
        assert len(walked) < 12, f"{name} is not reached by Tab, over {walked}"
        QTest.keyClick(window.focusWidget(), Qt.Key.Key_Tab)
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_Return)


def slide(page: ComparePage) -> None:
    """Moves the slider to its target by keys, as a person does."""
    closing = page.gate.closing
    for k in range(closing.target):
        QTest.keyClick(closing.slider, Qt.Key.Key_Right if k else Qt.Key.Key_Up, delay=8)


def judge(qtbot, page: ComparePage, answered: int, key: Qt.Key) -> None:
    """Answers both questions of a trial by one key, after its clips were watched."""
    session = page.session
    qtbot.waitUntil(lambda: session.phase is Phase.JUDGING and session.judged == answered)
    qtbot.waitUntil(lambda: page.watched)
    first = page.title.text()
    QTest.keyClick(page, key)
    qtbot.waitUntil(lambda: page.title.text() != first and session.phase is Phase.JUDGING)
    QTest.keyClick(page, key)
    qtbot.waitUntil(lambda: session.judged == answered + 1)


class Mouse(QObject):
    """Counts what a mouse does to the application."""

    pressed = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease, QEvent.Type.MouseButtonDblClick):
            self.pressed += 1
        return False


@pytest.fixture
def mouse(qapp: QApplication) -> Iterator[Mouse]:
    found = Mouse()
    qapp.installEventFilter(found)
    yield found
    qapp.removeEventFilter(found)


@pytest.mark.slow
def test_a_study_is_answered_by_keys_and_handed_in(qtbot, tmp_path: Path, workspace: Workspace, mouse: Mouse) -> None:
    total = workspace.studies()[0].trials
    window = shown(qtbot, tmp_path, workspace, run="one")
    page = agree(qtbot, window)
    window.resize(1440, 900)
    qtbot.waitUntil(lambda: page.about.text() != "")
    asked = page.title.text()
    page.title.setText("Which video shows the reference and follows the text better?")
    qtbot.waitUntil(lambda: page.about.shown == page.about.text())
    page.title.setText(asked)
    judge(qtbot, page, 0, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: workspace.studies()[0].votes == 2)
    said = page.form_view.findChildren(type(page.title))
    assert not [text for text in (one.text() for one in said) if any(name in text for name in SYSTEMS[1:])]
    window.close()
    again = shown(qtbot, tmp_path, workspace, run="two")
    page = agree(qtbot, again, is_new=False)
    for k in range(1, total):
        judge(qtbot, page, k, Qt.Key.Key_Left if k % 2 else Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: "end" in page.gate.buttons)
    qtbot.waitUntil(lambda: workspace.studies()[0].votes == 2 * total)
    go_to(qtbot, page, "end")
    assert page.gate.closing.problem.text() == "Not quite there. Here is another one."
    assert workspace.studies()[0].finished == 0
    slide(page)
    go_to(qtbot, page, "end")
    qtbot.waitUntil(lambda: page.gate.head.text() == "Thank you")
    thanks = page.gate.words.text()
    go_to(qtbot, page, "others")
    qtbot.waitUntil(lambda: "taste" in page.gate.buttons)
    again.close()
    assert mouse.pressed == 0
    results = workspace.study_results(name="taste", bootstraps=20)
    assert [step.kept for step in results.funnel if step.rule == "slider"] == [1]
    (participant,) = [row.participant for row in results.raters]
    person = workspace.participant(participant=participant)
    assert (person.state, person.group) == ("finished", "expert")
    assert person.code in thanks
    votes = workspace.votes(study_id=person.study_id)
    assert len(votes) == 2 * total
    assert {vote.rater for vote in votes} == {participant}
    assert {tuple(sorted(s.partition("~")[0] for s in vote.shown_order)) for vote in votes} <= {
        ("fair", "poor"),
        ("fair", "fair"),
        ("poor", "poor"),
    }
    main = {item.id for item in workspace.study(name="taste").items if item.role == MAIN}
    assert main <= {vote.item_id for vote in votes}


@pytest.mark.slow
def test_the_end_that_was_asked_for_twice_leaves_a_slider_that_was_moved(
    qtbot, tmp_path: Path, workspace: Workspace
) -> None:
    total = workspace.studies()[0].trials
    window = shown(qtbot, tmp_path, workspace, run="one")
    page = agree(qtbot, window)
    read, asked, gates = page._state_of, [], (threading.Event(), threading.Event())

    def late(person: Participant) -> StudyPass:
        found = read(person)
        if not found.left:
            asked.append(person)
            gates[len(asked) > 1].wait(30)
        return found

    page._state_of = late
    for k in range(total):
        judge(qtbot, page, k, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: len(asked) > 0)
    page._show_current()  # as when votes arrive before the first answer is there
    gates[0].set()
    qtbot.waitUntil(lambda: "end" in page.gate.buttons)
    closing = page.gate.closing
    slide(page)
    target = closing.target
    gates[1].set()
    qtbot.waitUntil(lambda: len(asked) > 1)
    qtbot.wait(300)
    stood = closing.target, closing.slider.value()
    window.close()
    assert stood == (target, target)


def test_without_a_study_the_page_says_how_to_make_one(qtbot, tmp_path: Path) -> None:
    opened = Workspace(tmp_path / "p", create=True)
    try:
        window = shown(qtbot, tmp_path, opened, run="one")
        page = window.page
        assert isinstance(page, ComparePage)
        qtbot.waitUntil(lambda: page.gate.head.text() == "No study yet")
        assert "study create" in page.gate.words.text()
        window.close()
    finally:
        opened.close()


@pytest.mark.slow
def test_practice_is_marked_and_told_what_most_people_say(qtbot, tmp_path: Path, workspace: Workspace) -> None:
    window = shown(qtbot, tmp_path, workspace, run="one")
    page = agree(qtbot, window)
    seen = []
    for k in range(3):
        qtbot.waitUntil(lambda k=k: page.session.phase is Phase.JUDGING and page.session.judged == k)
        seen.append(page.about.text())
        judge(qtbot, page, k, Qt.Key.Key_Down)
    assert seen[0] == "For practice; this one is not counted."
    assert seen[1].endswith("For practice; this one is not counted.")
    assert seen[2].endswith("Names are hidden; judge what you see.")
    assert sum("In practice, most people say" in text for text in seen) == 1, "one of the two has a known answer"
    window.close()


@pytest.mark.slow
def test_a_study_that_ends_meanwhile_is_told_and_what_was_answered_is_handed_in(
    qtbot, tmp_path: Path, workspace: Workspace
) -> None:
    window = shown(qtbot, tmp_path, workspace, run="one")
    page = agree(qtbot, window)
    judge(qtbot, page, 0, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: workspace.studies()[0].votes == 2)
    workspace.close_study(name="taste", because="enough")
    while "end" not in page.gate.buttons:  # what the page holds already may still be answered
        judged = page.session.judged
        qtbot.waitUntil(lambda: page.session.phase in (Phase.JUDGING, Phase.EMPTY))
        if page.session.phase is Phase.JUDGING:
            judge(qtbot, page, judged, Qt.Key.Key_Left)
        else:
            qtbot.waitUntil(lambda: "end" in page.gate.buttons)
    assert page.gate.head.text() == "The study has ended"
    qtbot.waitUntil(lambda: not window.link.outbox.unsent(10))
    slide(page)
    go_to(qtbot, page, "end")
    qtbot.waitUntil(lambda: page.gate.head.text() == "Thank you")
    assert workspace.studies()[0].finished == 1
    window.close()
    late = shown(qtbot, tmp_path, workspace, run="two")
    listed = late.page
    assert isinstance(listed, ComparePage)
    qtbot.waitUntil(lambda: "taste" in listed.gate.buttons)
    assert listed.gate.buttons["taste"].text() == "taste (ended)"
    late.close()


@pytest.mark.slow
def test_withdrawing_asks_once_more(qtbot, tmp_path: Path, workspace: Workspace) -> None:
    window = shown(qtbot, tmp_path, workspace, run="one")
    page = window.page
    assert isinstance(page, ComparePage)
    go_to(qtbot, page, "taste")
    go_to(qtbot, page, "agree")
    go_to(qtbot, page, "withdraw")
    go_to(qtbot, page, "back")
    assert "start" in page.gate.buttons
    go_to(qtbot, page, "withdraw")
    go_to(qtbot, page, "yes")
    qtbot.waitUntil(lambda: page.gate.head.text() == "You withdrew from this study")
    assert workspace.studies()[0].withdrawn == 1
    window.close()


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize(("form", "key", "choices"), [("best_of", "3", {"video_3"}), ("rating", "5", {"5"})])
def test_best_of_four_and_five_points_are_answered_by_keys_and_reach_the_journal(
    qtbot, tmp_path: Path, form: str, key: str, choices: set[str]
) -> None:
    folder = write_benchmark(tmp_path / "videos", cases=2, size=(160, 90), frames=3)
    for case in ("singleobj_1", "singlehuman_2"):
        (folder / "fourth").mkdir(exist_ok=True)
        write_video(
            folder / "fourth" / f"{case}.mp4", [np.full((90, 160, 3), 160, np.uint8)] * 3, fps=12, preset="ultrafast"
        )
    workspace = Workspace(tmp_path / "p", create=True)
    rules = ("min_seconds=0", "min_item_seconds=0")
    systems = (*named(folder), f"fourth={folder / 'fourth'}")
    cast(Api, workspace).create_study(
        name="taste", kind=form, form=form, systems=systems, cases=str(folder / "cases.json"), trials=2, rules=rules
    )
    with served_window(workspace, tmp_path, "compare") as window:
        window.resize(1280, 800)
        page = window.page
        assert isinstance(page, ComparePage)
        for button in ("taste", "agree", "start"):
            go_to(qtbot, page, button)
        session = page.session
        qtbot.waitUntil(lambda: session.phase is Phase.JUDGING and session.judged == 0)
        QTest.keyClicks(page, key)
        assert session.judged == 0 or page.watched, "nothing is taken before all was seen"
        qtbot.waitUntil(lambda: page.watched)
        movies = [view.movie for view in page.form_view.views.values() if view.layout_of == "movie"]
        assert len(movies) == (4 if form == "best_of" else 1)
        page.deck.seek(1)
        qtbot.waitUntil(lambda: [movie.shown_index for movie in movies] == [1] * len(movies))
        if form == "best_of":
            corners = {(movie.mapTo(page, movie.rect().topLeft()).toTuple()) for movie in movies}
            assert {len({x for x, _ in corners}), len({y for _, y in corners})} == {2}, "four stand in two columns"
            assert min(movie.height() for movie in movies) >= 90
        asked = len(session.current.form.questions) if session.current else 0
        for _ in range(asked):
            qtbot.waitUntil(lambda: session.phase is Phase.JUDGING)
            QTest.keyClicks(page, key)
            qtbot.waitUntil(lambda: session.phase is not Phase.SAVING)
        qtbot.waitUntil(lambda: session.judged == 1)
        qtbot.waitUntil(lambda: workspace.studies()[0].votes == asked)
        person = page.person
        assert person is not None
    votes = workspace.votes(study_id=person.study_id)
    assert {vote.choice for vote in votes} == choices
    assert len({vote.question for vote in votes}) == asked == (1 if form == "best_of" else 4)
    assert all(len(vote.shown_order) == len(movies) for vote in votes)
    workspace.close()
