"""What the service says, in Chinese: known by its pattern, and every pattern is one that the code says."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.domain import resource
from studio.sentences import translated
from studio.texts import use_language

ROOT = Path(__file__).resolve().parents[2]
TABLE: dict[str, dict[str, str]] = json.loads(resource("sentences.json").read_text("utf-8"))


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    use_language("zh")
    yield
    use_language("en")


def spoken(node: ast.AST) -> str | None:
    """A text of the code with `{}` for every value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def test_every_sentence_of_the_table_is_one_that_the_code_says() -> None:
    files = [file for folder in ("backend", "metrics", "training") for file in (ROOT / folder).rglob("*.py")]
    found = {spoken(node) for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))}
    assert {sentence for sentence in TABLE if re.sub(r"\{[a-z]\}", "{}", sentence) not in found} == set()


@pytest.mark.parametrize("sentence", TABLE)
def test_a_sentence_has_the_same_values_in_chinese(sentence: str) -> None:
    names = set(re.findall(r"\{([a-z])\}", sentence))
    assert set(re.findall(r"\{([a-z])\}", TABLE[sentence]["zh"])) == names
    given = sentence.format(**{name: f"<{name}1>" for name in names})
    told = translated(given)
    assert told != given
    assert all(f"<{name}1>" in told for name in names)


def test_values_may_be_sentences_and_what_is_not_known_stays() -> None:
    assert translated("36 items were asked for and 12 can be made: 12 are used") == "要求 36 道题，可生成 12 道：采用 12 道"
    assert translated("paths is 'x'; write a whole number") == "paths 为 'x'；请填写整数"
    assert translated("a sentence of before") == "a sentence of before"
    use_language("en")
    assert translated("no votes") == "no votes"
