"""The page's shell and its words: one JSON of strings a language, one HTML file that loads our own script."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from backend.domain import resource
from backend.domain.studies import LANGUAGES

KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json"}


def folder() -> Path:
    return resource("study_page")


@cache
def strings(language: str) -> dict[str, str]:
    """Every sentence of the page in a language."""
    return json.loads((folder() / f"texts_{language}.json").read_text(encoding="utf-8"))


@cache
def static_files() -> dict[str, tuple[str, bytes]]:
    """Kind and content of each file that the shell loads, by its name."""
    found = {path.name: path for path in sorted(folder().iterdir()) if path.suffix in KINDS}
    return {name: (KINDS[path.suffix], path.read_bytes()) for name, path in found.items()}


def shell(language: str, **values: Any) -> str:
    """The HTML in which the script builds each step."""
    return _environment().get_template("page.html").render(language=language, words=strings(language), **values)


def language_of(accepts: str) -> str:
    """The first language of an Accept-Language header that the page speaks; English for none."""
    for part in accepts.lower().split(","):
        tag = part.partition(";")[0].strip().partition("-")[0]
        if tag in LANGUAGES:
            return tag
    return LANGUAGES[0]


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(folder()),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
