"""Phrases by kinship: cosines worked out from the taxonomy's tree and from the words that two phrases share."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.models.classical_phrases import KinshipPhrases

NOUN, REST = 0.85, 0.15


def cosine(a: str, b: str) -> float:
    first, second = KinshipPhrases().texts([a, b])
    return float(first @ second)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("man", "lumberjack", 1.0),  # two forms of one category
        ("man", "person", math.sqrt(0.5)),  # half of a man's square is a person's
        ("man", "woman", 0.5),  # both are persons
        ("dog", "car", 0.0),
        ("red car", "blue car", NOUN),
        ("red car", "red car", 1.0),
        ("a woman in a red coat", "the woman", math.sqrt(NOUN)),  # the coat is what she wears, not what is meant
        ("red gizmo", "red widget", 0.5),  # no noun of the taxonomy: one of two words
        ("red gizmo", "gizmo", math.sqrt(0.5)),
        ("穿红衣的女人", "woman", math.sqrt(NOUN)),
    ],
)
def test_a_cosine_is_what_the_tree_and_the_words_give(a: str, b: str, expected: float) -> None:
    assert cosine(a, b) == pytest.approx(expected, abs=1e-6)


def test_a_text_without_a_word_is_nothing() -> None:
    assert not KinshipPhrases().texts([" - "]).any()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_vectors_are_unit_vectors_or_nothing(texts: list[str]) -> None:
    lengths = np.linalg.norm(KinshipPhrases().texts(texts), axis=1)
    assert all(length == pytest.approx(1.0, abs=1e-5) or length == 0.0 for length in lengths)
