"""What the library looks at and asks for, without Qt and without a service."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.library import ItemPage
from backend.exports.where import Column, parse_where
from studio.sessions.library import (
    PAGE,
    Filter,
    LibrarySession,
    Look,
    Window,
    chosen_of,
    views_as_json,
    views_of_json,
    with_filter,
    without_filter,
)

COLUMNS = {"text": Column("text", ""), "size": Column("number", ""), "flag": Column("bool", "")}
ROWS = [
    {"text": text, "size": size, "flag": flag}
    for text in ("a mug", "it's", 'say "so"', None)
    for size in (0.5, 2.0, None)
    for flag in (True, False)
]


def page_of(window: Window, *, total: int, moment: str = "1.0") -> ItemPage:
    rows = range(window.offset, min(total, window.offset + PAGE))
    return ItemPage(
        kind=window.look.kind,
        moment=moment,
        total=total,
        offset=window.offset,
        columns=("n",),
        ids=tuple(f"clip_{n}" for n in rows),
        rows=tuple((n,) for n in rows),
    )


def filled(total: int) -> LibrarySession:
    session = LibrarySession()
    (window,) = session.wanted()
    session.arrived(window, page_of(window, total=total))
    return session


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        (Filter(column="text", values=("it's", "a mug")), lambda row: row["text"] in ("it's", "a mug")),
        (Filter(column="text", contains='"so"'), lambda row: row["text"] is not None and '"so"' in row["text"]),
        (Filter(column="size", low=1.0), lambda row: row["size"] is not None and row["size"] >= 1),
        (Filter(column="size", low=0.5, high=0.5), lambda row: row["size"] == 0.5),
        (Filter(column="flag", flag=False), lambda row: row["flag"] is False),
        (Filter(column="size"), lambda row: True),
    ],
)
def test_a_filter_takes_the_rows_that_it_says(each: Filter, expected) -> None:
    where = parse_where(each.where, COLUMNS)
    assert [where.matches(row) for row in ROWS] == [expected(row) for row in ROWS]


@given(st.lists(st.text(max_size=8), min_size=1, max_size=3), st.text(min_size=1, max_size=8))
def test_no_value_breaks_out_of_its_quotes(values: list[str], part: str) -> None:
    for each, takes in (
        (Filter(column="text", values=tuple(values)), lambda said: said in values),
        (Filter(column="text", contains=part), lambda said: part in said),
    ):
        where = parse_where(each.where, COLUMNS)
        for said in (*values, part, "'", ""):
            assert where.matches({"text": said, "size": None, "flag": None}) == takes(said)


def test_filters_search_and_expression_hold_together() -> None:
    look = Look(
        filters=(Filter(column="size", low=1.0), Filter(column="flag", flag=True)), search="= text = 'a' or text = 'b'"
    )
    assert look.where == "(text = 'a' or text = 'b') and (size >= 1.0) and (flag = true)"
    assert look.words == ""
    assert Look(search=" red mug ").words == "red mug"
    assert Look(search=" red mug ").where == ""


def test_a_filter_replaces_the_one_on_its_column_and_an_empty_one_removes_it() -> None:
    look = with_filter(Look(), Filter(column="size", low=1.0))
    look = with_filter(look, Filter(column="text", contains="x"))
    look = with_filter(look, Filter(column="size", high=2.0))
    assert {each.column: each.where for each in look.filters} == {"text": "text contains 'x'", "size": "size <= 2.0"}
    assert with_filter(look, Filter(column="size")).filters == (Filter(column="text", contains="x"),)
    assert without_filter(look, ["size", "text"]).filters == ()


def test_rows_in_sight_are_asked_for_by_windows() -> None:
    session = filled(1000)
    assert session.row(5) == ("clip_5", (5,))
    assert session.row(450) is None
    (window,) = session.wanted()
    assert window.offset == 2 * PAGE
    session.arrived(window, page_of(window, total=1000))
    assert session.row(450) == ("clip_450", (450,))
    assert session.wanted() == []


def test_of_a_long_scroll_only_the_last_windows_are_asked_for() -> None:
    session = filled(1_000_000)
    for row in range(0, 400_000, 1000):
        session.row(row)
    asked = session.wanted()
    assert [window.page for window in asked] == [399_000 // PAGE, 398_000 // PAGE]
    for window in asked:
        session.arrived(window, page_of(window, total=1_000_000))
    assert [window.page for window in session.wanted()] == [397_000 // PAGE, 396_000 // PAGE]


def test_what_comes_for_an_earlier_question_is_dropped() -> None:
    session = LibrarySession()
    (window,) = session.wanted()
    assert session.look_at(replace(session.look, search="mug"))
    assert not session.arrived(window, page_of(window, total=7))
    assert (session.total, session.is_known) == (0, False)
    (again,) = session.wanted()
    assert session.arrived(again, page_of(again, total=3))
    assert session.total == 3


def test_another_layout_is_the_same_list() -> None:
    session = filled(3)
    assert not session.look_at(replace(session.look, layout="grid"))
    assert session.total == 3


def test_windows_of_two_moments_are_never_shown_together() -> None:
    session = filled(1000)
    session.row(450)
    (window,) = session.wanted()
    session.arrived(window, page_of(window, total=1000, moment="2.0"))
    assert session.row(5) is None
    assert session.row(450) is not None


def test_a_window_that_failed_is_asked_for_again_when_looked_at() -> None:
    session = filled(1000)
    session.row(450)
    (window,) = session.wanted()
    session.unreachable(window, "the service does not answer")
    assert session.trouble
    session.row(450)
    assert [each.page for each in session.wanted()] == [2]


def test_memory_of_windows_is_bounded() -> None:
    session = filled(10_000_000)
    for n in range(300):
        session.row(n * PAGE)
        for window in session.wanted():
            session.arrived(window, page_of(window, total=10_000_000))
    assert len(session._pages) <= 100


def test_chosen_rows_are_named_and_all_that_match_are_a_question() -> None:
    session = filled(1000)
    rows = [range(1, 3), range(7, 8)]
    at_hand, missing = session.windows_of(rows)
    assert missing == []
    chosen = chosen_of("clip", rows, at_hand)
    assert chosen is not None and (chosen.kind, chosen.ids) == ("clip", ("clip_1", "clip_2", "clip_7"))
    session.look_at(Look(kind="pair", filters=(Filter(column="size", low=1.0),), search="mug"))
    found = session.all_that_match()
    assert (found.kind, found.all_matching, found.where, found.search) == ("pair", True, "(size >= 1.0)", "mug")


def test_rows_that_are_not_at_hand_are_chosen_whole_whatever_is_said_or_looked_at_meanwhile() -> None:
    session, rows = filled(1000), [range(150, 450)]
    at_hand, missing = session.windows_of(rows)
    assert (list(at_hand), [window.page for window in missing]) == ([0], [1, 2])
    session.look_at(Look(search="another list"))
    voted = {window.page: page_of(window, total=1000, moment=f"1.{window.page}") for window in missing}
    chosen = chosen_of("clip", rows, {**at_hand, **voted})
    assert chosen is not None
    assert chosen.ids == tuple(f"clip_{n}" for n in range(150, 450)), "a vote between two answers forgets nobody"
    fewer = {window.page: page_of(window, total=999) for window in missing}
    assert chosen_of("clip", rows, {**at_hand, **fewer}) is None, "rows may have moved: nobody is chosen by chance"


def test_views_come_back_as_they_were_kept_and_damaged_ones_are_left_out() -> None:
    look = Look(
        kind="pair",
        filters=(Filter(column="size", low=0.5), Filter(column="text", values=("a", "b"))),
        search="mug",
        order="-size",
        layout="grid",
    )
    assert views_of_json(views_as_json({"good ones": look})) == {"good ones": look}
    for said in ("", "{", "[]", "3", '{"a": 1}', '{"a": {"kind": "clip", "colour": 1}}', '{"a": {"kind": "book"}}'):
        assert views_of_json(said) == {}
    one_of_two = views_as_json({"good": look})[:-1] + ', "of a later version": {"kind": "clip", "colour": 1}}'
    assert views_of_json(one_of_two) == {"good": look}
