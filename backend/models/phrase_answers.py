"""Phrases as language models name them: how the answer is read, and how each phrase is verified against its caption."""

import json
import re
from collections.abc import Mapping
from typing import Any

from backend.domain import PhraseSpan
from backend.domain.roles_words import PhraseReading
from backend.models.judge_answers import shortened
from backend.models.taxonomy import Match, load_taxonomy
from backend.models.taxonomy_chinese import has_chinese

GROUPS = ("subject", "object", "background")
"""In the order in which they are kept when there are too many."""
MAX_PHRASES = 8
MAX_WORDS = 8  # of one phrase: with more it is a clause
MAX_SIGNS = 16  # of one Chinese phrase
_FENCE = re.compile(r"\A```(?:json)?\s*(.*?)\s*```\Z", re.DOTALL)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_AFTER_HEAD = re.compile(r"\s+(?:of|in|with|on|at|for|from|under|behind|near|beside)\s")
_ARTICLE = re.compile(r"(?:an?|the)(?:\s+|\Z)", re.IGNORECASE)


def read_phrases(raw: str, text: str) -> PhraseReading:
    """The phrases of an answer that stand in the text letter by letter, as whole words; or why it is no answer.

    Nothing is looked for in prose: the answer is one JSON object of three lists of texts, alone or in one code fence,
    and after what a model thought aloud before.
    """
    groups = _groups(raw)
    if isinstance(groups, str):
        return PhraseReading(raw=raw, reason=groups)
    kept: list[PhraseSpan] = []
    dropped: list[str] = []
    taken: set[str] = set()
    for role in GROUPS:
        for phrase in groups[role]:
            found = _verified(phrase, role, text)
            reason = found if isinstance(found, str) else ""
            if isinstance(found, PhraseSpan):
                words = text[found.start : found.stop].casefold()
                if words in taken:
                    reason = "named twice"
                elif len(kept) == MAX_PHRASES:
                    reason = f"more than {MAX_PHRASES} phrases"
                else:
                    kept.append(found)
                    taken.add(words)
            if reason:
                dropped.append(f"{shortened(phrase, 60)!r}: {reason}")
    return PhraseReading(tuple(sorted(kept, key=lambda span: (span.start, span.stop))), tuple(dropped), raw)


def _groups(raw: str) -> Mapping[str, list[str]] | str:
    """The three lists, or what is wrong with the answer."""
    answer = _THOUGHT.sub("", raw).strip()
    fenced = _FENCE.match(answer)
    answer = fenced[1] if fenced else answer
    if not answer:
        return "the model answered nothing; a JSON object was asked for"
    try:
        found: Any = json.loads(answer)
    except (ValueError, RecursionError):
        return f"the model answered {shortened(answer)!r}, which is no JSON"
    if not isinstance(found, dict):
        return f"the model answered {shortened(answer)!r}, which is no JSON object"
    missing, unknown = sorted(set(GROUPS) - found.keys()), sorted(found.keys() - set(GROUPS))
    if missing or unknown:
        what = f"lacks {missing[0]}" if missing else f"has {shortened(unknown[0], 40)!r}, which was not asked for"
        return f"the model's answer {what}: {shortened(answer)!r}"
    for role in GROUPS:
        if not isinstance(found[role], list) or not all(isinstance(phrase, str) for phrase in found[role]):
            return f"the model's {role} is no list of texts: {shortened(answer)!r}"
    return found


def _verified(phrase: str, role: str, text: str) -> PhraseSpan | str:
    """Where a phrase stands in the text, without its article; or why it is dropped."""
    wanted = phrase.strip()
    wanted = wanted[match.end() :] if (match := _ARTICLE.match(wanted)) else wanted
    if not wanted:
        return "empty"
    if len(wanted.split()) > MAX_WORDS or (has_chinese(wanted) and len(wanted) > MAX_SIGNS):
        return "too long for a phrase"
    start = _place(wanted, text)
    if start is None:
        return "not in the caption"
    stop = start + len(wanted)
    match = _head(text, start, stop)
    category = match.category if match else None
    return PhraseSpan(
        start=start,
        stop=stop,
        role=role,
        category=category.id if category else None,
        is_living=category.living if category else None,
        is_plural=match.is_plural if match else False,
    )


def _head(text: str, start: int, stop: int) -> Match | None:
    """The known noun that a phrase is about: its last word, or the one before a preposition ("girl in a red coat")."""
    inside = [match for match in load_taxonomy().find(text) if start <= match.start and match.stop <= stop]
    before = next((match for match in inside if _AFTER_HEAD.match(text, match.stop, stop)), None)
    return before or next((match for match in inside if match.stop == stop), None)


def _place(wanted: str, text: str) -> int | None:
    """Where a phrase begins, standing in the text as whole words."""
    at = text.find(wanted)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(wanted) : at + len(wanted) + 1]
        if not (_joins(before, wanted[0]) or _joins(wanted[-1], after)):
            return at
        at = text.find(wanted, at + 1)
    return None


def _joins(left: str, right: str) -> bool:
    """Whether two signs belong to one word. Han characters stand for themselves."""
    return left.isalnum() and right.isalnum() and not (has_chinese(left) or has_chinese(right))
