"""What the library says of values, scores and gates, in both languages; nobody reads the names that settings use."""

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QWidget

from backend.domain.library import ItemColumn
from backend.stages.balance import GLORIA_SHARES
from backend.workspace.library_tables import TABLES
from studio.filter_bar import FilterEditor, words_of
from studio.item_model import bound_words, column_title, shown
from studio.sessions.library import Filter
from studio.texts import LANGUAGES, texts, use_language


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    use_language("en")


def column(name: str) -> ItemColumn:
    return ItemColumn(name=name, type="text", meaning="")


def test_a_column_of_a_score_is_headed_by_its_title() -> None:
    assert column_title("black_fraction") == "share of black frames"
    use_language("zh")
    assert column_title("black_fraction") == "黑帧比例"


def test_a_gate_that_holds_an_item_back_is_said_in_words() -> None:
    assert shown("clip.black_fraction.max", column("gate")) == "share of black frames (maximum)"
    use_language("zh")
    assert shown("clip.black_fraction.max", column("gate")) == "黑帧比例（上限）"


def test_a_filter_says_states_and_gates_as_the_list_does() -> None:
    state = Filter(column="state", values=("kept", "held back"))
    assert words_of(state) == "State: kept, held back"
    assert words_of(Filter(column="gate", values=("clip.sharpness.min",))) == "Held back by: sharpness (minimum)"
    use_language("zh")
    assert (
        words_of(state)
        == f"{column_title('state')}: {shown('kept', column('state'))}, {shown('held back', column('state'))}"
    )
    assert "kept" not in words_of(state)


@pytest.mark.parametrize("kind", TABLES)
def test_every_column_of_the_library_has_a_headline_in_each_language(kind: str) -> None:
    for name in LANGUAGES:
        known = texts(name)
        assert not {column for column in TABLES[kind].columns if f"columns.{column}" not in known}


def test_terms_of_the_project_are_said_in_each_language() -> None:
    assert (shown("cross_video", column("kind")), shown("gradual", column("opens_with"))) == (
        "cross-video",
        "dissolve or fade",
    )
    use_language("zh")
    assert words_of(Filter(column="kind", values=("in_pair", "cross_frame"))).endswith(": 同片段, 跨镜头")
    assert shown("happy", column("label")) == "高兴"
    assert shown("happy", column("caption")) == "happy", "a caption is not a term"


@pytest.mark.parametrize("value", [label for labels in GLORIA_SHARES.values() for label in labels])
def test_every_label_of_an_anchor_is_said(value: str) -> None:
    use_language("zh")
    assert shown(value, column("label")) != value


def test_what_a_project_says_itself_stays_as_it_is() -> None:
    use_language("zh")
    assert words_of(Filter(column="category", values=("mug",))).endswith(": mug")
    assert shown("a red_mug", column("caption")) == "a red_mug"


def test_a_filter_says_large_numbers_in_full() -> None:
    assert words_of(Filter(column="num_frames", low=12345.0)) == "Frames in all ≥ 12345"


def test_a_range_that_is_looked_at_again_stays_what_it_is(qtbot) -> None:
    present = Filter(column="size", low=0.123456789, high=12345678.0)
    parent = QWidget()
    qtbot.addWidget(parent)
    editor = FilterEditor(parent, ItemColumn(name="size", type="number", meaning=""), present)
    assert editor.filter() == present
    editor.fields["low"].setText("nan")
    editor.fields["high"].setText("inf")
    assert editor.filter() == Filter(column="size"), "neither is a bound"


def test_what_a_gate_asks_of_a_score_is_said_without_its_name() -> None:
    assert bound_words("clip.black_fraction <= 0.5", "black_fraction") == "≤ 0.5"
    assert bound_words("anchor.worth top 10", "worth") == "the 10 highest"
    use_language("zh")
    assert bound_words("anchor.worth top 10", "worth") == "最高的 10 个"
