"""Sync-C and Sync-D: upstream's formula and tracks, sound and picture aligned through real files."""

import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Absent
from backend.domain.roles_faces import Face
from backend.measures.lips import smoothed
from backend.media.writer import write_video
from backend.models.insight_faces import InsightFaces
from backend.models.mfcc import mfcc
from backend.models.syncnet import FILE, SyncNet, network
from metrics.identity_faces import FrameFaces
from metrics.planner import Planner
from metrics.spec import Entry, VideoFacts
from metrics.speech import OwnSound, SyncConfidence, SyncDistance, SyncDistances
from metrics.speech_tracks import REACH, AtRate, Follower, Following, Track, centre_at
from metrics.store import FeatureStore
from tests.metrics.checkpoints_faces import place, scene, write_pack
from tests.metrics.conftest import MakeEntry

BRIEF = Following(min_frames=20, min_size_px=16)
SECONDS = 3


class OneFace:
    """The face of every frame is where it is told."""

    model_id = "one-face"

    def recognize(self, frame: np.ndarray) -> list[Face]:
        return [Face(box=(32, 16, 64, 48), score=1, keypoints=np.zeros((5, 2)), embedding=np.ones(4) / 2)]


class Loudness:
    """Lips are how bright the crop is, sound how loud: both as z-scores of windows of five frames."""

    model_id = "loudness"

    def distances(self, crops: np.ndarray, samples: np.ndarray) -> np.ndarray:
        num = min(len(crops), len(samples) // 640) - 5
        bright = crops.reshape(len(crops), -1).mean(axis=1)
        loud = np.abs(samples[: len(samples) // 640 * 640].reshape(-1, 640).astype(float)).mean(axis=1)
        lips, sound = (_z(np.convolve(each, np.ones(5) / 5, "valid")[:num]) for each in (bright, loud))
        padded = np.pad(sound, 15)
        return np.abs(lips[:, None] - np.stack([padded[k : k + num] for k in range(31)], axis=1)).astype(np.float32)


def _z(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def talking(path: Path, *, fps: int = 25, late: int = 0, sound: bool = True) -> Path:
    """A picture as bright and a noise as loud as one random course of 25 values a second; the noise `late` frames late."""
    rng = np.random.default_rng(3)
    course = rng.uniform(0.1, 1, SECONDS * 25)
    noise = rng.uniform(-1, 1, SECONDS * 16_000)
    heard = np.roll(course, late)
    samples = (np.repeat(heard, 640) * noise * 0.8).astype(np.float32)
    shown = [course[min(len(course) - 1, int(n / fps * 25 + 1e-6))] for n in range(SECONDS * fps)]
    frames = (np.full((64, 96, 3), int(20 + 200 * level), np.uint8) for level in shown)
    write_video(path, frames, fps=fps, audio=(samples, 16_000) if sound else None)
    return path


def planner(folder: Path) -> Planner:
    roles = {"FaceRecognizer": OneFace(), "SyncScorer": Loudness()}
    return Planner(store=FeatureStore(folder), roles=lambda name: roles[name], model_id=lambda name: name)


def measured(entry: Entry, folder: Path, metric: SyncConfidence):
    (found,) = planner(folder).features(entry, list(metric.features.values()))
    return found if isinstance(found, Absent) else metric.combine(entry, {"sync": found})


@pytest.mark.parametrize(("fps", "late"), [(25, 0), (25, 4), (25, -6), (30, 3), (50, 2)])
def test_sound_moved_by_frames_moves_the_offset(entry_of: MakeEntry, tmp_path: Path, fps: int, late: int) -> None:
    entry = entry_of(talking(tmp_path / "talking.mp4", fps=fps, late=late))
    found = measured(entry, tmp_path, SyncConfidence(following=BRIEF))
    assert not isinstance(found, Absent)
    assert found.evidence["offset_of_each"].tolist() == [-late]
    assert isinstance(found.value, float) and found.value > 0.5
    assert (found.num_units, found.coverage) == (SECONDS * 25 - 5, 1.0)


def test_faces_count_alike_however_long(entry_of: MakeEntry, tmp_path: Path) -> None:
    near, far = np.full((30, 31), 10.0), np.full((10, 31), 10.0)
    near[:, 15], far[:, 3] = 4, 8
    given = {
        "sync": {
            "distance": np.concatenate((near, far)).astype(np.float32),
            "track": np.repeat([0, 1], (30, 10)),
            "frame": np.arange(40),
            "seen": np.array(0.75),
        }
    }
    entry = entry_of([np.zeros((32, 32, 3), np.uint8)])
    assert SyncDistance().combine(entry, given).value == pytest.approx((4 + 8) / 2)
    found = SyncConfidence().combine(entry, given)
    assert found.value == pytest.approx((6 + 2) / 2)
    assert found.evidence["offset_of_each"].tolist() == [0, 12]
    assert found.coverage == 0.75


def test_video_without_sound_or_lasting_face_tells_so(entry_of: MakeEntry, tmp_path: Path) -> None:
    mute = entry_of(talking(tmp_path / "mute.mp4", sound=False))
    found = measured(mute, tmp_path, SyncConfidence(following=BRIEF))
    assert isinstance(found, Absent) and found.reason.startswith("not applicable:")
    brief = entry_of(talking(tmp_path / "brief.mp4"))
    found = measured(brief, tmp_path, SyncConfidence())
    assert found == Absent("too short: the video has 75 frames at 25 fps; more than 100 are needed")
    found = measured(brief, tmp_path, SyncConfidence(following=Following(min_frames=20, min_size_px=33)))
    assert isinstance(found, Absent) and found.reason.startswith("no detection: no face that can be followed for more")


def test_silence_is_not_applicable(entry_of: MakeEntry, tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    frames = [np.full((64, 96, 3), 90, np.uint8)] * 40
    write_video(path, frames, fps=25, audio=(np.zeros(25_600, np.float32), 16_000))
    found = measured(entry_of(path), tmp_path, SyncConfidence(following=BRIEF))
    assert found == Absent("not applicable: the video's sound is silent")


def test_crops_may_pass_through_jpeg(entry_of: MakeEntry, tmp_path: Path) -> None:
    entry = entry_of(talking(tmp_path / "talking.mp4"))
    plain = measured(entry, tmp_path, SyncDistance(following=BRIEF))
    lossy = measured(entry, tmp_path, SyncDistance(following=BRIEF, jpeg_quality=30))
    assert not isinstance(plain, Absent) and not isinstance(lossy, Absent)
    assert plain.value != lossy.value
    assert lossy.value == pytest.approx(plain.value, abs=0.05)


def followed(following: Following, boxes: list[np.ndarray]) -> list[Track]:
    follower = Follower(following)
    for t, each in enumerate(boxes):
        follower.see(t, list(each))
    follower.end()
    return follower.tracks


def test_tracks_bridge_gaps_evenly_and_end_at_longer_ones() -> None:
    def at(x: float) -> np.ndarray:
        return np.array([[x, 0, x + 100, 120]])

    nothing = np.empty((0, 4))
    boxes = [at(0), nothing, at(4), nothing, nothing, nothing, at(5), at(500)]
    tracks = followed(Following(max_gap=2, min_frames=1, min_size_px=100), boxes)
    assert [(track.start, np.stack(track.boxes)[:, 0].tolist()) for track in tracks] == [(0, [0, 2, 4])]
    wider = followed(Following(max_gap=25, min_frames=1, min_size_px=100), boxes)
    assert [len(track.boxes) for track in wider] == [7]
    assert followed(Following(max_gap=25, min_frames=1, min_size_px=120), boxes) == []


def test_two_faces_are_two_tracks() -> None:
    pair = np.array([[0, 0, 120, 120], [200, 0, 320, 120]], float)
    boxes = [pair if t % 2 else pair[::-1] for t in range(30)]
    tracks = followed(Following(min_frames=20), boxes)
    assert sorted(track.boxes[0][0] for track in tracks) == [0, 200]
    assert all(np.ptp(np.stack(track.boxes)[:, 0]) == 0 for track in tracks)


@given(st.lists(st.integers(0, 400), min_size=1, max_size=40))
def test_centre_in_passing_is_that_of_the_whole_track(lefts: list[int]) -> None:
    boxes = [np.array([x, 2 * x, x + 90, 2 * x + 120], float) for x in lefts]
    whole = smoothed(np.stack(boxes))
    for number in range(len(boxes)):
        known = boxes[: number + REACH + 1]
        assert (centre_at(Track(0, known), number) == whole[number]).all()


@pytest.mark.parametrize("gap", [0, 20])
def test_frames_are_let_go_of_once_their_faces_are_cut_out(entry_of: MakeEntry, tmp_path: Path, gap: int) -> None:
    class Sometimes(OneFace):
        seen = 0

        def recognize(self, frame: np.ndarray) -> list[Face]:
            self.seen += 1
            return [] if 30 <= self.seen < 30 + gap else super().recognize(frame)

    feature = SyncDistances(following=BRIEF)
    roles = {"FaceRecognizer": Sometimes(), "SyncScorer": Loudness()}
    facts = VideoFacts("v", 75, 25.0, 96, 64, ())
    sound = {"sound": {"samples": np.zeros(75 * 640, np.int16)}}
    entry = entry_of([np.zeros((32, 32, 3), np.uint8)])
    collector = feature.begin(facts, entry, lambda name: roles[name], sound)
    frames: list[np.ndarray] = [np.full((64, 96, 3), n, np.uint8) for n in range(75)]
    alive = []
    kept = [weakref.ref(frame) for frame in frames]
    for index in range(75):
        frame, frames[index] = frames[index], np.empty(0, np.uint8)
        collector.add(index, frame)
        del frame
        alive.append(sum(one() is not None for one in kept) - (74 - index))
    assert max(alive) == gap + REACH


def test_faces_for_others_are_found_in_the_same_pass(entry_of: MakeEntry, tmp_path: Path) -> None:
    entry = entry_of(talking(tmp_path / "talking.mp4"))
    one = planner(tmp_path / "f")
    one.features(entry, [SyncDistances(following=BRIEF), FrameFaces(frames=AtRate())])
    assert one.decodes == 1


@pytest.mark.slow
def test_real_networks_work_together(entry_of: MakeEntry, tmp_path: Path) -> None:
    """insightface finds, SyncNet judges: random weights, so only that each frame takes part is known."""
    torch.set_num_threads(1)
    torch.save(network().state_dict(), tmp_path / FILE)
    frames = [scene({(2, 1): 1})] * 12
    path = tmp_path / "talking.mp4"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 12 * 640).astype(np.float32)
    write_video(path, frames, fps=25, crf=1, audio=(noise, 16_000))
    roles = {
        "FaceRecognizer": InsightFaces(
            place("FaceRecognizer", write_pack(tmp_path / "pack")), device="cpu", dtype="float32"
        ),
        "SyncScorer": SyncNet(place("SyncScorer", tmp_path), device="cpu", dtype="float32"),
    }
    planner = Planner(store=FeatureStore(tmp_path), roles=lambda name: roles[name], model_id=lambda name: name)
    metric = SyncDistance(following=Following(min_frames=5, min_size_px=16))
    (found,) = planner.features(entry_of(path), list(metric.features.values()))
    assert isinstance(found, dict)
    row = metric.combine(entry_of(path), {"sync": found})
    assert row.evidence["mean_distance_by_shift"].shape == (1, 31)
    assert isinstance(row.value, float) and row.value == row.evidence["mean_distance_by_shift"].min()
    assert (row.num_units, row.coverage) == (12 - 5, 1.0)
    assert planner.decodes == 1, "faces are found and cut out in one pass"


@pytest.mark.real
@pytest.mark.parametrize(("name", "late"), [("+160ms", 4), ("-320ms", -8)])
def test_real_sound_moved_is_heard_as_moved(
    entry_of: MakeEntry, real_media: Path, tmp_path: Path, name: str, late: int
) -> None:
    cepstra = []
    for each in ("+0ms", name):
        entry = entry_of(real_media / "dev" / "sync" / f"garden_audio{each}.mp4", name=each)
        (found,) = planner(tmp_path).features(entry, [OwnSound()])
        assert isinstance(found, dict)
        values = mfcc(found["samples"])
        cepstra.append((values - values.mean(axis=0)) / values.std(axis=0))
    still, moved = cepstra
    num = min(map(len, cepstra)) - 200

    def agreement(shift: int) -> float:
        return float((still[100 : 100 + num] * moved[100 + shift : 100 + shift + num]).mean())

    best = max(range(-60, 61), key=agreement)
    assert best == pytest.approx(4 * late, abs=1), "in hundredths of a second"
