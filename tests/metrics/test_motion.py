"""Motion measures: upstream's numbers to the last bit, and closed forms over files and over arrays that no codec touched."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.domain import Absent
from metrics.motion import FlowGrid, MotionAmplitude, MotionAmplitudeCompat, TemporalFlickering
from metrics.planner import Planner
from metrics.spec import Entry, Measured, Metric
from metrics.store import FeatureStore
from metrics.vbench import MotionSmoothness
from tests.metrics.arrays import collected, of_arrays
from tests.metrics.conftest import MakeEntry


def measured(metric: Metric, entry: Entry, folder: Path) -> Measured:
    planner = Planner(store=FeatureStore(folder), roles=lambda name: None, model_id=lambda name: "")
    features = metric.features
    found = planner.features(entry, list(features.values()))
    for given in found:
        if isinstance(given, Absent):
            return Measured(value=given)
    return metric.combine(entry, dict(zip(features, found, strict=True)))  # pyright: ignore[reportArgumentType]


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "upstream"),
    [
        ("singleface_3", 0.038793787360191345),
        pytest.param("faceobj_14", 0.35025984048843384, marks=pytest.mark.thorough),
    ],
)
def test_compat_equals_upstream_to_the_last_bit(
    real_media: Path, entry_of: MakeEntry, tmp_path: Path, name: str, upstream: float
) -> None:
    video = real_media / "dev" / "opens2v_demo" / "videos" / f"{name}.mp4"
    assert measured(MotionAmplitudeCompat(), entry_of(video, name=name), tmp_path).value == upstream


def panned(step_px: int, num: int = 8, size: tuple[int, int] = (320, 192)) -> list[np.ndarray]:
    """A smooth random picture that moves `step_px` to the left with each frame."""
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.integers(0, 256, (size[1], size[0] + 20 * num, 3), np.uint8), (0, 0), 3)
    wide = cv2.normalize(wide, None, 0, 255, cv2.NORM_MINMAX)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return [np.ascontiguousarray(wide[:, n * step_px : n * step_px + size[0]]) for n in range(num)]


def test_amplitude_is_the_speed_in_diagonals(entry_of: MakeEntry, tmp_path: Path) -> None:
    value = measured(MotionAmplitude(), entry_of(panned(3), fps=25.0), tmp_path).value
    assert value == pytest.approx(3 * 25 / np.hypot(320, 192), rel=0.05)


def test_compat_cancels_directions_and_amplitude_does_not(entry_of: MakeEntry, tmp_path: Path) -> None:
    there_and_back = [*panned(3), *panned(3)[-2::-1]]
    entry = entry_of(there_and_back)
    compat = measured(MotionAmplitudeCompat(), entry, tmp_path).value
    assert compat == pytest.approx(0.0, abs=0.05)
    assert measured(MotionAmplitude(), entry, tmp_path).value == pytest.approx(3 * 25 / np.hypot(320, 192), rel=0.05)


def test_still_video_neither_moves_nor_flickers(entry_of: MakeEntry, tmp_path: Path) -> None:
    entry = entry_of([panned(3)[0]] * 6)
    assert measured(MotionAmplitude(), entry, tmp_path).value == pytest.approx(0.0, abs=1e-3)
    assert measured(TemporalFlickering(), entry, tmp_path).value == pytest.approx(1.0, abs=2e-3)


def test_flickering_of_a_ramp_is_its_step(entry_of: MakeEntry, tmp_path: Path) -> None:
    ramp = [np.full((64, 96, 3), 40 + 10 * n, np.uint8) for n in range(8)]
    value = measured(TemporalFlickering(), entry_of(ramp), tmp_path).value
    assert value == pytest.approx(1 - 10 / 255, abs=2e-3)


@pytest.mark.parametrize("metric", [MotionAmplitude(), MotionAmplitudeCompat(), TemporalFlickering()])
def test_one_frame_has_no_motion(entry_of: MakeEntry, tmp_path: Path, metric: Metric) -> None:
    found = measured(metric, entry_of(panned(3)[:1]), tmp_path).value
    assert isinstance(found, Absent) and "one frame" in found.reason


def test_content_hash_is_of_the_bytes(entry_of: MakeEntry) -> None:
    entry = entry_of(panned(2, num=3))
    assert entry.generation.content_hash == hashlib.blake2b(Path(entry.generation.path).read_bytes()).hexdigest()


@pytest.mark.parametrize("step_px", [1, 3, 5, 8])
def test_flow_of_a_shift_is_the_shift(step_px: int) -> None:
    found = collected(FlowGrid(), panned(step_px))
    inside = found["flow"][:, 2:-2, 2:-2]
    assert found["flow"].shape == (7, 9, 16, 2)
    assert inside[..., 0].mean() == pytest.approx(-step_px, rel=5e-3), "to the left"
    assert inside[..., 1].mean() == pytest.approx(0, abs=1e-3 * step_px)
    assert np.abs(inside[..., 0] + step_px).max() < 0.02 * step_px


@pytest.mark.parametrize("step_px", [1, 3, 5, 8])
def test_compat_of_a_shift_is_half_of_it(step_px: int) -> None:
    """One component of two has it; at the borders, where what was there has left, the flow is less."""
    assert of_arrays(MotionAmplitudeCompat(), panned(step_px)).value == pytest.approx(step_px / 2, rel=0.015)


def levels(*values: int, size: tuple[int, int] = (4, 6)) -> list[np.ndarray]:
    return [np.full((*size, 3), value, np.uint8) for value in values]


def noise(num: int) -> np.ndarray:
    """Levels of which each is as likely as any other, and none knows of another."""
    return np.random.default_rng(0).integers(0, 256, (num, 256, 256, 3), np.uint8)


def test_flickering_of_a_few_pixels_by_hand() -> None:
    """Of 12 numbers, (3 + 6 + 9) / 12 = 1.5 levels, then 255 less that: 127.5 on average."""
    first, last = levels(0, 255, size=(2, 2))
    between = first.copy()
    between[1, 0] = (3, 6, 9)
    found = of_arrays(TemporalFlickering(), [first, between, last])
    assert found.per_frame["levels"].tolist() == [1.5, 253.5]
    assert found.value == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize("step", [0, 1, 7, 50])
def test_flickering_of_a_ramp_is_its_step_to_the_last_digit(step: int) -> None:
    ramp = levels(*(step * n for n in range(6)))
    assert of_arrays(TemporalFlickering(), ramp).value == pytest.approx(1 - step / 255, abs=1e-12)


def test_flickering_of_noise_is_two_thirds() -> None:
    """Two of 256 equally likely levels differ by (256² - 1) / (3 · 256) on average: a third of the range."""
    expected = 1 - (256**2 - 1) / (3 * 256) / 255
    assert expected == pytest.approx(2 / 3, abs=2e-3)
    assert of_arrays(TemporalFlickering(), noise(7)).value == pytest.approx(expected, abs=1e-3)


class Halfway:
    """Interpolates by the mean, cut off to a level."""

    model_id = "halfway"

    def between(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        return ((before.astype(np.int32) + after) // 2).astype(np.uint8)


def smoothness(frames: list[np.ndarray] | np.ndarray) -> Measured:
    return of_arrays(MotionSmoothness(), frames, roles={"FrameInterpolator": Halfway()})


def test_smoothness_by_hand() -> None:
    """Frame 1 is 9 where its neighbours make 5, frame 3 is 30 where they make 15; frame 5 has no right neighbour."""
    found = smoothness(levels(0, 9, 10, 30, 20, 255))
    assert found.per_frame["levels"].tolist() == [4, 15] and found.per_frame["frame"].tolist() == [1, 3]
    assert found.value == pytest.approx(1 - 9.5 / 255, abs=1e-12)


@pytest.mark.parametrize("step", [0, 4])
def test_even_change_is_smooth(step: int) -> None:
    assert smoothness(levels(*(40 + step * n for n in range(9)))).value == 1.0


def test_smoothness_of_noise_is_17_24ths() -> None:
    """|U - (V + W) / 2| of three uniform numbers in [0, 1] is 1/2 - 1/2 + 1/4 + 1/24 = 7/24 on average."""
    assert smoothness(noise(9)).value == pytest.approx(17 / 24, abs=2e-3)
