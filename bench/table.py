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


def markdown_row(row: Mapping[str, Any]) -> str:
    """A row as a line of the README's table: value or ratio, target, and what qualifies it."""
    value = _text(row.get("value", row.get("ours")))
    unit = f" {row['unit']}" if row.get("unit") else ""
    peer = f"{row['peer_name']} {_text(row.get('peer'))}, ratio {_text(row.get('ratio'))}" if row.get("peer_name") else ""
    spread = row.get("spread") or ""
    spread = f"+-{spread:.1%}" if isinstance(spread, float) else str(spread)
    remarks = [peer, spread, str(row.get("note") or "")[:90]]
    cells = (row["area"], row["name"], f"{value}{unit}", _text(row.get("target")), "; ".join(r for r in remarks if r))
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
