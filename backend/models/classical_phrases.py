"""Phrases as vectors without weights: what the taxonomy says their noun is, and the words that they share."""

import hashlib
import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from backend.models.taxonomy import load_taxonomy
from backend.models.taxonomy_chinese import has_chinese

_WORD = re.compile(r"[^\W_]+")
WORD_AXES = 2048
"""Words beside the noun are spread over so many axes by their hash: two different ones meet on one in 1 of 2,048 cases."""
_EMPTY = frozenset(
    ("a", "an", "the", "of", "in", "on", "at", "with", "and", "or", "to", "from", "by", "for", "his", "her", "its", "their")
)


class KinshipPhrases:
    """PhraseEmbedder by kinship: one axis for each category of the taxonomy, and others for words.

    A noun stands for its category and for all that is above it, half and half: a man and a person have a cosine of .71, a
    man and a woman .5, a man and a car 0, a man and a lumberjack 1. `noun_share` of the squared length is the noun's, the
    rest goes to the other words; a phrase without a noun of the taxonomy is its words alone. It knows nothing of meaning.
    """

    model_id: ClassVar[str] = "kinship-phrases-1"
    noun_share: ClassVar[float] = 0.85

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 `(N, D)`; zeros for a text without a word."""
        return np.stack([_vector(text, self.noun_share) for text in texts])


def _vector(text: str, noun_share: float) -> np.ndarray:
    axes = _category_axes()
    nouns = load_taxonomy().find(text)
    nouns = nouns[-1:] if has_chinese(text) else nouns[:1]  # what a phrase is about: "in a red coat" says more of it
    vector = np.zeros(len(axes) + WORD_AXES, np.float32)
    rest = text
    if nouns:
        rest = f"{text[: nouns[0].start]} {text[nouns[0].stop :]}"
        own, *above = (axes[name] for name in load_taxonomy().ancestors(nouns[0].category.id))
        vector[own] = math.sqrt(0.5) if above else 1.0
        vector[above] = math.sqrt(0.5 / len(above)) if above else 0.0
    words = [word for word in _WORD.findall(rest.lower()) if word not in _EMPTY]
    for word in set(words):
        vector[len(axes) + _axis(word)] = 1.0
    beside = vector[len(axes) :]
    if words:
        beside /= np.linalg.norm(beside)
        beside *= math.sqrt(1 - noun_share) if nouns else 1.0
        vector[: len(axes)] *= math.sqrt(noun_share)
    return vector


@lru_cache
def _category_axes() -> dict[str, int]:
    return {name: axis for axis, name in enumerate(sorted(load_taxonomy().categories))}


def _axis(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest(), "big") % WORD_AXES
