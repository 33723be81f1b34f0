"""Motion measures: upstream's numbers to the last bit, and closed forms."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.domain import Absent
from metrics.motion import MotionAmplitude, MotionAmplitudeCompat, TemporalFlickering
from metrics.planner import Planner
from metrics.spec import Entry, Measured, Metric
from metrics.store import FeatureStore
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
    ("name", "upstream"), [("faceobj_14", 0.35025984048843384), ("singleface_3", 0.038793787360191345)]
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
