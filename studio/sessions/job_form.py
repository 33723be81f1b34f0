"""Values of a form made from settings: what differs from its defaults, what cannot be right, which fields are shown. No widget."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backend.domain.jobs import JobField, JobForm

PATHS = ("file", "folder", "new_folder")
"""Types of a field for one path; `paths` is for several that are there."""

LISTS = ("list", "paths")


@dataclass(slots=True, kw_only=True)
class FormSession:
    """A form as one person fills it in. Values are text, written as in `--set`."""

    form: JobForm
    values: dict[str, str] = field(default_factory=dict)
    """What was filled in; fields that are not here have their default."""
    with_more: bool = False
    search: str = ""
    refused: dict[str, str] = field(default_factory=dict)
    """What the service said of fields, by name; it goes when the field changes."""

    @property
    def fields(self) -> tuple[JobField, ...]:
        return (*self.form.main, *self.form.more)

    def value(self, name: str) -> str:
        return self.values.get(name, self._field(name).default)

    def fill(self, name: str, value: str) -> bool:
        """Gives a field another value; gives whether it is another."""
        if self.value(name) == value:
            return False
        self.refused.pop(name, None)
        if value == self._field(name).default:
            self.values.pop(name, None)
        else:
            self.values[name] = value
        return True

    def reset(self, name: str) -> bool:
        """A field has its default again."""
        return self.fill(name, self._field(name).default)

    def reset_all(self) -> bool:
        """Every field has its default again; gives whether one had not."""
        had = bool(self.values)
        self.values, self.refused = {}, {}
        return had

    def is_changed(self, name: str) -> bool:
        return name in self.values

    def problems(self) -> dict[str, str]:
        """Names of fields that cannot be right, and why: required, integer, number, boolean, list, paths or choice."""
        return {one.name: why for one in self.fields if (why := problem(one, self.value(one.name)))}

    def missing(self, root: Path) -> dict[str, tuple[str, str]]:
        """Fields whose paths are not there: file, folder or paths, and the first such path. Relative ones start at `root`.

        This looks at the disk, which may take its time.
        """
        found = ((one, _not_there(one, self.value(one.name), root)) for one in self.fields)
        return {one.name: (one.type, path) for one, path in found if path}

    def shown_more(self) -> tuple[JobField, ...]:
        """Further settings that the search finds: every word occurs in the name or in what it means."""
        if not self.with_more:
            return ()
        words = self.search.casefold().split()
        return tuple(one for one in self.form.more if _holds(one, words))

    def refuse(self, sentence: str) -> str:
        """Takes what the service said of a start. Gives the field that it names, empty where it names none."""
        named = [one.name for one in self.fields if _names(sentence, one.name)]
        name = max(named, key=len, default="")
        if name:
            self.refused[name] = sentence
            self.with_more |= name in {one.name for one in self.form.more}
        return name

    def moved_to(self, form: JobForm) -> "FormSession":
        """The same person at another form: what was filled in stays where the other form has such a field."""
        names = {one.name: one for one in (*form.main, *form.more)}
        kept = {name: value for name, value in self.values.items() if name in names and names[name].default != value}
        return FormSession(form=form, values=kept, with_more=self.with_more, search=self.search)

    def take(self, asked: dict[str, str]) -> None:
        """Fills in what a job was started with; settings that the form does not have are left out."""
        names = {one.name for one in self.fields}
        self.reset_all()
        for name, value in asked.items():
            if name in names:
                self.fill(name, value)

    def settings(self) -> dict[str, str]:
        """What to start with: everything that differs from its default, and what must be given."""
        asked = {one.name: self.value(one.name) for one in self.fields if one.required or one.name in self.values}
        return {name: as_list(value) if self._field(name).type in LISTS else value for name, value in asked.items()}

    def _field(self, name: str) -> JobField:
        return next(one for one in self.fields if one.name == name)


def as_list(value: str) -> str:
    """A list as JSON: what does not look like one is its only element, so that a path need not be put in brackets."""
    said = value.strip()
    return json.dumps([said], ensure_ascii=False) if said and not said.startswith("[") else value


def paths_in(value: str) -> tuple[str, ...]:
    """The paths of a field for several: a list as JSON, or a single path."""
    return tuple(map(str, json.loads(as_list(value)))) if value.strip() else ()


def as_paths(paths: Sequence[str]) -> str:
    """Paths as the value of their field; none are the empty value."""
    return json.dumps(list(paths), ensure_ascii=False) if paths else ""


def problem(asked: JobField, value: str) -> str:
    """Why a value cannot be right; empty where it can."""
    said = value.strip()
    if not said:
        return "required" if asked.required else ""
    if asked.type == "choice":
        return "" if value in asked.choices else "choice"
    readable = _READERS.get(asked.type)
    if readable is None or value == asked.default:  # what a settings record writes of itself is as it should be
        return ""
    try:
        return "" if readable(said) else asked.type
    except ValueError:
        return asked.type


def group_of(name: str) -> str:
    """The settings record that a field belongs to, empty for one of the job's own: `optimizer` of `optimizer.betas`."""
    return name.rpartition(".")[0]


def title_of(name: str) -> str:
    """A field's name for people, without its record."""
    return name.rpartition(".")[2].replace("_", " ")


def _not_there(asked: JobField, value: str, root: Path) -> str:
    """The first path of a field that is not there; empty where all are, or the field is for something new."""
    is_there = {"file": Path.is_file, "folder": Path.is_dir, "paths": Path.exists}.get(asked.type)
    if is_there is None or not value.strip():
        return ""
    paths = paths_in(value) if asked.type == "paths" else (value.strip(),)
    return next((path for path in paths if not is_there(root / Path(path).expanduser())), "")


def _holds(asked: JobField, words: list[str]) -> bool:
    said = f"{asked.name} {title_of(asked.name)} {asked.words}".casefold()
    return all(word in said for word in words)


def _names(sentence: str, name: str) -> bool:
    """Whether a sentence names a field, as a word of its own."""
    place = sentence.find(name)
    while place >= 0:
        before, behind = sentence[place - 1 : place], sentence[place + len(name) : place + len(name) + 1]
        if not (before.isalnum() or (before in "_." and before)) and not (behind.isalnum() or behind == "_"):
            return True
        place = sentence.find(name, place + 1)
    return False


def _is_integer(said: str) -> bool:
    int(said)
    return True


def _is_number(said: str) -> bool:
    float(said)
    return True


_READERS: dict[str, Callable[[str], bool]] = {
    "integer": _is_integer,
    "number": _is_number,
    "boolean": lambda said: said in ("true", "false"),
    "list": lambda said: isinstance(json.loads(as_list(said)), list),
    "paths": lambda said: isinstance(json.loads(as_list(said)), list),
}
