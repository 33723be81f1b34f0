"""What the window says, by key, in English and Chinese. `library.search` is `search` in resources/texts/LANGUAGE/library.json.

A text may name values, as `{name}`. One that depends on a number has the forms `one` and `other`, chosen by `count`; `counted`
gives a number with its noun, for sentences that have several.
"""

import json
from functools import lru_cache

from PySide6.QtCore import QLocale

from backend.domain import SettingsError, resource

LANGUAGES = {"en": "English", "zh": "中文"}
"""Languages by what people call them themselves."""

_chosen = ["en"]  # one for the process: widgets are made anew when it changes


def language() -> str:
    """The language that `text` speaks."""
    return _chosen[0]


def use_language(name: str) -> None:
    """Speaks another language from now on. Raises SettingsError for one that there is not."""
    if name not in LANGUAGES:
        raise SettingsError(f"language {name!r} does not exist; choose {' or '.join(LANGUAGES)}")
    _chosen[0] = name


def system_language() -> str:
    """The desktop's language where the window speaks it, else English."""
    name = QLocale.system().name().partition("_")[0]
    return name if name in LANGUAGES else "en"


def text(key: str, *, within: str | None = None, **values: object) -> str:
    """The text of `key` with its values put in, in the chosen language or in `within`. Raises KeyError for an unknown key."""
    found = texts(within or language())[key]
    if isinstance(found, dict):
        found = found["one" if values.get("count") == 1 and "one" in found else "other"]
    if isinstance(count := values.get("count"), int):
        values["count"] = f"{count:,}"
    return found.format(**values) if values else found


def counted(noun: str, number: int) -> str:
    """How many of something there are: `1 pair`, `12,000 pairs`. Nouns stand in counts.json, records by their kind."""
    return text(f"counts.{noun}", count=number)


def named(group: str, name: str) -> str:
    """What people call a name of the code, as `named("aspects", "visual_quality")`; one that no text has, with spaces.

    `group` is how the texts' keys begin: a file, or a file and a first word as `studies.left_`.
    """
    key = f"{group}{name}" if group.endswith("_") else f"{group}.{name}"
    return text(key) if key in texts("en") else name.replace("_", " ")


@lru_cache
def texts(name: str) -> dict[str, str | dict[str, str]]:
    """Every text of a language by its key."""
    files = sorted(resource(f"texts/{name}").glob("*.json"))
    return {f"{file.stem}.{key}": said for file in files for key, said in json.loads(file.read_text("utf-8")).items()}
