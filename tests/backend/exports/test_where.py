"""The `--where` parser: SQL and predicate agree, and errors say where and what."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import SettingsError
from backend.exports.where import EXPORT_COLUMNS, Column, parse_where

COLUMNS = {
    "name": Column("text", ""),
    "other": Column("text", ""),
    "size": Column("number", ""),
    "weight": Column("number", ""),
    "good": Column("bool", ""),
}
ROW = {"name": "dog", "other": None, "size": 3.0, "weight": 0.5, "good": True}


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.execute("CREATE TABLE rows (name TEXT, other TEXT, size DOUBLE, weight DOUBLE, good BOOLEAN)")
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("", True),
        ("name = 'dog'", True),
        ("name == 'Dog'", False),
        ('name != "cat"', True),
        ("size >= 3 and weight < .6", True),
        ("size >= 3 AND NOT weight < .6", False),
        ("size < 1 or weight > .1 and good", True),
        ("(size < 1 or weight > .1) and not good", False),
        ("name in ('cat', 'dog')", True),
        ("name not in ('cat', 'dog')", False),
        ("other is null and name is not null", True),
        ("other = 'x' or not other = 'x'", False),  # neither true nor false
        ("other = 'x' or good", True),
        ("good = true", True),
        ("good != true", False),
        ("name contains 'o'", True),
        ("name not contains 'o'", False),
        ("3 <= size", True),
        ("size > weight", True),
        ("size = -3e0", False),
        ("name = 'it''s'", False),
    ],
)
def test_an_expression_takes_the_row_or_not(text: str, taken: bool) -> None:
    assert parse_where(text, COLUMNS).matches(ROW) is taken


def test_values_become_parameters_and_never_sql() -> None:
    where = parse_where("name = 'x'' OR 1=1 --' and size in (1, 2)", COLUMNS)
    assert where.sql == '("name" = ? AND "size" IN (?, ?))'
    assert where.parameters == ("x' OR 1=1 --", 1.0, 2.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nmae = 'dog'", "column 1: unknown column nmae; did you mean name?"),
        ("name = 'dog' and catagory = 'x'", "column 18: unknown column catagory; columns are name, other"),
        ("name = dog", "column 8: unknown column dog"),
        ("name = 3", "column 8: name is of type text, 3 is of type number; write it in quotes"),
        ("size = 'big'", "column 8: size is of type number, 'big' is of type text"),
        ("name = null", "column 8: nothing equals null; write 'is null'"),
        ("name", "column 5: after name comes a comparison"),
        ("name = 'dog", "column 8: this quote is not closed"),
        ("(name = 'dog'", r"column 14: \) is missing before the end"),
        ("name = 'dog' name = 'cat'", "column 14: and or or is missing before name"),
        ("name in ()", r"column 10: a column or a value is missing before \)"),
        ("name in (other)", "column 10: in .* lists values"),
        ("name is 3", "column 9: null is missing before 3"),
        ("good > true", "column 6: true and false have no order"),
        ("1 = 1", "column 3: one side of a comparison must be a column"),
        ("name ; drop", "column 6: ';' is not understood"),
        ("name not = 'x'", "column 6: after not comes in or contains"),
        ("size contains 'x'", "column 1: contains asks for text"),
        ("size = 99999999999999999999", "column 8: .* too large"),
        ("size < 1e999", "column 8: 1e999 is too large"),
        ("and", "column 1: a column or a value is missing before and"),
        ("not", "column 4: a column or a value is missing before the end"),
        ("(" * 100 + "good" + ")" * 100, "more than 60 levels"),
        ("not " * 100 + "good", "more than 60 levels"),
        ("good or " * 5000 + "good", "at most 20000"),
    ],
)
def test_an_error_names_its_place(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        parse_where(text, COLUMNS)


PIECES = st.sampled_from(
    [
        "name",
        "size",
        "good",
        "and",
        "or",
        "not",
        "in",
        "is",
        "null",
        "(",
        ")",
        ",",
        "=",
        "<",
        "'a'",
        "3",
        "contains",
        "nmae",
        "'",
        ";",
        "é",
        "-",
    ]
)


@given(st.lists(PIECES, max_size=9).map(" ".join) | st.text(max_size=12))
def test_any_text_is_an_expression_or_named_as_wrong(text: str) -> None:
    try:
        where = parse_where(text, COLUMNS)
    except SettingsError as error:
        assert str(error).startswith("--where")
    else:
        assert where.sql.count("?") == len(where.parameters)


def test_every_documented_column_has_a_type_and_a_meaning() -> None:
    for name, column in EXPORT_COLUMNS.items():
        assert column.type in ("text", "number", "bool"), name
        assert column.meaning, name


def test_the_documentation_lists_the_columns() -> None:
    text = (Path(__file__).parents[3] / "docs" / "export-manifest.md").read_text("utf-8")
    for name, column in EXPORT_COLUMNS.items():
        assert f"| `{name}` | {column.type} | {column.meaning} |" in text, name


# SQL and predicate agree

TEXTS = st.one_of(st.text("ab'\"%_ é", max_size=4), st.sampled_from(["dog", "cat", ""]))
NUMBERS = st.one_of(st.integers(-5, 5).map(float), st.floats(-10, 10, allow_nan=False))
SIGNS = st.sampled_from(["=", "==", "!=", "<>", "<", "<=", ">", ">="])


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


TEXT_SIDE = st.one_of(st.sampled_from(["name", "other"]), TEXTS.map(quoted))
NUMBER_SIDE = st.one_of(st.sampled_from(["size", "weight"]), NUMBERS.map(repr))
CONDITIONS = st.one_of(
    st.builds("{} {} {}".format, st.sampled_from(["name", "other"]), SIGNS, TEXT_SIDE),
    st.builds("{} {} {}".format, NUMBER_SIDE, SIGNS, st.sampled_from(["size", "weight"])),
    st.builds("{} {}in ({})".format, st.just("name"), st.sampled_from(["", "not "]), TEXTS.map(quoted)),
    st.builds("size in ({}, {})".format, NUMBERS.map(repr), NUMBERS.map(repr)),
    st.builds("{} is {}null".format, st.sampled_from(list(COLUMNS)), st.sampled_from(["", "not "])),
    st.builds("{} {}contains {}".format, st.just("name"), st.sampled_from(["", "not "]), TEXT_SIDE),
    st.sampled_from(["good", "good = true", "good != false", "false = good"]),
)
EXPRESSIONS = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.builds("({}) and {}".format, inner, inner),
        st.builds("{} or ({})".format, inner, inner),
        st.builds("not ({})".format, inner),
        st.builds("NOT {}".format, CONDITIONS),
    ),
    max_leaves=8,
)
ROWS = st.fixed_dictionaries(
    {
        "name": st.none() | TEXTS,
        "other": st.none() | TEXTS,
        "size": st.none() | NUMBERS,
        "weight": st.none() | NUMBERS,
        "good": st.none() | st.booleans(),
    }
)


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS, st.lists(ROWS, min_size=1, max_size=6))
def test_sql_and_predicate_take_the_same_rows(database: duckdb.DuckDBPyConnection, text: str, rows: list[dict]) -> None:
    where = parse_where(text, COLUMNS)
    database.execute("DELETE FROM rows")
    marks = ", ".join("(?, ?, ?, ?, ?)" for _ in rows)
    database.execute(f"INSERT INTO rows VALUES {marks}", [row[name] for row in rows for name in COLUMNS])
    found = database.execute(f"SELECT * FROM rows WHERE {where.sql}", list(where.parameters)).fetchall()
    taken = [tuple(row[name] for name in COLUMNS) for row in rows if where.matches(row)]
    assert sorted(found, key=repr) == sorted(taken, key=repr)
