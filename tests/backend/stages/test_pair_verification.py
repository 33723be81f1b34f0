"""What a judge is shown and asked about pairs, what its answers come to, and that no question is put twice."""

from pathlib import Path

import numpy as np
import pytest

from backend.domain import Appearance, Clip, Filtered, Item, Mask, MediaError, Ok, Pair, Source, Subject, Video
from backend.media.images import decode_image, encode_webp
from backend.stages.bank_pairs import PairAcross
from backend.stages.pair_verification import VerifyPairs, VerifyPairsAcross, criteria
from tests.backend.stages.answered_judges import NO, UNSURE, YES, Scripted
from tests.backend.stages.bank_sources import World, unit
from tests.backend.stages.footage_in_memory import ArrayReader
from tests.backend.stages.moving_things import FixedContext, MovingThings, clip_item

READER = MovingThings([((200, 150), (2, 0), (60, 80))])
WIDE, TALL = (0.0, 0.0, 100.0, 120.0), (0.0, 0.0, 100.0, 170.0)


def values(result, pair_id: str | None = None):
    assert isinstance(result, Ok), result
    return {row.name: (row.value, row.reason) for row in result.rows if pair_id in (None, row.target)}


class MadeVideo:
    """Subjects of a video by number, each with one appearance and a cut-out of its own grey."""

    def __init__(self, judge: Scripted | None, *, category: str = "dog") -> None:
        self.context = FixedContext(READER, **({"Judge": judge} if judge else {}))
        self.category = category
        self.rows: dict[type, list] = {Subject: [], Appearance: [], Mask: [], Pair: []}

    def shown(self, number: int, *, box=TALL, frame: int | None = None, is_frame: bool = True) -> Appearance:
        crop = self.context.artifacts.put(encode_webp(np.full((40, 30, 4), 60 + 20 * number, np.uint8)), "webp")
        who = Subject(clip_id=f"clip_{number}", track_id=f"t{number}", phrase=None, category=self.category, is_living=None)
        view = Appearance(
            subject_id=who.id,
            frame=frame if frame is not None else 4 * number if is_frame else None,
            box=box,
            confidence=0.9,
            origin="video",
            artifact=None if is_frame else crop,
        )
        self.rows[Subject].append(who)
        self.rows[Appearance].append(view)
        if is_frame:
            self.rows[Mask].append(Mask(appearance_id=view.id, author="m", height=1, width=1, counts=b"", crop=crop))
        return view

    def pair(self, a: Appearance, b: Appearance, kind: str = "cross_frame") -> Pair:
        found = Pair(
            target_subject_id=a.subject_id or "",
            target_appearance_id=a.id,
            reference_subject_id=b.subject_id,
            reference_appearance_id=b.id,
            kind=kind,
        )
        self.rows[Pair].append(found)
        return found

    def verified(self):
        base = {kind: rows for kind, rows in clip_item().records.items() if kind is not Clip}
        item = Item(base[Video][0].id, {**base, **{kind: tuple(rows) for kind, rows in self.rows.items()}})
        (result,) = VerifyPairs()([item], self.context)
        return result


def paired(judge: Scripted | None, *, category: str, box=TALL, is_frame: bool = True):
    video = MadeVideo(judge, category=category)
    video.pair(video.shown(1, box=TALL), video.shown(2, box=box, is_frame=is_frame))
    return video.verified()


@pytest.mark.parametrize(
    ("category", "asked"),
    [
        ("woman", {"face", "clothing", "scene", "pose"}),
        ("dog", {"markings", "scene", "pose"}),
        ("car", {"colour", "packaging", "text", "scene", "pose"}),
    ],
)
def test_identity_is_asked_by_the_kind_of_subject(category, asked):
    found = values(paired(Scripted({}), category=category))
    assert {name.removeprefix("judged_") for name in found} == asked | {"identity", "context"}
    assert found["judged_identity"] == (1.0, None)
    assert found["judged_context"] == (1.0, None)


def test_clothes_are_asked_only_where_both_sides_show_the_legs():
    assert "judged_clothing" not in values(paired(Scripted({}), category="woman", box=WIDE))


@pytest.mark.parametrize(
    ("answers", "identity"),
    [
        ({"clothes": NO, "faces": YES}, 0.0),
        ({"clothes": NO, "faces": UNSURE}, 0.0),
        ({"clothes": YES, "faces": UNSURE}, None),
        ({"clothes": YES, "faces": YES}, 1.0),
    ],
)
def test_one_denied_criterion_denies_identity_and_doubt_leaves_it_to_people(answers, identity):
    assert values(paired(Scripted(answers), category="woman"))["judged_identity"][0] == identity


@pytest.mark.parametrize(
    ("scene", "pose", "context"), [(NO, YES, 1.0), (YES, UNSURE, 1.0), (NO, NO, 0.0), (NO, UNSURE, None)]
)
def test_a_context_differs_in_scene_or_in_pose(scene, pose, context):
    judge = Scripted({"surroundings": scene, "pose": pose})
    assert values(paired(judge, category="dog"))["judged_context"][0] == context


def test_a_generated_reference_is_shown_by_its_picture():
    judge = Scripted({})
    assert values(paired(judge, category="dog", is_frame=False))["judged_identity"] == (1.0, None)
    scene = next(inquiry for inquiry in judge.asked if "surroundings" in inquiry.prompt)
    assert decode_image(scene.images[0]).shape[:2] == (READER.height, READER.width)
    assert decode_image(scene.images[1]).shape[:2] == (40, 30)


def test_a_video_without_pairs_of_two_clips_needs_no_judge():
    video = MadeVideo(Scripted({}))
    video.pair(video.shown(1), video.shown(2), kind="cross_video")
    assert isinstance(video.verified(), Filtered)


def test_unknown_categories_are_asked_as_things():
    assert criteria(None, [TALL]) == ["colour", "packaging", "text", "scene", "pose"]


def test_a_new_candidate_is_the_only_one_that_is_asked_about():
    judge = Scripted({})
    video = MadeVideo(judge)
    a, b, c = (video.shown(number) for number in (1, 2, 3))
    first = video.pair(a, b)
    before = values(video.verified(), first.id)
    assert len(judge.asked) == 3, "markings, scene and pose"
    second = video.pair(a, c)
    result = video.verified()
    assert len(judge.asked) == 6
    assert values(result, first.id) == before
    assert values(result, second.id)["judged_identity"] == (1.0, None)
    assert len(video.context.answers.kept) == 6


def test_another_judge_is_asked_everything():
    first, other = Scripted({}), Scripted({"markings": NO})
    other.model_id = "scripted-2"
    video = MadeVideo(first)
    video.pair(video.shown(1), video.shown(2))
    video.verified()
    video.context._roles["Judge"] = other
    assert values(video.verified())["judged_identity"] == (0.0, None)
    assert len(other.asked) == 3


class Films(FixedContext):
    """Frames of each film by its source: plain pictures of one grey; a film that is not named has gone."""

    def __init__(self, world: World, judge: Scripted, **greys: int) -> None:
        super().__init__(READER, Judge=judge)
        self.artifacts, self.greys = world.artifacts, greys  # type: ignore[assignment]

    def frames(self, item: Item) -> ArrayReader:  # pyright: ignore[reportIncompatibleMethodOverride]
        grey = self.greys.get(item.one(Source).uri.removesuffix(".mp4"))
        if grey is None:
            raise MediaError(f"{item.one(Source).uri} is not there any more", kind="gone")
        assert item.one(Video).source_id == item.one(Source).id
        return ArrayReader(np.full((4, 90, 160, 3), grey, np.uint8))


def across(world: World, name: str, context: FixedContext):
    item = world.item(name)
    (found,) = PairAcross()([item], world)  # type: ignore[arg-type]
    assert isinstance(found, Ok)
    pairs = tuple(row for row in found.rows if isinstance(row, Pair))
    (result,) = VerifyPairsAcross()([Item(item.id, {**item.records, Pair: pairs})], context)
    return pairs, result


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A mug in two films and on a picture, the second film listed last."""
    found, mug = World(tmp_path), unit(1)
    found.add("a.mp4", {"body": mug, "look": 1, "is_living": False, "category": "mug"})
    found.add("m.png", {"body": unit(2, near=mug, cosine=0.8), "look": 1, "is_living": False}, picture=True)
    found.add("b.mp4", {"body": unit(3, near=mug, cosine=0.8), "look": 2, "is_living": False, "category": "mug"})
    return found


def test_both_sides_of_a_pair_of_two_films_are_shown(world: World):
    judge = Scripted({})
    pairs, result = across(world, "b.mp4", Films(world, judge, a=50, b=200))
    names = {pair.id: world.names[pair.reference_appearance_id] for pair in pairs}
    assert sorted(names.values()) == ["a.mp4/0", "m.png/0"]
    for pair in pairs:
        found = values(result, pair.id)
        assert set(found) == {
            f"judged_{name}" for name in ("colour", "packaging", "text", "scene", "pose", "identity", "context")
        }
        assert found["judged_identity"] == found["judged_context"] == (1.0, None)
    scenes = [inquiry.images for inquiry in judge.asked if "surroundings" in inquiry.prompt]
    shown = {tuple(decode_image(image).shape[:2] for image in images) for images in scenes}
    assert shown == {((90, 160), (90, 160)), ((90, 160), (96, 96))}, "a picture is shown by its cut-out"
    films = next(images for images in scenes if decode_image(images[1]).shape[:2] == (90, 160))
    assert [round(float(decode_image(image).mean())) for image in films] == [200, 50]
    colours = [inquiry.images for inquiry in judge.asked if "same colours" in inquiry.prompt]
    assert {decode_image(image).shape[:2] for images in colours for image in images} == {(96, 96)}


def test_a_source_listed_later_asks_nothing_again(world: World):
    judge = Scripted({})
    context = Films(world, judge, a=50, b=200)
    across(world, "b.mp4", context)
    asked = len(judge.asked)
    world.add("c.mp4", {"body": unit(9), "look": 9, "is_living": False})
    across(world, "b.mp4", context)
    assert len(judge.asked) == asked == 10


def test_a_film_that_has_gone_leaves_its_pair_to_people(world: World):
    pairs, result = across(world, "b.mp4", Films(world, Scripted({}), b=200))
    gone = next(pair for pair in pairs if world.names[pair.reference_appearance_id].startswith("a.mp4"))
    left = next(pair for pair in pairs if pair is not gone)
    assert values(result, gone.id)["judged_identity"] == (None, "failed: a.mp4 is not there any more")
    assert values(result, left.id)["judged_identity"] == (1.0, None)
    assert result.warnings == ("a.mp4 is not there any more",)


def test_a_source_without_pairs_of_others_needs_no_judge(world: World):
    (result,) = VerifyPairsAcross()([world.item("a.mp4")], Films(world, Scripted({})))
    assert isinstance(result, Filtered)
