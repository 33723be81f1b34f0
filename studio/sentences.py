"""Sentences of the service in the window's language.

The service says what failed, the value and what to do in English, as commands print it. resources/sentences.json has the
sentences that people meet in Studio, with `{a}` for their values; they are known again by their pattern. A value may be a
list of counted reasons, `3 judged different; 1 of no sample`. A sentence that the table lacks is shown as it came.
"""

import json
import re
from functools import lru_cache

from backend.domain import resource
from studio.texts import language

_VALUE = re.compile(r"\{([a-z])\}")
_COUNTED = re.compile(r"(\d+) (.+)", re.DOTALL)


def translated(sentence: str) -> str:
    """The sentence in the chosen language, its values put in; sentences among the values are said likewise."""
    chosen = language()
    if chosen == "en" or not sentence:
        return sentence
    for pattern, words in _known(chosen):
        if found := pattern.fullmatch(sentence):
            return words.format(**{name: _value(value) for name, value in found.groupdict().items()})
    return sentence


def _value(value: str) -> str:
    whole = translated(value)
    counted = [_COUNTED.fullmatch(part) for part in value.split("; ")]
    if whole != value or not all(counted):
        return whole
    return "；".join(f"{found[1]} {translated(found[2])}" for found in counted if found)


@lru_cache
def _known(chosen: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Patterns of a language, those with most words of their own first: they say most of what they match."""
    table: dict[str, dict[str, str]] = json.loads(resource("sentences.json").read_text("utf-8"))
    ordered = sorted(table, key=lambda sentence: -len(_VALUE.sub("", sentence)))
    return tuple((_pattern(sentence), table[sentence][chosen]) for sentence in ordered if chosen in table[sentence])


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = _VALUE.split(sentence)  # words, name, words, name, ..., words
    pieces = [re.escape(part) if place % 2 == 0 else f"(?P<{part}>.*?)" for place, part in enumerate(parts)]
    return re.compile("".join(pieces), re.DOTALL)
