"""Faces followed through clips by a watcher that says what it is told to: links, gaps, poses, nonsense."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from backend.domain import Failed, Ok, Score, SeenFace, Track
from backend.stages.faces import FACE_EVIDENCE, FollowFaces
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext, clip_item

ANNA, BEN = np.array([1, 0], np.float32), np.array([0, 1], np.float32)


def face(x: float, who: np.ndarray, *, score: float = 0.9, yaw: float | None = 0.0, y: float = 20) -> SeenFace:
    return SeenFace(box=(x, y, x + 20, y + 20), score=score, descriptor=who, yaw_deg=yaw, pitch_deg=0.0)


@dataclass
class Told:
    """A watcher that reads the frame's number from its first pixel."""

    told: dict[int, list[SeenFace]]
    model_id: str = "told-1"
    least_score: float = 0.65
    least_cosine: float = 0.35
    looked: list[int] = field(default_factory=list)

    def watch(self, frame: np.ndarray) -> list[SeenFace]:
        self.looked.append(int(frame[0, 0, 0]))
        return self.told.get(int(frame[0, 0, 0]), [])


def follow(told: dict[int, list[SeenFace]], *, num: int = 12, every: int = 1, broken: frozenset[int] = frozenset()):
    frames = np.zeros((num, 90, 160, 3), np.uint8)
    frames[:, 0, 0, 0] = np.arange(num)
    context = StageContext(ArrayReader(frames, broken=broken), roles={"FaceWatcher": Told(told)})
    (result,) = FollowFaces(every=every, search_every=every)([clip_item(frames)], context)
    return result, context


def tracks_of(result) -> list[Track]:
    assert isinstance(result, Ok)
    return [row for row in result.rows if isinstance(row, Track)]


def scores_of(result, target: str) -> dict[str, float | None]:
    return {row.name: row.value for row in result.rows if isinstance(row, Score) and row.target == target}


def test_two_people_who_cross_keep_their_tracks() -> None:
    told = {t: [face(10 + 10 * t, ANNA), face(110 - 10 * t, BEN, y=25)] for t in range(11)}
    result, _ = follow(told)
    found = tracks_of(result)
    assert [len(track.frames) for track in found] == [11, 11]
    assert [box[0] for box in found[0].boxes] == [10 + 10 * t for t in range(11)]
    assert {track.kind for track in found} == {"face"}


def test_an_unsure_face_keeps_its_track_but_starts_none() -> None:
    """Upstream gives it no number, and loses who turns to profile."""
    turning = {t: [face(10, ANNA if t < 4 else BEN, score=0.9 if t < 4 else 0.3)] for t in range(8)}
    (track,) = tracks_of(follow(turning)[0])
    assert track.frames == tuple(range(8))
    assert tracks_of(follow({t: [face(10, ANNA, score=0.6)] for t in range(8)})[0]) == []


def test_somebody_else_in_reach_is_another_track() -> None:
    told = {t: [face(10, ANNA) if t < 3 else face(26, BEN)] for t in range(6)}
    assert [track.frames for track in tracks_of(follow(told)[0])] == [(0, 1, 2), (3, 4, 5)]


def test_a_face_that_was_away_too_long_is_another_track() -> None:
    told = {t: [face(10, ANNA)] for t in (0, 1, 30, 31)}
    assert [track.frames for track in tracks_of(follow(told, num=32)[0])] == [(0, 1), (30, 31)]
    told = {t: [face(10, ANNA)] for t in (0, 1, 26, 27)}
    assert [track.frames for track in tracks_of(follow(told, num=28)[0])] == [(0, 1, 26, 27)]


def test_scores_say_how_a_face_is_turned() -> None:
    told = {t: [face(10, ANNA, yaw=-40.0 if t < 3 else 10.0)] for t in range(12)}
    result, context = follow(told)
    (track,) = tracks_of(result)
    scores = scores_of(result, track.id)
    assert scores == {
        "num_sightings": 12, "side_px": 20, "yaw_deg": 10, "pitch_deg": 0, "symmetry": None, "frontal_fraction": 0.75,
    }  # fmt: skip
    assert isinstance(result, Ok)
    (share,) = (row for row in result.rows if isinstance(row, Score) and row.name == "frontal_fraction")
    assert share.evidence is not None
    evidence = json.loads(context.artifacts.get(share.evidence))
    assert evidence["format"] == FACE_EVIDENCE and evidence["frames"] == list(track.frames)
    assert evidence["yaw_deg"][:4] == [-40, -40, -40, 10]


def test_clips_without_a_face_are_measured_too() -> None:
    result, _ = follow({})
    assert isinstance(result, Ok) and [(row.name, row.value) for row in result.rows] == [("num_faces", 0.0)]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("shown", "looked"),
    [
        (range(0), [0, 12, 24, 36]),
        (range(23, 25), [0, 12, 16, 20, 24, 28, 32, 36]),
        (range(40), [0, 4, 8, 12, 16, 20, 24, 28, 32, 36]),
    ],
)
def test_every_fourth_frame_is_looked_at_beside_a_face_and_every_twelfth_elsewhere(shown: range, looked: list[int]) -> None:
    frames = np.zeros((40, 90, 160, 3), np.uint8)
    frames[:, 0, 0, 0] = np.arange(40)
    watcher = Told({t: [face(10, ANNA)] for t in shown})
    (result,) = FollowFaces()([clip_item(frames)], StageContext(ArrayReader(frames), roles={"FaceWatcher": watcher}))
    assert sorted(watcher.looked) == looked, "each once"
    (count,) = (row for row in result.rows if isinstance(row, Score) and row.name == "num_faces")  # type: ignore[union-attr]
    assert (count.value, count.num_units) == (bool(shown), len(looked))


def test_boxes_are_in_pixels_of_the_source() -> None:
    frames = np.zeros((4, 90, 1280, 3), np.uint8)
    watcher = Told({0: [face(10, ANNA)]})
    (result,) = FollowFaces()([clip_item(frames)], StageContext(ArrayReader(frames), roles={"FaceWatcher": watcher}))
    (track,) = tracks_of(result)
    assert track.boxes == ((20, 40, 60, 80),)


@pytest.mark.parametrize("box", [(500, 20, 520, 40), (float("nan"), 0, 10, 10), (40, 40, 20, 20)])
def test_nonsense_of_the_model_is_left_out_and_said(box) -> None:
    odd = SeenFace(box=box, score=0.9, descriptor=ANNA)
    result, _ = follow({0: [odd, face(10, ANNA)]})
    assert isinstance(result, Ok) and len(tracks_of(result)) == 1
    assert result.warnings == ("1 faces outside their frame or without numbers were left out",)


def test_a_frame_that_cannot_be_decoded_fails_the_clip_alone() -> None:
    result, _ = follow({}, broken=frozenset({5}))
    assert isinstance(result, Failed) and result.kind == "truncated"
