"""What models that are asked said, as a project keeps it: one file a question, so that no crash and no new run pays twice."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backend.domain import AnswerStore, Inquiry, Judge, Verdict, digest, json_checksum
from backend.store.whole_file import write_whole

log = logging.getLogger(__name__)


class AnswerFolder:
    """JSON files below `root` by key, each with the answer as it came (`raw`) and a checksum; a lost or damaged one counts as absent.

    Those of earlier versions have no checksum.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, key: str) -> dict[str, Any] | None:
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = None
        answer = _answer(kept)
        if answer is None:
            log.warning("the kept answer %s is damaged; it is asked for again", path)
        return answer

    def put(self, key: str, kept: Mapping[str, Any]) -> None:
        """Whole or not at all. Raises ProjectError when the disk is full."""
        write_whole(self._path(key), json.dumps({"answer": dict(kept), "checksum": json_checksum(kept)}))

    def _path(self, key: str) -> Path:
        return self._root / key[:2] / f"{key}.json"


class KeptAnswers:
    """A judge whose answers are kept in `answers` as they come, and not asked for again.

    A question is the same with the same model, sampling, words, range, pictures and repeat. What was no answer (a refusal,
    a timeout) is not kept, and a damaged file is asked for again. With `again`, so is an answer that gives no grade; what is
    said then takes its place.
    """

    def __init__(self, judge: Judge, answers: AnswerStore, *, again: bool = False) -> None:
        self.model_id, self.sampling = judge.model_id, judge.sampling
        self._judge, self._answers, self._again = judge, answers, again

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
        told = self._answers.get(self._key(inquiry))
        if told is None or (self._again and told.get("score") is None):
            return None
        try:
            return Verdict(told["score"], told["raw"], told["reason"], num_calls=0)
        except KeyError:
            return None

    def _keep(self, inquiry: Inquiry, verdict: Verdict) -> None:
        if verdict.is_final:
            told = asdict(verdict) | {
                "model": self.model_id,
                "sampling": self.sampling,
                "prompt": prompt_hash(inquiry),
                "repeat": inquiry.repeat,
            }
            self._answers.put(self._key(inquiry), told)

    def _key(self, inquiry: Inquiry) -> str:
        pictures = tuple(hashlib.blake2b(image, digest_size=16).hexdigest() for image in inquiry.images)
        asked = (inquiry.prompt, inquiry.lowest, inquiry.highest, pictures, inquiry.repeat)
        return digest(("answer", self.model_id, self.sampling, asked))


def _answer(kept: Any) -> dict[str, Any] | None:
    """What a file's JSON keeps; None for what is damaged."""
    if isinstance(kept, dict) and "raw" not in kept:
        answer = kept.get("answer")
        kept = answer if isinstance(answer, dict) and kept.get("checksum") == json_checksum(answer) else None
    return kept if isinstance(kept, dict) and isinstance(kept.get("raw"), str) else None


def prompt_hash(inquiry: Inquiry) -> str:
    """Names the words of a question, whatever it shows."""
    return digest((inquiry.prompt, inquiry.lowest, inquiry.highest), num_bytes=16)
