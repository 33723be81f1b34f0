"""Reading the library: which items match, in which order, and windows of them.

What matches is an array of places `n` in the table of its kind. Filters are one scan; an order is a permutation of the
whole table, made once a column and kept, so that a filtered and sorted list of a million rows is a look-up of a mask.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from backend.domain import ANCHORS_STUDY, SettingsError
from backend.domain.library import EXCLUDED, HELD_BACK, KEPT, KINDS, ItemColumn, ItemKind, ItemPage, Selection, Value
from backend.engine.plan import Plan
from backend.exports.where import Column, Where, parse_where
from backend.settings import nearest
from backend.store.catalog import Catalog
from backend.workspace.anchor_statistics import show_named_anchors
from backend.workspace.corrections import apply_corrections
from backend.workspace.exclusions import create_exclusion_views
from backend.workspace.library_tables import LIVE, PAIR_LIVE, make_table
from backend.workspace.pairs import create_pair_views
from backend.workspace.snapshot import Snapshot

PATIENCE = 10.0
"""An evaluated plan serves for this many times as long as it took, so that a project in the making is read at a tenth of a core."""
KEPT_LISTS = 24  # matches and orders of a million items take 4 MB each
MOST_WORDS, MOST_LETTERS = 50, 2000  # of a search; 5,000 words took 25 s of CPU on a project of three clips
MAX_CHOICES = 60
"""A text column with more values than these is searched, not chosen from."""
CHOSEN = frozenset(
    [
        "state",
        "status",
        "verdict",
        "kind",
        "label",
        "category",
        "phrase",
        "gate",
        "opens_with",
        "codec",
        "licence",
        "caption_by",
        "attribution",
    ]
)
"""Text columns that may have few values."""


@dataclass(slots=True)
class _Evaluated:
    """What was made from one moment of the snapshot."""

    moment: int
    named: int | None = None
    """The last event that names an anchor."""
    columns: dict[str, dict[str, Column]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    lists: OrderedDict[tuple, np.ndarray] = field(default_factory=OrderedDict)


class Library:
    """Items of a plan, on a reading connection of its own: a filter over a million rows keeps no rater waiting."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._snapshot = Snapshot(catalog, prepare=_prepare)
        self._lock = threading.RLock()
        self._made = _Evaluated(-1)

    def close(self) -> None:
        self._snapshot.close()

    @contextmanager
    def of(self, plan: Plan) -> Iterator["Reading"]:
        """The items of a plan, locked while they are read."""
        with self._lock, self._snapshot.of(plan, patience=PATIENCE) as now:
            named = now.query("SELECT max(seq) FROM vote WHERE study_id = ?", [ANCHORS_STUDY])[0][0]
            if (self._made.moment, self._made.named) != (now.moment, named):
                self._made = _Evaluated(now.moment, named)
            yield Reading(now, self._made, self._catalog.watermark()[0])

    def forget(self) -> None:
        """The next reading evaluates the plan anew."""
        with self._lock:
            self._snapshot.close()


class Reading:
    """The library at one moment. `said` is the journal's event up to which people's part is known."""

    def __init__(self, now: Snapshot, made: _Evaluated, said: int) -> None:
        self.now, self._made, self._said = now, made, said

    def columns(self, kind: str) -> dict[str, Column]:
        """The columns of a kind, whose table is made when first asked for. Raises SettingsError for an unknown kind."""
        if kind not in KINDS:
            raise SettingsError(f"there are no items of kind {kind!r}{nearest(kind, KINDS)}; there are {', '.join(KINDS)}")
        if kind not in self._made.columns:
            self._made.columns[kind] = make_table(self.now, kind)
            self._made.counts[kind] = self.now.query(f"SELECT count(*) FROM library_{kind}")[0][0]
        return self._made.columns[kind]

    def kind(self, kind: str) -> ItemKind:
        """The columns with what they hold."""
        columns = self.columns(kind)
        counts = {name: self.now.query(f"SELECT count(*) FROM kept_{name}")[0][0] for name in KINDS}
        numbers = [name for name, column in columns.items() if column.type == "number" and name not in PAIR_LIVE]
        spans: dict[str, tuple[float | None, float | None]] = {}
        if numbers:
            sql = ", ".join(f'min("{name}")::DOUBLE, max("{name}")::DOUBLE' for name in numbers)
            row = self.now.query(f"SELECT {sql} FROM library_{kind}")[0]
            spans = {name: (row[2 * n], row[2 * n + 1]) for n, name in enumerate(numbers)}
        return ItemKind(
            kind=kind,
            columns=tuple(
                ItemColumn(
                    name=name,
                    type=column.type,
                    meaning=column.meaning,
                    choices=self._choices(kind, name) if name in CHOSEN else (),
                    lowest=spans.get(name, (None, None))[0],
                    highest=spans.get(name, (None, None))[1],
                )
                for name, column in columns.items()
            ),
            counts=counts,
        )

    def page(self, kind: str, *, where: str, search: str, order: str, offset: int, limit: int) -> ItemPage:
        """A window of the matching items. Raises SettingsError for what is not understood."""
        columns = self.columns(kind)
        places = self._sorted(kind, where, search, order)
        wanted = places[offset : offset + limit]
        shown = ", ".join(f't."{name}"' for name in columns)
        rows: dict[int, tuple] = {}
        if len(wanted):
            low, high = int(wanted.min()), int(wanted.max())
            found = self.now.query(
                f"""SELECT t.n, t.id, {shown} FROM ({self._view(kind, columns)}) t
                WHERE t.n BETWEEN ? AND ? AND t.n IN (SELECT unnest(?::BIGINT[]))""",
                [low, high, wanted.tolist()],
            )
            rows = {row[0]: row[1:] for row in found}
        ordered = [rows[int(place)] for place in wanted]
        return ItemPage(
            kind=kind,
            moment=f"{self._made.moment}.{self._said}",
            total=len(places),
            offset=offset,
            columns=tuple(columns),
            ids=tuple(row[0] for row in ordered),
            rows=tuple(tuple(row[1:]) for row in ordered),
        )

    def values(self, kind: str, item_id: str) -> dict[str, Value] | None:
        """The row of one item by column; None for an id that is none."""
        columns = self.columns(kind)
        shown = ", ".join(f't."{name}"' for name in columns)
        rows = self.now.query(f"SELECT {shown} FROM ({self._view(kind, columns)}) t WHERE t.id = ?", [item_id])
        return dict(zip(columns, rows[0], strict=True)) if rows else None

    def chosen(self, selection: Selection) -> list[str]:
        """Ids of the selected items, in the order of the footage; ids that are none are left out."""
        self.columns(selection.kind)
        if not selection.all_matching:
            rows = self.now.query(
                f"SELECT id FROM library_{selection.kind} WHERE id IN (SELECT unnest(?::VARCHAR[])) ORDER BY n",
                [list(selection.ids)],
            )
            return [name for (name,) in rows]
        places = self._matching(selection.kind, selection.where, selection.search)
        ids = (
            self.now.arrow(f"SELECT id FROM library_{selection.kind} ORDER BY n")
            .column("id")
            .to_numpy(zero_copy_only=False)
        )
        return ids[places].tolist()

    def _sorted(self, kind: str, where: str, search: str, order: str) -> np.ndarray:
        matching = self._matching(kind, where, search)
        if not order:
            return matching
        ranks = self._order(kind, order)
        if len(matching) == len(ranks):
            return ranks
        taken = np.zeros(len(ranks), bool)
        taken[matching] = True
        return self._kept(("sorted", kind, where, search, order, self._said), lambda: ranks[taken[ranks]])

    def _matching(self, kind: str, where: str, search: str) -> np.ndarray:
        """Places of the items that match, ascending."""
        columns = self.columns(kind)
        chosen = parse_where(where, columns)
        words = list(dict.fromkeys(search.lower().split()))
        if len(words) > MOST_WORDS or len(search) > MOST_LETTERS:
            raise SettingsError(
                f"the search has {len(search)} letters; {MOST_WORDS} words or {MOST_LETTERS} letters are looked for"
            )
        said = self._said if any(f'"{name}"' in chosen.sql for name in (*LIVE, *PAIR_LIVE)) else 0
        return self._kept(("matching", kind, where, tuple(words), said), lambda: self._find(kind, columns, chosen, words))

    def _find(self, kind: str, columns: dict[str, Column], chosen: Where, words: list[str]) -> np.ndarray:
        if chosen.sql == "TRUE" and not words:
            return np.arange(self._made.counts[kind], dtype=np.int64)
        found = " AND ".join([f"({chosen.sql})", *("contains(t.haystack, ?)" for _ in words)])
        table = self.now.arrow(
            f"SELECT t.n FROM ({self._view(kind, columns, only=chosen.sql)}) t WHERE {found}", [*chosen.parameters, *words]
        )
        places = table.column("n").to_numpy()
        return np.sort(places)

    def _order(self, kind: str, order: str) -> np.ndarray:
        """Every place of the kind, in an order."""
        name, falls = order.removeprefix("-"), order.startswith("-")
        columns = self.columns(kind)
        if name not in columns:
            raise SettingsError(f"{kind}s have no column {name!r}{nearest(name, columns)}; sort by another")
        live = name in LIVE or name in PAIR_LIVE

        def sort() -> np.ndarray:
            column = f'"{name}"'
            by = f"t.{column} {'DESC' if falls else 'ASC'} NULLS LAST, t.n"
            table = self.now.arrow(f"SELECT t.n FROM ({self._view(kind, columns, only=column)}) t ORDER BY {by}")
            return table.column("n").to_numpy()

        return self._kept(("order", kind, order, self._said if live else 0), sort)

    def _kept(self, key: tuple, make) -> np.ndarray:
        lists = self._made.lists
        if key not in lists:
            lists[key] = make()
            while len(lists) > KEPT_LISTS:
                lists.popitem(last=False)
        lists.move_to_end(key)
        return lists[key]

    def _choices(self, kind: str, name: str) -> tuple[str, ...]:
        if name == "state":
            return (KEPT, HELD_BACK, EXCLUDED)
        column = f'"{name}"'
        view = self._view(kind, self.columns(kind), only=column)
        rows = self.now.query(
            f"SELECT DISTINCT t.{column} FROM ({view}) t WHERE t.{column} NOTNULL ORDER BY 1 LIMIT {MAX_CHOICES + 1}"
        )
        return tuple(value for (value,) in rows) if len(rows) <= MAX_CHOICES else ()

    def _view(self, kind: str, columns: dict[str, Column], *, only: str = "") -> str:
        """The table of a kind with what people say now; of that, with `only` what this SQL names."""
        picked, joined = "", ""
        if not only or '"state"' in only:
            picked += f", {self._state(kind, columns)} AS state"
        if kind == "pair" and (not only or any(f'"{name}"' in only for name in PAIR_LIVE)):
            picked += ", coalesce(p.status, 'machine') AS status, p.verdict, coalesce(p.num_votes, 0) AS num_votes"
            joined = "LEFT JOIN pair_status p ON p.pair_id = l.id"
        return f"SELECT l.*{picked} FROM library_{kind} l {joined}"

    def _state(self, kind: str, columns: dict[str, Column]) -> str:
        machine = f"CASE WHEN l.gate NOTNULL THEN '{HELD_BACK}' ELSE '{KEPT}' END"
        if not self.now.query("SELECT 1 FROM excluded_now LIMIT 1"):
            return machine
        theirs = ["id", *(name for name in columns if name.endswith("_id") and name != f"{kind}_id")]
        out = " OR ".join(f"l.{name} IN (SELECT item_id FROM excluded_now)" for name in theirs)
        return f"CASE WHEN {out} THEN '{EXCLUDED}' ELSE {machine} END"


def _prepare(now: Snapshot) -> None:
    apply_corrections(now)
    show_named_anchors(now)
    create_exclusion_views(now)
    create_pair_views(now)
