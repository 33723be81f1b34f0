"""Judges that answer by a script, and answers kept in memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backend.domain import Inquiry, Verdict

NO, YES, UNSURE = 0, 1, 2


class Scripted:
    """Answers by a word of the question; remembers what it was asked."""

    model_id = "scripted-1"
    sampling = "{}"

    def __init__(self, answers: Mapping[str, int | None], *, otherwise: int = YES) -> None:
        self.answers, self.otherwise = answers, otherwise
        self.asked: list[Inquiry] = []

    def ask(
        self, inquiries: Sequence[Inquiry], answered: Callable[[Inquiry, Verdict], None] | None = None
    ) -> list[Verdict]:
        self.asked += inquiries
        verdicts = [self._verdict(inquiry) for inquiry in inquiries]
        for inquiry, verdict in zip(inquiries, verdicts, strict=True):
            if answered is not None:
                answered(inquiry, verdict)
        return verdicts

    def _verdict(self, inquiry: Inquiry) -> Verdict:
        score = next((value for word, value in self.answers.items() if word in inquiry.prompt), self.otherwise)
        return Verdict(None, "prose", "no integer") if score is None else Verdict(score, str(score))


class MemoryAnswers:
    """Answers in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def get(self, key: str) -> dict[str, Any] | None:
        return self.kept.get(key)

    def put(self, key: str, kept: Mapping[str, Any]) -> None:
        self.kept[key] = dict(kept)


class Agreeing(Scripted):
    """Says yes to everything; loaded by its name, as a model of a profile is."""

    model_id = "agreeing-1"

    def __init__(self) -> None:
        super().__init__({})
