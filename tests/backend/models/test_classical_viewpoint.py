"""Sides of people without weights: mirrors, motion, and drawn people from four sides."""

import numpy as np
import pytest

from backend.domain import Absent, Box, Clip, Facing, Footage
from backend.geometry.viewpoint import SIDES, Windows
from backend.models import classical_viewpoint
from backend.models.classical_viewpoint import ClassicalViewpoint, chances, logits_of, moved_aside
from backend.models.viewpoint_cues import Cues, cues_of
from backend.models.viewpoint_weights import BACK, FRONT, RIGHT, SIDE
from tests.backend.stages.footage_in_memory import ArrayReader, video_of

RNG = np.random.default_rng(0)


def footage(frames: np.ndarray) -> Footage:
    video = video_of(frames)
    clip = Clip(video_id=video.id, start_frame=0, stop_frame=len(frames), start_s=0, stop_s=1, opens_with="cut")
    return Footage(video, clip, ArrayReader(frames), (0, 0, float(frames.shape[2]), float(frames.shape[1])))


def figure(*, face_right: bool = False) -> tuple[np.ndarray, Box]:
    """A figure of a head with hair and a strip of skin on one side, a trunk, legs, and feet that point there."""
    picture = RNG.integers(90, 110, (300, 200, 3), np.uint8)
    picture[40:66, 88:112] = (40, 30, 25)
    picture[46:66, 102:112] = (220, 170, 140)
    picture[66:150, 76:124] = (60, 90, 160)
    picture[150:250, 86:114] = (50, 50, 60)
    picture[250:258, 90:132] = (30, 25, 20)
    box: Box = (76.0, 40.0, 132.0, 258.0)
    if face_right:
        return picture, box
    return np.ascontiguousarray(picture[:, ::-1]), (200 - box[2], box[1], 200 - box[0], box[3])


def test_weights_name_every_cue() -> None:
    cues = cues_of(*figure(), moved=0.001)
    assert cues is not None
    assert set(cues.odd) == set(RIGHT)
    for weights in (FRONT, BACK, SIDE):
        assert set(weights) == {"", *cues.even}


def test_a_mirrored_person_shows_the_other_side() -> None:
    right, left = (cues_of(*figure(face_right=side), moved=m) for side, m in ((True, 0.002), (False, -0.002)))
    assert right is not None and left is not None
    assert right.odd["skin_offset"] > 0.2 > -0.2 > left.odd["skin_offset"]
    assert right.odd["toes"] > 0.2 > -0.2 > left.odd["toes"]
    mirrored = logits_of(Cues(right.even, {name: -value for name, value in right.odd.items()}))
    np.testing.assert_allclose(mirrored, logits_of(right)[[0, 3, 2, 1]])


def test_skin_and_feet_to_the_image_right_are_a_right_side() -> None:
    picture, box = figure(face_right=True)
    (found,) = ClassicalViewpoint().facing(footage(np.stack([picture] * 3)), [1], [box])
    assert isinstance(found, Facing) and SIDES[round(found.azimuth_deg / 90) % 4] == "right"


def test_chances_sum_to_one() -> None:
    assert chances(np.array([1.0, 2.0, 3.0, 1000.0])).sum() == pytest.approx(1)


def test_motion_is_that_of_the_body_against_its_surroundings() -> None:
    """The body goes 2 px a frame to the right of a picture that goes 1 px to the left: 3 of its 120 px."""
    place = RNG.integers(0, 255, (18, 40, 3), np.uint8).repeat(12, axis=0).repeat(12, axis=1)
    body = RNG.integers(0, 255, (12, 5, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)
    frames = np.stack([place[:180, 40 + t : 40 + t + 320].copy() for t in range(9)])
    for t in range(9):
        frames[t, 30:150, 100 + 2 * t : 150 + 2 * t] = body
    (found,) = moved_aside(footage(frames), [4], [(108, 30, 158, 150)])
    assert found == pytest.approx(3 / 120, rel=0.25)


def test_neighbouring_frames_are_heard_together(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {0: [3.0, 0, 0, 0], 8: [0, 0.5, 0, 0], 40: [0, 0.5, 0, 0]}
    answers = iter(told.values())
    monkeypatch.setattr(ClassicalViewpoint, "_cues", lambda self, footage, frames, boxes: [Cues({}, {})] * len(frames))
    monkeypatch.setattr(classical_viewpoint, "logits_of", lambda cues: np.array(next(answers)))
    given = footage(np.zeros((41, 8, 8, 3), np.uint8))
    found = ClassicalViewpoint(least_chance=0.4).facing(given, list(told), [(0, 0, 8, 8)] * 3)
    assert [Windows().side(f.azimuth_deg) if isinstance(f, Facing) else None for f in found] == ["front", "front", None]
    assert found[2] == Absent("no side is likely: right with a chance of 0.35")


def test_a_box_too_small_is_not_judged() -> None:
    picture, _ = figure()
    (found,) = ClassicalViewpoint().facing(footage(picture[None]), [0], [(10, 10, 30, 30)])
    assert isinstance(found, Absent)
