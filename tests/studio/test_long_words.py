"""Words of any length and direction on Verify and on a study's first page: nothing leaves the window, no control moves."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QApplication, QWidget

from backend.domain import Trial
from studio import long_text
from studio.app import open_window
from studio.long_text import ElidedLabel, LongText
from studio.pages.study_gate import StudyGate
from studio.pages.verify import VerifyPage
from studio.sessions.verify import Phase
from studio.texts import use_language
from studio.window import Window
from tests.studio.settling import settle
from tests.studio.world import World

LONG = {
    "short": "A red mug.",
    "many words": "A red mug stands on a table by the window. " * 233,
    "one word": "m" * 10_000,
    "right to left": "كوب أحمر على الطاولة بجانب النافذة. " * 280,
    "mixed": "ספל אדום A red mug 红杯 " * 450,
}


@dataclass(slots=True, kw_only=True)
class Wordy(World):
    """Captions of a kind."""

    said: str = ""

    def trial(self, number: int, study_id: str = "verify") -> Trial:
        trial = World.trial(self, number, study_id)
        return replace(trial, stimuli=tuple(replace(one, text=self.said) for one in trial.stimuli))


@pytest.fixture(params=["en", "zh"])
def spoken(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.param
    use_language("en")


def place(widget: QWidget, window: Window) -> QRect:
    return QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())


def settled(page: VerifyPage) -> bool:
    """Whether the trial is laid out: its last row stands on the bottom of the page, and no layout is to be done."""
    QApplication.sendPostedEvents()
    QApplication.processEvents()
    buttons = page.form_view.buttons.values()
    return page.form_view.isVisible() and all(button.isVisible() and button.width() < 640 for button in buttons)


def controls(page: VerifyPage) -> dict[str, QWidget]:
    """What a person presses, and the pictures that they judge."""
    found: dict[str, QWidget] = {f"choice {name}": button for name, button in page.form_view.buttons.items()}
    found |= {f"hint {name}": button for name, button in page.hints.items() if button.isVisible()}
    found |= {f"mode {name}": button for name, button in page.modes.items()}
    found |= {f"picture {slot}": view.still for slot, view in page.form_view.views.items()}
    return {**found, "transport": page.transport, "progress": page.progress}


@pytest.mark.slow
def test_words_of_any_length_leave_every_control_where_it_is(qtbot, tmp_path: Path, spoken: str) -> None:
    places: dict[str, dict[str, QRect]] = {}
    (tmp_path / "media").mkdir()
    for name, said in LONG.items():
        use_language(spoken)
        world = Wordy(folder=tmp_path / "media", num_pairs=2, num_frames=6, size=(320, 180), said=said)
        window = open_window(
            world.api, project=tmp_path, rater="ann", theme="light", state=tmp_path / name / "p", page="verify"
        )
        window.resize(1280, 800)
        window.show()
        page = window.page
        assert isinstance(page, VerifyPage)
        qtbot.waitUntil(lambda page=page: page.session.phase is Phase.JUDGING)
        settle(qtbot, window)
        # A phrase as long as one may be, in the head of the page
        page.about.setText(said[:500])
        qtbot.waitUntil(lambda page=page: settled(page))
        picture = tmp_path / f"{spoken}_{name}.png"
        assert window.grab().save(str(picture))
        assert picture.stat().st_size > 10_000
        assert (window.width(), window.height()) == (1280, 800)
        inside = QRect(0, 0, 1280, 800)
        for view in page.form_view.views.values():
            assert inside.contains(place(view, window)), (name, place(view, window))
            assert place(view, window).contains(place(view.words, window)), (name, place(view.words, window))
            assert view.words.text() == said.strip() or view.words.text() == said
            assert name == "short" or is_clear_of_its_bar(view.words), (name, view.panel.slot)
        places[name] = {what: place(widget, window) for what, widget in controls(page).items()}
        assert all(inside.contains(rect) for rect in places[name].values()), (name, places[name])
        window.close()
        window.deleteLater()
    for name in LONG:
        assert places[name] == places["short"], name


def test_what_one_agrees_to_scrolls_and_its_buttons_stay_in_sight(qtbot) -> None:
    gate = StudyGate()
    qtbot.addWidget(gate)
    gate.resize(1000, 640)
    gate.show()
    for words in LONG.values():
        gate.ask_consent("taste", words)
        qtbot.waitUntil(lambda: gate.buttons["agree"].isVisible())
        gate.layout().activate()  # type: ignore[union-attr]
        assert gate.size().width() == 1000
        for button in gate.buttons.values():
            assert gate.rect().contains(QRect(button.mapTo(gate, QPoint(0, 0)), button.size()))
        assert gate.words.text() == words.strip() or gate.words.text() == words


def test_a_label_is_cut_off_and_says_all_of_it_in_its_tip(qtbot) -> None:
    shown = ElidedLabel("A red mug " * 60, "muted")
    qtbot.addWidget(shown)
    shown.resize(200, 24)
    shown.show()
    shown.repaint()
    assert shown.minimumSizeHint().width() <= 24
    assert shown.shown.endswith("…")
    assert shown.toolTip() == shown.text() == "A red mug " * 60
    shown.setText("mug")
    shown.repaint()
    assert (shown.shown, shown.toolTip()) == ("mug", "")


def test_a_long_text_takes_no_more_lines_than_it_may_and_can_be_gone_to_only_then(qtbot) -> None:
    words = LongText("caption", most_lines=4)
    qtbot.addWidget(words)
    words.resize(300, 20)
    words.show()
    line = words.fontMetrics().lineSpacing()
    words.setText("A mug.")
    assert words.height() == line + 4
    assert words.focusPolicy().value == 0
    words.setText("m" * 10_000)
    assert words.height() == 4 * line
    assert words.verticalScrollBar().maximum() > 0
    assert words.focusPolicy().value != 0


def is_clear_of_its_bar(words: LongText) -> bool:
    """Whether nothing is written in the last pixels before the bar, wherever it is scrolled to, and something elsewhere."""
    bar = words.verticalScrollBar()
    for at in (0, bar.maximum() // 2, bar.maximum()):
        bar.setValue(at)
        picture, left = words.grab().toImage(), bar.mapTo(words, QPoint(0, 0)).x()
        beside = {picture.pixel(x, y) for x in range(left - 5, left) for y in range(picture.height())}
        written = {picture.pixel(x, y) for x in range(left - 5) for y in range(picture.height())}
        if len(beside) != 1 or len(written) < 2:
            return False
    bar.setValue(0)
    return bar.isVisible()


@pytest.mark.parametrize("name", [name for name in LONG if name != "short"])
def test_letters_keep_away_from_the_bar_that_scrolls_them(qtbot, name: str) -> None:
    words = LongText("caption", most_lines=6)
    qtbot.addWidget(words)
    words.resize(200, 20)
    words.setText(LONG[name])
    words.show()
    qtbot.waitUntil(words.isVisible)
    assert is_clear_of_its_bar(words)
    words.resize(140, words.height())
    assert is_clear_of_its_bar(words)


def test_letters_that_touch_the_bar_are_seen(qtbot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_text, "BAR_GAP_PX", 0)
    words = LongText("caption", most_lines=6)
    qtbot.addWidget(words)
    words.resize(200, 20)
    words.setText(LONG["right to left"])
    words.show()
    assert not is_clear_of_its_bar(words)


def test_no_line_is_cut_in_half(qtbot) -> None:
    words = LongText("caption", most_lines=6)
    qtbot.addWidget(words)
    words.resize(200, 20)
    words.show()
    for said in LONG.values():
        words.setText(said)
        layout, block = words.document().documentLayout(), words.document().firstBlock()
        assert layout.blockBoundingRect(block).height() > 0
        lines = [block.layout().lineAt(number).height() for number in range(block.layout().lineCount())]
        ends = [sum(lines[: number + 1]) for number in range(len(lines))]
        room = 5 if ends[-1] <= words.viewport().height() else 1
        assert any(0 <= words.viewport().height() - end < room for end in ends), "the last line that is seen ends there"


@pytest.mark.parametrize(("said", "starts_right"), [("كوب أحمر", True), ("ספל אדום", True), ("A red mug", False)])
def test_words_start_on_the_side_of_their_language(qtbot, said: str, starts_right: bool) -> None:
    words = LongText("caption", most_lines=6)
    qtbot.addWidget(words)
    words.resize(400, 20)
    words.setText(said)
    words.show()
    picture = words.grab().toImage()
    ground = picture.pixel(picture.width() // 2, 1)
    inked = [x for x in range(picture.width()) if any(picture.pixel(x, y) != ground for y in range(picture.height()))]
    assert (min(inked) > 200) == starts_right
    assert (max(inked) > 390) == starts_right


def test_long_words_are_seen_from_their_start_whatever_was_shown_before(qtbot) -> None:
    words = LongText("caption", most_lines=6)
    qtbot.addWidget(words)
    words.resize(300, 20)
    words.show()
    for said in LONG.values():
        words.setText(said)
        assert words.firstVisibleBlock().blockNumber() == 0
        assert words.verticalScrollBar().value() == 0
        words.resize(170, words.height())
        assert words.verticalScrollBar().value() == 0
        words.verticalScrollBar().setValue(words.verticalScrollBar().maximum())
        words.resize(300, words.height())
