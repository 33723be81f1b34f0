"""What stages failed on, as one person looks through it: filter, search, the rows that are known, which are chosen. No widget."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from backend.domain.jobs import QuarantinePage, QuarantineRow

PAGE = 200
"""Rows of one question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question for rows; `number` tells answers to this look from those that come too late."""

    number: int
    stage: str
    search: str
    after: str | None


@dataclass(slots=True, kw_only=True)
class QuarantineSession:
    """Rows come page by page, as far as somebody scrolls."""

    stage: str = ""
    search: str = ""
    rows: list[QuarantineRow] = field(default_factory=list)
    total: int = 0
    by_stage: dict[str, int] = field(default_factory=dict)
    is_known: bool = False
    all_chosen: bool = False
    """All that match are chosen, also those that are not at hand."""
    number: int = 0
    _after: str | None = None
    _flying: bool = False

    def look_at(self, *, stage: str, search: str) -> bool:
        """Another filter or search; gives whether it is another."""
        if (stage, search) == (self.stage, self.search):
            return False
        self.stage, self.search = stage, search
        self.restart()
        return True

    def restart(self) -> None:
        """Asks for everything anew."""
        self.number += 1
        self.rows, self.total, self.is_known, self.all_chosen = [], 0, False, False
        self._after, self._flying = None, False

    @property
    def has_more(self) -> bool:
        """Whether rows are left to ask for, and none are on their way."""
        return not self._flying and (not self.is_known or self._after is not None)

    def wanted(self) -> Ask | None:
        """The next question; its answer is `arrived` or `unreachable`."""
        if not self.has_more:
            return None
        self._flying = True
        return Ask(number=self.number, stage=self.stage, search=self.search, after=self._after)

    def arrived(self, asked: Ask, page: QuarantinePage) -> bool:
        """Takes rows; gives whether they are of the present look."""
        if asked.number != self.number:
            return False
        self._flying = False
        self.is_known = True
        self.rows += page.rows
        self.total, self.by_stage, self._after = page.total, dict(page.by_stage), page.next_after
        return True

    def unreachable(self, asked: Ask) -> None:
        if asked.number == self.number:
            self._flying = False

    def differs(self, first: QuarantinePage) -> bool:
        """Whether the first page, asked for again, says that something else is in quarantine now."""
        if not self.is_known or self._flying:
            return False
        known = [row.work_key for row in self.rows[: len(first.rows)]]
        return first.total != self.total or [row.work_key for row in first.rows] != known

    def take_anew(self, first: QuarantinePage) -> None:
        """The first rows as they are now, in place of all that were known."""
        self.restart()
        asked = self.wanted()
        assert asked is not None, "nothing is on its way after a restart"
        self.arrived(asked, first)

    def chosen(self, numbers: Iterable[int]) -> tuple[str, ...] | None:
        """Work keys of chosen rows; an empty tuple means all there are, None that nobody chose, or that rows have to be fetched first."""
        if self.all_chosen and not self.stage and not self.search:
            return () if self.total else None
        if self.all_chosen:
            return None if self._after is not None or not self.rows else tuple(row.work_key for row in self.rows)
        keys = tuple(self.rows[n].work_key for n in sorted(set(numbers)) if n < len(self.rows))
        return keys or None

    def choices(self) -> tuple[tuple[str, int], ...]:
        """Stages with how many of theirs match, most first; the chosen one is among them, also with none."""
        known = {**({self.stage: 0} if self.stage else {}), **self.by_stage}
        return tuple(sorted(known.items(), key=lambda one: (-one[1], one[0])))
