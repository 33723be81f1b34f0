"""Answers of models that are asked: how a grade is read, and how what was said is kept."""

import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.domain import Inquiry, Verdict

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


class JsonFolder:
    """JSON files below `root` by key; a lost or damaged one counts as absent."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, key: str) -> dict[str, Any] | None:
        try:
            kept = json.loads(self._path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return kept if isinstance(kept, dict) and isinstance(kept.get("raw"), str) else None

    def put(self, key: str, kept: Mapping[str, Any]) -> None:
        """Written whole: temporary file, rename."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        temporary.write_text(json.dumps(kept), encoding="utf-8")
        temporary.replace(path)

    def _path(self, key: str) -> Path:
        return self._root / key[:2] / f"{key}.json"
