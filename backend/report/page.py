"""A report's parts, and the page that they become."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup


class Block(Protocol):
    """A part of a section; `templates/blocks/KIND.html` draws it as `block`."""

    KIND: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Tile:
    """A headline number with what it counts, and a remark below."""

    value: str
    label: str
    remark: str = ""
    tone: str = "plain"
    """plain, good or bad."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Headline numbers in a row."""

    KIND: ClassVar[str] = "tiles"
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One step of a funnel or one gate: a bar of `share` (0 to 1) of the full width, of which `lost` is faded."""

    label: str
    share: float
    lost: float = 0.0
    value: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Labelled horizontal bars."""

    KIND: ClassVar[str] = "bars"
    bars: tuple[Bar, ...]
    title: str = ""
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a head. `numeric` names the columns to set flush right; `empty` stands when there are no rows."""

    KIND: ClassVar[str] = "table"
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    empty: str = "Nothing to list."
    note: str = ""
    folded: str = ""
    """What opens the table on request; it is open without it."""


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence in passing."""

    KIND: ClassVar[str] = "note"
    text: str


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph of the text itself."""

    KIND: ClassVar[str] = "prose"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedFigure:
    """A wide plot over its caption, as in a paper."""

    KIND: ClassVar[str] = "numbered"
    number: int
    svg: Markup
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """An inline SVG with its title and a remark."""

    svg: Markup
    title: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """Plots side by side."""

    KIND: ClassVar[str] = "figure"
    plots: tuple[Plot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumb:
    """A picture with a title and a remark; `image` is a data URI, None when it cannot be shown."""

    image: str | None
    title: str
    remark: str = ""
    tag: str = ""
    tone: str = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageGrid:
    """Pictures under a heading. Those after the first `fold` open on request; `more` counts those not shown."""

    KIND: ClassVar[str] = "images"
    thumbs: tuple[Thumb, ...]
    title: str = ""
    remark: str = ""
    more: int = 0
    fold: int = 36
    size: str = "medium"
    """medium or small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A score as a bar: `share` and `gates` are places between 0 and 1; `share` is None where there is no value."""

    label: str
    value: str
    share: float | None = None
    gates: tuple[float, ...] = ()
    passes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PairView:
    """A target and a reference side by side."""

    target: Thumb
    reference: Thumb
    title: str
    tags: tuple[tuple[str, str], ...] = ()
    """Text and tone (plain, good, bad)."""
    gauges: tuple[Gauge, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairGrid:
    """Pairs as cards; `more` counts those not shown."""

    KIND: ClassVar[str] = "pairs"
    pairs: tuple[PairView, ...]
    title: str = ""
    remark: str = ""
    more: int = 0
    empty: str = "No pairs."


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A chapter; `anchor` is its place in the address."""

    anchor: str
    title: str
    blocks: Sequence[Block]
    lead: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole page. `facts` are name and value pairs under the title."""

    title: str
    kicker: str
    sections: Sequence[Section]
    facts: tuple[tuple[str, str], ...] = ()
    footer: str = ""


def render(report: Report) -> str:
    """The report as one HTML document that needs nothing else: no script, no font, no address outside itself.

    Can always be written as UTF-8: what is left of a file name in another encoding is shown as `?`.
    """
    html = _environment().get_template("page.html").render(report=report)
    return html.encode("utf-8", "replace").decode("utf-8")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share: f"{100 * min(1.0, max(0.0, share)):.2f}%"
    return environment
