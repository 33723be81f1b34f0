"""Faces that look at the camera, in the boxes of people."""

import numpy as np

from backend.domain import Appearance, Clip, Filtered, Item, Ok, Score, Subject, Track
from backend.stages.frontal import CheckFrontal
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext

CLIP = Clip(video_id="v", start_frame=0, stop_frame=100, start_s=0, stop_s=4, opens_with="cut")
CONTEXT = StageContext(ArrayReader(np.zeros((1, 4, 4, 3), np.uint8)))
BODY = Track(clip_id=CLIP.id, kind="person", frames=(0, 99), boxes=((0, 0, 50, 100),) * 2, scores=(0.9, 0.9))
DOG = Track(clip_id=CLIP.id, kind="animal", frames=(0, 99), boxes=((60, 50, 90, 100),) * 2, scores=(0.9, 0.9))
FACE = Track(clip_id=CLIP.id, kind="face", frames=(0, 50), boxes=((10, 5, 30, 25),) * 2, scores=(0.9, 0.9))
MAN, PET = (
    Subject(clip_id=CLIP.id, track_id=track.id, phrase=None, category=None, is_living=True) for track in (BODY, DOG)
)


def shown(subject: Subject, frame: int, box: tuple[float, float, float, float]) -> Appearance:
    return Appearance(subject_id=subject.id, frame=frame, box=box, confidence=0.9, origin="video")


EARLY, LATE, ANIMAL = shown(MAN, 20, (0, 0, 50, 100)), shown(MAN, 90, (0, 0, 50, 100)), shown(PET, 20, (60, 50, 90, 100))


def checked(share: float | None) -> dict[str, tuple[float | None, str | None]]:
    told = Score(target=FACE.id, name="frontal_fraction", value=share, producer="p", reason=None if share else "unknown")
    records = {
        Clip: (CLIP,),
        Track: (BODY, DOG, FACE),
        Subject: (MAN, PET),
        Appearance: (EARLY, LATE, ANIMAL),
        Score: (told,),
    }
    (result,) = CheckFrontal()([Item(CLIP.id, records)], CONTEXT)
    assert isinstance(result, Ok)
    return {row.target: (row.value, row.reason) for row in result.rows if isinstance(row, Score)}


def test_a_person_is_as_frontal_as_the_face_in_its_box() -> None:
    """The face is followed until frame 50: on frame 90 the person shows none."""
    found = checked(0.75)
    assert found == {EARLY.id: (0.75, None), LATE.id: (0.0, None), ANIMAL.id: (None, "not applicable: no person")}


def test_a_face_of_unknown_turn_is_left_open() -> None:
    assert checked(None)[EARLY.id] == (None, "neither angles nor symmetry of the face are known")


def test_a_clip_without_subjects_is_not_applicable() -> None:
    records = {Clip: (CLIP,), Track: (), Subject: (), Appearance: (), Score: ()}
    (result,) = CheckFrontal()([Item(CLIP.id, records)], CONTEXT)
    assert isinstance(result, Filtered)
