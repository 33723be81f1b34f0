"""Which columns of a metadata table hold what: a TOML file, or one of those shipped (`resources/tables`)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from backend.domain import SettingsError
from backend.domain.resources import resource


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMap:
    """Columns by what they hold. `scores` gives each score its own name, by which rows are chosen."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    video: str
    """Path or address of the file; of an address, what follows `v=`, or else its last part, is the file's name."""
    clip: str = ""
    """Name of a file that is the clip alone, where there is one: its span is then the whole file."""
    caption: str = ""
    start: str = ""
    stop: str = ""
    span: str = ""
    """Both ends in one column, instead of `start` and `stop`."""
    unit: Literal["seconds", "frames"] = "seconds"
    licence: str = ""
    attribution: str = ""
    scores: Mapping[str, str] = field(default_factory=dict)

    def columns(self) -> tuple[str, ...]:
        """Every column that is read."""
        named = (self.video, self.clip, self.caption, self.start, self.stop, self.span, self.licence, self.attribution)
        return tuple(dict.fromkeys(name for name in (*named, *self.scores.values()) if name))


_MAP = TypeAdapter(TableMap)


def shipped_maps() -> tuple[str, ...]:
    """Names of the maps that come along."""
    return tuple(sorted(file.stem for file in resource("tables").glob("*.toml")))


def read_map(name: str) -> TableMap:
    """A shipped map by its name, or one from a file. Raises SettingsError saying which there are, or what is wrong in it."""
    path = resource("tables") / f"{name}.toml" if name in shipped_maps() else Path(name)
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(
            f"--map {name}: neither a file nor one of {', '.join(shipped_maps())}; docs/formats.md shows what a map holds"
        ) from error
    except ValueError as error:
        raise SettingsError(f"{path} is no TOML: {error}") from error
    try:
        found = _MAP.validate_python(told)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "it"
        raise SettingsError(f"{path}: {place}: {first['msg']}; docs/formats.md shows what a map holds") from error
    if found.span and (found.start or found.stop):
        raise SettingsError(f"{path} names span beside start and stop; name one or the others")
    return found
