"""Case sets come from pairs or anchors: balanced, nothing used twice, no case approved by a machine."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
import pytest

from backend.api import Api
from backend.domain import (
    CASES_STUDY,
    Anchor,
    Appearance,
    Clip,
    Context,
    Item,
    Ok,
    ProjectError,
    Resources,
    Result,
    SettingsError,
    Subject,
    Video,
)
from backend.engine.context import load
from backend.engine.plan import Plan, Step
from backend.jobs import CALLS
from backend.media.images import read_image
from backend.workspace import Workspace
from backend.workspace.case_drafts import Draft, Footage, Reference
from backend.workspace.case_making import balanced
from backend.workspace.case_skeletons import Part, plain
from tests.backend.workspace.conftest import curated
from tests.backend.workspace.toy_project import write_toy_video


def footage(clip: int, **more: object) -> Footage:
    place = Footage(
        clip=f"clip{clip}", start_s=0, stop_s=5, video=f"v{clip}", video_s=9, has_audio=False, index="i", uri="/v.mp4"
    )
    return replace(place, **more)


def reference(name: str, clip: int = 0, *, kind: str = "", inside: bool = False, crop: str = "") -> Reference:
    """A picture of a subject; one whose name begins with `h` is human."""
    domain = "human" if name.startswith("h") else "product"
    subject = f"{clip}-{name}"
    return Reference(subject=subject, crop=crop or subject, label="Label", domain=domain, kind=kind, inside=inside)


def draft(clip: int, *subjects: str) -> Draft:
    references = tuple(reference(name, clip) for name in subjects)
    return Draft(footage=footage(clip), prompt=f"prompt {clip}", author="sidecar", references=references)


def chosen(drafts: list[Draft], count: int, seed: int = 0) -> list[tuple[str, Draft]]:
    return balanced(drafts, plain(drafts, count), count, np.random.default_rng(seed))


def test_categories_are_named_as_upstreams() -> None:
    kinds = {"h": "singlehuman", "o": "singleobj", "h h2": "multihuman", "o o2": "multiobject", "h o": "humanobj"}
    assert {names: draft(1, *names.split()).category for names in kinds} == kinds


def test_several_pictures_of_one_subject_are_one_subject() -> None:
    views = tuple(reference("h", kind=f"view:{view}", crop=view) for view in ("front", "back", "left"))
    assert replace(draft(1, "h"), references=views).category == "singlehuman"
    face = reference("h", kind="expression:happy")
    assert replace(draft(1, "h"), references=(face,)).category == "singleface"
    assert replace(draft(1, "h"), references=(face, reference("o"))).category == "faceobj"


def test_categories_fill_evenly() -> None:
    drafts = [draft(n, "o") for n in range(50)] + [draft(n, "h") for n in range(50, 56)] + [draft(60, "h", "o")]
    assert Counter(category for category, _ in chosen(drafts, 13)) == {"singleobj": 6, "singlehuman": 6, "humanobj": 1}


def test_parts_take_what_they_state() -> None:
    drafts = [draft(n, "o") for n in range(9)] + [draft(n, "h") for n in range(10, 19)]
    parts = (
        Part("things", 2, lambda one: one.category == "singleobj", ""),
        Part("people", 4, lambda one: one.category == "singlehuman", ""),
        Part("crowds", 3, lambda one: one.category == "multihuman", ""),
    )
    found = balanced(drafts, parts, 9, np.random.default_rng(0))
    assert Counter(category for category, _ in found) == {"things": 2, "people": 4}


def test_nothing_is_used_twice() -> None:
    drafts = [draft(1, "o"), draft(1, "o2"), draft(1, "o", "o2"), draft(2, "o"), draft(2, "o2")]
    assert sorted(one.footage.clip for _, one in chosen(drafts, 10)) == ["clip1", "clip2"]
    same = [replace(draft(n, "o"), prompt="the same prompt") for n in range(3)]
    assert len(chosen(same, 10)) == 1


def test_equal_seeds_draw_equal_cases() -> None:
    drafts = [draft(n, "o") for n in range(40)]
    draws = [[one.footage.clip for _, one in chosen(drafts, 10, seed)] for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_project_becomes_a_benchmark(curated_api: Api, tmp_path: Path) -> None:
    made = curated_api.make_cases(out=str(tmp_path / "bench"), count=5)
    cases = json.loads(Path(made.path).read_text())
    assert made.cases == len(cases) >= 1 and sum(made.categories.values()) == made.cases
    for fields in cases.values():
        assert fields["approved"] is False and 1 <= len(fields["img_paths"]) <= 3
        assert fields["prompt"].strip() and len(fields["class_label"]) == len(fields["img_paths"])
        assert fields["caption_by"] == "sidecar" and fields["synthesis_flag"] == "False"
        for image in fields["img_paths"]:
            assert read_image(tmp_path / "bench" / image).shape[2] == 3
    assert any("wait for a person" in remark for remark in made.remarks)
    with pytest.raises(SettingsError, match="limit is 0"):
        curated_api.make_cases(out=str(tmp_path / "bench"), count=0)


def test_drawn_cases_are_up_as_they_were_written(curated_api: Api, tmp_path: Path) -> None:
    made = curated_api.make_cases(out=str(tmp_path / "bench"))
    written = load(CALLS["read_cases"])(Path(made.path)).cases
    trials = curated_api.next_trials(study_id=CASES_STUDY, rater="ann", limit=9)
    assert {trial.item_id for trial in trials} == {case.content for case in written}
    assert not any("different" in remark for remark in curated_api.review_cases(cases=made.path).remarks)


def test_project_without_pairs_says_so(api: Api, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no accepted pair"):
        api.make_cases(out=str(tmp_path / "bench"))
    with pytest.raises(ProjectError, match="no anchor"):
        api.make_cases(out=str(tmp_path / "bench"), draw_from="anchors")
    with pytest.raises(SettingsError, match="did you mean pairs"):
        api.make_cases(out=str(tmp_path / "bench"), draw_from="pair")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantAnchors:
    """The first clip's subject: itself from the front, the second's picture from the back, the third's as a whole."""

    name: ClassVar[str] = "plant_anchors"
    version: ClassVar[int] = 1
    over: ClassVar[type] = Video
    gathers: ClassVar[tuple[type, ...]] = (Clip, Subject, Appearance)
    makes: ClassVar[tuple[type, ...]] = (Anchor,)
    roles: ClassVar[tuple[str, ...]] = ()
    resources: ClassVar[Resources] = Resources()

    def __call__(self, items: Sequence[Item], context: Context) -> list[Result]:
        return [Ok(item.id, self._anchors(item)) for item in items]

    def _anchors(self, item: Item) -> tuple[Anchor, ...]:
        clip = min(item.all(Clip), key=lambda one: one.start_frame)
        first, second, third = sorted(item.all(Appearance), key=lambda one: one.frame or 0)
        about = ((first, "viewpoint", "front", True), (second, "viewpoint", "back", False), (third, "global", "", False))
        return tuple(
            Anchor(appearance_id=a.id, clip_id=clip.id, kind=kind, label=label or (first.subject_id or ""), inside=inside)
            for a, kind, label, inside in about
        )


def test_anchors_give_several_pictures_of_a_subject(workspace: Workspace, tmp_path: Path) -> None:
    write_toy_video(tmp_path / "mug.mp4")
    workspace.plan = Plan(steps=(*workspace.plan.steps, Step(PlantAnchors())))
    workspace.ingest(paths=(str(tmp_path / "mug.mp4"),))
    curated(cast(Api, workspace))
    made = workspace.make_cases(out=str(tmp_path / "bench"), draw_from="anchors")
    (fields,) = json.loads(Path(made.path).read_text()).values()
    assert fields["prompt"] == "A red mug, take 0."
    assert (fields["kinds"], fields["inside"]) == (["global", "view:back", "view:front"], [False, False, True])
    assert fields["subjects"] == [1, 1, 1] and list(made.categories) == ["singleobj"]
    (trial,) = workspace.next_trials(study_id=CASES_STUDY, rater="ann")
    assert [stimulus.text for stimulus in trial.stimuli[1:4]] == [
        "Mug, global, from elsewhere",
        "Mug, view:back, from elsewhere",
        "Mug, view:front, from the clip itself",
    ]
    assert workspace.media(media_id=trial.stimuli[-1].media or "").num_frames == 10, "the clip that the prompt describes"


def test_skeleton_says_what_the_project_lacks(curated_api: Api, tmp_path: Path) -> None:
    made = curated_api.make_cases(out=str(tmp_path / "set"), skeleton="opens2v", count=12)
    told = json.loads((tmp_path / "set" / "skeleton.json").read_text())
    assert (made.categories, made.wanted["singleobj"]) == ({"singleobj": 1}, 2)
    assert told["lacking"] == list(made.lacking) and told["cases"] == {"singleobj": 1}
    assert "singleobj: 1 of 2; accept more pairs of such subjects" in made.lacking
    empty = curated_api.make_cases(out=str(tmp_path / "view"), skeleton="gloria-view")
    assert empty.cases == 0 and not Path(empty.path).exists()
    assert json.loads((tmp_path / "view" / "skeleton.json").read_text())["wanted"] == {"view": 60}
    with pytest.raises(SettingsError, match="did you mean kaleido"):
        curated_api.make_cases(out=str(tmp_path / "view"), skeleton="kalaido")
