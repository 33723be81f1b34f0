"""Planted failures are found in small drawn videos, clean ones pass, and what cannot be told has a reason."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.domain import Absent
from metrics.diagnostics import (
    ColourDrift,
    ConsistencyFade,
    FirstFrameCopy,
    FirstFramesBlur,
    FrameRepetition,
    SubjectDuplication,
)
from metrics.embedded_odds import LIVING
from tests.metrics.conftest import MakeEntry
from tests.metrics.test_embedded import entry_with, measured, saved, scene

NUM = 24


def video() -> list[np.ndarray]:
    """A textured picture under a moving camera, with fresh grain on each frame."""
    rng = np.random.default_rng(3)
    wide = cv2.GaussianBlur(rng.integers(0, 256, (192, 480, 3), np.uint8), (0, 0), 2)
    wide = cv2.normalize(wide, None, 20, 235, cv2.NORM_MINMAX)  # pyright: ignore[reportCallIssue, reportArgumentType]
    grain = [rng.normal(0, 2, (192, 320, 3)) for _ in range(NUM)]
    return [np.clip(wide[:, 3 * t : 3 * t + 320] + grain[t], 0, 255).astype(np.uint8) for t in range(NUM)]


def test_blur_of_the_first_frames_is_found(entry_of: MakeEntry, tmp_path: Path) -> None:
    frames = video()
    spoilt = [cv2.GaussianBlur(frame, (0, 0), 3) if t < 2 else frame for t, frame in enumerate(frames)]
    clean, planted = (measured(FirstFramesBlur(), entry_of(f, name=n), tmp_path) for f, n in ((frames, "a"), (spoilt, "b")))
    assert clean.value < 0.5 < 1.0 < planted.value  # pyright: ignore[reportOperatorIssue]
    assert planted.per_frame["sharpness"][:2].max() < planted.per_frame["sharpness"][3:].min()


def test_drift_is_measured_in_stops(entry_of: MakeEntry, tmp_path: Path) -> None:
    frames = video()
    gains = np.linspace(1.0, 0.5, NUM)
    drifting = [np.clip(f * np.array([g, 1, 1]), 0, 255).astype(np.uint8) for f, g in zip(frames, gains, strict=True)]
    assert measured(ColourDrift(), entry_of(frames, name="a"), tmp_path).value < 0.1  # pyright: ignore[reportOperatorIssue]
    found = measured(ColourDrift(), entry_of(drifting, name="b"), tmp_path)
    assert found.evidence["drift_stops"].tolist() == pytest.approx([-1.0, 0.0, 0.0], abs=0.15)
    # One channel of three: the cast is sqrt(2/3) of it, and a quarter of a third of it counts as exposure.
    assert found.value == pytest.approx(np.sqrt(2 / 3) + 0.25 / 3, abs=0.15)


@pytest.mark.parametrize("kind", ["stall", "loop"])
def test_repeated_frames_are_counted(entry_of: MakeEntry, tmp_path: Path, kind: str) -> None:
    frames = video()
    repeating = [*frames[:8], *[frames[7]] * 8, *frames[8:16]] if kind == "stall" else [*frames[:12], *frames[:12]]
    assert measured(FrameRepetition(), entry_of(frames, name="a"), tmp_path).value == 0.0
    found = measured(FrameRepetition(), entry_of(repeating, name="b"), tmp_path)
    assert found.value == pytest.approx((8 if kind == "stall" else 12) / NUM)
    assert np.flatnonzero(found.per_frame["repeats"]).tolist() == list(range(8, 16) if kind == "stall" else range(12, 24))


@pytest.mark.slow
def test_reference_pasted_first_is_found_and_later_frames_are_shown_clean(entry_of: MakeEntry, tmp_path: Path) -> None:
    reference = scene((200, 30, 40), 1)[30:180, 100:200]
    path = saved(tmp_path / "reference.png", reference)
    canvas = np.full((192, 320, 3), 255, np.uint8)
    canvas[:, 96:224] = cv2.resize(reference, (128, 192))
    clean = measured(FirstFrameCopy(), entry_with(entry_of, video(), path, "a"), tmp_path)
    planted = measured(FirstFrameCopy(), entry_with(entry_of, [canvas, *video()[1:]], path, "b"), tmp_path)
    assert clean.value < 0.3 < 0.9 < planted.value  # pyright: ignore[reportOperatorIssue]
    assert planted.per_frame["frame"][0] == 0 and planted.per_frame["alike"][2:].max() < 0.3


ALIVE = {"references": {"living": np.array([1.0])}}


def seen(chances: list[float], num: int = 6) -> dict[str, np.ndarray]:
    """Evidence on which a living subject has these chances of being the reference's."""
    odds = np.log(np.array(chances) / (1 - np.array(chances)))[:, None]
    nothing = np.zeros_like(odds)
    return {
        "frame": np.arange(len(chances)) * 10,
        "looked_at": np.arange(num) * 10,
        "patches_there": nothing,
        "patches_back": nothing,
        "shift_there": nothing,
        "shift_back": nothing,
        "tint": (odds - LIVING.bias) / LIVING.tint,
        "turned_inliers": nothing,
        **dict.fromkeys(("colour_cosine", "texture_cosine", "shape_cosine", "shape_iou", "lab_distance"), nothing),
    }


def test_fade_is_the_slope_over_the_video_and_one_odd_frame_is_none(entry_of: MakeEntry) -> None:
    entry = entry_of(video()[:1])
    fading = ConsistencyFade().combine(entry, ALIVE | {"subjects": seen([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])})
    assert fading.value == pytest.approx(0.5)
    assert fading.evidence["chunk_likeness"].tolist() == pytest.approx([0.85, 0.7, 0.6, 0.45])
    odd = ConsistencyFade().combine(entry, ALIVE | {"subjects": seen([0.8, 0.8, 0.8, 0.8, 0.8, 0.1])})
    assert odd.value == pytest.approx(0.0)
    few = ConsistencyFade().combine(entry, ALIVE | {"subjects": seen([0.8, 0.8])})
    assert isinstance(few.value, Absent) and few.value.reason.startswith("no detection")


def test_two_alike_subjects_apart_are_a_duplication_and_overlapping_ones_are_none(entry_of: MakeEntry) -> None:
    entry = entry_of(video()[:1])
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 0, 1]]
    box = np.array([[0, 0, 10, 20], [50, 0, 60, 20], [0, 0, 10, 20], [50, 0, 60, 20]], float)
    given = {"frame": np.array([0, 0, 9, 9]), "looked_at": np.array([0, 9]), "appearance": vectors, "box": box}
    assert SubjectDuplication().combine(entry, {"subjects": given}).value == pytest.approx(0.5)
    over = given | {"box": np.array([[0, 0, 10, 20], [2, 0, 12, 20], [0, 0, 10, 20], [50, 0, 60, 20]], float)}
    assert SubjectDuplication().combine(entry, {"subjects": over}).value == 0.0


@pytest.mark.parametrize("metric", [FirstFramesBlur(), ColourDrift(), FrameRepetition()])
def test_one_frame_is_not_applicable(entry_of: MakeEntry, tmp_path: Path, metric) -> None:
    value = measured(metric, entry_of(video()[:1]), tmp_path).value
    assert isinstance(value, Absent) and value.reason.startswith("not applicable")
