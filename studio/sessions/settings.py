"""Settings as one person changes them: what is saved, what the draft says otherwise, what that would come to.

The session decides and remembers; it touches no widget, thread or network. A draft is saved as a whole, or dropped.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from backend.domain.doctor import Doctor, RoleRow
from backend.domain.project_care import Setting, SettingsForecast, SettingsSheet
from backend.domain.score_words import stage_title

SECTIONS = ("project", "roles", "stages", "keys", "look", "storage", "privacy")
MAX_KEPT = 500
"""Settings of a draft that are remembered."""


@dataclass(slots=True, kw_only=True)
class SettingsSession:
    """State of one person at the settings. `draft` holds the new text of a setting, or None where it goes back to its default."""

    section: str = "project"
    sheet: SettingsSheet | None = None
    doctor: Doctor | None = None
    """Of the draft that was looked at last."""
    forecast: SettingsForecast | None = None
    """What the draft would come to; None until it is known."""
    trouble: str = ""
    """Why the draft cannot be saved."""
    draft: dict[str, str | None] = field(default_factory=dict)
    number: int = 0
    """Rises with every change; an answer to an earlier question is dropped."""
    refused: dict[str, str] = field(default_factory=dict)
    """What speaks against the value of a setting, by its name."""
    _dropped: dict[str, str | None] = field(default_factory=dict)
    _examined: int = -1
    _rows: dict[str, Setting] = field(default_factory=dict)

    def know(self, sheet: SettingsSheet) -> None:
        """Takes what is saved; of the draft stays what is still known and still something else."""
        self.sheet = sheet
        self._rows = {row.name: row for row in rows_of(sheet)}
        kept, self.draft = self.draft, {}
        for name, value in kept.items():
            if name in self._rows:
                self.fill(name, self._rows[name].default if value is None else value)
        self._changed()

    def row(self, name: str) -> Setting:
        return self._rows[name]

    def value(self, name: str) -> str:
        """The text of a setting, as the draft has it."""
        if name not in self.draft:
            return self._rows[name].value
        drafted = self.draft[name]
        return self._rows[name].default if drafted is None else drafted

    def is_changed(self, name: str) -> bool:
        """Whether the draft says something else than what is saved."""
        return name in self.draft

    def fill(self, name: str, value: str) -> bool:
        """Gives a setting another text; gives whether it is another."""
        row, before = self._rows[name], self.draft.get(name, "")
        was = name in self.draft
        if value == row.value:
            self.draft.pop(name, None)
        else:
            self.draft[name] = None if value == row.default else value
        if (name in self.draft) == was and self.draft.get(name, "") == before:
            return False
        self._changed(name)
        return True

    def reset(self, name: str) -> bool:
        """A setting goes back to its default; gives whether that is something else."""
        if self.value(name) == self._rows[name].default:
            return False
        return self.fill(name, self._rows[name].default)

    def drop(self) -> int:
        """Forgets the draft; gives how many settings it changed."""
        number = len(self.draft)
        if number:
            self._dropped, self.draft = self.draft, {}
            self._changed()
        return number

    def bring_back(self) -> int:
        """The draft that was dropped last; gives how many settings it changes."""
        if self.draft or not self._dropped:
            return 0
        self.draft, self._dropped = {name: value for name, value in self._dropped.items() if name in self._rows}, {}
        self._changed()
        return len(self.draft)

    @property
    def assignments(self) -> tuple[str, ...]:
        """What the draft sets, as `--set` takes it."""
        return tuple(f"{name}={value}" for name, value in self.draft.items() if value is not None)

    @property
    def resets(self) -> tuple[str, ...]:
        """What the draft takes back to its default."""
        return tuple(name for name, value in self.draft.items() if value is None)

    def answered(self, number: int, forecast: SettingsForecast | None, trouble: str) -> bool:
        """Takes what the service says of a draft; False when it is about an earlier one."""
        if number != self.number:
            return False
        self.forecast, self.trouble = forecast, trouble
        self.refused = {name: trouble for name in self.draft if trouble and _is_named(name, trouble)}
        return True

    def examine(self, number: int, doctor: Doctor) -> None:
        """Takes how the roles of a draft stand."""
        self.doctor, self._examined = doctor, number

    @property
    def is_examined(self) -> bool:
        """Whether the doctor's answer is about the draft as it is now."""
        return self._examined == self.number

    def roles(self) -> tuple[RoleRow, ...]:
        """Roles as the draft has them: those that the recipe's stages ask first, then by name."""
        rows = self.doctor.roles.values() if self.doctor is not None else ()
        return tuple(sorted(rows, key=lambda row: (not row.asked_by, row.role)))

    def as_json(self) -> str:
        """The draft, to be remembered."""
        return json.dumps(dict(list(self.draft.items())[:MAX_KEPT]))

    def remember(self, kept: str) -> None:
        """The draft of last time; what is damaged is none."""
        try:
            found = json.loads(kept or "{}")
        except ValueError:
            return
        if isinstance(found, dict):
            self.draft = {n: v for n, v in found.items() if isinstance(n, str) and (v is None or isinstance(v, str))}

    def _changed(self, name: str = "") -> None:
        self.number += 1
        self.forecast, self.trouble = None, ""
        if name:
            self.refused.pop(name, None)
        else:
            self.refused = {}


def rows_of(sheet: SettingsSheet) -> Iterable[Setting]:
    """Every setting of a sheet."""
    yield from (*sheet.project, *sheet.roles, *sheet.models)
    for stage in sheet.stages:
        yield from (*stage.settings, *stage.gates)


def stages_like(sheet: SettingsSheet, search: str, titled: Callable[[str], str] = stage_title) -> tuple[str, ...]:
    """Stages in whose name, title, meaning or settings every word of a search occurs."""
    words = search.casefold().split()
    found = []
    for stage in sheet.stages:
        told = (f"{row.name} {row.meaning}" for row in (*stage.settings, *stage.gates))
        said = f"{stage.stage} {titled(stage.stage)} {stage.meaning} {' '.join(told)}".casefold()
        if all(word in said for word in words):
            found.append(stage.stage)
    return tuple(found)


def state_of(row: RoleRow) -> str:
    """How a role stands: unbound, far (an endpoint is asked), ready, or missing."""
    if not row.implementation:
        return "unbound"
    if not row.available:
        return "missing"
    return "far" if row.location.startswith("openai:") else "ready"


def size_words(num_bytes: int, *, binary: bool = False) -> str:
    """`1.4 GB`, three digits at most, in powers of 1000 as weights are published; `binary` in powers of 1024, as limits are set."""
    base, units = (1024, ("TiB", "GiB", "MiB", "KiB")) if binary else (1000, ("TB", "GB", "MB", "kB"))
    for power, unit in zip(range(4, 0, -1), units, strict=True):
        if num_bytes >= base**power:
            value = num_bytes / base**power
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return f"{num_bytes} B"


def _is_named(name: str, sentence: str) -> bool:
    """Whether a sentence of the service is about a setting: it says its dotted name, or begins with its last part."""
    last = name.rpartition(".")[2]
    return name in sentence or sentence.startswith((f"{last} is", f"settings: {last} is", f"settings.{last} is"))
