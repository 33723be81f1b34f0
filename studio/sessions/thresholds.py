"""Cuts that are tried on scores: what is looked at, where the cuts are, what has to be asked.

The session decides and remembers; it touches no widget, thread or network. Gates of the recipe are moved without being
saved; a score that no gate looks at has a free cut, which can be looked at and sent on, but changes no plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from backend.api import GateChange, Status
from backend.domain.figures import Cut, NamedSelection, StoredScore
from backend.domain.library import KINDS, Selection
from backend.domain.score_words import SIGNS
from backend.domain.status_rows import GateRow

FIRST = ("pair", "similarity")
"""What is looked at first where it is."""
FAR = 10
"""Steps of a far move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutLine:
    """A cut on the axis of a score; `gate` is empty for a free one."""

    gate: str
    comparison: str
    value: float
    saved: float
    source: str = ""
    by_category: bool = False
    """Whether the gate has other values for some categories; those stay as they are."""

    @property
    def moved(self) -> bool:
        return self.value != self.saved

    @property
    def sign(self) -> str:
        return SIGNS[self.comparison]

    def holds(self, value: float) -> bool:
        """Whether a value would be kept."""
        match self.comparison:
            case ">=":
                return value >= self.value
            case ">":
                return value > self.value
            case "<=":
                return value <= self.value
            case _:
                return value < self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class GateStep:
    """One line of the funnel: a gate as it is saved and as it is tried."""

    name: str
    kind: str
    condition: str
    """As `pair.similarity >= 0.5`."""
    entering: int
    dropped: int
    dropped_before: int
    here: bool
    """Whether it looks at the score that is shown."""


@dataclass(slots=True, kw_only=True)
class ThresholdSession:
    """State of one person at the thresholds."""

    scores: tuple[StoredScore, ...] = ()
    score: StoredScore | None = None
    active: int = 0
    number: int = 0
    """Rises with every change; an answer to an earlier question is dropped."""
    saved: Status | None = None
    tried: Status | None = None
    """What the moved gates would come to; None until it is known."""
    _values: dict[str, float] = field(default_factory=dict)
    _free: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    """By kind and score: where the free cut began, and where it is."""

    def know(self, scores: Sequence[StoredScore], status: Status) -> None:
        """Takes what the project has; the score that was looked at stays."""
        self.scores, self.saved = tuple(scores), status
        names = {_name(gate) for gate in status.gates}
        self._values = {name: value for name, value in self._values.items() if name in names}
        before = None if self.score is None else (self.score.kind, self.score.name)
        found = {(each.kind, each.name): each for each in self.scores}
        gated = sorted((each for each in self.scores if each.gates), key=lambda each: (each.kind, each.name) != FIRST)
        first = gated[0] if gated else None
        self.look_at(found.get(before or ("", "")) or first or (self.scores[0] if self.scores else None))

    def look_at(self, score: StoredScore | None) -> None:
        """Looks at another score."""
        if score != self.score:
            self.active = 0
        self.score = score
        self.number += 1

    @property
    def cuts(self) -> tuple[CutLine, ...]:
        """The cuts of the score that is looked at, gates in the order of the recipe."""
        score = self.score
        if score is None or self.saved is None:
            return ()
        lines = []
        for row in self.saved.gates:
            name = _name(row)
            if name in score.gates and row.record == score.kind:
                lines.append(
                    CutLine(
                        gate=name,
                        comparison=row.comparison,
                        value=self._values.get(name, row.value),
                        saved=row.value,
                        source=row.source,
                        by_category=bool(row.by_category),
                    )
                )
        if not lines and (score.kind, score.name) in self._free:
            value = self._free[score.kind, score.name]
            lines.append(CutLine(gate="", comparison=">=", value=value[1], saved=value[0]))
        return tuple(lines)

    def offer_free(self, value: float) -> None:
        """Where the free cut of a score without gates begins."""
        if self.score is not None and not self.score.gates:
            self._free.setdefault((self.score.kind, self.score.name), (value, value))

    def move(self, place: int, value: float) -> bool:
        """Moves a cut; gives whether that changes anything."""
        lines = self.cuts
        if not 0 <= place < len(lines) or lines[place].value == value or self.score is None:
            return False
        line = lines[place]
        if not line.gate:
            self._free[self.score.kind, self.score.name] = (line.saved, value)
        elif value == line.saved:
            self._values.pop(line.gate, None)
        else:
            self._values[line.gate] = value
        self.active = place
        self.number += 1
        return True

    def reset(self) -> bool:
        """Puts every gate back to its saved value."""
        changed = bool(self._values)
        self._values.clear()
        self.tried = None
        self.number += 1
        return changed

    def take(self, selection: NamedSelection) -> None:
        """Tries the values of a named selection."""
        saved = {_name(row): row.value for row in self.saved.gates} if self.saved else {}
        self._values = {gate: v for gate, v in selection.gates.items() if gate in saved and saved[gate] != v}
        self.tried = None
        self.number += 1

    @property
    def changes(self) -> tuple[GateChange, ...]:
        """Gates that are not where they are saved."""
        return tuple(GateChange(gate=name, value=value) for name, value in sorted(self._values.items()))

    @property
    def asked_cuts(self) -> tuple[Cut, ...]:
        return tuple(Cut(comparison=line.comparison, value=line.value) for line in self.cuts)

    def funnel(self) -> tuple[GateStep, ...]:
        """The gates in order of work, as saved and as tried."""
        if self.saved is None:
            return ()
        before = {_name(row): row.dropped for row in self.saved.gates}
        rows = (self.tried or self.saved).gates
        here = self.score.gates if self.score else ()
        return tuple(
            GateStep(
                name=_name(row),
                kind=row.record,
                condition=f"{row.record}.{row.score} {row.comparison} {row.value:.6g}",
                entering=row.entering,
                dropped=row.dropped,
                dropped_before=before.get(_name(row), 0),
                here=_name(row) in here,
            )
            for row in rows
        )

    def counts(self) -> tuple[tuple[str, int, int], ...]:
        """What the plan keeps: kind, as saved, as tried."""
        if self.saved is None:
            return ()
        after = (self.tried or self.saved).counts
        return tuple((kind, self.saved.counts[kind], after[kind]) for kind in ("clips", "subjects", "anchors", "pairs"))

    @property
    def pending(self) -> int:
        """Items that looser gates would have worked on, if they were saved."""
        return 0 if self.tried is None else sum(row.pending for row in self.tried.stages)

    def passing(self) -> Selection | None:
        """What the cuts on this score keep, as a selection; None where such items are not listed in the library."""
        if self.score is None or self.score.kind not in KINDS:
            return None
        where = " and ".join(f"{self.score.name} {line.comparison} {line.value!r}" for line in self.cuts)
        return Selection(kind=self.score.kind, all_matching=True, where=where)


def next_place(cuts: Sequence[CutLine], active: int) -> int:
    """The cut after the active one."""
    return (active + 1) % len(cuts) if cuts else 0


def moved_by(line: CutLine, *, step: float, times: int) -> float:
    """A cut some steps further; steps lie on a grid around the saved value, so that there and back ends where it began."""
    if step <= 0:
        return line.value
    return float(f"{line.saved + (round((line.value - line.saved) / step) + times) * step:.10g}")


def _name(row: GateRow) -> str:
    """The gate's name, as settings call it."""
    if row.comparison not in SIGNS:
        return f"{row.record}.{row.score}.{row.comparison}"
    return f"{row.record}.{row.score}.{'min' if '>' in row.comparison else 'max'}"
