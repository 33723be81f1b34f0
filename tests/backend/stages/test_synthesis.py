"""Plates and made pictures: what they are made of, what they are called, and how far they are from their origin."""

from dataclasses import replace

import numpy as np
import pytest

from backend.domain import Absent, Anchor, Appearance, Failed, Filtered, Item, Mask, Ok, Pair, Plate, Score, Subject, Track
from backend.geometry import rle
from backend.media.images import encode_webp, read_image, read_rgba
from backend.models.classical_embedder import ClassicalAppearance
from backend.models.classical_embedder_face import ClassicalFace
from backend.models.classical_variants import AugmentedVariants
from backend.stages.references import ChooseReferences, ScoreReferences
from backend.stages.synthesis import MakeReferences, PaintBackground
from tests.backend.stages.moving_things import CLIP, FixedContext, MovingThings, clip_item

READER = MovingThings([((200, 150), (2, 0), (60, 80)), ((380, 100), (0, 1), (30, 30))])
SUBJECTS = [Subject(clip_id=CLIP.id, track_id=f"t{k}", phrase="a red dog", category="dog", is_living=True) for k in (0, 1)]


class Context(FixedContext):
    def model_id(self, name: str) -> str:
        return getattr(self._roles.get(name), "model_id", "")


class Black:
    """Paints black, so that what was painted shows."""

    model_id = "black-1"

    def paint(self, frame, mask):
        return np.where(mask[..., None], 0, frame).astype(np.uint8)


def shown(thing: int, frame: int) -> tuple[Appearance, np.ndarray]:
    mask = READER.mask(thing, frame)
    box = READER.box(thing, frame)
    return Appearance(subject_id=SUBJECTS[thing].id, frame=frame, box=box, confidence=0.9, origin="video"), mask


def masked(context: FixedContext, thing: int, frame: int) -> tuple[Appearance, Mask]:
    appearance, mask = shown(thing, frame)
    x0, y0, x1, y1 = (round(side) for side in appearance.box)
    cut = np.dstack([READER.at([frame])[0], mask * 255]).astype(np.uint8)[y0:y1, x0:x1]
    row = Mask(
        appearance_id=appearance.id,
        author="truth",
        height=READER.height,
        width=READER.width,
        counts=rle.encode(mask),
        crop=context.artifacts.put(encode_webp(cut), "webp"),
    )
    return appearance, row


def clip_of(context: FixedContext, *places: tuple[int, int]) -> Item:
    rows = [masked(context, *place) for place in places]
    return Item(
        CLIP.id,
        {
            **clip_item().records,
            Subject: tuple(SUBJECTS),
            Appearance: tuple(a for a, _ in rows),
            Mask: tuple(m for _, m in rows),
        },
    )


def test_the_frame_with_most_subjects_is_painted_over_all_of_them():
    context = Context(READER, Inpainter=Black())
    (result,) = PaintBackground()([clip_of(context, (0, 5), (0, 20), (1, 20))], context)
    assert isinstance(result, Ok)
    plate, share, left = result.rows
    assert isinstance(plate, Plate) and isinstance(left, Score)
    assert (left.name, left.value) == ("people_left", 0)
    assert (plate.frame, plate.author) == (20, "black-1")
    picture = read_image(context.artifacts.get(plate.artifact))
    subjects = READER.mask(0, 20) | READER.mask(1, 20)
    assert picture[subjects].mean() < 6, "WebP is not exact"
    assert isinstance(share, Score)
    assert subjects.mean() < share.value < subjects.mean() + 0.15  # type: ignore[operator]


def face(frames: tuple[int, ...], box: tuple[float, float, float, float]) -> Track:
    return Track(clip_id=CLIP.id, kind="face", frames=frames, boxes=(box,) * len(frames), scores=(0.9,) * len(frames))


def left_on_the_plate(*tracks: Track) -> tuple[int, float | None]:
    """The plate's frame, and how many people still show there; thing 0 is cut out on frames 5 and 20, thing 1 on 20."""
    context = Context(READER, Inpainter=Black())
    item = clip_of(context, (0, 5), (0, 20), (1, 20))
    (result,) = PaintBackground()([Item(item.id, {**item.records, Track: tracks})], context)
    assert isinstance(result, Ok)
    plate, _, left = result.rows
    assert isinstance(plate, Plate) and isinstance(left, Score)
    return plate.frame, left.value


def test_who_still_shows_on_the_plate_is_counted():
    x0, y0, x1, y1 = READER.box(0, 20)
    aside = (20.0, 20.0, 50.0, 60.0)
    assert left_on_the_plate(face((0, 10, 30), aside)) == (20, 1)
    assert left_on_the_plate(face((0, 30), aside)) == (20, 0), "two sightings are a mistake"
    hidden = (x0 + 20, y0 + 8, x1 - 20, y0 + 28)
    assert left_on_the_plate(face((19, 20, 21), hidden)) == (20, 0), "its chest is painted over too"
    cut = (x0, y0, x1, y1)
    assert left_on_the_plate(face((19, 20, 21), cut)) == (20, 1), "the face alone is cut out: its body shows"
    assert left_on_the_plate(face((0, 1, 2), aside)) == (20, 1), "in one shot nobody is gone for not being followed"


def test_the_frame_that_leaves_nobody_is_preferred():
    x0, y0, x1, _ = READER.box(0, 5)
    hidden, aside = (x0 + 20, y0 + 8, x1 - 20, y0 + 28), (20.0, 20.0, 50.0, 60.0)
    walks = replace(face((4, 6, 20), aside), boxes=(hidden, hidden, aside))
    assert left_on_the_plate(walks) == (5, 0), "though on frame 20 more is cut out"


def test_a_body_that_is_painted_over_does_not_show():
    x0, y0, x1, y1 = READER.box(0, 20)
    body = replace(face((0, 10, 30), (x0 - 10, y0 - 10, x1 + 10, y1 + 10)), kind="person")
    assert left_on_the_plate(body) == (20, 0)
    assert left_on_the_plate(replace(body, boxes=((20.0, 20.0, 60.0, 120.0),) * 3)) == (20, 1)


def test_a_clip_without_cut_outs_or_a_profile_without_a_painter_has_no_plate():
    context = Context(READER, Inpainter=Black())
    (nothing,) = PaintBackground()([clip_of(context)], context)
    bare = Context(READER)
    (unbound,) = PaintBackground()([clip_of(bare, (0, 5))], bare)
    assert isinstance(nothing, Filtered)
    assert isinstance(unbound, Filtered)
    assert unbound.reason.startswith("unavailable: no Inpainter")


def appearance_item(context: FixedContext) -> Item:
    appearance, mask = masked(context, 0, 10)
    anchor = Anchor(appearance_id=appearance.id, clip_id=CLIP.id, kind="reference", label=SUBJECTS[0].id, inside=True)
    records = {Appearance: (appearance,), Subject: (SUBJECTS[0],), Mask: (mask,), Anchor: (anchor,)}
    return Item(appearance.id, {**clip_item().records, **records})


class Maker:
    """Gives back what it is told to."""

    model_id = "maker-1"
    origin = "generated"

    def __init__(self, *answers):
        self.answers, self.asked = answers, []

    def make(self, cut_out, *, phrase, num, seed):
        self.asked.append((phrase, num, seed))
        return [answer(cut_out) if callable(answer) else answer for answer in self.answers]


def made(maker, **settings):
    context = Context(
        READER, ReferenceSynthesizer=maker, AppearanceEmbedder=ClassicalAppearance(), FaceEmbedder=ClassicalFace()
    )
    item = appearance_item(context)
    (result,) = MakeReferences(**settings)([item], context)
    return result, item, context


def test_a_generated_picture_is_paired_with_what_it_was_made_of():
    maker = Maker(lambda cut_out: cut_out)
    result, item, context = made(maker)
    assert isinstance(result, Ok)
    picture = next(row for row in result.rows if isinstance(row, Appearance))
    pair = next(row for row in result.rows if isinstance(row, Pair))
    assert (picture.origin, picture.frame, picture.subject_id) == ("generated", None, SUBJECTS[0].id)
    assert (pair.kind, pair.target_appearance_id, pair.reference_appearance_id) == ("generated", item.id, picture.id)
    scores = {row.name: row for row in result.rows if isinstance(row, Score)}
    assert {row.target for row in scores.values()} == {pair.id}
    assert scores["made_similarity"].value == pytest.approx(1.0, abs=0.02), "less what storing it as WebP loses"
    assert scores["made_face_cosine"].value is None
    assert read_rgba(context.artifacts.get(picture.artifact or "")).shape[2] == 4
    assert maker.asked[0][0] == "a red dog"


def test_another_subject_is_told_by_its_likeness():
    other = np.dstack([READER.at([10])[0][70:130, 350:410], np.full((60, 60), 255)]).astype(np.uint8)
    result, _, _ = made(Maker(other))
    value = next(row.value for row in result.rows if isinstance(row, Score) and row.name == "made_similarity")
    assert value is not None
    assert value < 0.7


def test_what_was_generated_is_not_asked_for_again_by_a_run_that_lost_its_rows():
    first, item, context = made(maker := Maker(lambda cut_out: cut_out))
    (again,) = MakeReferences()([item], context)
    assert again == first
    assert len(maker.asked) == 1, "each call may be paid for"
    picture = next(row for row in first.rows if isinstance(row, Appearance))
    context.artifacts.files[picture.artifact or ""] = b"cut"
    (anew,) = MakeReferences()([item], context)
    assert isinstance(anew, Ok)
    assert len(maker.asked) == 2, "a picture that is damaged is made again"


def test_what_failed_is_asked_for_again():
    _, item, context = made(maker := Maker(Absent("failed: the endpoint answered 500"), lambda cut_out: cut_out), num=2)
    maker.answers = [lambda cut_out: cut_out] * 2
    (again,) = MakeReferences(num=2)([item], context)
    assert isinstance(again, Ok) and not again.warnings
    assert len(maker.asked) == 2


def test_what_is_only_warped_is_no_pair():
    result, _, _ = made(AugmentedVariants(), num=3)
    assert isinstance(result, Ok)
    pictures = [row for row in result.rows if isinstance(row, Appearance)]
    assert [picture.origin for picture in pictures] == ["augmented"] * 3
    assert not any(isinstance(row, Pair) for row in result.rows)
    values = [row.value for row in result.rows if isinstance(row, Score) and row.name == "made_similarity"]
    assert len(values) == 3


def test_what_could_not_be_made_is_a_warning_and_all_of_it_a_failure():
    some, _, _ = made(Maker(Absent("failed: the endpoint answered 500"), lambda cut_out: cut_out), num=2)
    assert isinstance(some, Ok)
    assert some.warnings == ("failed: the endpoint answered 500",)
    none, _, _ = made(Maker(Absent("failed: the endpoint answered 500")))
    assert isinstance(none, Failed)
    assert none.message == "failed: the endpoint answered 500"


def test_equal_seeds_ask_for_equal_pictures():
    first, second = Maker(lambda c: c), Maker(lambda c: c)
    made(first)
    made(second)
    assert first.asked == second.asked


class Looks:
    model_id = "mlp-1"

    def score(self, frames):
        return 5.0


class Words:
    model_id = "gme-1"

    def images(self, images):
        return np.array([[1.0, 0.0]], np.float32)

    def texts(self, texts):
        assert texts == ["a red dog."]
        return np.array([[0.3, np.sqrt(1 - 0.09)]], np.float32)


def values_of(**roles):
    context = Context(READER, **roles)
    (result,) = ScoreReferences()([appearance_item(context)], context)
    assert isinstance(result, Ok)
    return {row.name: row.value for row in result.rows if isinstance(row, Score)}


def test_worth_is_the_mean_of_looks_and_words():
    found = values_of(AestheticScorer=Looks(), Gme=Words())
    assert found["crop_aesthetic"] == 5.0
    assert found["crop_text_cosine"] == pytest.approx(0.3)
    assert found["worth"] == pytest.approx((0.5 + 0.3) / 2)


def test_worth_is_what_there_is():
    assert values_of(AestheticScorer=Looks())["worth"] == 0.5
    assert values_of()["worth"] is None


def test_what_was_not_chosen_is_left_alone():
    maker = Maker(lambda cut_out: cut_out)
    context = Context(READER, ReferenceSynthesizer=maker)
    item = appearance_item(context)
    (result,) = MakeReferences()([Item(item.id, {**item.records, Anchor: ()})], context)
    assert isinstance(result, Filtered)
    assert maker.asked == []


def chosen(scores: dict[tuple[int, int], dict[str, float]], **settings):
    """Anchors by (thing, frame) with their worth."""
    context = Context(READER)
    item = clip_of(context, *scores)
    shown_at = {row.id: place for row, place in zip(item.all(Appearance), scores, strict=True)}
    rows = tuple(
        Score(target=name, name=key, value=value, producer="t")
        for name, place in shown_at.items()
        for key, value in scores[place].items()
    )
    (result,) = ChooseReferences(**settings)([Item(item.id, {**item.records, Score: rows})], context)
    if isinstance(result, Filtered):
        return {}
    assert isinstance(result, Ok)
    worth = {row.target: row.value for row in result.rows if isinstance(row, Score)}
    return {shown_at[row.appearance_id]: worth[row.id] for row in result.rows if isinstance(row, Anchor)}


def test_each_subject_gives_its_worthiest_large_cut_out():
    found = chosen(
        {
            (0, 5): {"area_fraction": 0.2, "worth": 0.4},
            (0, 20): {"area_fraction": 0.2, "worth": 0.6},
            (0, 30): {"area_fraction": 0.05, "worth": 0.9},
            (1, 20): {"area_fraction": 0.1, "worth": 0.3},
        }
    )
    assert found == {(0, 20): 0.6, (1, 20): 0.3}


def test_a_clip_gives_its_worthiest_subjects_only():
    places = {(0, 5): {"area_fraction": 0.2, "worth": 0.4}, (1, 20): {"area_fraction": 0.1, "worth": 0.5}}
    assert chosen(places, most_of_clip=1) == {(1, 20): 0.5}
    assert chosen({(0, 5): {"area_fraction": 0.05, "worth": 0.4}}) == {}
