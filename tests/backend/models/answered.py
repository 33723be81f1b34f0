"""Sentences whose nouns were marked by hand, and how the taxonomy's matcher does on them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.models.taxonomy import load_taxonomy

FILES = {language: Path(__file__).parent / f"sentences_{language}.txt" for language in ("en", "zh")}
_MARKED = re.compile(r"\[([^\]|]+)(?:\|([^\]]+))?\]")


@dataclass(frozen=True, slots=True)
class Answered:
    """A sentence, and the nouns in it as pairs of where they end and their category."""

    text: str
    nouns: frozenset[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Found:
    """How a matcher did on answered sentences: nouns right, found and there, and one line for each that is not right."""

    right: int
    found: int
    there: int
    faults: tuple[str, ...]

    @property
    def precision(self) -> float:
        return self.right / max(1, self.found)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.there)


def answered_sentences(path: Path) -> list[Answered]:
    """The sentences of a file, with their marks taken out: `a [red panda|bear]`, `a [dog]`."""
    lines = (line.strip() for line in path.read_text("utf-8").splitlines())
    return [_answered(line) for line in lines if line and not line.startswith("#")]


def compare(sentences: Sequence[Answered]) -> Found:
    """A noun is right when it ends where the answer says and has its category."""
    right = found = there = 0
    faults = []
    for one in sentences:
        got = {(match.stop, match.category.id) for match in load_taxonomy().find(one.text)}
        right, found, there = right + len(got & one.nouns), found + len(got), there + len(one.nouns)
        faults += [f"{one.text} | not there: {one.text[:stop][-16:]}:{name}" for stop, name in sorted(got - one.nouns)]
        faults += [f"{one.text} | missed: {one.text[:stop][-16:]}:{name}" for stop, name in sorted(one.nouns - got)]
    return Found(right, found, there, tuple(faults))


def _answered(line: str) -> Answered:
    text, nouns, after = "", set(), 0
    for mark in _MARKED.finditer(line):
        text += line[after : mark.start()] + mark[1]
        nouns.add((len(text), mark[2] or mark[1]))
        after = mark.end()
    return Answered(text + line[after:], frozenset(nouns))
