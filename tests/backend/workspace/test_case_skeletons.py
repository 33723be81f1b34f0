"""The papers' test sets: what each states, how a project fills it, what is lacking."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from backend.domain import SettingsError
from backend.workspace.case_drafts import Draft
from backend.workspace.case_making import balanced
from backend.workspace.case_skeletons import SKELETONS, skeleton
from tests.backend.workspace.test_case_making import draft, footage, reference


def filled(name: str, drafts: list[Draft], count: int | None = None) -> tuple[Counter[str], tuple[str, ...]]:
    """Cases by category, and what is lacking."""
    parts = skeleton(name).scaled(count)
    chosen = balanced(drafts, parts, sum(part.count for part in parts), np.random.default_rng(0))
    return Counter(category for category, _ in chosen), skeleton(name).lacking(parts, chosen)


def of_domain(one: Draft, domain: str) -> Draft:
    return replace(one, references=tuple(replace(r, domain=domain) for r in one.references))


@pytest.mark.parametrize(
    ("name", "count"), [("opens2v", 180), ("phantom", 100), ("kaleido", 172)]
)  # OpenS2V-Nexus, section 3.2; Phantom-Data, section 5.1; Kaleido, section 5.2: over 170
def test_sets_are_as_large_as_published(name: str, count: int) -> None:
    assert sum(part.count for part in skeleton(name).parts) == count


def test_opens2v_has_the_published_balance() -> None:
    counts = {part.category: part.count for part in skeleton("opens2v").parts}
    assert counts["multiface"] == counts["multihuman"] == 15
    assert counts["humanobj"] + counts["faceobj"] == 30
    assert {counts[name] for name in ("singleface", "singlehuman", "singleobj", "multiobject")} == {30}
    assert skeleton("opens2v").synthetic == 100


def test_part_of_a_set_keeps_its_proportions() -> None:
    parts = {part.category: part.count for part in skeleton("opens2v").scaled(18)}
    assert sum(parts.values()) == 18
    assert {parts[name] for name in ("singleface", "singlehuman", "singleobj", "multiobject")} == {3}
    assert sorted(parts[name] for name in ("multiface", "multihuman", "humanobj", "faceobj")) == [1, 1, 2, 2]


def test_what_the_project_has_is_taken_and_the_rest_is_named() -> None:
    found, lacking = filled("opens2v", [draft(n, "o") for n in range(40)] + [draft(n, "h", "h2") for n in range(50, 54)])
    assert found == {"singleobj": 30, "multihuman": 4}
    assert "multihuman: 4 of 15; accept more pairs of such subjects" in lacking
    assert "singleface: 0 of 30; no anchors of faces: find expressions" in lacking
    assert "cases with synthetic references: 0 of 100; add generated pictures" in lacking
    assert not any(line.startswith("singleobj") for line in lacking)


def test_synthetic_references_count() -> None:
    drawn = [replace(draft(n, "o"), references=(replace(reference("o", n), synthetic=True),)) for n in range(3)]
    assert "cases with synthetic references: 3 of 10; add generated pictures" in filled("opens2v", drawn, 18)[1]


def test_phantom_is_filled_by_domain_alone_and_together() -> None:
    drafts = [of_domain(draft(n, "o"), "garment") for n in range(20)] + [of_domain(draft(30, "o", "o2"), "scene")]
    found, lacking = filled("phantom", drafts)
    assert found == {"clothing_single": 10, "environment_multi": 1}
    assert any("written by a person" in line for line in lacking)


def test_kaleido_takes_several_subjects_and_counts_pictures() -> None:
    drafts = [of_domain(draft(n, "o", "o2", "o3"), "character") for n in range(5)] + [draft(9, "h")]
    found, lacking = filled("kaleido", drafts)
    assert found == {"cartoon": 5}
    assert "reference pictures: 15 of 400" in lacking


def character(*kinds: str, **about: object) -> Draft:
    """One person, from inside the clip, with a picture of each kind."""
    pictures = tuple(reference("h", kind=kind, inside=True, crop=kind) for kind in kinds)
    return replace(draft(1, "h"), footage=footage(1, **{"humans": 1, **about}), references=pictures)


@pytest.mark.parametrize(
    ("name", "one", "fits"),
    [
        ("gloria-long", character("global", has_audio=True, video_s=61.0), True),
        ("gloria-long", character("global", has_audio=True, video_s=59.0), False),
        ("gloria-long", character("global", video_s=61.0), False),
        ("gloria-view", character("global", "view:front", "view:back"), True),
        ("gloria-view", character("global", "view:front"), False),
        ("gloria-view", character("view:front", "view:back", humans=2), False),
        ("gloria-expression", character("expression:happy", "expression:sad", has_audio=True), True),
        ("gloria-expression", character("expression:happy", "expression:sad"), False),
        ("gloria-talking", character("global", has_audio=True), True),
        ("gloria-talking", draft(1, "o"), False),
    ],
)
def test_gloria_takes_one_person_with_what_is_asked(name: str, one: Draft, fits: bool) -> None:
    (part,) = skeleton(name).parts
    assert part.fits(one) is fits


def test_every_set_names_its_source_and_keeps_to_three_pictures_but_glorias() -> None:
    for name, one in SKELETONS.items():
        assert "section" in one.source
        assert one.wanted.max_references <= 3 or name in ("gloria-view", "gloria-expression")
    with pytest.raises(SettingsError, match="did you mean phantom"):
        skeleton("phanton")
