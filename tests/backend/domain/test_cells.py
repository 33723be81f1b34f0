"""CSV files: nothing that a spreadsheet computes, numbers as numbers, and every text as it was when read again."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import TextIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.cells import FORMULA_STARTS, guarded, unguarded, write_cells
from tests.promises import ROOT, Tally

SEPARATORS = ",;\t"
"""What separates cells in a spreadsheet, by its language and how the file was opened."""
TEXTS = st.text(
    alphabet=st.sampled_from("'\"=+-@\t\r\n＝＋－＠ab ,;|\ufeff\0\u2028\U0001f600\u05d0"), max_size=8
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
TABLES = st.lists(st.lists(TEXTS, min_size=3, max_size=3), min_size=1, max_size=4)
Write = Callable[[TextIO, Sequence[Sequence[object]]], None]


def written(rows: Sequence[Sequence[object]], write: Write = write_cells) -> str:
    file = io.StringIO(newline="")
    write(file, rows)
    return file.getvalue()


def computed(text: str, separator: str) -> list[str]:
    """Cells that a spreadsheet would compute, which splits at this separator and drops byte order marks and NUL.

    By another separator than ours, a cell may begin with the line's end; what comes behind that is what counts.
    """
    shown = text.replace("\ufeff", "").replace("\0", "")
    cells = [cell for row in csv.reader(io.StringIO(shown, newline=""), delimiter=separator) for cell in row]
    return [cell for cell in cells if (cell if separator == "," else cell.lstrip("\t\r\n")).startswith(FORMULA_STARTS)]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\rx", "\nx", "＝1", "＋1", "－1", "＠x", "\ufeff=1"]
)
def test_what_a_spreadsheet_would_compute_stands_behind_an_apostrophe(text: str) -> None:
    assert written([[text]])[:3].lstrip('"').startswith("'")


def test_numbers_stay_numbers_and_nothing_is_an_empty_cell() -> None:
    assert [guarded(one) for one in (-1, -0.5, True, None, "plain", "")] == [-1, -0.5, True, "", "plain", ""]
    assert written([[-1, -0.5, 1e-9, None, "-1"]]) == "-1,-0.5,1e-09,,'-1\r\n"


@pytest.mark.promise(
    "no cell of a CSV file is a formula, whatever separator a spreadsheet takes, and each text comes back as it was",
    area="Service",
    goal="0 formulas in 10,000 tables",
    control="tests/backend/domain/test_cells.py::test_a_plain_writer_writes_formulas",
)
def test_every_text_comes_back_and_none_is_a_formula(long: bool, tally: Tally) -> None:
    lost = []

    @settings(max_examples=10_000 if long else 300, deadline=None, database=None)
    @given(TABLES)
    def check(rows: list[list[str]]) -> None:
        text = written(rows)
        found = [cell for separator in SEPARATORS for cell in computed(text, separator)]
        back = [[unguarded(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]
        is_lost = bool(found) or back != rows
        lost.extend([rows] * is_lost)
        tally.record(1, lost=is_lost)

    check()
    assert lost == []


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_plain_writer_writes_formulas(separator: str) -> None:
    def plain(file: TextIO, rows: Sequence[Sequence[object]]) -> None:
        csv.writer(file).writerows(rows)

    def at_the_start_alone(file: TextIO, rows: Sequence[Sequence[object]]) -> None:
        plain(file, [[f"'{cell}" if str(cell).startswith(FORMULA_STARTS) else cell for cell in row] for row in rows])

    rows = [["first, quoted", "a, b;=1", "c, d\t=2"], ["=3", "e", "f"]]
    assert computed(written(rows, plain), separator)
    assert bool(computed(written(rows, at_the_start_alone), separator)) == (separator != ",")
    assert not computed(written(rows), separator)


def test_every_csv_file_is_written_by_one_function() -> None:
    files = [path for area in ("backend", "metrics", "training", "studio") for path in (ROOT / area).rglob("*.py")]
    assert {path.relative_to(ROOT).as_posix() for path in files if writes_cells(path.read_text())} == {
        "backend/domain/cells.py"
    }


def writes_cells(source: str) -> bool:
    return bool(re.search(r"csv\.(writer|DictWriter)|\.to_csv\(|pyarrow\.csv|xlsx|\(FORMAT:? *CSV", source, re.IGNORECASE))
