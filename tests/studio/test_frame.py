"""The frame of the window: the list of pages, the palette, theme and language, what is remembered, the welcome page."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QStackedWidget, QWidget

from backend.api import Api
from backend.domain import ProjectError
from studio.app import open_window
from studio.desk import Desk
from studio.pages import PAGES
from studio.palette import Palette
from studio.projects import RecentProjects
from studio.texts import language, text, use_language
from studio.welcome import Welcome
from studio.widgets import Rest
from studio.window import Window
from tests.studio.world import World

pytestmark = pytest.mark.slow  # together they take too long for the fast run

Open = Callable[[World], Window]


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    use_language("en")
    yield
    use_language("en")


def palette_of(qtbot, window: Window) -> Palette:
    qtbot.waitUntil(lambda: window.isActiveWindow() and window.page.hasFocus())
    QTest.keyClick(window.page, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.findChild(Palette) is not None)
    palette = window.findChild(Palette)
    assert palette is not None
    palette.activateWindow()  # offscreen no window manager does it
    qtbot.waitUntil(palette.field.hasFocus)
    return palette


def test_pages_are_made_when_they_are_first_shown(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    assert list(window.pages) == ["verify"]
    window.actions_.qt["page_compare"].trigger()
    assert set(window.pages) == {"verify", "compare"}
    assert window.page is window.pages["compare"]
    assert window.rail.buttons["compare"].isChecked()


def test_a_new_window_is_no_larger_than_the_screen(qtbot, world: World, tmp_path: Path) -> None:
    window = open_window(
        world.api, project=tmp_path, rater="ann", theme="light", state=tmp_path / "state" / "p", page="verify"
    )
    try:
        screen = window.screen().availableSize()
        assert window.width() == min(1440, screen.width())
        assert window.height() < screen.height(), "its title bar is on the screen too"
    finally:
        window.close()


def test_each_page_has_its_key_and_its_button(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    for name in ("compare", "verify"):
        window.rail.buttons[name].click()
        assert window.page is window.pages[name]
    for name, page in PAGES.items():
        keys = [key.toString() for key in window.actions_.qt[f"page_{name}"].shortcuts()]
        assert keys == [page.key, *page.also]


def test_the_palette_finds_by_letters_and_does_it(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    palette = palette_of(qtbot, window)
    assert {"theme", "quit", "play", "page_compare"} <= set(palette.shown)
    QTest.keyClicks(palette.field, "comp")
    assert palette.shown[0] == "page_compare"
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert window.page is window.pages["compare"]


def test_the_palette_moves_by_arrows_and_closes_by_escape(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    palette = palette_of(qtbot, window)
    QTest.keyClick(palette.field, Qt.Key.Key_Down)
    assert palette.list.currentRow() == 1
    QTest.keyClick(palette.field, Qt.Key.Key_Up)
    QTest.keyClick(palette.field, Qt.Key.Key_Up)
    assert palette.list.currentRow() == len(palette.shown) - 1
    QTest.keyClick(palette.field, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not any(each.isVisible() for each in window.findChildren(Palette)))


def test_menus_hold_every_action_of_the_window_and_of_the_page(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    shown = {action.objectName() for menu in window._menus.values() for action in menu.actions() if action.isVisible()}
    assert shown == {*window.actions_.qt, *window.page.actions_.qt}


def test_another_language_is_spoken_everywhere_at_once_and_kept(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    window.actions_.qt["language"].trigger()
    assert language() == "zh"
    assert window.rail.buttons["verify"].text().strip() == "核验"
    assert window.actions_.qt["quit"].text() == "退出"
    palette = palette_of(qtbot, window)
    QTest.keyClicks(palette.field, "quit")
    assert palette.shown[0] == "quit"
    palette.close()
    assert window.prefs.value("language") == "zh"
    window.actions_.qt["language"].trigger()
    assert window.rail.buttons["verify"].text().strip() == "Verify"


def test_the_theme_goes_round_and_is_kept(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    seen = []
    for _ in range(3):
        window.actions_.qt["theme"].trigger()
        seen.append(window.theme_choice)
    assert seen == ["dark", "system", "light"]
    assert window.prefs.value("theme") == "light"


def test_place_page_and_narrow_list_come_back(qtbot, opened: Open, world: World, tmp_path: Path) -> None:
    window = opened(world)
    window.resize(window.width(), 607)
    window.open_page("compare")
    window.actions_.qt["rail"].trigger()
    window.close()
    again = open_window(world.api, project=tmp_path, rater="ann", theme="light", state=tmp_path / "state" / "p")
    try:
        assert again.height() == 607
        assert again.page is again.pages["compare"]
        assert again.rail.is_narrow
        assert not again.rail.chip.isVisible()
    finally:
        again.close()


def test_a_service_that_is_away_is_told_by_the_chip_alone(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    qtbot.waitUntil(lambda: "queue_state" in world.calls)
    world.away = True
    window.page.run("refresh")
    window.link.ask(lambda: window.link.api.about(), lambda _: None, lambda _: None)
    qtbot.waitUntil(lambda: window.rail.chip.text() == "Offline")
    assert not window.banner.isVisible()
    world.away = False
    window.link.ask(lambda: window.link.api.about(), lambda _: None, lambda _: None)
    qtbot.waitUntil(lambda: window.rail.chip.text() == "Saved")


def test_a_long_path_in_the_banner_makes_no_window_wider(qtbot, opened: Open, world: World) -> None:
    window = opened(world)
    window.resize(1280, 800)
    window.notify("Nothing is known of " + "/a folder with/another_folder_of_somebody" * 12 + "/clip.mp4: choose another.")
    QApplication.processEvents()
    assert window.minimumSizeHint().width() <= 1280
    assert window.width() == 1280


@pytest.fixture
def desk(qtbot, tmp_path: Path, world: World) -> Iterator[Desk]:
    """A desk whose projects are all one small service; a folder named `locked` cannot be reached."""

    def connect(project: Path) -> Api:
        if project.name == "locked":
            raise ProjectError(f"{project} is open in another program; close it there")
        return world.api

    def show(api: Api, project: Path) -> Window:
        return open_window(api, project=project, rater="ann", theme="light", state=tmp_path / "state" / "p", page="verify")

    prefs = QSettings(str(tmp_path / "studio.ini"), QSettings.Format.IniFormat)
    made = Desk(
        connect=connect, open_window=show, prefs=prefs, recent=RecentProjects(tmp_path / "recent.json"), theme="light"
    )
    yield made
    made.close()


def project_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "project.toml").write_text("")
    return folder


def test_without_a_project_one_is_chosen_on_the_welcome_page(qtbot, desk: Desk, tmp_path: Path) -> None:
    project = project_in(tmp_path / "mugs")
    desk.recent.add(project)
    desk.show_welcome()
    assert desk.welcome is not None
    assert set(desk.welcome.cards) == {"sample", "videos", "open"}
    assert [button.accessibleName() for button in desk.welcome.recent] == [str(project)]
    desk.welcome.recent[0].click()
    qtbot.waitUntil(lambda: desk.window is not None)
    assert not desk.welcome.isVisible()
    assert desk.recent.paths() == (project,)


def test_a_project_that_cannot_be_opened_is_told_in_a_sentence(qtbot, desk: Desk, tmp_path: Path) -> None:
    desk.show_welcome()
    welcome = desk.welcome
    assert welcome is not None
    desk.open(project_in(tmp_path / "locked"))
    qtbot.waitUntil(lambda: "another program" in welcome.words.text())
    assert all(card.isEnabled() for card in welcome.cards.values())
    assert desk.window is None


def test_what_nobody_foresaw_leaves_the_page_usable(qtbot, desk: Desk, tmp_path: Path) -> None:
    goes_on = threading.Event()

    def broken(project: Path) -> Api:
        goes_on.wait(30)
        raise KeyError("planted")

    desk._connect = broken
    desk.show_welcome()
    welcome = desk.welcome
    assert welcome is not None
    with qtbot.captureExceptions() as caught:
        desk.open(project_in(tmp_path / "one"))
        assert not any(card.isEnabled() for card in welcome.cards.values()), "busy meanwhile"
        goes_on.set()
        qtbot.waitUntil(lambda: all(card.isEnabled() for card in welcome.cards.values()))
        qtbot.waitUntil(lambda: len(caught) == 1)
    assert caught[0][0] is KeyError
    assert welcome.words.text().startswith("Something went wrong that nobody foresaw")


def test_opening_another_project_closes_the_one_before(qtbot, desk: Desk, world: World, tmp_path: Path) -> None:
    first = desk.show(world.api, project_in(tmp_path / "first"))
    first.actions_.qt["projects"].trigger()
    assert desk.welcome is not None
    assert desk.welcome.isVisible()
    desk.welcome.opened.emit(project_in(tmp_path / "second"))
    qtbot.waitUntil(lambda: desk.window is not first and not first.isVisible())
    assert [path.name for path in desk.recent.paths()] == ["second", "first"]


def test_a_window_is_shown_where_the_list_of_projects_cannot_be_kept(desk: Desk, world: World, tmp_path: Path) -> None:
    in_the_way = tmp_path / "a file"
    in_the_way.write_text("")
    desk.recent = RecentProjects(in_the_way / "recent.json")
    assert desk.show(world.api, project_in(tmp_path / "first")).isVisible()


def test_cards_ask_for_folders_and_say_what_was_chosen(qtbot, tmp_path: Path) -> None:
    from studio.theme import load_theme

    asked: list[str] = []

    def ask(parent: QWidget, title: str) -> Path | None:
        asked.append(title)
        return tmp_path / str(len(asked))

    welcome = Welcome(load_theme("light"), recent=(), ask_folder=ask)
    qtbot.addWidget(welcome)
    said: list[tuple] = []
    welcome.sample_wanted.connect(lambda folder: said.append(("sample", folder)))
    welcome.videos_given.connect(lambda videos, folder: said.append(("videos", videos, folder)))
    welcome.opened.connect(lambda folder: said.append(("open", folder)))
    for name in ("sample", "videos", "open"):
        welcome.cards[name].click()
    assert said == [("sample", tmp_path / "1"), ("videos", tmp_path / "2", tmp_path / "3"), ("open", tmp_path / "4")]
    assert asked[1] == text("welcome.which_videos")


def test_a_damaged_list_of_recent_projects_is_an_empty_one(tmp_path: Path) -> None:
    recent = RecentProjects(tmp_path / "recent.json")
    (tmp_path / "recent.json").write_text('{"half')
    assert recent.paths() == ()
    recent.add(project_in(tmp_path / "a"))
    recent.add(tmp_path / "gone")
    assert recent.paths() == (tmp_path / "a",)


def test_a_rest_shows_all_lines_of_its_words(qtbot) -> None:
    stack, rest = QStackedWidget(), Rest()
    qtbot.addWidget(stack)
    stack.addWidget(QWidget())
    stack.addWidget(rest)
    stack.resize(900, 500)
    stack.show()
    rest.say("Nothing", "Many words that take more than one line. " * 6)
    stack.setCurrentWidget(rest)
    lines = rest.words.heightForWidth(rest.words.width())
    assert lines > 3 * rest.words.fontMetrics().lineSpacing()
    qtbot.waitUntil(lambda: rest.words.height() >= lines)
