"""Every shipped form can be shown, and each of its keys gives the choice or reason that it names."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QVBoxLayout, QWidget

from backend.domain import Form, Stimulus, Trial, form_from_json, resource
from studio.form_view import FormView
from studio.panel_view import layout_of
from studio.player.wipe_pane import WipePane
from studio.prepare import Stills, clip_of, still_of
from studio.theme import load_theme

FORMS = sorted(resource("forms").glob("*.json"))


def shipped(path: Path) -> Form:
    return form_from_json(path.read_text("utf-8"), origin=path.name)


def trial_of(form: Form) -> Trial:
    stimuli = tuple(Stimulus(slot=panel.slot, media=f"m-{panel.slot}", text="words") for panel in form.panels)
    return Trial(study_id="s", item_id="i", form=form.name, stimuli=stimuli)


@pytest.fixture(params=FORMS, ids=lambda path: path.stem)
def shown(request, qtbot) -> tuple[Form, FormView, QWidget]:
    form, owner = shipped(request.param), QWidget()
    view = FormView(owner, load_theme("light"), middle=QWidget(), beside=None)
    QVBoxLayout(owner).addWidget(view)
    qtbot.addWidget(owner)
    owner.resize(1200, 800)
    owner.show()
    owner.activateWindow()
    owner.setFocus()
    qtbot.waitActive(owner)
    picture = QImage(60, 40, QImage.Format.Format_RGB32)
    view.show_trial(form, trial_of(form), Stills(images={panel.slot: picture for panel in form.panels}, missing={}))
    return form, view, owner


def press(owner: QWidget, key: str) -> None:
    QTest.keySequence(owner, QKeySequence(key))


def test_each_key_of_a_shipped_form_gives_its_choice(qtbot, shown: tuple[Form, FormView, QWidget]) -> None:
    form, view, owner = shown
    for question in form.questions:
        view.ask(question)
        for choice in question.choices:
            with qtbot.waitSignal(view.chosen, timeout=30_000) as said:
                press(owner, choice.key)
            assert said.args == [choice.value]


def test_reasons_of_a_shipped_form_obey_their_keys_only_while_they_are_open(
    qtbot, shown: tuple[Form, FormView, QWidget]
) -> None:
    form, view, owner = shown
    ticked: list[str] = []
    view.reason_toggled.connect(ticked.append)
    for question in form.questions:
        view.ask(question)
        for reason in question.reasons:
            press(owner, reason.key)
        assert ticked == []
        view.open_reasons(True)
        for reason in question.reasons:
            press(owner, reason.key)
        assert ticked == [reason.value for reason in question.reasons]
        ticked.clear()


def test_every_panel_of_a_shipped_form_has_its_place(shown: tuple[Form, FormView, QWidget]) -> None:
    form, view, _ = shown
    assert list(view.views) == [panel.slot for panel in form.panels]
    for panel in form.panels:
        assert view.views[panel.slot].isVisible()
        assert len(view.views[panel.slot].panes) == {"text": 0, "video": 1, "image": 2}[panel.shows]


def test_a_video_panel_with_a_picture_and_a_clip_shows_both() -> None:
    panel = shipped(resource("forms/identity.json")).panels[0]
    both = Stimulus(slot=panel.slot, media="crop", clip_media="preview")
    assert (still_of(panel, both), clip_of(panel, both), layout_of(panel, both)) == ("crop", "preview", "still")
    alone = Stimulus(slot=panel.slot, media="preview")
    assert panel.shows == "video"
    assert (still_of(panel, alone), clip_of(panel, alone), layout_of(panel, alone)) == (None, "preview", "movie")


def test_a_wipe_paints_one_side_left_and_the_other_right_of_its_line(qtbot) -> None:
    pane = WipePane("wipe")
    qtbot.addWidget(pane)
    pane.resize(200, 120)
    first, second = (QImage(200, 120, QImage.Format.Format_RGB32) for _ in range(2))
    first.fill(QColor("#ff0000"))
    second.fill(QColor("#0000ff"))
    pane.show_pair(first, second)

    def painted(x: int) -> str:
        return pane.grab().toImage().pixelColor(x, 60).name()

    assert (painted(20), painted(90), painted(110), painted(180)) == ("#ff0000", "#ff0000", "#0000ff", "#0000ff")
    QTest.mouseClick(pane, Qt.MouseButton.LeftButton, pos=QPoint(150, 60))
    assert (painted(110), painted(180)) == ("#ff0000", "#0000ff"), "the line stands where the pointer was pressed"
    pane.move_line(0.1)
    assert (painted(10), painted(90)) == ("#ff0000", "#0000ff")
