"""Scores and gates in words for people, in English and Chinese: one table for reports, commands and Studio."""

import json
import re
from functools import lru_cache

from backend.domain.resources import resource

SIGNS = {">=": "≥", ">": ">", "<=": "≤", "<": "<"}
"""How people read the comparisons of a gate."""

_NAME = re.compile(r"\w+\.(?P<score>\w+)\.(?P<bound>min|max|top)")
_CONDITION = re.compile(r"\w+\.(?P<score>\w+) (?P<comparison>top|[<>]=?) (?P<value>.+)")


def score_title(name: str, language: str = "en") -> str:
    """`black_fraction` gives `share of black frames`; a score that the table lacks, its name with spaces."""
    return _words()["scores"].get(name, {}).get(language) or name.replace("_", " ")


def gate_title(gate: str, language: str = "en") -> str:
    """A gate told by its condition or its name: `clip.black_fraction <= 0.5` gives `share of black frames ≤ 0.5`.

    The name alone, `clip.black_fraction.max`, tells no value: `share of black frames (maximum)`. What is neither is
    given back as it is.
    """
    forms = _words()["gates"]
    if found := _NAME.fullmatch(gate):
        return forms[found["bound"]][language].format(score=score_title(found["score"], language))
    if not (found := _CONDITION.fullmatch(gate)):
        return gate
    title = score_title(found["score"], language)
    if found["comparison"] == "top":
        return forms["held_top"][language].format(score=title, value=found["value"])
    return f"{title} {SIGNS[found['comparison']]} {found['value']}"


@lru_cache
def _words() -> dict[str, dict[str, dict[str, str]]]:
    """By `scores` and `gates`: name, language, words."""
    return json.loads(resource("scores.json").read_text("utf-8"))
