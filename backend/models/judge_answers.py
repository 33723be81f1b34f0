"""Answers of models that are asked: how a grade is read."""

import re

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
