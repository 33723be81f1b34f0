"""Words for people in captions, and cut-outs against their category: margins, relatives, and every missing part."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from backend.domain import (
    CLIP_PREP,
    Appearance,
    Caption,
    Clip,
    Context,
    Failed,
    Item,
    Mask,
    Ok,
    Prep,
    Score,
    StoreError,
    Subject,
)
from backend.media.images import encode_webp
from backend.models.clip import ClipL14
from backend.models.places import ModelPlace
from backend.models.prompts import instruction
from backend.models.taxonomy import load_taxonomy
from backend.stages.categories import CheckCategories, CountPeopleWords
from tests.backend.models.tiny_vision import save_clip
from tests.backend.stages.test_captions import video

CLIP = Clip(video_id=video().id, start_frame=0, stop_frame=100, start_s=0.0, stop_s=4.0, opens_with="start")
RED, BLUE, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)


def people(*captions: tuple[str, str]) -> Score:
    rows = tuple(Caption(clip_id=CLIP.id, author="a", text=text, language=language) for text, language in captions)
    (result,) = CountPeopleWords()([Item(CLIP.id, {Clip: (CLIP,), Caption: rows})], cast(Context, None))
    assert isinstance(result, Ok)
    (row,) = result.rows
    assert isinstance(row, Score) and (row.target, row.name) == (CLIP.id, "human")
    return row


def test_many_commands_of_a_performance_in_a_manual_are_no_people() -> None:
    assert people(("Many commands of the performance stand in the manual of the category.", "en")).value == 0.0


def test_people_are_counted_in_the_caption_that_names_the_most() -> None:
    row = people(("A dog runs.", "en"), ("A woman and her son watch two dancers.", "en"), ("一位老人。", "zh"))
    assert (row.value, row.num_units) == (3.0, 3)


def test_a_robot_and_a_teddy_bear_are_no_people() -> None:
    assert people(("A robot hugs a teddy bear beside a snowman.", "en")).value == 0.0


def test_without_a_caption_that_is_read_there_is_no_value() -> None:
    for captions in ((), (("犬がいる", "ja"),)):
        row = people(*captions)
        assert row.value is None and row.reason == "the clip has no caption in en or zh"


def test_stages_name_the_table_and_the_prompt_that_they_read() -> None:
    """They enter the work keys: raise or replace them when this fails."""
    assert CountPeopleWords().taxonomy == CheckCategories().taxonomy == load_taxonomy().version
    assert CheckCategories().prompt == instruction("category").digest


class Colours:
    """An encoder in which red is a dog, blue a cat, black an animal, and every other text points away."""

    model_id = "colours-1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def crops(self, frames: Sequence[np.ndarray], prep: Prep) -> np.ndarray:
        found = []
        for frame in frames:
            assert frame.shape[0] == frame.shape[1], "square, so that nothing is cut off"
            inside = frame[frame.shape[0] // 2, frame.shape[1] // 2].astype(float)
            vector = np.array([inside[0], inside[2], 60.0 * (inside.sum() < 200), 1.0])
            found.append(vector / np.linalg.norm(vector))
        return np.array(found, np.float32)

    def texts(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        self.asked += texts
        known = {"a photo of a dog": 0, "a photo of a cat": 1, "a photo of a animal": 2}
        return np.array([np.eye(4, dtype=np.float32)[known[t]] if t in known else [0, 0, 0, -1] for t in texts]), np.zeros(
            len(texts), bool
        )


class Blind(Colours):
    def crops(self, frames: Sequence[np.ndarray], prep: Prep) -> np.ndarray:
        return np.full((len(frames), 4), np.nan, np.float32)


class Desk:
    """A context with an encoder (or none) and cut-outs by name."""

    def __init__(self, encoder: object | None) -> None:
        self._encoder = encoder
        self.artifacts = self
        self.kept: dict[str, bytes] = {}

    def get(self, name: str) -> bytes:
        if name not in self.kept:
            raise StoreError(f"artifact {name} is missing; run again")
        return self.kept[name]

    def model_id(self, name: str) -> str:
        return "colours-1" if self._encoder is not None and name == "ClipL14" else ""

    def role(self, name: str) -> object:
        return self._encoder


def item(
    desk: Desk, colour: tuple[int, int, int], category: str | None, *, lost: bool = False, masked: bool = True
) -> Item:
    subject = Subject(clip_id=CLIP.id, track_id=f"t{colour}", phrase=None, category=category, is_living=None)
    box = (0.0, 0.0, 20.0, 40.0)
    shown = Appearance(subject_id=subject.id, frame=3, box=box, confidence=1.0, origin="video")
    cut_out = np.dstack([np.full((40, 20, 3), colour, np.uint8), np.full((40, 20), 255, np.uint8)])
    name = f"{shown.id}.webp"
    if not lost:
        desk.kept[name] = encode_webp(cut_out, lossless=True)
    mask = Mask(appearance_id=shown.id, author="m", height=40, width=20, counts=b"", crop=name)
    records = {Appearance: (shown,), Subject: (subject,), Clip: (CLIP,), Mask: (mask,) if masked else ()}
    return Item(shown.id, records)


def scores(result: object) -> dict[str, Score]:
    assert isinstance(result, Ok)
    return {row.name: row for row in cast(list[Score], result.rows)}


def checked(desk: Desk, *items: Item) -> list[object]:
    return list(CheckCategories()(items, cast(Context, desk)))


def test_a_cut_out_of_its_category_has_a_margin_and_another_names_its_rival() -> None:
    desk = Desk(Colours())
    right, wrong = checked(desk, item(desk, RED, "dog"), item(desk, BLUE, "dog"))
    assert scores(right)["category_margin"].value == pytest.approx(1.0, abs=0.01)
    assert scores(right)["category_score"].value == pytest.approx(1.0, abs=0.01)
    assert scores(right)["category_margin"].reason is None
    assert scores(wrong)["category_margin"].value == pytest.approx(-1.0, abs=0.01)
    assert scores(wrong)["category_margin"].reason == "looks more like cat"


def test_a_more_general_category_is_no_rival() -> None:
    desk = Desk(Colours())
    (result,) = checked(desk, item(desk, BLACK, "dog"))  # looks like "animal", of which a dog is one
    assert scores(result)["category_margin"].value == pytest.approx(0.0, abs=0.01)
    (general,) = checked(desk, item(desk, RED, "animal"))  # looks like a dog, which is an animal
    assert scores(general)["category_margin"].value == pytest.approx(0.0, abs=0.01)


def test_categories_are_embedded_once_an_encoder() -> None:
    encoder = Colours()
    desk = Desk(encoder)
    checked(desk, item(desk, RED, "dog"))
    num_asked = len(encoder.asked)
    checked(desk, item(desk, BLUE, "cat"))
    assert num_asked == len(encoder.asked) >= len(load_taxonomy().categories)
    assert "a photo of a lion" in encoder.asked, "the parts of a grounding prompt are asked apart"


@pytest.mark.parametrize(
    ("category", "masked", "reason"),
    [
        (None, True, "the subject has no category"),
        ("gadget", True, "'gadget' is no category of the taxonomy"),
        ("dog", False, "the appearance has no mask"),
    ],
)
def test_what_cannot_be_compared_has_no_value_and_says_why(category: str | None, masked: bool, reason: str) -> None:
    desk = Desk(Colours())
    result, beside = checked(desk, item(desk, RED, category, masked=masked), item(desk, BLUE, "cat"))
    assert {row.reason for row in scores(result).values()} == {reason}
    assert all(row.value is None for row in scores(result).values())
    assert scores(beside)["category_margin"].value is not None, "its neighbour is measured"


def test_without_an_encoder_the_stage_says_so() -> None:
    desk = Desk(None)
    (result,) = checked(desk, item(desk, RED, "dog"))
    assert all(
        row.value is None and (row.reason or "").startswith("unavailable: no ClipL14") for row in scores(result).values()
    )


def test_a_lost_cut_out_and_an_encoder_gone_wrong_are_failures_of_their_own() -> None:
    desk = Desk(Colours())
    lost, kept = checked(desk, item(desk, RED, "dog", lost=True), item(desk, BLUE, "cat"))
    assert isinstance(lost, Failed) and lost.kind == "store"
    assert isinstance(kept, Ok)
    blind = Desk(Blind())
    (found,) = checked(blind, item(blind, RED, "dog"))
    assert isinstance(found, Failed) and found.kind == "not_finite"


def test_margins_are_those_of_a_real_clip_checkpoint(tmp_path: Path) -> None:
    """A tiny random CLIP in the published layout: the stage gives what its encoder gives when asked directly."""
    encoder = ClipL14(ModelPlace("ClipL14", str(save_clip(tmp_path))), device="cpu", dtype="float32")
    desk = Desk(encoder)
    (result,) = checked(desk, item(desk, RED, "dog"))
    square = np.full((40, 40, 3), 255, np.uint8)
    square[:, 10:30] = RED
    (seen,) = encoder.images([square], CLIP_PREP)
    cosines = {}
    for category in load_taxonomy().categories.values():
        names = category.grounding_prompt.split(" . ")
        mean = encoder.texts([f"a photo of a {name}" for name in names])[0].mean(axis=0)
        cosines[category.id] = float(seen @ (mean / np.linalg.norm(mean)))
    others = max(value for name, value in cosines.items() if name not in ("dog", "animal"))
    assert scores(result)["category_score"].value == pytest.approx(cosines["dog"], abs=1e-5)
    assert scores(result)["category_margin"].value == pytest.approx(cosines["dog"] - others, abs=1e-5)
    assert scores(result)["category_margin"].producer == encoder.model_id
