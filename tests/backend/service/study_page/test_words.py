"""The page's words are whole in both languages, and its files are ours alone."""

import json
import re

import pytest

from backend.domain.studies import LANGUAGES
from backend.service.study_page.words import folder, language_of, shell, static_files, strings


def test_languages_have_the_same_sentences_with_the_same_places() -> None:
    english = strings("en")
    for language in LANGUAGES:
        told = strings(language)
        assert told.keys() == english.keys()
        for name, text in told.items():
            assert text.strip()
            assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", english[name])), name


BUILT = {
    "slider": ("missed", "quick", "slow", "stiff", "stale"),
    "problem": ("invitation", "login", "refused", "missing"),
    "login": ("label", "hint"),
    "background": ("label", "hint"),
}
"""Sentences whose names the script puts together."""


def test_every_sentence_is_said_and_every_said_one_exists() -> None:
    code = "".join(path.read_text() for path in folder().glob("*.js"))
    html = (folder() / "page.html").read_text()
    quoted = {*re.findall(r'"(\w+)"', code), *re.findall(r"words\.(\w+)", html)}
    built = {f"{first}_{last}" for first, words in BUILT.items() for last in words}
    assert strings("en").keys() - quoted - built == set()
    assert {*re.findall(r'say\("(\w+)"', code), *built} - strings("en").keys() == set()


@pytest.mark.parametrize(
    ("accepts", "language"),
    [("", "en"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("de, ZH;q=.5", "zh"), ("fr", "en"), ("en-GB,zh", "en"), ("<x>", "en")],
)
def test_language_is_the_first_that_is_spoken(accepts: str, language: str) -> None:
    assert language_of(accepts) == language


def test_the_page_asks_nobody_else_for_anything_and_has_no_inline_script() -> None:
    for name, (_, content) in static_files().items():
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, name
        assert "https:" not in text, name
        assert "innerHTML" not in text, name
        assert "eval(" not in text, name
    html = shell("zh")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|style=", html)
    assert 'lang="zh"' in html


def test_strings_of_the_shell_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(strings("en"), "title", "<script>alert(1)</script>")
    assert "<script>alert" not in shell("en")
    assert json.dumps(strings("zh"), ensure_ascii=False)
