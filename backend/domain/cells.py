"""CSV files that a spreadsheet may open: text that it would compute stands behind an apostrophe. All are written here."""

import csv
import re
from collections.abc import Iterable, Sequence
from typing import TextIO, TypeVar

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a cell begins that a spreadsheet takes for a formula, full width too (OWASP, CSV Injection)."""
T = TypeVar("T")
_BORDER = r"(^|[;\t\r\n])"
"""Where a cell begins: also behind what separates cells in a spreadsheet of another language, for which our quotes are letters."""
_FORMULA = f"(?=['\"\ufeff\0]*[{re.escape(''.join(FORMULA_STARTS))}])"
"""Also behind apostrophes of its own, so that each text comes back as it was, and behind what spreadsheets drop."""
_OPEN = re.compile(_BORDER + _FORMULA)
_GUARDED = re.compile(f"{_BORDER}'{_FORMULA}")


def write_cells(file: TextIO, rows: Iterable[Sequence[object]]) -> None:
    """Rows as CSV, each cell guarded; the file is opened with `newline=""`, so that lines end by CR LF."""
    csv.writer(file).writerows([guarded(cell) for cell in row] for row in rows)


def guarded(cell: T) -> T | str:
    """The cell as it may be written; numbers stay numbers, None is an empty cell."""
    if cell is None:
        return ""
    return _OPEN.sub(r"\1'", cell) if isinstance(cell, str) else cell


def unguarded(text: str) -> str:
    """The text that was guarded."""
    return _GUARDED.sub(r"\1", text)
