"""Samples hold what the pairs allow: references from elsewhere, one an instance, for each subject that has one."""

from backend.domain import Appearance, Caption, Clip, Filtered, Item, Ok, Pair, Plate, Sample, Score, Subject, Video
from backend.stages.samples import AssembleSamples
from tests.backend.stages.moving_things import VIDEO

CLIPS = [
    Clip(video_id=VIDEO.id, start_frame=10 * k, stop_frame=10 * k + 10, start_s=0.0, stop_s=1.0, opens_with="cut")
    for k in range(4)
]


class World:
    """Two people in four clips: `a` in all of them, `b` in the first two."""

    def __init__(self) -> None:
        self.subjects = {
            f"{who}{k}": Subject(clip_id=CLIPS[k].id, track_id=f"{who}{k}", phrase=None, category=None, is_living=True)
            for who, where in (("a", range(4)), ("b", range(2)))
            for k in where
        }
        self.shown = {
            f"{name}.{n}": Appearance(
                subject_id=subject.id, frame=n, box=(0.0, 0.0, 9.0, 9.0), confidence=0.9, origin="video"
            )
            for name, subject in self.subjects.items()
            for n in (1, 2)
        }
        self.pairs: list[Pair] = []
        self.scores: list[Score] = []
        self.extra: dict[type, tuple] = {}

    def pair(self, target: str, reference: str, diversity: float = 0.5, kind: str = "cross_frame") -> Pair:
        pair = Pair(
            target_subject_id=self.subjects[target[:2]].id,
            target_appearance_id=self.shown[target].id,
            reference_subject_id=self.subjects[reference[:2]].id,
            reference_appearance_id=self.shown[reference].id,
            kind=kind,
        )
        self.pairs.append(pair)
        self.scores.append(Score(target=pair.id, name="context_diversity", value=diversity, producer="p"))
        return pair

    def samples(self, **settings) -> dict[tuple[int, str], Sample]:
        records = {
            Video: (VIDEO,),
            Clip: tuple(CLIPS),
            Subject: tuple(self.subjects.values()),
            Appearance: tuple(self.shown.values()),
            Pair: tuple(self.pairs),
            Score: tuple(self.scores),
        } | self.extra
        (result,) = AssembleSamples(**settings)([Item(VIDEO.id, records)], None)  # type: ignore[arg-type]
        if isinstance(result, Filtered):
            return {}
        assert isinstance(result, Ok)
        place = {clip.id: k for k, clip in enumerate(CLIPS)}
        return {(place[row.clip_id], row.kind): row for row in result.rows if isinstance(row, Sample)}

    def names(self, ids) -> list[str]:
        named = {row.id: name for name, row in {**self.shown, **self.subjects}.items()}
        return [named[row_id] for row_id in ids]


def test_a_pair_serves_the_clips_of_both_its_sides():
    world = World()
    pair = world.pair("a0.1", "a1.2")
    found = world.samples()
    assert set(found) == {(0, "cross_pair"), (1, "cross_pair")}
    assert world.names(found[0, "cross_pair"].reference_ids) == ["a1.2"]
    assert world.names(found[1, "cross_pair"].reference_ids) == ["a0.1"]
    assert found[0, "cross_pair"].pair_ids == found[1, "cross_pair"].pair_ids == (pair.id,)


def test_no_reference_comes_from_the_sample_s_own_clip():
    world = World()
    for k in range(1, 4):
        world.pair("a0.1", f"a{k}.1")
    for (clip, _), sample in world.samples().items():
        assert all(f"a{clip}" not in name for name in world.names(sample.reference_ids))


def test_two_frames_of_one_instance_give_one_reference_the_more_diverse():
    world = World()
    world.pair("a0.1", "a1.1", diversity=0.3)
    world.pair("a0.1", "a1.2", diversity=0.6)
    assert world.names(world.samples()[0, "cross_pair"].reference_ids) == ["a1.2"]


def test_references_of_a_subject_are_limited_and_the_most_diverse_come_first():
    world = World()
    for k, diversity in ((1, 0.3), (2, 0.9), (3, 0.6)):
        world.pair("a0.1", f"a{k}.1", diversity=diversity)
    assert world.names(world.samples(max_references=2)[0, "cross_pair"].reference_ids) == ["a2.1", "a3.1"]


def test_a_sample_holds_every_linked_subject_of_its_clip_and_no_other():
    world = World()
    world.pair("a0.1", "a2.1")
    world.pair("b0.1", "b1.1")
    found = world.samples()
    assert sorted(world.names(found[0, "cross_pair"].subject_ids)) == ["a0", "b0"]
    assert world.names(found[1, "cross_pair"].subject_ids) == ["b1"]
    assert world.names(found[2, "cross_pair"].subject_ids) == ["a2"]


def test_subjects_of_a_sample_are_limited_to_the_worthiest():
    world = World()
    world.pair("a0.1", "a2.1", diversity=0.2)
    world.pair("b0.1", "b1.1", diversity=0.8)
    assert world.names(world.samples(max_subjects=1)[0, "cross_pair"].subject_ids) == ["b0"]


def test_pairs_inside_a_clip_make_samples_of_their_own():
    world = World()
    world.pair("a0.1", "a0.2", kind="in_pair")
    found = world.samples()
    assert set(found) == {(0, "in_pair")}
    assert world.names(found[0, "in_pair"].reference_ids) == ["a0.2"]


def test_what_was_generated_serves_only_its_own_clip():
    world = World()
    made = Appearance(
        subject_id=world.subjects["a0"].id, frame=None, box=(0.0, 0.0, 9.0, 9.0), confidence=1.0, origin="generated",
        artifact="ab.webp",
    )  # fmt: skip
    world.shown["a0.g"] = made
    world.pair("a0.1", "a0.g", kind="generated")
    found = world.samples()
    assert set(found) == {(0, "cross_pair")}
    assert world.names(found[0, "cross_pair"].reference_ids) == ["a0.g"]


def test_a_sidecar_s_caption_goes_before_a_model_s_and_the_plate_comes_along():
    world = World()
    world.pair("a0.1", "a1.1")
    said = [Caption(clip_id=CLIPS[0].id, author=author, text=author) for author in ("a-model", "sidecar")]
    plate = Plate(clip_id=CLIPS[0].id, frame=5, author="painter-1", artifact="cd.webp")
    world.extra = {Caption: tuple(said), Plate: (plate,)}
    sample = world.samples()[0, "cross_pair"]
    assert (sample.caption_id, sample.plate_id) == (said[1].id, plate.id)


def test_without_pairs_there_is_no_sample():
    assert World().samples() == {}
