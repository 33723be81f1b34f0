"""The glossary names every word that the kernel gives to the rest of the code."""

import re
from pathlib import Path

from backend.domain import IDENTITY_CHOICES, MACHINE_RECORDS
from backend.models import MODELS

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "CONTEXT.md").read_text("utf-8")
HEADED = {
    word.strip(" `") for line in GLOSSARY.splitlines() if line.startswith("| ") for word in line.split("|")[1].split(",")
}


def test_every_record_result_and_form_part_is_explained() -> None:
    others = ("Form", "Panel", "Question", "Choice", "Stimulus", "Trial", "Vote", "Receipt", "Item")
    results = ("Ok", "Filtered", "Failed", "Absent")
    names = [record.__name__ for record in MACHINE_RECORDS]
    assert [name for name in (*names, *others, *results) if name not in HEADED] == []


def test_every_role_and_verdict_is_explained() -> None:
    assert [role for role in MODELS if not re.search(rf"\b{role}\b", GLOSSARY)] == []
    assert [choice for choice in IDENTITY_CHOICES if choice not in HEADED] == []


def test_no_word_is_explained_twice() -> None:
    words = [line.split("|")[1].strip() for line in GLOSSARY.splitlines() if re.match(r"\| (?!word|---)", line)]
    assert sorted({word for word in words if words.count(word) > 1}) == []
