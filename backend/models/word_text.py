"""Text features without weights: each word a fixed direction, kin words of the taxonomy near each other."""

import hashlib
import math
import re
from typing import ClassVar

import numpy as np

from backend.models.taxonomy import load_taxonomy

_WORD = re.compile(r"[^\W_]+")


class HashedWords:
    """A token a word, in order: its hash, and for a noun of the taxonomy those of its category and of what is above it.

    A model that learns on them can tell words apart and carry over from one word of a category to another. Place in the
    text is a small part of each token, since cross-attention has no order of its own.
    """

    model_id: ClassVar[str] = "hashed-words-1"
    width: ClassVar[int] = 32
    max_tokens: ClassVar[int] = 64
    place_share: ClassVar[float] = 0.25  # our choice

    def encode(self, text: str) -> np.ndarray:
        """float32 `(L, 32)`; a text without words has one token of its own."""
        lowered = text.lower()
        categories = [(match.start, match.stop, match.category.id) for match in load_taxonomy().find(lowered)]
        tokens = []
        for place, word in enumerate(list(_WORD.finditer(lowered))[: self.max_tokens]):
            features = _direction(f"word:{word.group()}", self.width)
            for start, stop, category in categories:
                if start <= word.start() < stop:
                    for name in load_taxonomy().ancestors(category):
                        features = features + _direction(f"category:{name}", self.width)
            features = features + self.place_share * _direction(f"place:{place}", self.width)
            tokens.append(features / np.linalg.norm(features) * math.sqrt(self.width))
        if not tokens:
            tokens = [_direction("nothing", self.width) * math.sqrt(self.width)]
        return np.stack(tokens).astype(np.float32)


def _direction(name: str, width: int) -> np.ndarray:
    """A unit vector float64 that only the name decides."""
    seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
    vector = np.random.default_rng(seed).standard_normal(width)
    return vector / np.linalg.norm(vector)
