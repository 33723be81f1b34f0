"""Cells of CSV files: nothing that a spreadsheet computes, and every text as it was when read again."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.cells import FORMULA_STARTS, guarded, unguarded


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\rx", "\nx", "＝1", "＋1", "－1", "＠x"])
def test_what_a_spreadsheet_would_compute_stands_behind_an_apostrophe(text: str) -> None:
    assert guarded(text) == f"'{text}"


def test_numbers_stay_numbers_and_nothing_is_an_empty_cell() -> None:
    assert [guarded(one) for one in (-1, -0.5, True, None, "plain", "")] == [-1, -0.5, True, "", "plain", ""]


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n＝ab \U0001f600\u05d0"), max_size=6))
def test_every_text_comes_back_and_none_is_a_formula(text: str) -> None:
    written = guarded(text)
    assert isinstance(written, str)
    assert not written.startswith(FORMULA_STARTS)
    assert unguarded(written) == text
    file = io.StringIO(newline="")
    csv.writer(file).writerow([written])
    (row,) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert unguarded(row[0]) == text
