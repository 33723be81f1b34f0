"""The texts: the same keys and values in every language, each used, none missing."""

import json
import re
import string
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from backend.cli.forms import COMMANDS, fields_of
from backend.domain import SettingsError, records
from backend.engine.context import load
from backend.settings import ProjectSettings
from backend.studies import STUDIES
from backend.studies.forms import load_form
from studio.actions import ACTIONS, MENUS
from studio.pages import PAGES
from studio.texts import LANGUAGES, counted, language, system_language, text, texts, use_language

ROOT = Path(__file__).resolve().parents[2]
CODE = "\n".join(path.read_text() for path in sorted((ROOT / "studio").rglob("*.py")))


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    use_language("en")


def values_of(said: str | dict[str, str]) -> set[str]:
    forms = [said] if isinstance(said, str) else list(said.values())
    return {name for form in forms for _, name, _, _ in string.Formatter().parse(form) if name}


@pytest.mark.parametrize("name", [name for name in LANGUAGES if name != "en"])
def test_every_language_says_everything_with_the_same_values(name: str) -> None:
    english, other = texts("en"), texts(name)
    assert set(english) == set(other)
    assert {key: values_of(said) for key, said in english.items()} == {key: values_of(said) for key, said in other.items()}


@pytest.mark.parametrize("name", LANGUAGES)
def test_no_text_is_empty_and_one_that_counts_has_the_form_other(name: str) -> None:
    for key, said in texts(name).items():
        assert all((said,) if isinstance(said, str) else said.values()), key
        assert isinstance(said, str) or "other" in said, key


def test_every_action_menu_and_page_has_a_title() -> None:
    for key in (
        *(f"actions.{row.id}" for row in ACTIONS),
        *(f"menus.{name}" for name in MENUS),
        *(f"pages.{n}" for n in PAGES),
    ):
        assert text(key)


def test_every_key_in_the_code_is_a_text_and_every_text_is_used() -> None:
    said = set(re.findall(r'text\(\s*"([a-z_]+\.[a-z_]+)"', CODE))
    assert said <= set(texts("en"))
    tabled = ("actions.", "menus.", "pages.", "aspects.", "fields.")
    unused = {key for key in texts("en") if not key.startswith(tabled) and f'"{key}"' not in CODE and not _is_composed(key)}
    assert unused == set()
    asked = {
        question.name for kind in STUDIES.values() for form in load(kind).forms for question in load_form(form).questions
    }
    shown = {f"actions.{row.id}" for row in ACTIONS} | {f"menus.{n}" for n in MENUS} | {f"pages.{n}" for n in PAGES}
    shown |= {f"aspects.{name}" for name in asked}
    shown |= {f"fields.{field.name}" for kind in COMMANDS for field in fields_of(kind)}
    hidden = ("format_version", "preview_gib")  # of these nobody is asked by that name
    kept = {field.name for field in fields(ProjectSettings) if field.type in (bool, int, float, str)}
    shown |= {f"fields.{name}" for name in kept if name not in hidden}
    assert {key for key in texts("en") if key.startswith(tabled)} == shown


FIXED = {"settings.press", "correct.hint_box", "judge.note_hint"}
"""Texts that name keys which nobody can change: those of the key editor, of a dragged box, of a field."""


@pytest.mark.parametrize("name", LANGUAGES)
def test_no_text_names_a_key_that_may_be_another_one(name: str) -> None:
    named = re.compile(r"(?<![A-Za-z])(?:(?:Ctrl|Alt|Shift)\+|(?:Esc|F\d+)(?![A-Za-z]))|[←→↑↓]")
    said = {key: json.dumps(one, ensure_ascii=False) for key, one in texts(name).items()}
    assert {key for key, one in said.items() if named.search(one)} <= FIXED


def _is_composed(key: str) -> bool:
    """Whether the code makes the key of a table's names, as `f"welcome.{name}_words"`, or hands on how it begins, as `"judge.hint_"`."""
    if any(key.startswith(begun) for begun in re.findall(r'"([a-z_]+\.[a-z_]+_)"', CODE)):
        return True
    patterns = re.findall(r'f"([a-z_]+\.(?:[a-z_]*\{[^}"]+\})+[a-z_]*)"', CODE)
    return any(re.fullmatch(re.sub(r"\\\{.*?\\\}", "[a-z_]+", re.escape(pattern)), key) for pattern in patterns)


def test_a_number_chooses_the_form() -> None:
    assert text("frame.waiting", count=1) == "1 vote waiting"
    assert text("frame.waiting", count=12) == "12 votes waiting"
    assert text("frame.waiting", count=1, within="zh") == "1 票待发送"


def test_a_number_comes_with_its_noun_and_every_record_has_one() -> None:
    assert (counted("pair", 0), counted("pair", 1), counted("pair", 12_000)) == ("0 pairs", "1 pair", "12,000 pairs")
    use_language("zh")
    assert counted("clip", 1) == "1 个片段"
    kinds = {record.KIND for record in vars(records).values() if isinstance(record, type) and hasattr(record, "KIND")}
    assert {f"counts.{kind}" for kind in kinds} <= set(texts("en"))


def test_no_text_puts_a_number_before_a_plural_that_may_be_one() -> None:
    counts = [said for key, said in texts("en").items() if key.startswith("counts.")]
    nouns = {said["other"].removeprefix("{count} ") for said in counts if isinstance(said, dict)}
    plural = re.compile(r"\{[a-z_]+\} (?:" + "|".join(nouns) + r")\b")
    said = {key: [one] if isinstance(one, str) else [one.get("one", "")] for key, one in texts("en").items()}
    assert {key for key, forms in said.items() if any(map(plural.search, forms))} == set()
    assert plural.search("sends {number} pairs")


def test_a_language_that_is_not_there_is_refused() -> None:
    with pytest.raises(SettingsError, match="tlh"):
        use_language("tlh")
    assert language() == "en"
    assert system_language() in LANGUAGES


def test_files_of_texts_name_no_key_twice() -> None:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len({key for key, _ in pairs}) == len(pairs), pairs
        return dict(pairs)

    for path in (ROOT / "resources" / "texts").rglob("*.json"):
        json.loads(path.read_text("utf-8"), object_pairs_hook=once)
