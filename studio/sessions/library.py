"""What is looked at in the library: a kind of item, filters, a search, an order, and the windows of rows at hand.

The session decides and remembers; it touches no widget, thread, file or network. A query is a list of rows known by
its `number`: what arrives for an earlier one is dropped.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from backend.domain.library import KINDS, ItemPage, Selection, Value

PAGE = 200  # rows of a window: a table shows about 30, a grid 60
MAX_PAGES = 100
"""Windows at hand; the least recently looked at go first."""
MAX_FLIGHTS = 2
MAX_WISHES = 4
"""Windows that wait to be asked for; of a long scroll only the last are wanted."""
MAX_IDS = 10_000
"""Items chosen one by one; more are chosen by a filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One condition on a column: `values` (any of them), a range, a part of the text, or a flag. Those left out do not count."""

    column: str
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    contains: str = ""
    flag: bool | None = None

    @property
    def where(self) -> str:
        """The condition as the service reads it; empty for one that takes everything."""
        if self.values:
            return f"{self.column} in ({', '.join(map(_quoted, self.values))})"
        if self.contains:
            return f"{self.column} contains {_quoted(self.contains)}"
        if self.flag is not None:
            return f"{self.column} = {'true' if self.flag else 'false'}"
        bounds = [
            f"{self.column} {sign} {bound!r}" for sign, bound in ((">=", self.low), ("<=", self.high)) if bound is not None
        ]
        return " and ".join(bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is looked at, and how: this is what a saved view keeps."""

    kind: str = "clip"
    filters: tuple[Filter, ...] = ()
    search: str = ""
    """Words that must occur; behind `=` an expression over the columns, as `= similarity > .8`."""
    order: str = ""
    layout: str = "table"
    """table or grid."""

    @property
    def words(self) -> str:
        return "" if self.search.startswith("=") else self.search.strip()

    @property
    def is_narrow(self) -> bool:
        """Whether anything is asked for besides the state."""
        return bool(self.search.strip()) or any(each.column != "state" for each in self.filters)

    @property
    def where(self) -> str:
        said = [self.search[1:].strip()] if self.search.startswith("=") else []
        parts = [part for part in (*said, *(each.where for each in self.filters)) if part]
        return " and ".join(f"({part})" for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window to be asked for."""

    number: int
    page: int
    look: Look

    @property
    def offset(self) -> int:
        return self.page * PAGE


@dataclass(slots=True, kw_only=True)
class LibrarySession:
    """State of one person in the library."""

    look: Look = field(default_factory=Look)
    number: int = 0
    total: int = 0
    columns: tuple[str, ...] = ()
    is_known: bool = False
    """Whether the first window of this query has come."""
    trouble: str = ""
    all_chosen: bool = False
    _pages: OrderedDict[int, ItemPage] = field(default_factory=OrderedDict)
    _wishes: list[int] = field(default_factory=lambda: [0])
    _flying: set[int] = field(default_factory=set)
    _moment: str = ""

    def look_at(self, look: Look) -> bool:
        """Looks at something else; gives whether the rows are other ones."""
        same = (look.kind, look.where, look.words, look.order) == (
            self.look.kind,
            self.look.where,
            self.look.words,
            self.look.order,
        )
        self.look = look
        if not same:
            self.refresh()
        return not same

    def refresh(self) -> None:
        """Asks for everything anew."""
        self.number += 1
        self.total, self.is_known, self.trouble, self.all_chosen = 0, False, "", False
        self._pages.clear()
        self._flying.clear()
        self._wishes = [0]
        self._moment = ""

    def row(self, number: int) -> tuple[str, tuple[Value, ...]] | None:
        """Id and values of a row, None (and a wish for it) when it is not at hand."""
        place, rest = divmod(number, PAGE)
        page = self._pages.get(place)
        if page is None or rest >= len(page.ids):
            self._wish(place)
            return None
        self._pages.move_to_end(place)
        return page.ids[rest], page.rows[rest]

    def wanted(self) -> list[Window]:
        """What to ask for now; each answer is `arrived` or `unreachable`."""
        asked = []
        while self._wishes and len(self._flying) < MAX_FLIGHTS:
            page = self._wishes.pop()
            self._flying.add(page)
            asked.append(Window(number=self.number, page=page, look=self.look))
        return asked

    def arrived(self, window: Window, page: ItemPage) -> bool:
        """Takes a window; gives whether the number of rows or the columns are other ones than before."""
        if window.number != self.number:
            return False
        self._flying.discard(window.page)
        self.trouble = ""
        if self._moment and page.moment != self._moment:
            self._pages.clear()  # windows of two moments do not fit together
        self._moment = page.moment
        self._pages[window.page] = page
        while len(self._pages) > MAX_PAGES:
            self._pages.popitem(last=False)
        changed = not self.is_known or (self.total, self.columns) != (page.total, page.columns)
        self.total, self.columns, self.is_known = page.total, page.columns, True
        return changed

    def unreachable(self, window: Window, reason: str) -> None:
        """A window could not be had; it is wished for again when it is looked at."""
        if window.number == self.number:
            self._flying.discard(window.page)
            self.trouble = reason

    @property
    def waits(self) -> bool:
        """Whether something is wished for that can be asked now."""
        return bool(self._wishes) and len(self._flying) < MAX_FLIGHTS

    def windows_of(self, rows: Sequence[range]) -> tuple[dict[int, ItemPage], list[Window]]:
        """The windows that rows lie in: those at hand by place, and those to be asked for."""
        places = sorted(
            {place for span in rows if span for place in range(span.start // PAGE, (span.stop - 1) // PAGE + 1)}
        )
        at_hand = {place: self._pages[place] for place in places if place in self._pages}
        return at_hand, [Window(number=self.number, page=p, look=self.look) for p in places if p not in at_hand]

    def all_that_match(self) -> Selection:
        """Every item of the list, told by its conditions."""
        return Selection(kind=self.look.kind, all_matching=True, where=self.look.where, search=self.look.words)

    def _wish(self, page: int) -> None:
        if page in self._flying or page * PAGE >= max(self.total, 1):
            return
        if page in self._wishes:
            self._wishes.remove(page)
        self._wishes = [*self._wishes, page][-MAX_WISHES:]


def chosen_of(kind: str, rows: Sequence[range], windows: Mapping[int, ItemPage]) -> Selection | None:
    """The items of rows, of which every window is given by its place; None where the list became another in between."""
    if len({page.total for page in windows.values()}) > 1:
        return None
    found = [windows[number // PAGE].ids[number % PAGE :][:1] for span in rows for number in span]
    return Selection(kind=kind, ids=tuple(name for ids in found for name in ids))


def views_as_json(views: dict[str, Look]) -> str:
    """Saved views as text."""
    return json.dumps({name: asdict(look) for name, look in views.items()}, ensure_ascii=False)


def views_of_json(said: str) -> dict[str, Look]:
    """Saved views from text; what is damaged, or of another version, is left out."""
    try:
        found = json.loads(said or "{}")
    except ValueError:
        return {}
    looks = {name: _look_of(body) for name, body in found.items()} if isinstance(found, dict) else {}
    return {name: look for name, look in looks.items() if look is not None}


def with_filter(look: Look, new: Filter) -> Look:
    """The look with this filter in place of the one on its column; without it when it takes everything."""
    others = tuple(each for each in look.filters if each.column != new.column)
    return replace(look, filters=(*others, new) if new.where else others)


def without_filter(look: Look, columns: Iterable[str]) -> Look:
    """The look without filters on these columns."""
    gone = set(columns)
    return replace(look, filters=tuple(each for each in look.filters if each.column not in gone))


def _look_of(body: Any) -> Look | None:
    try:
        filters = tuple(Filter(**{**each, "values": tuple(each.get("values", ()))}) for each in body.get("filters", ()))
        look = Look(**{**body, "filters": filters})
    except (TypeError, AttributeError):
        return None
    return look if look.kind in KINDS else None


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
