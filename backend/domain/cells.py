"""Cells of CSV files that a spreadsheet may open: text that it would compute stands behind an apostrophe."""

from typing import TypeVar

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a cell begins that a spreadsheet takes for a formula, full width too (OWASP, CSV Injection)."""
T = TypeVar("T")


def guarded(cell: T) -> T | str:
    """The cell as it may be written; numbers stay numbers, None is an empty cell."""
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and _is_formula(cell) else cell


def unguarded(text: str) -> str:
    """The text that was guarded."""
    return text[1:] if text.startswith("'") and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    """Also behind apostrophes of its own, so that each text comes back as it was."""
    return text.lstrip("'").startswith(FORMULA_STARTS)
