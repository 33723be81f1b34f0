"""Printing benchmark rows."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

ORDER = ("area", "name", "value", "ours", "unit", "target", "peer_name", "peer", "ratio", "spread", "n", "note")


def show(rows: Iterable[Mapping[str, Any]], *, title: str = "") -> None:
    """A table of rows: known columns in a fixed order, others after them."""
    rows = list(rows)
    names = [name for name in ORDER if any(name in row for row in rows)]
    names += sorted({name for row in rows for name in row} - set(names))
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    for name in names:
        table.add_column(
            name.replace("_", " "), justify="right" if name in ("value", "ours", "peer", "ratio", "n") else "left"
        )
    for row in rows:
        table.add_row(*(_text(row.get(name)) for name in names))
    Console(file=sys.stdout, width=160).print(table)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
