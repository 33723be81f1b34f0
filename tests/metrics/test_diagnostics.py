"""Planted failures are found in small drawn videos, clean ones pass, and what cannot be told has a reason."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.domain import Absent, Detection, Footage
from metrics.diagnostics import (
    ColourDrift,
    ConsistencyFade,
    FirstFrameCopy,
    FirstFramesBlur,
    FrameRepetition,
    SubjectDuplication,
)
from metrics.embedded_odds import LIVING
from metrics.embedded_subjects import SubjectsSeen
from metrics.framing import Linspace
from metrics.planner import Planner
from metrics.spec import Entry, Measured
from metrics.store import FeatureStore
from tests.metrics.conftest import MakeEntry
from tests.metrics.test_embedded import entry_with, measured, number, role, saved, scene

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


def seen(chances: list[float], num: int = 6, looks: list[int] | None = None) -> dict[str, np.ndarray]:
    """Evidence on which a living subject has these chances of being the reference's, and these of four looks.

    Looks 0 and 1 have a cosine of .6, any other two of 0.
    """
    odds = np.log(np.array(chances) / (1 - np.array(chances)))[:, None]
    nothing = np.zeros_like(odds)
    vectors = np.array([[1.0, 0, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float32)
    return {
        "frame": np.arange(len(chances)) * 10,
        "looked_at": np.arange(num) * 10,
        "appearance": vectors[looks or [0] * len(chances)],
        **{f"patches_{part}": nothing for part in ("there", "back", "shift_there", "shift_back", "busyness")},
        "patches_light": (odds - LIVING.bias) / LIVING.light,
        **dict.fromkeys(("turned_inliers", "colour_cosine", "shape_cosine"), nothing),
    }


def fade(entry: Entry, chances: list[float], **about: object) -> Measured:
    return ConsistencyFade().combine(entry, ALIVE | {"subjects": seen(chances, **about)})  # pyright: ignore[reportArgumentType]


def sigmoid(odds: float) -> float:
    return 1 / (1 + np.exp(-odds))


def test_fade_weighs_what_is_lost_between_the_halves_and_how_looks_change(entry_of: MakeEntry) -> None:
    entry = entry_of(video()[:1])
    fading = fade(entry, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    assert fading.value == pytest.approx(sigmoid(6.2 * (0.8 - 0.5) - 2.1))
    assert fading.evidence["chunk_likeness"].tolist() == pytest.approx([0.85, 0.7, 0.6, 0.45])
    assert fading.evidence["slope"] == pytest.approx(-0.5)
    turned = fade(entry, [0.8] * 6, looks=[0, 0, 0, 1, 1, 1])
    assert turned.value == pytest.approx(sigmoid(7.6 * (1 - 0.6) - 2.1)) and turned.evidence["lost"] == pytest.approx(0)
    both = fade(entry, [0.8] * 3 + [0.3] * 3, looks=[0, 0, 0, 1, 1, 1])
    assert both.value == pytest.approx(sigmoid(6.2 * 0.5 + 7.6 * 0.4 - 2.1))


def test_somebody_else_throughout_and_one_odd_frame_do_not_fade(entry_of: MakeEntry) -> None:
    entry = entry_of(video()[:1])
    assert fade(entry, [0.1] * 6).value == pytest.approx(sigmoid(-2.1))
    assert fade(entry, [0.8, 0.8, 0.8, 0.8, 0.8, 0.1]).value < 0.5  # pyright: ignore[reportOperatorIssue]
    assert fade(entry, [0.2] * 3 + [0.8] * 3).value < 0.01, "to become the reference's is no fade"  # pyright: ignore[reportOperatorIssue]
    # Looks that change from frame to frame are as unlike within the halves as across them.
    assert fade(entry, [0.8] * 4, looks=[0, 2, 2, 0], num=4).evidence["unlike"] == pytest.approx(0 - 2 / 4)
    five = fade(entry, [0.9, 0.9, 0.1, 0.5, 0.5], num=5)
    assert five.evidence["lost"] == pytest.approx(0.4), "the middle one belongs to neither half"
    few = fade(entry, [0.8, 0.8])
    assert isinstance(few.value, Absent) and few.value.reason.startswith("no detection")


def test_two_alike_subjects_apart_are_a_duplication_and_overlapping_ones_are_none(entry_of: MakeEntry) -> None:
    entry = entry_of(video()[:1])
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 0, 1]]
    box = np.array([[0, 0, 10, 20], [50, 0, 60, 20], [0, 0, 10, 20], [50, 0, 60, 20]], float)
    given = {"found_frame": np.array([0, 0, 9, 9]), "looked_at": np.array([0, 9])}
    given |= {"found_appearance": vectors, "found_box": box}
    assert SubjectDuplication().combine(entry, {"subjects": given}).value == pytest.approx(0.5)
    over = given | {"found_box": np.array([[0, 0, 10, 20], [2, 0, 12, 20], [0, 0, 10, 20], [50, 0, 60, 20]], float)}
    assert SubjectDuplication().combine(entry, {"subjects": over}).value == 0.0


class FourThings:
    """A detector that is surest of a thing, then of a box around two, then of two others that look alike."""

    model_id = "four"

    def detect(self, footage: Footage, frames: Sequence[int], phrases: Sequence[str]) -> list[Detection]:
        left = ((10.0, 150.0), (10.0, 300.0), (310.0, 450.0), (470.0, 610.0))
        return [
            Detection(frame=f, box=(x0, 30.0, x1, 160.0), score=0.9 - k / 10, kind="unlabelled")
            for f in frames
            for k, (x0, x1) in enumerate(left)
        ]


@pytest.mark.slow
def test_duplicates_are_found_behind_surer_boxes_that_are_compared_with_references(
    entry_of: MakeEntry, tmp_path: Path
) -> None:
    picture = np.full((192, 640, 3), (90, 120, 90), np.uint8)
    for x, colour in ((80, (200, 30, 40)), (220, (30, 40, 200)), (380, (230, 200, 20)), (540, (230, 200, 20))):
        cv2.ellipse(picture, (x, 95), (40, 55), 0, 0, 360, colour, -1)
    reference = saved(tmp_path / "reference.png", scene((200, 30, 40), 1)[30:180, 100:200])
    entry = entry_with(entry_of, [picture] * 8, reference, "a")
    planner = Planner(
        store=FeatureStore(tmp_path / "f"),
        roles=lambda name: FourThings() if name == "Detector" else role(name),
        model_id=lambda name: name,
    )
    found, two = planner.features(entry, [SubjectsSeen(frames=Linspace(2)), SubjectsSeen(frames=Linspace(2), most_found=2)])
    assert isinstance(found, dict) and isinstance(two, dict)
    assert np.bincount(found["frame"]).max() == 2 and np.bincount(found["found_frame"]).max() == 4
    assert number(SubjectDuplication().combine(entry, {"subjects": found})) > 0.7
    assert number(SubjectDuplication().combine(entry, {"subjects": two})) == 0.0, (
        "a thing, and a box around it and its neighbour"
    )


@pytest.mark.parametrize("metric", [FirstFramesBlur(), ColourDrift(), FrameRepetition()])
def test_one_frame_is_too_short(entry_of: MakeEntry, tmp_path: Path, metric) -> None:
    value = measured(metric, entry_of(video()[:1]), tmp_path).value
    assert isinstance(value, Absent) and value.reason.startswith("too short: ")
