"""Of several licences the strictest holds, in whatever order they come; without one of every input there is none."""

import re
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.exports.licences import TERMS, is_stated, strictest
from tests.promises import Tally

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "privacy.md"
LADDERS = (
    ("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-SA-4.0", "all-rights-reserved"),
    ("CC0-1.0", "Pexels", "research-only", "all-rights-reserved"),
    ("public domain", "MIT", "CC-BY-NC-4.0", "CC-BY-NC-ND-4.0", "all-rights-reserved"),
    ("CC0-1.0", "CC BY 4.0", "CC-BY-ND-3.0", "CC-BY-NC-ND-4.0"),
)
"""Each asks all that the one before it asks, and more: written down from the licences themselves."""
TOGETHER = (
    (("CC-BY-SA-4.0", "CC-BY-NC-4.0"), {"CC-BY-SA-4.0", "CC-BY-NC-4.0"}),
    (("CC-BY-ND-4.0", "CC-BY-SA-4.0", "CC0-1.0"), {"CC-BY-ND-4.0", "CC-BY-SA-4.0"}),
    (("Pexels", "CC-BY-4.0"), {"Pexels", "CC-BY-4.0"}),
    (("the house's own terms", "CC0-1.0"), {"the house's own terms", "CC0-1.0"}),
    (("CC-BY-SA-4.0 AND CC-BY-NC-4.0", "CC-BY-NC-SA-4.0"), {"CC-BY-NC-SA-4.0"}),
)
"""Where neither includes the other, both apply."""


def wrong_with(combine: Callable[[tuple[str | None, ...]], str | None]) -> int:
    """How many combinations do not come out as the licences themselves say."""
    wrong = 0
    for ladder in LADDERS:
        for low, high in ((a, b) for k, a in enumerate(ladder) for b in ladder[k + 1 :]):
            wrong += combine((low, high)) != high
            wrong += combine((high, low)) != high
            wrong += combine((low, None)) is not None
    for parts, kept in TOGETHER:
        wrong += sum(set((combine(order) or "").split(" AND ")) != kept for order in permutations(parts))
    return wrong


@pytest.mark.promise(
    "what is made of several sources stands under the strictest of their licences, and under none where one is not known",
    area="Privacy",
    goal="0 wrong of all pairs of 4 ladders and 5 sets without an order",
    control="tests/backend/exports/test_licences.py::test_taking_one_sides_licence_would_be_noticed",
)
def test_the_strictest_licence_holds(tally: Tally) -> None:
    tried = sum(3 * len(ladder) * (len(ladder) - 1) // 2 for ladder in LADDERS) + 2 + 6 + 2 + 2 + 2
    tally.record(tried, lost=wrong_with(strictest))
    assert wrong_with(strictest) == 0


def test_taking_one_sides_licence_would_be_noticed() -> None:
    assert wrong_with(lambda parts: parts[0]) > 20
    assert wrong_with(lambda parts: max((part for part in parts if part), default=None)) > 10


@given(st.lists(st.sampled_from([*TERMS, "own terms", "CC-BY-4.0", "CC BY-SA 3.0"]), min_size=1, max_size=5))
def test_order_grouping_and_repetition_change_nothing(licences: list[str]) -> None:
    found = strictest(licences)
    assert strictest(licences[::-1]) == found == strictest([*licences, licences[0]])
    assert strictest([strictest(licences[:2]), *licences[2:]]) == found
    asked = frozenset().union(*(TERMS.get(name, frozenset()) for name in licences))
    assert found is not None
    assert asked <= frozenset().union(*(TERMS.get(_plain(part), frozenset()) for part in found.split(" AND ")))


def test_blank_is_not_stated() -> None:
    assert strictest([]) is None
    assert [is_stated(text) for text in (None, "", "  ", "CC0-1.0")] == [False, False, False, True]
    assert strictest(["CC0-1.0", " "]) is None


def test_the_table_stands_in_the_documentation() -> None:
    rows = re.findall(r"^\| `([A-Z0-9-]+)` \| ([^|]*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    told = {name: frozenset(words.split(", ")) - {"nothing"} for name, words in rows}
    assert told == TERMS


def _plain(licence: str) -> str:
    return {"CC-BY-4.0": "CC-BY", "CC BY-SA 3.0": "CC-BY-SA"}.get(licence, licence)
