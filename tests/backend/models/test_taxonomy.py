"""The shipped table, its contradictions, and the noun phrases built on it."""

import hashlib
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import SettingsError, resource
from backend.models.classical_captions import RulePhrases
from backend.models.taxonomy import Taxonomy, load_taxonomy

DOMAIN = {"role": "object", "living": False, "rigid": True, "brandable": True, "prior": "logo", "stop": False}

GRAMMAR = (
    "determiners",
    "many",
    "prepositions",
    "noun_to",
    "verb_leads",
    "past_verbs",
    "often_verbs",
    "plural_modifiers",
    "function_words",
)


def table(*categories: dict, **changes: object) -> dict:
    lists = ("verbs", "adjectival", "heads", "invariant", "collective", "plural_only")
    return {
        "version": 1,
        "domains": {"product": DOMAIN},
        "categories": list(categories),
        "irregular_plurals": {},
        "modifiers": {"colour": ["red"]},
        "grammar": dict.fromkeys(GRAMMAR, ()),
        **{name: [] for name in lists},
        **changes,
    }


def test_the_table_has_120_categories_1000_english_and_300_chinese_forms() -> None:
    taxonomy = load_taxonomy()
    assert len(taxonomy.categories) >= 120
    assert sum(len(category.forms) for category in taxonomy.categories.values()) >= 1000
    assert len(taxonomy.chinese_forms) >= 300


def test_every_category_has_chinese_forms_and_each_alone_is_found() -> None:
    taxonomy = load_taxonomy()
    assert set(taxonomy.chinese_forms.values()) == set(taxonomy.categories)
    lost = [
        form
        for form, category in taxonomy.chinese_forms.items()
        if [match.category.id for match in taxonomy.find(f"这是一个{form}。")] != [category]
    ]
    assert lost == []


def test_a_label_is_looked_up_in_either_language() -> None:
    taxonomy = load_taxonomy()
    assert [found.id if (found := taxonomy.lookup(label)) else None for label in ("泰迪熊", "机器人", "狗屋")] == [
        "teddy_bear",
        "robot",
        None,
    ]


@pytest.mark.parametrize("text", ["人工智能", "马上", "狗屋", "花费", "鸡毛蒜皮", "他很牛气", "书法", "包括", "云计算"])
def test_a_character_inside_another_word_is_no_noun(text: str) -> None:
    assert load_taxonomy().find(f"这是{text}的事。") == []


@pytest.mark.parametrize(
    ("text", "plural"), [("一只狗", False), ("两只小狗", True), ("孩子们", True), ("几辆红色的汽车", True)]
)
def test_chinese_numbers_say_how_many(text: str, plural: bool) -> None:
    assert [match.is_plural for match in load_taxonomy().find(text)] == [plural]


def test_english_and_chinese_stand_side_by_side() -> None:
    text = "A dog 和一只猫 on a sofa, T恤"
    assert [(text[m.start : m.stop], m.category.id) for m in load_taxonomy().find(text)] == [
        ("dog", "dog"),
        ("猫", "cat"),
        ("sofa", "sofa"),
        ("T恤", "shirt"),
    ]


@pytest.mark.parametrize(
    ("forms", "others", "says"),
    [
        ({"gadget": ["物"]}, [], "gadget, which is no category"),
        ({"cup": ["杯"], "jar": ["杯"]}, [], "杯 stands under both cup and jar"),
        ({"cup": ["杯"]}, ["杯"], "under forms and under others"),
    ],
)
def test_a_wrong_chinese_table_is_refused(forms: dict, others: list[str], says: str) -> None:
    cup, jar = ({"id": name, "domain": "product", "synonyms": []} for name in ("cup", "jar"))
    chinese = {
        "forms": forms, "others": others, "heads": "", "before": "", "after": "", "modifiers": {}, "many": [],
        "collective": [], "measures": "",
    }  # fmt: skip
    with pytest.raises(SettingsError, match=says):
        Taxonomy(table(cup, jar), origin="t.yaml", chinese=chinese)


def test_a_changed_table_raises_its_version() -> None:
    """Phrases are kept by `RulePhrases.model_id`: when this fails, raise `version` and the id, then note the digest."""
    digests = {4: "b8130c972700c29a"}
    taxonomy = load_taxonomy()
    names = ("taxonomy.yaml", "taxonomy_zh.yaml")
    tables = [yaml.load(resource(name).read_text("utf-8"), Loader=yaml.CSafeLoader) for name in names]
    found = hashlib.blake2b(json.dumps(tables, sort_keys=True).encode(), digest_size=8).hexdigest()
    assert found == digests[taxonomy.version]
    assert RulePhrases.model_id.endswith(f"-table-{taxonomy.version}")


def test_every_category_has_known_values_and_a_way_to_a_root() -> None:
    taxonomy = load_taxonomy()
    for category in taxonomy.categories.values():
        assert category.prior in ("same_source", "logo", "none")
        assert category.role in ("subject", "object", "background")
        assert category.grounding_prompt
        assert category.forms
        assert taxonomy.ancestors(category.id)[0] == category.id


def test_people_and_animals_live_and_pair_within_one_source() -> None:
    for category in load_taxonomy().categories.values():
        alive = category.domain in ("human", "animal")
        assert (category.living, category.prior == "same_source") == (alive, alive), category.id


def test_every_form_alone_is_found_as_its_category() -> None:
    taxonomy = load_taxonomy()
    lost = [
        form
        for category in taxonomy.categories.values()
        for form in category.forms
        if [match.category.id for match in taxonomy.find(f"there is a {form}")] != [category.id]
    ]
    assert lost == []


def test_ancestors_lead_from_the_breed_to_the_animal() -> None:
    taxonomy = load_taxonomy()
    found = taxonomy.lookup("Golden Retrievers")
    assert found is not None
    assert taxonomy.ancestors(found.id) == ("dog", "animal")
    assert taxonomy.lookup("no such thing") is None


def test_a_form_under_two_categories_is_refused() -> None:
    first = {"id": "cup", "domain": "product", "synonyms": ["mug"]}
    second = {"id": "jar", "domain": "product", "synonyms": ["mug"]}
    with pytest.raises(SettingsError, match="'mug' stands under both cup and jar"):
        Taxonomy(table(first, second), origin="t.yaml")


@pytest.mark.parametrize(
    ("category", "says"),
    [
        ({"id": "cup", "domain": "product", "synonmys": []}, "unknown field synonmys"),
        ({"id": "cup", "domain": "product", "parent": "dishes"}, "unknown parent dishes"),
        ({"id": "cup", "domain": "gadget"}, "cannot be read"),
    ],
)
def test_a_wrong_category_is_refused_by_name(category: dict, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Taxonomy(table(category), origin="t.yaml")


@given(st.text(max_size=120))
def test_matches_are_in_order_inside_the_text_and_apart(text: str) -> None:
    stop = 0
    for match in load_taxonomy().find(text):
        assert stop <= match.modifier_start <= match.start < match.stop <= len(text)
        stop = match.stop


def test_a_phrase_keeps_three_modifiers_and_no_determiner() -> None:
    text = "A beautiful young bearded Chinese man in a navy blue denim jacket holds the black and white dog."
    phrases = [text[span.start : span.stop] for span in RulePhrases().phrases(text)]
    assert phrases == ["young bearded Chinese man", "navy blue denim jacket", "black and white dog"]


def test_a_phrase_knows_role_category_and_number() -> None:
    text = "Two brown dogs sit on a sofa in the living room."
    found = [(text[s.start : s.stop], s.role, s.category, s.is_living, s.is_plural) for s in RulePhrases().phrases(text)]
    assert found == [
        ("brown dogs", "subject", "dog", True, True),
        ("sofa", "object", "sofa", False, False),
        ("living room", "background", "living_room", False, False),
    ]


def test_a_repeated_phrase_is_taken_once() -> None:
    text = "The man sits. The man smiles. The old man sleeps."
    assert [text[s.start : s.stop] for s in RulePhrases().phrases(text)] == ["man", "old man"]


def test_at_most_eight_phrases_are_kept_and_background_goes_first() -> None:
    text = "In the park a man, a woman, a boy, a girl, a dog, a cat, a cup, a hat, a chair and a bird stand on the street."
    phrases = [text[s.start : s.stop] for s in RulePhrases().phrases(text)]
    assert phrases == ["man", "woman", "boy", "girl", "dog", "cat", "cup", "bird"]
