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


def reasons_in(tree: ast.AST) -> Iterator[str | None]:
    """What is counted as left out, as far as it is written out where it is counted."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and getattr(node.value, "attr", getattr(node.value, "id", "")) == "left_out":
            yield from map(
                spoken, [node.slice.body, node.slice.orelse] if isinstance(node.slice, ast.IfExp) else [node.slice]
            )
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "reason":
            yield spoken(node.value)


def test_every_reason_why_an_export_leaves_something_out_is_in_the_table() -> None:
    files = [*(ROOT / "backend" / "exports").glob("*.py"), ROOT / "backend" / "workspace" / "export_rights.py"]
    found = {reason for file in files for reason in reasons_in(ast.parse(file.read_text("utf-8"))) if reason}
    known = {re.sub(r"\{[a-z]\}", "{}", sentence) for sentence in TABLE}
    assert "licence not stated" in found and "judged {}" in found
    assert found - known == set()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("consent not known for publication", "是否同意用于公开发布未知"),
        ("judged near_duplicate", "判定为近似重复"),
        ("in_pair: a cross-pair's reference comes from another clip", "同片段：跨片段配对的参考须来自另一片段"),
        ("clip: no subject of the clip is cut out", "片段：片段中没有主体被抠图"),
        ("main_image.png: its video cannot be read here", "main_image.png：其视频在此处无法读取"),
        (
            "nothing is exported: all pairs are left out: 3 judged different; 1 were not chosen; loosen what leaves out most",
            "未导出任何内容：所有配对都被略去：3 判定为不同；1 未选中；请放宽略去最多的条件",
        ),
    ],
)
def test_reasons_are_said_with_what_they_name(said: str, told: str) -> None:
    assert translated(said) == told


def test_values_may_be_sentences_and_what_is_not_known_stays() -> None:
    assert translated("36 items were asked for and 12 can be made: 12 are used") == "要求 36 道题，可生成 12 道：采用 12 道"
    assert translated("paths is 'x'; write a whole number") == "paths 为 'x'；请填写整数"
    assert translated("a sentence of before") == "a sentence of before"
    use_language("en")
    assert translated("no votes") == "no votes"
