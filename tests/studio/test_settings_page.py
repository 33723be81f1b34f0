"""Settings by keys alone, over the real service of a new project."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QWidget

from backend.settings import read_settings
from backend.workspace import Workspace
from studio.actions import shown_key
from studio.pages.settings import SettingsPage
from studio.preferences import Preferences, preferences, use_preferences
from studio.sessions.settings import SECTIONS
from studio.texts import language, use_language
from studio.window import Window
from tests.studio.served import served_window

pytestmark = pytest.mark.slow

CTRL, SHIFT, NONE = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier
Press = Callable[..., None]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace(tmp_path / "project", create=True)
    yield opened
    opened.close()


@pytest.fixture
def window(qtbot, workspace: Workspace, tmp_path: Path) -> Iterator[Window]:
    with served_window(workspace, tmp_path, "settings") as shown:
        qtbot.waitUntil(lambda: page_of(shown).session.sheet is not None)
        yield shown
    use_language("en")
    use_preferences(Preferences())


def page_of(window: Window) -> SettingsPage:
    page = window.page
    assert isinstance(page, SettingsPage)
    return page


def press(window: Window, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE, *, on: QWidget | None = None) -> None:
    """A key where the focus is, or on a widget."""
    window.activateWindow()
    QApplication.processEvents()
    target = on or window.focusWidget() or window.page
    target.setFocus()
    QTest.keyClick(target, key, modifiers)


def field(page: SettingsPage, section: str, name: str) -> QLineEdit:
    widget = getattr(page.layout_of, section).list.rows[name].editor
    assert isinstance(widget, QLineEdit)
    return widget


def type_into(window: Window, widget: QLineEdit, words: str) -> None:
    widget.setFocus()
    widget.selectAll()
    QTest.keyClicks(widget, words)


def test_a_setting_is_changed_tried_saved_and_taken_back(qtbot, window: Window, workspace: Workspace) -> None:
    page = page_of(window)
    press(window, Qt.Key.Key_1, CTRL)
    type_into(window, field(page, "project", "workers"), "3")
    assert page.layout_of.chip.text() == "1 change not saved"
    assert page.layout_of.tabs["project"].text().startswith("●")
    qtbot.waitUntil(lambda: "No work is touched" in page.layout_of.status.text())
    assert workspace.settings.workers == 0
    press(window, Qt.Key.Key_S, CTRL)
    qtbot.waitUntil(lambda: "1 setting saved" in page.layout_of.status.text())
    assert read_settings(workspace.layout.settings).workers == 3
    qtbot.waitUntil(lambda: "Set in" in page.layout_of.project.list.rows["workers"].state.text())
    press(window, Qt.Key.Key_R, CTRL, on=page.layout_of.project.list.rows["workers"].editor)
    assert page.session.resets == ("workers",)
    press(window, Qt.Key.Key_S, CTRL)
    qtbot.waitUntil(lambda: workspace.settings.workers == 0)


def test_a_wrong_value_is_said_beside_its_field_and_nothing_is_saved(qtbot, window: Window, workspace: Workspace) -> None:
    page = page_of(window)
    type_into(window, field(page, "project", "workers"), "-2")
    row = page.layout_of.project.list.rows["workers"]
    qtbot.waitUntil(lambda: "give 0" in row.trouble.text())
    assert not page.layout_of.save.isEnabled()
    assert page.layout_of.chip.property("tone") == "bad"
    press(window, Qt.Key.Key_S, CTRL)
    qtbot.waitUntil(lambda: "give 0" in page.layout_of.status.text())
    assert workspace.settings.workers == 0


def test_what_is_not_saved_is_dropped_brought_back_and_remembered(qtbot, window: Window) -> None:
    page = page_of(window)
    type_into(window, field(page, "project", "seed"), "7")
    press(window, Qt.Key.Key_Escape)
    assert page.session.draft == {}
    assert "brings it back" in page.layout_of.status.text()
    assert field(page, "project", "seed").text() == "0"
    press(window, Qt.Key.Key_U, CTRL)
    assert page.session.draft == {"seed": "7"}
    press(window, Qt.Key.Key_3, CTRL)
    window.set_language("zh")
    again = page_of(window)
    assert again is not page
    qtbot.waitUntil(lambda: again.session.sheet is not None)
    assert (again.session.section, again.session.draft) == ("stages", {"seed": "7"})
    assert again.layout_of.tabs["project"].text() == "● 项目"


def test_a_role_is_bound_and_its_weights_are_checked_before_anything_is_saved(
    qtbot, window: Window, workspace: Workspace, tmp_path: Path
) -> None:
    page = page_of(window)
    press(window, Qt.Key.Key_2, CTRL)
    roles = page.layout_of.roles
    qtbot.waitUntil(lambda: page.session.doctor is not None)
    QTest.keyClicks(roles.table, "Se")
    assert roles.head.text() == "Segmenter"
    box = roles.list.rows["roles.Segmenter"].editor
    for _ in range(10):
        if page.session.value("roles.Segmenter") == "paper":
            break
        press(window, Qt.Key.Key_Down, on=box)
    qtbot.waitUntil(lambda: "set models.Segmenter" in roles.next_step.text())
    assert "missing" in roles.chip.text()
    assert "900 MB" in roles.facts["size"].text()
    assert roles.facts["asked_by"].text().startswith("segment subjects")
    weights = tmp_path / "sam"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"x" * 12_000)
    press(window, Qt.Key.Key_D, CTRL)
    dialog = roles.findChild(QFileDialog)
    assert dialog is not None
    assert dialog.fileMode() is QFileDialog.FileMode.Directory
    dialog.fileSelected.emit(str(weights))
    dialog.close()
    qtbot.waitUntil(lambda: "ready" in roles.chip.text())
    assert roles.facts["size"].text().startswith("12 kB")
    assert workspace.settings.roles == {}
    press(window, Qt.Key.Key_S, CTRL)
    qtbot.waitUntil(lambda: workspace.settings.models == {"Segmenter": str(weights)})
    press(window, Qt.Key.Key_D, CTRL | SHIFT)
    dialog = [each for each in roles.findChildren(QFileDialog) if each.isVisible()][-1]
    assert dialog.fileMode() is not QFileDialog.FileMode.Directory
    dialog.close()


def test_a_chinese_window_says_in_chinese_why_a_role_is_not_ready(qtbot, window: Window) -> None:
    window.set_language("zh")
    page = page_of(window)
    press(window, Qt.Key.Key_2, CTRL)
    qtbot.waitUntil(lambda: page.session.doctor is not None)
    roles = page.layout_of.roles
    QTest.keyClicks(roles.table, "Se")
    while page.session.value("roles.Segmenter") != "paper":
        press(window, Qt.Key.Key_Down, on=roles.list.rows["roles.Segmenter"].editor)
    qtbot.waitUntil(lambda: "没有权重" in roles.next_step.text())
    assert roles.next_step.text().startswith(
        '角色 Segmenter 没有权重；请在 project.toml 中设置 models.Segmenter，例如 "hub:'
    )
    cell = roles.table.item(roles.table.currentRow(), 0)
    assert cell is not None
    assert cell.toolTip() == f"Segmenter\n{roles.next_step.text()}"


def test_stages_are_found_and_set_and_gates_lead_to_thresholds(qtbot, window: Window, workspace: Workspace) -> None:
    page = page_of(window)
    press(window, Qt.Key.Key_F, CTRL)
    stages = page.layout_of.stages
    assert (page.session.section, stages.search.hasFocus()) == ("stages", True)
    QTest.keyClicks(stages.search, "longest clip")
    assert [stages.stages.item(n).text().strip() for n in range(stages.stages.count())] == ["split shots"]
    assert stages.list.rows["gates.clip.duration_s.min"].title.text() == "length in seconds (minimum)"
    for _ in range(2):
        press(window, Qt.Key.Key_Tab)
    assert page.layout_of.focused() == "stages.split_shots.max_s", "from the search over the list to the first setting"
    type_into(window, field(page, "stages", "stages.split_shots.max_s"), "30")
    assert stages.stages.item(0).text().startswith("●")
    qtbot.waitUntil(lambda: "1 stage works otherwise" in page.layout_of.status.text())
    press(window, Qt.Key.Key_S, CTRL)
    qtbot.waitUntil(lambda: workspace.settings.stages == {"split_shots": {"max_s": 30}})
    qtbot.waitUntil(lambda: stages.stages.item(0).text().startswith("◆"))
    press(window, Qt.Key.Key_G, CTRL)
    assert window.page is window.pages["thresholds"]


def test_a_pressed_key_is_refused_with_a_reason_or_followed_everywhere(qtbot, window: Window) -> None:
    page = page_of(window)
    keys = page.layout_of.keys
    keys.choose("theme")
    press(window, Qt.Key.Key_F2)
    assert (page.session.section, keys.table.is_listening) == ("keys", True)
    press(window, Qt.Key.Key_B, CTRL, on=keys.table)
    assert "Ctrl+B cannot be taken" in keys.words.text()
    press(window, Qt.Key.Key_F2, on=keys.table)
    press(window, Qt.Key.Key_Escape, on=keys.table)
    assert keys.words.text() == "The keys stay as they are."
    press(window, Qt.Key.Key_F2, on=keys.table)
    press(window, Qt.Key.Key_F9, CTRL, on=keys.table)
    again = page_of(window)
    assert again is not page
    chosen = again.layout_of.keys.action
    assert chosen is not None
    assert (again.session.section, chosen.id) == ("keys", "theme")
    assert preferences().keys == {"theme": ("Ctrl+F9",)}
    assert [key.toString() for key in window.actions_.qt["theme"].shortcuts()] == ["Ctrl+F9"]
    assert window.rail._tools["theme"].toolTip().endswith("(Ctrl+F9)")
    assert "Ctrl+F9" in str(window.prefs.value("keys"))
    press(window, Qt.Key.Key_R, CTRL, on=again.layout_of.keys.table)
    assert preferences().keys == {}
    page_of(window).layout_of.keys.give("Ctrl+F9")
    press(window, Qt.Key.Key_R, CTRL | SHIFT, on=page_of(window).layout_of.keys.table)
    assert preferences().keys == {}


def test_hints_of_other_pages_show_the_keys_that_were_chosen(qtbot, window: Window) -> None:
    keys = page_of(window).layout_of.keys
    press(window, Qt.Key.Key_4, CTRL)
    keys.choose("save_settings")
    keys.give("Ctrl+Alt+S")
    page = page_of(window)
    assert shown_key("Ctrl+Alt+S") in page.layout_of.save.text()
    qtbot.waitUntil(lambda: page.session.sheet is not None)
    type_into(window, field(page, "project", "seed"), "3")
    press(window, Qt.Key.Key_S, CTRL | Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: "1 setting saved" in page.layout_of.status.text())


def test_look_language_and_size_hold_at_once(qtbot, window: Window) -> None:
    press(window, Qt.Key.Key_5, CTRL)
    look = page_of(window).layout_of.look
    press(window, Qt.Key.Key_Space, on=look.themes.buttons["dark"])
    assert (window.theme.name, window.prefs.value("theme")) == ("dark", "dark")
    press(window, Qt.Key.Key_Space, on=look.sizes.buttons["130"])
    assert preferences().text_percent == 130
    look = page_of(window).layout_of.look
    assert look.sizes.buttons["130"].isChecked()
    press(window, Qt.Key.Key_Space, on=look.languages.buttons["zh"])
    assert language() == "zh"
    assert window.rail.buttons["settings"].text().strip() == "设置"


def test_what_is_made_again_is_cleared_and_memory_is_set(qtbot, window: Window, workspace: Workspace) -> None:
    preview = workspace.layout.previews / "clip.mp4"
    preview.write_bytes(b"x" * 4096)
    page = page_of(window)
    press(window, Qt.Key.Key_6, CTRL)
    storage = page.layout_of.storage
    qtbot.waitUntil(lambda: "previews" in storage.ticks)
    press(window, Qt.Key.Key_C, CTRL | SHIFT)
    assert "Nothing is marked" in page.layout_of.status.text()
    assert "journal" not in storage.ticks
    press(window, Qt.Key.Key_Space, on=storage.ticks["previews"])
    assert storage.clear.text() == "Clear 4 KiB"
    press(window, Qt.Key.Key_C, CTRL | SHIFT, on=storage.ticks["previews"])
    qtbot.waitUntil(lambda: "1 file deleted, 4 KiB freed" in page.layout_of.status.text())
    assert not preview.exists()
    storage.frames.setFocus()
    storage.frames.setValue(2048)
    press(window, Qt.Key.Key_Return, on=storage.frames)
    assert preferences().frames_mib == 2048


def test_privacy_tells_what_is_kept_and_forgets_crashes(qtbot, window: Window) -> None:
    crashes = window.state_dir / "crashes"
    crashes.mkdir(parents=True)
    (crashes / "20260101.txt").write_text("Trouble")
    page = page_of(window)
    press(window, Qt.Key.Key_7, CTRL)
    privacy = page.layout_of.privacy
    qtbot.waitUntil(lambda: privacy.figures["away"].text() == "Nothing")
    assert "0 verdicts" in privacy.figures["judges"].text()
    assert privacy.crashes.text() == "1 record"
    press(window, Qt.Key.Key_Delete, CTRL | SHIFT)
    assert not list(crashes.iterdir())
    privacy.rater.setFocus()
    privacy.rater.setText("bo")
    press(window, Qt.Key.Key_Return, on=privacy.rater)
    assert (window.rater, preferences().rater, page_of(window).context.rater) == ("bo", "bo", "bo")


def test_every_section_opens_by_key_with_the_focus_in_it_and_every_field_has_a_name(qtbot, window: Window) -> None:
    page = page_of(window)
    for number, name in enumerate(SECTIONS, start=1):
        press(window, Qt.Key(Qt.Key.Key_0 + number), CTRL)
        section = page.layout_of.sections[name]
        assert page.layout_of.stack.currentWidget() is section
        assert section.isAncestorOf(window.focusWidget()), name
    press(window, Qt.Key.Key_PageDown, CTRL)
    assert page.session.section == SECTIONS[0]
    press(window, Qt.Key.Key_PageUp, CTRL)
    assert page.session.section == SECTIONS[-1]
    press(window, Qt.Key.Key_F5)
    for widget in page.findChildren(QWidget):
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isEnabled() and widget.window() is window:
            words = widget.accessibleName() or (widget.text() if hasattr(widget, "text") else "")  # type: ignore[attr-defined]
            inner = widget.objectName().startswith("qt_")
            assert words or inner, f"{type(widget).__name__} {widget.objectName()} has no name"
