"""Answers of judges as the project keeps them: one file a question, so that no crash and no new metric pays twice."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np

from backend.domain import Inquiry, Judge, Verdict, digest
from metrics.store import FeatureStore


class KeptAnswers:
    """A judge whose answers are kept in `store` as they come, and not asked for again.

    A question is the same with the same model, sampling, words, range, pictures and repeat. What was no answer (a refusal,
    a timeout) is not kept, and a damaged file is asked for again.
    """

    def __init__(self, judge: Judge, store: FeatureStore) -> None:
        self.model_id, self.sampling = judge.model_id, judge.sampling
        self._judge, self._store = judge, store

    def ask(
        self, inquiries: Sequence[Inquiry], answered: Callable[[Inquiry, Verdict], None] | None = None
    ) -> list[Verdict]:
        """A verdict for each; a kept one counts no call."""
        found = {place: self._kept(inquiry) for place, inquiry in enumerate(inquiries)}
        left = [place for place, verdict in found.items() if verdict is None]
        if left:
            found |= dict(zip(left, self._judge.ask([inquiries[place] for place in left], self._keep), strict=True))
        return [verdict for verdict in found.values() if verdict is not None]

    def _kept(self, inquiry: Inquiry) -> Verdict | None:
        kept = self._store.get(self._key(inquiry))
        if not isinstance(kept, dict):
            return None
        try:
            told = json.loads(kept["answer"].tobytes())
            return Verdict(told["score"], told["raw"], told["reason"], num_calls=0)
        except (KeyError, ValueError, TypeError):
            return None

    def _keep(self, inquiry: Inquiry, verdict: Verdict) -> None:
        if verdict.is_final:
            told = asdict(verdict) | {
                "model": self.model_id,
                "sampling": self.sampling,
                "prompt": prompt_hash(inquiry),
                "repeat": inquiry.repeat,
            }
            self._store.put(self._key(inquiry), {"answer": np.frombuffer(json.dumps(told).encode(), np.uint8)})

    def _key(self, inquiry: Inquiry) -> str:
        pictures = tuple(hashlib.blake2b(image, digest_size=16).hexdigest() for image in inquiry.images)
        asked = (inquiry.prompt, inquiry.lowest, inquiry.highest, pictures, inquiry.repeat)
        return digest(("answer", self.model_id, self.sampling, asked))


def prompt_hash(inquiry: Inquiry) -> str:
    """Names the words of a question, whatever it shows."""
    return digest((inquiry.prompt, inquiry.lowest, inquiry.highest), num_bytes=16)
