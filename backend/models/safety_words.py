"""What should not be shown, by the words that speak of it: whole words, in English and Chinese, with an allow list."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import yaml

from backend.domain import SettingsError, resource
from backend.domain.roles_words import SafetyFinding

LEET = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s"})
"""Figures written for letters, where a word has letters too."""
_WORD = re.compile(r"[^\W_]+(?:[@$][^\W_]+)*")
_HAN = re.compile(r"[\u4e00-\u9fff]+")


@dataclass(frozen=True, slots=True)
class Hit:
    """A word of the list in a text, with its group and how unsafe it is, 0 to 1."""

    word: str
    group: str
    weight: float


class WordList:
    """Groups of words and the phrases that excuse them. Raises SettingsError for a table of another shape."""

    def __init__(self, table: Mapping[str, Any], *, origin: str) -> None:
        try:
            self.version = int(table["version"])
            self._english: dict[tuple[str, ...], Hit | None] = {}
            self._chinese: dict[str, Hit | None] = {}
            for group, entry in table["groups"].items():
                weight = float(entry["weight"])
                if not 0 < weight <= 1:
                    raise SettingsError(f"table {origin}: the weight of {group} is {weight}, not above 0 and up to 1")
                self._english |= {_tokens(word): Hit(word, group, weight) for word in entry["en"]}
                self._chinese |= {word: Hit(word, group, weight) for word in entry["zh"]}
            self._english |= dict.fromkeys(map(_tokens, table["allow"]["en"]))
            self._chinese |= dict.fromkeys(table["allow"]["zh"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SettingsError(f"table {origin} cannot be read: {error!r}; compare it with its opening comment") from error
        self._first: dict[str, list[tuple[str, ...]]] = {}
        for words in sorted(self._english, key=len, reverse=True):
            self._first.setdefault(words[0].removesuffix("*")[:2], []).append(words)
        self._longest_han = max(map(len, self._chinese))

    def hits(self, text: str) -> list[Hit]:
        """The words of the list in a text, in order; an allowed phrase hides what it holds."""
        plain = unicodedata.normalize("NFKC", text)
        plain = "".join(sign for sign in plain if unicodedata.category(sign) != "Cf").casefold()
        return [*self._in_english(_split(plain)), *(hit for run in _HAN.findall(plain) for hit in self._in_chinese(run))]

    def _in_english(self, words: Sequence[str]) -> Iterable[Hit]:
        at = 0
        while at < len(words):
            found = next(
                (form for form in self._first.get(words[at][:2], ()) if _matches(form, words[at : at + len(form)])), None
            )
            hit = self._english[found] if found else None
            if hit:
                yield hit
            at += len(found) if found else 1

    def _in_chinese(self, run: str) -> Iterable[Hit]:
        at = 0
        while at < len(run):
            size = next((n for n in range(self._longest_han, 0, -1) if run[at : at + n] in self._chinese), 0)
            hit = self._chinese[run[at : at + size]] if size else None
            if hit:
                yield hit
            at += max(1, size)


class WordSafety:
    """SafetyFilter by the word list alone: it reads captions and on-screen words, and has no eyes."""

    model_id: ClassVar[str] = "safety-words-1-table-1"
    """Names the version of the table too, so that a changed table asks anew."""
    has_eyes: ClassVar[bool] = False

    def words(self, texts: Sequence[str]) -> list[SafetyFinding]:
        return [_finding(load_words().hits(text)) for text in texts]

    def pictures(self, frames: Sequence[np.ndarray]) -> list[SafetyFinding]:
        return []


@lru_cache(maxsize=1)
def load_words() -> WordList:
    """The shipped word list, read once."""
    path = resource("safety.yaml")
    return WordList(yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader), origin=path.name)


def _finding(hits: Sequence[Hit]) -> SafetyFinding:
    if not hits:
        return SafetyFinding(1.0)
    worst = max(hits, key=lambda hit: hit.weight)
    named = ", ".join(dict.fromkeys(f"{hit.group} ({hit.word!r})" for hit in hits))
    return SafetyFinding(round(1.0 - worst.weight, 6), named)


def _split(text: str) -> list[str]:
    """Words with figures read as letters where they stand among letters; letters spaced out are one word as well."""
    words = [_unmasked(word) for word in _WORD.findall(_HAN.sub(" ", text))]
    joined: list[str] = []
    at = 0
    while at < len(words):
        stop = at
        while stop < len(words) and len(words[stop]) == 1:
            stop += 1
        if stop - at > 2:  # "p o r n"
            joined.append("".join(words[at:stop]))
            at = stop
        else:
            joined.append(words[at])
            at += 1
    return joined


def _unmasked(word: str) -> str:
    letters = sum(sign.isalpha() for sign in word)
    if letters and letters < len(word):
        word = word.translate(LEET)
    decomposed = unicodedata.normalize("NFD", word)
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))


def _tokens(phrase: str) -> tuple[str, ...]:
    """The words of an entry of the table, each perhaps with the * of an open ending."""
    return tuple(str(phrase).casefold().replace("-", " ").split())


def _matches(form: tuple[str, ...], words: Sequence[str]) -> bool:
    return len(form) == len(words) and all(
        word.startswith(part[:-1]) if part.endswith("*") else word == part for part, word in zip(form, words, strict=True)
    )
