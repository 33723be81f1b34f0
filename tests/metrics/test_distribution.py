"""FID and FVD: closed forms, sums that merge, sets that cannot be compared, features through real files."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import Absent, Case, Generation
from backend.media.writer import write_video
from metrics.distribution import FeatureSet, Moments, frechet_distance, set_distance
from metrics.distribution_features import FidFeatures, FvdFeatures
from metrics.planner import Planner
from metrics.spec import Entry, Measured
from metrics.store import FeatureStore

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 6)) @ RNG.normal(size=(6, 6)) + 2


@pytest.mark.parametrize("ddof", [0, 1])
def test_set_is_no_distance_from_itself(ddof) -> None:
    assert frechet_distance(Moments.of(X), Moments.of(X), ddof=ddof) == pytest.approx(0, abs=1e-9)


def test_shift_by_three_in_one_direction_is_nine() -> None:
    moved = X.copy()
    moved[:, 2] += 3
    assert frechet_distance(Moments.of(X), Moments.of(moved)) == pytest.approx(9, rel=1e-9)


@pytest.mark.parametrize("ddof", [0, 1])
def test_scale_by_two_about_the_mean_is_the_trace(ddof) -> None:
    """Σ₂ = 4 Σ, so Tr(Σ + 4 Σ - 2 · 2 Σ) = Tr Σ, divided as ddof says."""
    scaled = X.mean(axis=0) + 2 * (X - X.mean(axis=0))
    expected = np.trace(np.cov(X, rowvar=False, ddof=ddof))
    assert frechet_distance(Moments.of(X), Moments.of(scaled), ddof=ddof) == pytest.approx(expected, rel=1e-9)


def test_ddof_divides_by_n_or_n_less_one() -> None:
    scaled = X.mean(axis=0) + 2 * (X - X.mean(axis=0))
    by_n, by_less = (frechet_distance(Moments.of(X), Moments.of(scaled), ddof=ddof) for ddof in (0, 1))
    assert by_n / by_less == pytest.approx(399 / 400)


def test_distance_is_that_of_a_general_matrix_root() -> None:
    y = RNG.normal(size=(300, 6)) @ RNG.normal(size=(6, 6))
    first, second = np.cov(X, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(first @ second)
    expected = np.square(X.mean(0) - y.mean(0)).sum() + np.trace(first + second - 2 * np.real(root))
    assert frechet_distance(Moments.of(X), Moments.of(y)) == pytest.approx(expected, rel=1e-6)


def test_few_units_of_many_numbers_have_a_distance() -> None:
    """Covariances of rank 1 in 50 dimensions, on one axis: squared differences of means and of standard deviations."""
    one, other = np.zeros((2, 50)), np.zeros((2, 50))
    one[1, 0], other[1, 0] = 4, 10  # variances 8 and 50, means 2 and 5
    expected = (5 - 2) ** 2 + (np.sqrt(50) - np.sqrt(8)) ** 2
    assert frechet_distance(Moments.of(one), Moments.of(other)) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 400), max_size=5))
def test_sums_of_parts_are_the_sum(cuts: list[int]) -> None:
    whole = Moments.of(X)
    parts = Moments.merged(Moments.of(part) for part in np.split(X, sorted(cuts)))
    assert parts.num == whole.num
    np.testing.assert_allclose(parts.total, whole.total, rtol=1e-12)
    np.testing.assert_allclose(parts.covariance(), np.cov(X, rowvar=False), rtol=1e-9)


def test_sums_of_unlike_features_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be merged"):
        Moments.merged([Moments.of(X), Moments.of(X[:, :3])])
    with pytest.raises(ValueError, match="more than 1"):
        Moments.of(X[:1]).covariance()


def a_set(features: np.ndarray, extractor: str = "i3d@1", clip_frames: int = 16) -> FeatureSet:
    return FeatureSet(moments=Moments.of(features), extractor=extractor, clip_frames=clip_frames, num_videos=3)


def test_unlike_sets_are_not_compared() -> None:
    real = a_set(X)
    assert set_distance(real, a_set(X + 1)) == pytest.approx(6)
    for other in (a_set(X, extractor="i3d@2"), a_set(X, clip_frames=8), a_set(X[:1])):
        found = set_distance(real, other)
        assert isinstance(found, Absent) and found.reason.startswith("not applicable")
    broken = set_distance(real, a_set(np.where(X[0, 0] == X, np.inf, X)))
    assert isinstance(broken, Absent) and broken.reason.startswith("failed")


def test_set_survives_storage() -> None:
    real = a_set(X)
    again = FeatureSet.from_arrays(real.to_arrays())
    assert (again.extractor, again.clip_frames, again.num_videos, again.moments.num) == ("i3d@1", 16, 3, 400)
    assert set_distance(real, again) == pytest.approx(0, abs=1e-9)


class Levels:
    """Mean colour of each frame; of a clip, of all its frames."""

    model_id = "levels"
    clip_frames = 4

    def __init__(self) -> None:
        self.calls = 0

    def features(self, frames: np.ndarray) -> np.ndarray:
        self.calls += 1
        return frames.reshape(len(frames), -1, 3).mean(axis=1)


@pytest.fixture
def levels() -> Levels:
    return Levels()


@pytest.fixture
def planner(levels: Levels, tmp_path: Path) -> Planner:
    return Planner(store=FeatureStore(tmp_path / "features"), roles=lambda name: levels, model_id=lambda name: "levels@1")


@pytest.fixture
def videos(tmp_path: Path) -> list[Path]:
    """Three of 10, 9 and 3 frames of one colour each."""
    rng = np.random.default_rng(1)
    paths = [tmp_path / f"{name}.mp4" for name in "abc"]
    for path, num in zip(paths, (10, 9, 3), strict=True):
        colours = rng.integers(20, 230, (num, 1, 1, 3))
        write_video(path, (np.broadcast_to(c, (32, 48, 3)).astype(np.uint8) for c in colours), fps=25, crf=1)
    return paths


def features_of(planner: Planner, video: Path, metric: FidFeatures | FvdFeatures) -> Measured | Absent:
    content = hashlib.blake2b(video.read_bytes()).hexdigest()
    case = Case(benchmark="b", name=video.stem, prompt="p")
    made = Generation(case_id=case.id, system="s", seed=0, path=str(video), content_hash=content, num_bytes=1)
    (found,) = planner.features(Entry(case, made), list(metric.features.values()))
    return metric.combine(Entry(case, made), {"units": found}) if isinstance(found, dict) else found


def test_fid_looks_at_every_frame(planner: Planner, videos: list[Path]) -> None:
    row = features_of(planner, videos[0], FidFeatures())
    assert isinstance(row, Measured) and row.value == 10
    assert row.evidence["features"].shape == (10, 3)


def test_fvd_looks_at_whole_clips(planner: Planner, videos: list[Path]) -> None:
    """Clips of 4: two of 10 frames, two of 9, and none of 3, which is told."""
    found = [features_of(planner, video, FvdFeatures(clip_frames=4)) for video in videos]
    assert [one.value for one in found if isinstance(one, Measured)] == [2, 2]
    assert found[2] == Absent("too short: 3 frames are fewer than a clip of 4")


def test_clip_is_the_frames_in_order(planner: Planner, videos: list[Path]) -> None:
    frames, clips = (features_of(planner, videos[0], one) for one in (FidFeatures(), FvdFeatures(clip_frames=4)))
    assert isinstance(frames, Measured) and isinstance(clips, Measured)
    expected = frames.evidence["features"][:8].reshape(2, 4, 3).mean(axis=1)
    np.testing.assert_allclose(clips.evidence["features"], expected, atol=1e-4)


def test_clip_length_must_be_the_models(planner: Planner, videos: list[Path]) -> None:
    found = features_of(planner, videos[0], FvdFeatures())
    assert isinstance(found, Absent) and found.reason.startswith("unavailable: levels looks at 4 frames")
