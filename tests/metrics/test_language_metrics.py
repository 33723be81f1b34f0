"""GmeScore, smoothness, levels and rewards: formulas by hand, one pass where one is promised, a reason where no value is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Absent, Reward
from backend.models.gme import Gme
from backend.models.level_reader import VlmLevelReader
from backend.models.places import ModelPlace
from metrics.planner import Planner
from metrics.reward import EvenPerSecond, VideoRewardMQ, VideoRewardTA, VideoRewardVQ
from metrics.smoothness import (
    AestheticsLevel,
    ImageQualityLevel,
    MotionSmoothness,
    MotionSmoothnessCompat,
    share_without_jumps,
    threshold_at,
    windows_of,
)
from metrics.spec import Entry, Measured, Metric
from metrics.store import FeatureStore
from metrics.text import GmeScore
from tests.metrics.checkpoints_language import picture, qwen2_vl
from tests.metrics.conftest import MakeEntry


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> ModelPlace:
    return ModelPlace("Gme", str(qwen2_vl(tmp_path_factory.mktemp("language"))))


def measured(metric: Metric, entry: Entry, role: object, store: Path) -> Measured:
    planner = Planner(store=FeatureStore(store), roles=lambda name: role, model_id=lambda name: "m")
    wanted = dict(metric.features)
    found = dict(zip(wanted, planner.features(entry, list(wanted.values())), strict=True))
    for given_ in found.values():
        if isinstance(given_, Absent):
            return Measured(value=given_)
    return metric.combine(entry, {name: given_ for name, given_ in found.items() if isinstance(given_, dict)})


class Levels:
    """Says how bright a window's last frame is: of full white, excellent; of black, bad."""

    model_id = "levels"

    def __init__(self) -> None:
        self.seen: list[tuple[tuple[int, ...], tuple[str, ...]]] = []

    def prepared(self, picture: np.ndarray) -> np.ndarray:
        return picture

    def read_over(
        self, pictures: Sequence[np.ndarray], windows: Sequence[Sequence[int]], tasks: Sequence[str]
    ) -> np.ndarray:
        return self.read([np.stack([pictures[at] for at in window]) for window in windows], tasks)

    def read(self, windows: Sequence[np.ndarray], tasks: Sequence[str]) -> np.ndarray:
        shares = np.zeros((len(windows), len(tasks), 5), np.float32)
        for row, window in enumerate(windows):
            self.seen.append((tuple(round(float(frame.mean())) for frame in window), tuple(tasks)))
            for column, task in enumerate(tasks):
                bright = float(window[-1].mean()) / 255
                bright = 1 - bright if task == "aesthetics" else bright
                shares[row, column, [0, 4]] = bright, 1 - bright
        return shares


def flat(*levels: int) -> list[np.ndarray]:
    return [np.full((48, 64, 3), level, np.uint8) for level in levels]


def test_gmescore_is_the_mean_agreement_with_the_prompt(entry_of: MakeEntry, place: ModelPlace, tmp_path: Path) -> None:
    gme = Gme(place, device="cpu", dtype="float32")
    entry = entry_of([picture(n, 48, 64) for n in range(6)], prompt="a cat runs")
    found = measured(GmeScore(), entry, gme, tmp_path / "f")
    assert (found.num_units, found.per_frame["frame"].tolist()) == (32, np.linspace(0, 5, 32, dtype=int).tolist())
    agreement = found.per_frame["agreement"]
    assert found.value == pytest.approx(agreement.mean(), abs=1e-9)
    text = gme.texts(["a cat runs"])[0]
    from backend.media.reader import VideoReader

    with VideoReader(entry.generation.path) as reader:
        direct = gme.images(list(reader.at([0, 5]))) @ text
    np.testing.assert_allclose(agreement[[0, -1]], direct, atol=2e-6)


@given(st.integers(2, 40), st.sampled_from([3, 5]))
def test_every_frame_has_a_window_that_shows_it(num: int, size: int) -> None:
    windows = windows_of(num, size)
    assert len(windows) == num and all(len(window) == size for window in windows)
    assert all(window == sorted(window) and window[0] >= 0 and window[-1] < num for window in windows)
    assert all(at in window for at, window in enumerate(windows) if at >= (size - 1) // 2)


def test_windows_are_those_of_upstream() -> None:
    assert windows_of(5, 3) == [[0, 0, 0], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 3, 4]]
    assert windows_of(4, 5) == [[0] * 5, [0] * 5, [0, 0, 1, 2, 3], [1, 1, 1, 2, 3]]


def test_frames_beside_a_jump_are_counted_once() -> None:
    value, beside = share_without_jumps(np.array([0.5, 0.5, 0.6, 0.5, 0.5, 0.51]), 0.025)
    assert beside.tolist() == [False, True, True, True, False, False]
    assert value == 0.5
    assert share_without_jumps(np.full(9, 0.3), 0.025)[0] == 1.0


@pytest.mark.parametrize(
    ("amplitude", "threshold"),
    [(0, 0.01), (0.099, 0.01), (0.1, 0.015), (0.3, 0.025), (0.499, 0.025), (0.5, 0.03), (9, 0.03)],
)
def test_threshold_grows_with_motion(amplitude: float, threshold: float) -> None:
    assert threshold_at(amplitude) == threshold


def test_smoothness_sees_each_window_once_in_order(entry_of: MakeEntry, tmp_path: Path) -> None:
    # Brightness by last frame: the windows end in 0, 2, 3, ..., 18, 19, 19.
    grey = [100] * 10 + [110] * 10
    role = Levels()
    found = measured(MotionSmoothnessCompat(), entry_of(flat(*grey)), role, tmp_path / "f")
    assert [tuple(round(v, -1) for v in seen) for seen, _ in role.seen] == [
        tuple(grey[place] for place in window) for window in windows_of(20, 3)
    ]
    # One jump of 10 / 255 = .039 between the windows of frames 8 and 9.
    assert found.value == pytest.approx(1 - 2 / 20)
    assert np.flatnonzero(found.per_frame["jumps"]).tolist() == [8, 9]


def test_still_video_is_held_to_a_stricter_threshold(entry_of: MakeEntry, tmp_path: Path) -> None:
    # A step of 4 / 255 = .016 is below .025 and above .01.
    entry = entry_of(flat(*[100] * 10, *[104] * 10))
    assert measured(MotionSmoothnessCompat(), entry, Levels(), tmp_path / "a").value == 1.0
    found = measured(MotionSmoothness(), entry, Levels(), tmp_path / "b")
    assert found.value == pytest.approx(0.9)
    assert float(found.evidence["threshold"]) == 0.01 and float(found.evidence["amplitude"]) < 0.1


@pytest.mark.parametrize("metric", [MotionSmoothnessCompat(), MotionSmoothness()])
def test_one_frame_has_no_smoothness(metric: Metric, entry_of: MakeEntry, tmp_path: Path) -> None:
    found = measured(metric, entry_of(flat(100)), Levels(), tmp_path / "f")
    assert found.value == Absent("too short: a video of one frame has no motion")


def test_shares_that_are_no_numbers_fail(entry_of: MakeEntry, tmp_path: Path) -> None:
    class Lost(Levels):
        def read(self, windows: Sequence[np.ndarray], tasks: Sequence[str]) -> np.ndarray:
            return super().read(windows, tasks) * np.nan

    found = measured(MotionSmoothnessCompat(), entry_of(flat(1, 2, 3)), Lost(), tmp_path / "f")
    assert isinstance(found.value, Absent) and found.value.reason.startswith("failed: ")


def test_levels_run_from_one_to_five_and_share_a_pass(entry_of: MakeEntry, tmp_path: Path) -> None:
    role = Levels()
    entry = entry_of(flat(0, 255, 0, 255))
    quality = measured(ImageQualityLevel(), entry, role, tmp_path / "f")
    count = len(role.seen)
    aesthetics = measured(AestheticsLevel(), entry, role, tmp_path / "f")
    assert count == len(role.seen) == 4, "each frame once, for both tasks, though the plan repeats frames"
    low, high = quality.per_frame["level"][[0, -1]]
    assert low == pytest.approx(1, abs=0.1) and high == pytest.approx(5, abs=0.1)
    assert isinstance(quality.value, float) and isinstance(aesthetics.value, float)
    assert quality.value + aesthetics.value == pytest.approx(6, abs=1e-5)


def test_levels_of_a_loaded_model_lie_in_range(entry_of: MakeEntry, place: ModelPlace, tmp_path: Path) -> None:
    reader = VlmLevelReader(place, device="cpu", dtype="float32")
    entry = entry_of([picture(n, 48, 64) for n in range(3)])
    for metric in (ImageQualityLevel(), AestheticsLevel()):
        found = measured(metric, entry, reader, tmp_path / "f")
        assert isinstance(found.value, float) and 1 < found.value < 5
    assert isinstance(measured(MotionSmoothnessCompat(), entry, reader, tmp_path / "f").value, float)


@pytest.mark.parametrize(
    ("num", "fps", "expected"),
    [
        (81, 16.0, [0, 9, 18, 27, 36, 44, 53, 62, 71, 80]),  # 5.06 s: 10.1 frames
        (24, 24.0, [0, 8, 15, 23]),  # 1 s would be 2: at least 4
        (3, 24.0, [0, 2]), (2, 24.0, [0, 1]), (1, 24.0, [0, 0]),
    ],
)  # fmt: skip
def test_reward_sees_two_frames_a_second(num: int, fps: float, expected: list[int]) -> None:
    assert EvenPerSecond().indices(num, fps) == expected


class Rewards:
    model_id = "rewards"

    def __init__(self, *, normalised: bool) -> None:
        self._normalised, self.calls = normalised, 0

    def reward(self, frames: Sequence[np.ndarray], prompt: str) -> Reward:
        self.calls += 1
        raw = np.array([frames[0].mean(), frames[-1].mean(), len(prompt)], np.float32)
        return Reward(raw, raw / 10 if self._normalised else None)


def test_three_rewards_come_from_one_pass(entry_of: MakeEntry, tmp_path: Path) -> None:
    role = Rewards(normalised=True)
    entry = entry_of(flat(50, *[100] * 24, 150), prompt="12345")
    values = [measured(m, entry, role, tmp_path / "f").value for m in (VideoRewardVQ(), VideoRewardMQ(), VideoRewardTA())]
    assert values == [pytest.approx(50, abs=2), pytest.approx(150, abs=2), 5.0]
    assert role.calls == 1
    found = measured(VideoRewardTA(normalised=True), entry, role, tmp_path / "f")
    assert found.value == 0.5 and set(found.evidence) == {"raw", "normalised"}


def test_reward_without_its_mean_cannot_be_normalised(entry_of: MakeEntry, tmp_path: Path) -> None:
    found = measured(VideoRewardTA(normalised=True), entry_of(flat(1, 2)), Rewards(normalised=False), tmp_path / "f")
    assert isinstance(found.value, Absent) and found.value.reason.startswith("unavailable: ")
