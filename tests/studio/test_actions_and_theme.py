"""The table of actions and the colours: nothing doubled, nothing unreadable."""

import itertools
from importlib import import_module

import pytest
from PySide6.QtWidgets import QApplication, QComboBox

from backend.domain import SettingsError, resource
from studio.actions import ACTIONS, MENUS, canonical_key, shown_key
from studio.pages import PAGES
from studio.pages.page import Page
from studio.theme import NAMES, READABLE, apply_theme, contrast, load_theme


@pytest.mark.parametrize("context", sorted({name for action in ACTIONS for name in action.contexts} - {"window"}))
def test_no_key_does_two_things_in_one_context(context: str) -> None:
    rows = [action for action in ACTIONS if {context, "window"} & set(action.contexts)]
    keys = [canonical_key(key) for action in rows for key in action.keys]
    assert sorted(keys) == sorted(set(keys))


def test_every_action_has_a_key_a_menu_and_a_drawing_that_exists() -> None:
    for action in ACTIONS:
        assert action.keys, action.id
        assert action.menu in MENUS
        if action.icon:
            assert resource(f"icons/{action.icon}.svg").is_file()
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)


def test_the_keys_of_the_study_guide_are_the_defaults() -> None:
    keys = {action.id: action.keys[0] for action in ACTIONS}
    wanted = {"reasons": "R", "undo": "Z", "play": "Space", "flicker": "F", "zoom_link": "G", "sheet": "?"}
    assert {name: keys[name] for name in wanted} == wanted
    assert (keys["step_back"], keys["step_on"]) == (",", ".")


def test_a_key_that_qt_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="Hyperspace"):
        canonical_key("Hyperspace")
    assert canonical_key("left") == "Left"
    assert shown_key("Left") == "←"


@pytest.mark.parametrize(("name", "pair"), list(itertools.product(NAMES, READABLE)))
def test_words_are_readable(name: str, pair: tuple[str, str]) -> None:
    colours = load_theme(name).colours
    ratio = contrast(colours[pair[0]], colours[pair[1]])
    assert ratio >= 4.5, f"{pair[0]} on {pair[1]} has {ratio:.2f}"


def test_contrast_of_black_on_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_both_themes_name_the_same_colours() -> None:
    light, dark = (set(load_theme(name).colours) for name in NAMES)
    assert light == dark
    with pytest.raises(SettingsError, match="purple"):
        load_theme("purple")


@pytest.mark.parametrize("name", NAMES)
def test_a_drop_down_shows_an_arrow_in_ink_that_is_read(qtbot, qapp: QApplication, name: str) -> None:
    theme = load_theme(name)
    before = qapp.styleSheet()
    apply_theme(qapp, theme)
    try:
        box = QComboBox()
        qtbot.addWidget(box)
        box.addItem("x")
        box.resize(200, 34)
        box.show()
        picture = box.grab().toImage()
        ink, paper = theme.colour("muted"), theme.colour("surface")
        corner = {
            picture.pixelColor(x, y).name() for x in range(picture.width() - 30, picture.width() - 4) for y in range(8, 26)
        }
        assert ink.name() in corner
        assert paper.name() in corner
    finally:
        qapp.setStyleSheet(before)


def test_every_page_of_the_table_can_be_loaded() -> None:
    for name, page in PAGES.items():
        module, _, kind = page.place.partition(":")
        found = getattr(import_module(module), kind)
        assert issubclass(found, Page), name
        assert found.__doc__, name
        assert resource(f"icons/{page.icon}.svg").is_file()
