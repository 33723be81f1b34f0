"""Every mode of Verify by keys alone, over the real service: three clips of a mug, three anchors, a case put up for approval."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from backend.api import Api
from backend.client import ServicePlace
from backend.client.remote import RemoteApi
from backend.domain import ANCHORS_STUDY, SUBJECTS_STUDY, VERIFY_STUDY
from backend.domain.corrections import Correction
from backend.engine.plan import Plan, Step
from backend.geometry import rle
from backend.service import serving
from backend.workspace import Workspace
from studio.app import open_window
from studio.pages.verify import VerifyPage
from studio.sessions.verify import Phase
from studio.window import Window
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.test_anchor_export import PlantSides
from tests.backend.workspace.toy_project import plan, write_toy_video
from tests.studio.served import away, served_window, toy_workspace

pytestmark = pytest.mark.slow  # together they take too long for the fast run

CTRL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Api]:
    workspace = Workspace(tmp_path / "project", create=True)
    workspace.plan = Plan(steps=(*plan().steps, Step(PlantSides())))
    workspace.ingest(paths=(str(write_toy_video(tmp_path / "mug.mp4")),), licence="CC0-1.0")
    curated(cast(Api, workspace))
    with serving(cast(Api, workspace), workspace.layout.root):
        remote = RemoteApi(ServicePlace(workspace.layout.root))
        yield cast(Api, remote)
        remote.close()
    workspace.close()


@pytest.fixture
def page(qtbot, service: Api, tmp_path: Path) -> Iterator[VerifyPage]:
    window: Window = open_window(
        service, project=tmp_path / "project", rater="ann", theme="light", state=tmp_path / "state" / "p", page="verify"
    )
    window.resize(1400, 860)
    window.show()
    window.activateWindow()
    shown = window.page
    assert isinstance(shown, VerifyPage)
    wait_open(qtbot, shown)
    yield shown
    window.close()
    window.deleteLater()


def wait_open(qtbot, page: VerifyPage, judged: int = 0) -> None:
    session = page.session
    qtbot.waitUntil(lambda: session.phase is Phase.JUDGING and session.judged == judged)


def change_mode(qtbot, page: VerifyPage, key: Qt.Key) -> None:
    QTest.keyClick(page, key, CTRL)
    wait_open(qtbot, page)


def open_editor(qtbot, page: VerifyPage) -> None:
    QTest.keyClick(page, Qt.Key.Key_E)
    qtbot.waitUntil(lambda: page.editor.session is not None)


def save(qtbot, page: VerifyPage) -> None:
    QTest.keyClick(page.editor.pane, Qt.Key.Key_S, CTRL)
    qtbot.waitUntil(lambda: not page.is_editing and page.session.phase is Phase.JUDGING)


def test_each_mode_has_its_queue_and_keeps_its_place(qtbot, page: VerifyPage, service: Api) -> None:
    first = page.session
    QTest.keyClicks(page, "1")
    qtbot.waitUntil(lambda: page.session.phase is Phase.JUDGING and "surroundings" in page.title.text())
    QTest.keyClicks(page, "2")
    wait_open(qtbot, page, 1)
    change_mode(qtbot, page, Qt.Key.Key_2)
    assert page.modes["subjects"].isChecked()
    assert page.title.text().startswith("Is the subject whole")
    for key in "1112":
        question = page.title.text()
        QTest.keyClicks(page, key)
        qtbot.waitUntil(lambda said=question: page.session.phase is Phase.JUDGING and page.title.text() != said)
    assert page.session.judged == 1
    QTest.keyClicks(page, "z")
    qtbot.waitUntil(lambda: page.session.judged == 0 and page.session.phase is Phase.JUDGING)
    QTest.keyClicks(page, "3")
    qtbot.waitUntil(lambda: page.session.judged == 1)
    change_mode(qtbot, page, Qt.Key.Key_3)
    assert page.suggestion.text() in ("Machines say: Front", "Machines say: Back")
    QTest.keyClicks(page, "h")
    assert not page.suggestion.isVisible()
    QTest.keyClicks(page, "h")
    assert page.suggestion.isVisible()
    QTest.keyClicks(page, "3")
    wait_open(qtbot, page, 1)
    QTest.keyClick(page, Qt.Key.Key_1, CTRL)
    assert page.session is first
    wait_open(qtbot, page, 1)
    qtbot.waitUntil(lambda: service.votes(study_id=ANCHORS_STUDY) != ())
    answers = {vote.question: vote.choice for vote in service.votes(study_id=SUBJECTS_STUDY)}
    assert answers == {"complete": "yes", "specific": "yes", "phrase": "yes", "mask": "unsure"}
    assert [vote.choice for vote in service.votes(study_id=ANCHORS_STUDY)] == ["left"]
    assert [vote.choice for vote in service.votes(study_id=VERIFY_STUDY)] == ["same", "no"]


def test_a_box_is_moved_by_keys_and_dragged_by_its_handle(qtbot, page: VerifyPage, service: Api) -> None:
    held = page.session.current
    assert held is not None
    item = held.trial.item_id
    before = service.outline(study_id=VERIFY_STUDY, item_id=item, slot="target")
    open_editor(qtbot, page)
    pane = page.editor.pane
    QTest.keyClick(pane, Qt.Key.Key_Right)
    QTest.keyClick(pane, Qt.Key.Key_Down, SHIFT)
    QTest.keyClick(pane, Qt.Key.Key_Left, CTRL)
    session = page.editor.session
    assert session is not None
    assert session.box == (8.0, 8.0, 41.0, 41.0)
    QTest.keyClicks(pane, "z")
    assert session.box == (9.0, 8.0, 41.0, 41.0)
    corner = pane._shown(9.0, 8.0).toPoint()
    across = pane._shown(13.0, 8.0).toPoint() - corner
    QTest.mousePress(pane, Qt.MouseButton.LeftButton, pos=corner)
    QTest.mouseMove(pane, corner + across)
    QTest.mouseRelease(pane, Qt.MouseButton.LeftButton, pos=corner + across)
    assert session.box[0] == pytest.approx(13.0, abs=0.2)
    save(qtbot, page)
    after = service.outline(study_id=VERIFY_STUDY, item_id=item, slot="target")
    assert after.box == session.box
    assert after.corrected == ("box",)
    assert after.picture_media != before.picture_media
    assert page.session.current is held
    assert held.trial.stimuli[0].media == after.picture_media
    QTest.keyClicks(page, "2")  # no question follows another verdict than same
    wait_open(qtbot, page, 1)


def test_a_mask_is_pointed_to_and_painted_by_keys(qtbot, page: VerifyPage, service: Api) -> None:
    held = page.session.current
    assert held is not None
    open_editor(qtbot, page)
    pane, session = page.editor.pane, page.editor.session
    assert session is not None
    given = session.mask
    QTest.keyClick(pane, Qt.Key.Key_P, SHIFT)
    QTest.keyClick(pane, Qt.Key.Key_Left, ALT)
    QTest.keyClick(pane, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: session.mask is not given)
    assert session.mask is not None
    assert session.mask[24, 14]
    assert "embedded-grabcut" in page.editor.hint.text()
    QTest.keyClick(pane, Qt.Key.Key_R, SHIFT)
    QTest.keyClick(pane, Qt.Key.Key_Backspace)
    assert not session.mask[24, 14]
    painted = session.mask
    save(qtbot, page)
    found = service.outline(study_id=VERIFY_STUDY, item_id=held.trial.item_id, slot="target")
    assert np.array_equal(rle.decode(found.counts.encode(), 48, 64), painted)


def test_words_are_corrected_in_the_editor_and_taken_back(qtbot, page: VerifyPage, service: Api) -> None:
    held = page.session.current
    assert held is not None
    open_editor(qtbot, page)
    page.editor.phrase.setFocus()
    page.editor.phrase.clear()
    QTest.keyClicks(page.editor.phrase, "a cup 12")
    assert page.is_editing
    save(qtbot, page)
    qtbot.waitUntil(lambda: "a cup 12" in page.about.text())
    assert service.pair(pair_id=held.trial.item_id).phrase == "a cup 12"
    assert service.votes(study_id=VERIFY_STUDY) == ()
    open_editor(qtbot, page)
    assert "Phrase" in page.editor.by_people.text()
    QTest.keyClick(page.editor.pane, Qt.Key.Key_Backspace, CTRL)
    qtbot.waitUntil(lambda: not page.is_editing)
    assert service.pair(pair_id=held.trial.item_id).phrase == "a red mug"


def test_what_is_left_stores_nothing_and_a_refused_value_stays_in_its_field(qtbot, page: VerifyPage, service: Api) -> None:
    open_editor(qtbot, page)
    page.editor.category.setText("kupp")
    QTest.keyClick(page.editor.pane, Qt.Key.Key_S, CTRL)
    banner = cast(Window, page.window()).banner_words
    qtbot.waitUntil(lambda: "kupp" in banner.text())
    assert page.is_editing
    assert page.editor.category.text() == "kupp"
    QTest.keyClick(page.editor.pane, Qt.Key.Key_Escape)
    wait_open(qtbot, page)
    assert not any(event["kind"] == "corrected" for event in service.journal_tail(limit=100))


def test_mask_and_box_lie_over_the_clip_at_the_frame_of_the_picture(qtbot, page: VerifyPage) -> None:
    qtbot.waitUntil(lambda: len(page.deck.sides) == 2)
    QTest.keyClicks(page, "m")
    pane = page.form_view.views["target"].movie
    qtbot.waitUntil(lambda: pane.shown_index == 5 and not page.deck.clock.playing)
    _, (mark,) = pane.marks_now()
    assert (mark.frame, mark.box, mark.label) == (5, (8.0, 8.0, 40.0, 40.0), "a red mug")
    QTest.keyClicks(page, "m")
    assert pane.marks_now() == ([], [])
    QTest.keyClicks(page, "w")
    assert page.form_view.wiping
    share = page.form_view._wipe.share
    QTest.keyClick(page, Qt.Key.Key_Right, SHIFT)
    assert page.form_view._wipe.share > share
    page.form_view._wipe.grab()
    QTest.keyClicks(page, "w")
    assert not page.form_view.wiping


def test_everything_in_the_editor_has_a_name(qtbot, page: VerifyPage) -> None:
    open_editor(qtbot, page)
    editor = page.editor
    QTest.keyClick(editor.pane, Qt.Key.Key_2, CTRL)
    assert page.mode == "pairs"
    assert "Save or leave" in cast(Window, page.window()).banner_words.text(), "another queue would leave it behind"
    for field in (editor.pane, editor.caption, editor.phrase, editor.category):
        assert field.accessibleName()
    page.editor.pane.grab()


@pytest.mark.slow
def test_a_correction_without_a_service_is_kept_here_and_arrives_when_it_is_back(qtbot, tmp_path: Path) -> None:
    with toy_workspace(tmp_path) as workspace, served_window(workspace, tmp_path, "verify") as window:
        page = window.page
        assert isinstance(page, VerifyPage)
        wait_open(qtbot, page)
        held = page.session.current
        assert held is not None
        open_editor(qtbot, page)
        with away(page.link):
            page.editor.phrase.setText("a cup 12")
            save(qtbot, page)
            assert "Saved on this machine" in window.banner_words.text()
            assert [one.text for one in page.link.outbox.unsent(of=Correction)] == ["a cup 12"]
            assert workspace.pair(pair_id=held.trial.item_id).phrase == "a red mug"
        qtbot.waitUntil(lambda: workspace.pair(pair_id=held.trial.item_id).phrase == "a cup 12")
        qtbot.waitUntil(lambda: not page._waiting and page.session.phase is Phase.JUDGING)
        assert page.session.current is held
