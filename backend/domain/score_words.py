"""Scores, gates and stages in words for people, in English and Chinese: one table each for reports, commands and Studio."""

import json
import re
from functools import lru_cache

from backend.domain.resources import resource

SIGNS = {">=": "≥", ">": ">", "<=": "≤", "<": "<"}
"""How people read the comparisons of a gate."""

MEASURES = "measure_"
"""How the stages of an evaluation begin: a metric's name follows."""

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


def stage_title(name: str, language: str = "en") -> str:
    """`split_shots` gives `split shots`, a chain `find_borders to find_subjects` both its ends.

    A stage that measures one metric is told by its score; one that the table lacks, its name with spaces.
    """
    first, to, last = name.partition(" to ")
    forms = _words("stages.json")["forms"]
    if to:
        return forms["span"][language].format(first=stage_title(first, language), last=stage_title(last, language))
    if found := _words("stages.json")["stages"].get(name, {}).get(language):
        return found
    if name.startswith(MEASURES):
        return forms["measure"][language].format(score=score_title(name.removeprefix(MEASURES), language))
    return name.replace("_", " ")


def stage_purpose(name: str, language: str = "en") -> str:
    """What a stage does, in a sentence; empty for one that the table lacks."""
    return _words("stages.json")["does"].get(name, {}).get(language, "")


def failure_title(kind: str, language: str = "en") -> str:
    """`no_video` gives `no video`: the stable word of a failure for people; one that the table lacks, with spaces."""
    return _words("stages.json")["failures"].get(kind, {}).get(language) or kind.replace("_", " ")


@lru_cache
def _words(file: str = "scores.json") -> dict[str, dict[str, dict[str, str]]]:
    """What a table says: group, name, language, words."""
    return json.loads(resource(file).read_text("utf-8"))
