"""Links and names of files in the documents lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CONTEXT.md")), *(ROOT / "docs").rglob("*.md")]
)
LINK = re.compile(r"\]\(([^)\s]+)\)|<(?:img|a)\s[^>]*(?:src|href)=\"([^\"]+)\"")
FILE = re.compile(r"`((?:backend|bench|docs|metrics|packaging|resources|studio|tests|training)/[\w./-]*\.\w+)(?:::(\w+))?`")
"""A file of the repository as the documents name it, with the test in it."""
EXAMPLE = "x"
"""What a file is called that the reader is to write; those of docs/how-to are written by their own test."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    assert list(broken(document, document.read_text("utf-8"))) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_files_exist(document: Path) -> None:
    assert list(missing(document, document.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](no.md)", ["no.md"]),
        ("[a](recipes.md#no-such-part)", ["recipes.md#no-such-part"]),
        ("# Part one\n[a](#part-one) [b](#part-two)", ["#part-two"]),
        ('![a](images/no.webp) <img src="images/none.webp">', ["images/no.webp", "images/none.webp"]),
        ("[a](https://example.org/no) [b](recipes.md) `[c](no.md)`", []),
        ("```\n[a](no.md)\n```", []),
        ("[a](../../outside.md)", ["../../outside.md"]),
    ],
)
def test_broken_links_are_found(text: str, found: list[str]) -> None:
    assert list(broken(ROOT / "docs" / "x.md", text)) == found


def test_missing_files_are_found() -> None:
    text = (
        "`backend/no.py` `backend/api.py` `tests/architecture/test_links.py::test_none` `tests/architecture/test_links.py`"
    )
    assert list(missing(ROOT / "docs" / "x.md", text)) == [
        "backend/no.py",
        "tests/architecture/test_links.py::test_none",
    ]


def broken(document: Path, text: str) -> Iterator[str]:
    """Links of a document that lead to no file of the repository, or to no headline of one."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for match in LINK.finditer(re.sub(r"`[^`\n]*`", "", prose)):
        link = match[1] or match[2]
        if re.match(r"[a-z]+:", link):
            continue
        name, _, part = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        if name and not (target.is_relative_to(ROOT) and target.exists()):
            yield link
            continue
        if part and part not in anchors(target.read_text("utf-8") if name else text):
            yield link


def missing(document: Path, text: str) -> Iterator[str]:
    """Files, and tests in them, that a document names and the repository does not have."""
    for path, test in FILE.findall(text):
        file = ROOT / path
        if file.stem == EXAMPLE or f"`{path}`:\n```" in text:
            continue
        if not file.exists():
            yield path
        elif test and not re.search(rf"^def {test}\b", file.read_text("utf-8"), re.MULTILINE):
            yield f"{path}::{test}"


def anchors(text: str) -> set[str]:
    """Names of a document's headlines, as they are linked to."""
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", head.lower()).strip()) for head in heads}
