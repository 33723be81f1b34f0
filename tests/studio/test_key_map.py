"""Keys that people choose: what speaks against one is named, and what is kept never does two things at one place."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QSettings, Qt

from studio.actions import ACTIONS, Action, canonical_key, key_of, with_key
from studio.key_map import conflicts, editing_keys, forms_of, keys_of, sound
from studio.pages.settings_keys import combination_of
from studio.preferences import Preferences, keep_preferences, preferences, read_preferences, use_preferences

IDS = [action.id for action in ACTIONS]
TABLE_KEYS = sorted({key for action in ACTIONS for key in action.keys})
KEYS = st.sampled_from([*TABLE_KEYS, "Ctrl+C", "Tab", "F8", "Ctrl+Alt+J", "1", "X", "Hyperspace", ""])
CHOICES = st.dictionaries(st.sampled_from([*IDS, "gone"]), st.lists(KEYS, max_size=2).map(tuple), max_size=12)


@pytest.fixture(autouse=True)
def plain(qapp) -> Iterator[None]:
    yield
    use_preferences(Preferences())


def action(name: str) -> Action:
    return next(each for each in ACTIONS if each.id == name)


def kinds(name: str, key: str, chosen: dict[str, tuple[str, ...]] | None = None) -> set[str]:
    return {found.kind for found in conflicts(action(name), key, chosen or {})}


def test_the_key_that_is_told_is_the_one_that_works_now() -> None:
    assert (key_of("refresh"), with_key("loop")) == ("F5", "Loop (L)")
    use_preferences(Preferences(keys={"refresh": ("F9", "F5"), "loop": ("Alt+O",)}))
    assert (key_of("refresh"), with_key("loop")) == ("F9", "Loop (Alt+O)")


def test_nothing_speaks_against_the_table_itself() -> None:
    for each in ACTIONS:
        for key in each.keys:
            assert conflicts(each, key, {}) == (), (each.id, key)


@given(CHOICES)
def test_what_is_kept_does_no_two_things_at_one_place(chosen: dict[str, tuple[str, ...]]) -> None:
    kept = sound(chosen)
    assert set(kept.items()) <= set(chosen.items())
    for context in {name for each in ACTIONS for name in each.contexts} - {"window"}:
        rows = [each for each in ACTIONS if {context, "window"} & {*each.contexts}]
        keys = [canonical_key(key) for each in rows for key in keys_of(each, kept)]
        assert len(keys) == len(set(keys)), context


@given(st.sampled_from(ACTIONS), KEYS)
def test_a_key_that_nothing_speaks_against_is_kept(each: Action, key: str) -> None:
    kept = sound({each.id: (key,)})
    assert (each.id in kept) == (not conflicts(each, key, {}) and (key,) != each.keys)


def test_the_other_action_is_named_only_where_both_can_be_done() -> None:
    assert [found.what for found in conflicts(action("flicker"), "W", {})] == ["wipe"]
    assert kinds("sort", "W") == set(), "wipe is not in the library"
    assert "page_library" in {found.what for found in conflicts(action("sort"), "Alt+1", {})}
    assert kinds("flicker", "W", {"wipe": ("Ctrl+Alt+W",)}) == set(), "wipe has other keys now"


def test_two_actions_can_change_keys_with_each_other() -> None:
    swapped = {"flicker": ("W",), "wipe": ("F",)}
    assert sound(swapped) == swapped
    assert sound({"flicker": ("W",)}) == {}, "one half alone would give W two meanings"


def test_verdicts_of_forms_are_theirs_where_people_judge() -> None:
    assert kinds("flicker", "1") >= {"form"}
    assert forms_of("X")
    assert kinds("sort", "X") == set(), "nobody judges in the library"
    assert kinds("theme", "X") >= {"form"}, "the theme can be changed while one judges"
    assert kinds("wipe", "1", {"mode_pairs": ("F8",)}) == {"form"}


@pytest.mark.parametrize(
    ("key", "kind"), [("Ctrl+C", "editing"), ("Ctrl+V", "editing"), ("Tab", "moving"), ("Esc", "moving")]
)
def test_editing_of_text_and_moving_of_the_focus_stay_what_they_are(key: str, kind: str) -> None:
    assert kind in kinds("rail", key)
    assert "Ctrl+C" in editing_keys()


def test_an_unknown_key_is_said_to_be_one() -> None:
    assert kinds("rail", "Hyperspace") == {"unknown"}


@pytest.mark.parametrize(
    ("key", "modifiers", "said"),
    [
        (Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier, "Ctrl+Shift+J"),
        (Qt.Key.Key_Question, Qt.KeyboardModifier.ShiftModifier, "?"),
        (Qt.Key.Key_5, Qt.KeyboardModifier.KeypadModifier, "5"),
        (Qt.Key.Key_F8, Qt.KeyboardModifier.NoModifier, "F8"),
        (Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier, "Alt+Left"),
    ],
)
def test_a_press_is_named_as_the_table_names_keys(key: Qt.Key, modifiers: Qt.KeyboardModifier, said: str) -> None:
    assert combination_of(key, modifiers) == said


def test_choices_are_kept_within_their_bounds_and_found_again(tmp_path: Path) -> None:
    path = str(tmp_path / "studio.ini")
    wanted = Preferences(text_percent=130, frames_mib=10**6, thumbnails_mib=1, rater=" bo ", keys={"rail": ("F8",)})
    kept = keep_preferences(QSettings(path, QSettings.Format.IniFormat), wanted)
    assert (kept.frames_mib, kept.thumbnails_mib, kept.rater) == (8192, 16, "bo")
    assert preferences() == kept == read_preferences(QSettings(path, QSettings.Format.IniFormat))


def test_a_damaged_file_of_choices_is_that_of_the_table(tmp_path: Path) -> None:
    path = tmp_path / "studio.ini"
    path.write_text('[General]\ntext_percent=huge\nframes_mib=-3\nkeys="{\\"rail\\": 3, \\"half"\n')
    found = read_preferences(QSettings(str(path), QSettings.Format.IniFormat))
    assert (found.text_percent, found.frames_mib, found.thumbnails_mib, found.keys) == (100, 128, 96, {})
