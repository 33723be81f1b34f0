"""Guidance against sums worked out by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.guidance import GUIDANCE, GuidanceChain, Guided

ALL = frozenset()


def value(*numbers: float) -> list[torch.Tensor]:
    return [torch.tensor(number, dtype=torch.float64) for number in numbers]


def test_phantom_takes_three_forwards() -> None:
    """v(0) + 5 (v(ref) - v(0)) + 7.5 (v(ref, text) - v(ref)) with 1, 3, 4: 1 + 10 + 7.5."""
    chain = GUIDANCE["phantom"]
    assert chain.branches() == (frozenset({"reference", "text"}), frozenset({"text"}), ALL)
    assert chain.combined(value(1, 3, 4)).item() == 18.5


def test_kaleido_guides_by_text_with_references_always_given() -> None:
    """2 + 6 (5 - 2)."""
    chain = GUIDANCE["kaleido"]
    assert chain.branches() == (frozenset({"text"}), ALL)
    assert chain.combined(value(2, 5)).item() == 20


def test_gloria_guides_by_text_then_sound() -> None:
    """1 + 5 (2 - 1) + 4 (4 - 2)."""
    chain = GUIDANCE["gloria"]
    assert chain.branches() == (frozenset({"text", "audio"}), frozenset({"audio"}), ALL)
    assert chain.combined(value(1, 2, 4)).item() == 14


def test_no_guidance_is_one_forward() -> None:
    assert GUIDANCE["none"].branches() == (ALL,)
    assert GUIDANCE["none"].combined(value(3)).item() == 3


def test_what_a_case_lacks_costs_no_forward() -> None:
    assert GUIDANCE["phantom"].of({"text"}) == GuidanceChain((Guided(("text",), 7.5),))
    assert GUIDANCE["gloria"].of({"text", "image"}).branches() == (frozenset({"text"}), ALL)


def test_equal_scales_are_one_link() -> None:
    chain = GuidanceChain((Guided(("reference",), 4.0), Guided(("text",), 4.0)))
    assert chain.branches() == (frozenset({"reference", "text"}), ALL)


@given(
    st.lists(st.sampled_from([1.0, 2.0, 5.0]), min_size=3, max_size=3),
    st.lists(st.floats(-10, 10), min_size=4, max_size=4),
)
def test_saved_forwards_change_no_result(scales: list[float], numbers: list[float]) -> None:
    names = ("reference", "text", "audio")
    chain = GuidanceChain(tuple(Guided((name,), scale) for name, scale in zip(names, scales)))
    whole = numbers[0] + sum(s * (b - a) for s, a, b in zip(scales, numbers, numbers[1:]))
    by_dropped: dict[frozenset[str], float] = {frozenset(names[given_:]): number for given_, number in enumerate(numbers)}
    found = chain.combined(value(*(by_dropped[dropped] for dropped in chain.branches())))
    assert found.item() == pytest.approx(whole, abs=1e-9)


def test_first_link_of_scale_one_is_none() -> None:
    chain = GuidanceChain((Guided(("reference",), 1.0), Guided(("text",), 6.0)))
    assert chain.branches() == (frozenset({"text"}), ALL)
    assert chain.combined(value(2, 5)).item() == 20


@pytest.mark.parametrize("names", [(("text",), ("text",)), (("sound",),), ((),)])
def test_impossible_chains_are_refused(names) -> None:
    with pytest.raises(ValueError, match="at most once"):
        GuidanceChain(tuple(Guided(each, 2.0) for each in names))
