"""Answers of judges: how they are read, and how they are kept, so that nothing is paid for twice."""

import hashlib
import json
import re
import secrets
from dataclasses import asdict
from pathlib import Path

from backend.domain import Inquiry, Verdict, digest

NUMBER = re.compile(r"[0-9]{1,4}", re.ASCII)


def read_answer(raw: str, inquiry: Inquiry) -> Verdict:
    """The integer that the whole answer is, or why it is none. Nothing is looked for in prose."""
    answer = raw.strip()
    allowed = f"{inquiry.lowest} to {inquiry.highest}"
    if not answer:
        return Verdict(None, raw, f"judge answered nothing; {allowed} was asked for")
    if not NUMBER.fullmatch(answer):
        return Verdict(None, raw, f"judge answered {shortened(answer)!r}, which is no integer from {allowed}")
    if not inquiry.lowest <= int(answer) <= inquiry.highest:
        return Verdict(None, raw, f"judge answered {answer}, which is outside {allowed}")
    return Verdict(int(answer), raw)


def shortened(text: str, limit: int = 160) -> str:
    """The start of a text, for one line of a reason."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class AnswerFolder:
    """Raw answers below `root`, one JSON file each, by model, prompt, pictures and repeat.

    Only what the judge did answer is kept, good or bad; a lost or damaged file is asked for again.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, model: str, inquiry: Inquiry) -> Verdict | None:
        """The kept verdict, read anew from its raw answer, with no call counted."""
        try:
            kept = json.loads(self._path(model, inquiry).read_text(encoding="utf-8"))
            raw = kept["raw"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not isinstance(raw, str):
            return None
        found = read_answer(raw, inquiry)
        return Verdict(found.score, raw, found.reason, num_calls=0)

    def put(self, model: str, inquiry: Inquiry, verdict: Verdict) -> None:
        """Keeps a final verdict, written whole (temporary file, rename)."""
        assert verdict.is_final, "a fault of the way is no answer"
        path = self._path(model, inquiry)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        kept = asdict(verdict) | {"model": model, "repeat": inquiry.repeat}
        temporary.write_text(json.dumps(kept), encoding="utf-8")
        temporary.replace(path)

    def _path(self, model: str, inquiry: Inquiry) -> Path:
        pictures = tuple(hashlib.blake2b(image, digest_size=16).hexdigest() for image in inquiry.images)
        key = digest((model, inquiry.prompt, inquiry.lowest, inquiry.highest, pictures, inquiry.repeat))
        return self._root / key[:2] / f"{key}.json"
