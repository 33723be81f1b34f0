"""Words: the taxonomy's matcher against sentences answered by hand, and how fast it is."""

import time
from collections.abc import Sequence
from typing import Any

from backend.models.taxonomy import load_taxonomy
from tests.backend.models.answered import FILES, answered_sentences, compare

LANGUAGES = {"en": "English", "zh": "Chinese"}
SPEED_CAPTIONS = 4000


def run() -> list[dict[str, Any]]:
    """Precision, recall and speed in each language."""
    rows: list[dict[str, Any]] = []
    for language, name in LANGUAGES.items():
        answered = answered_sentences(FILES[language])
        found = compare(answered)
        spread = {"spread": f"{found.there} nouns", "n": len(answered)}
        rows.append({"name": f"{name} taxonomy precision", "value": found.precision, "target": ">= .98", **spread})
        rows.append({"name": f"{name} taxonomy recall", "value": found.recall, "target": ">= .95", **spread})
        rows.append(_speed(name, [one.text for one in answered]))
    return rows


def _speed(name: str, texts: Sequence[str]) -> dict[str, Any]:
    taxonomy = load_taxonomy()
    many = [texts[number % len(texts)] for number in range(SPEED_CAPTIONS)]
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        for text in many:
            taxonomy.find(text)
        best = min(best, time.process_time() - started)
    letters = sum(map(len, many)) / len(many)
    return {
        "name": f"{name} captions matched", "value": len(many) / best, "unit": "1/s", "target": ">= 20 k",
        "note": f"{letters:.0f} letters each, one core",
    }  # fmt: skip
