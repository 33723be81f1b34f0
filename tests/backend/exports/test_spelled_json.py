"""JSON that passes through unchanged."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.exports.spelled_json import Layout, SpelledNumber, read_spelled, write_spelled

PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))


def documents(text: st.SearchStrategy[str]) -> st.SearchStrategy:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
        max_leaves=20,
    )


@given(documents(st.text()), st.sampled_from([None, 0, 2, 4]), st.booleans())
def test_values_and_the_order_of_keys_survive(document, indent, ascii_only) -> None:
    found, layout = read_spelled(
        json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode(errors="backslashreplace")
    )
    assert found == document
    again = json.loads(write_spelled(found, layout).encode(errors="backslashreplace"))
    assert again == document
    assert list_of_keys(again) == list_of_keys(document)


@given(documents(PRINTABLE), st.sampled_from([0, 2, 4]))
def test_an_indented_ascii_file_comes_back_byte_for_byte(document, indent) -> None:
    data = json.dumps(document, indent=indent)
    assert write_spelled(*read_spelled(data.encode())) == data


def list_of_keys(value) -> list:
    if isinstance(value, dict):
        return [(key, list_of_keys(inner)) for key, inner in value.items()]
    return [list_of_keys(inner) for inner in value] if isinstance(value, list) else []


@pytest.mark.parametrize("text", ["1.0", "1.00", "1e3", "1E+03", "-0", "-0.0", "0.1000", "1" * 5000, "NaN", "-Infinity"])
def test_numbers_keep_their_spelling(text: str) -> None:
    found, layout = read_spelled(f'{{"a": [{text}, 3]}}'.encode())
    assert isinstance(found["a"][0], SpelledNumber)
    assert write_spelled(found, layout) == f'{{"a": [{text}, 3]}}'


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ('{"a": 1, "b": 2}', Layout(indent=None)),
        ('{"a":1,"b":[2,3]}', Layout(indent=None, compact=True)),
        ('{\n  "a": 1,\n  "b": []\n}\n', Layout(indent=2, ends_with_newline=True)),
        ('[\n    "é"\n]', Layout(indent=4, ascii_only=False)),
    ],
)
def test_the_layout_is_kept(text: str, layout: Layout) -> None:
    found, seen = read_spelled(text.encode())
    assert seen == layout
    assert write_spelled(found, seen) == text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"a": 1, "a": 2}', "key 'a' stands twice"),
        (b'{"a": ', "broken JSON at line 1, column 7"),
        (b'"\xff"', "not UTF-8 .byte 0xff at 1."),
        (b"[" * 300 + b"]" * 300, "nested more than 200 deep"),
        (b"[" * 100_000, "nested too deep"),
        (b"", "broken JSON"),
    ],
)
def test_what_would_lose_something_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_spelled(data)


def test_a_number_of_our_own_that_is_none_is_not_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_spelled([float("nan")])
