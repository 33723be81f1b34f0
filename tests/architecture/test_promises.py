"""Each promise of docs/reliability.md has its test, and each test a control that exists; its table says what the last run found."""

import ast
import json

import pytest

from bench.reliability import DOCUMENT, FIGURES, ROOT, declared, with_table

PROMISES = declared()


def test_the_document_is_as_it_would_be_written_now() -> None:
    """Sentences, goals, controls and figures; `python -m bench.reliability` writes it."""
    text = DOCUMENT.read_text()
    assert with_table(text, PROMISES, json.loads(FIGURES.read_text())).splitlines() == text.splitlines()


def test_every_kept_figure_is_of_a_promise_that_held() -> None:
    kept = {promise.test: json.loads(FIGURES.read_text()).get(promise.test, {}) for promise in PROMISES}
    assert [test for test, one in kept.items() if one.get("lost") or one.get("failed")] == []


def test_a_promise_is_said_once() -> None:
    sentences = [promise.sentence for promise in PROMISES]
    assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.test)
def test_each_control_exists_and_is_another_test(promise) -> None:
    path, _, name = promise.control.partition("::")
    functions = {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)}
    assert name in functions
    assert promise.control != promise.test


def test_kills_are_as_many_as_promised() -> None:
    """Of services, windows, owners, workers and commands together; each test fails that makes fewer than its mark says."""
    short, long = (sum(promise.kills[which] for promise in PROMISES) for which in (0, 1))
    assert short >= 50
    assert long >= 1000
    unsaid = [promise.test for promise in PROMISES if "kills" in promise.goal and not promise.kills[1]]
    assert unsaid == []
