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


def test_the_table_has_120_categories_and_1000_forms() -> None:
    taxonomy = load_taxonomy()
    assert len(taxonomy.categories) >= 120
    assert sum(len(category.forms) for category in taxonomy.categories.values()) >= 1000


def test_a_changed_table_raises_its_version() -> None:
    """Phrases are kept by `RulePhrases.model_id`: when this fails, raise `version` and the id, then note the digest."""
    digests = {2: "775d8baf9e0fee4f"}
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
