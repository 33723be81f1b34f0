"""Case sets come from accepted pairs: balanced, nothing used twice, no case approved by a machine."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from backend.api import Api
from backend.domain import ProjectError, SettingsError
from backend.media.images import read_image
from backend.workspace.case_making import Draft, Reference, balanced


def draft(clip: int, *subjects: str) -> Draft:
    """A case of a clip; subjects that begin with `h` are human."""
    references = tuple(Reference(f"{clip}-{name}", "crop", "Label", name.startswith("h")) for name in subjects)
    return Draft(f"clip{clip}", f"prompt {clip}", "sidecar", references)


def test_categories_are_named_as_upstreams() -> None:
    kinds = {"h": "singlehuman", "o": "singleobj", "h h2": "multihuman", "o o2": "multiobject", "h o": "humanobj"}
    assert {names: draft(1, *names.split()).category for names in kinds} == kinds


def test_categories_fill_evenly() -> None:
    drafts = [draft(n, "o") for n in range(50)] + [draft(n, "h") for n in range(50, 56)] + [draft(60, "h", "o")]
    chosen = balanced(drafts, 13, np.random.default_rng(0))
    assert Counter(one.category for one in chosen) == {"singleobj": 6, "singlehuman": 6, "humanobj": 1}


def test_nothing_is_used_twice() -> None:
    drafts = [draft(1, "o"), draft(1, "o2"), draft(1, "o", "o2"), draft(2, "o"), draft(2, "o2")]
    chosen = balanced(drafts, 10, np.random.default_rng(0))
    assert sorted(one.clip for one in chosen) == ["clip1", "clip2"]
    same = [Draft(f"c{n}", "the same prompt", "a", (Reference(f"s{n}", "c", "L", False),)) for n in range(3)]
    assert len(balanced(same, 10, np.random.default_rng(0))) == 1


def test_equal_seeds_draw_equal_cases() -> None:
    drafts = [draft(n, "o") for n in range(40)]
    draws = [[one.clip for one in balanced(drafts, 10, np.random.default_rng(seed))] for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_project_becomes_a_benchmark(curated_api: Api, tmp_path: Path) -> None:
    made = curated_api.make_cases(out=str(tmp_path / "bench"), count=5)
    cases = json.loads(Path(made.path).read_text())
    assert made.cases == len(cases) >= 1 and sum(made.categories.values()) == made.cases
    for fields in cases.values():
        assert fields["approved"] is False and 1 <= len(fields["img_paths"]) <= 3
        assert fields["prompt"].strip() and len(fields["class_label"]) == len(fields["img_paths"])
        for image in fields["img_paths"]:
            assert read_image(tmp_path / "bench" / image).shape[2] == 3
    assert any("approved" in remark for remark in made.remarks)
    with pytest.raises(SettingsError, match="limit is 0"):
        curated_api.make_cases(out=str(tmp_path / "bench"), count=0)


def test_project_without_pairs_says_so(api: Api, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no accepted pair"):
        api.make_cases(out=str(tmp_path / "bench"))
