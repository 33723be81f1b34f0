"""VideoReward's three values; Phantom-Data reports the third as Reward-TA."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

import numpy as np

from backend.domain import Absent, RewardModel
from metrics.framing import FramePlan
from metrics.spec import Arrays, Entry, Feature, Found, Measured, Metric, Roles, VideoFacts, VideoFeature


@dataclass(frozen=True, slots=True)
class EvenPerSecond:
    """An even number of frames, `rate` a second, from the first to the last, as Qwen2-VL's own preprocessing takes them.

    At least 4 (2 where there are no more) and at most 768.
    """

    rate: float = 2.0
    least: int = 4
    most: int = 768

    def indices(self, num_frames: int, fps: float) -> list[int]:
        wanted = min(max(num_frames / fps * self.rate, self.least), self.most, num_frames)
        num = max(2, int(wanted / 2) * 2)
        return [int(place) for place in np.linspace(0, num_frames - 1, num).round()]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRewards(VideoFeature):
    """`raw` and `normalised` float32 `(3,)`: visual quality, motion quality, text alignment.

    `normalised` is missing where the checkpoint names no mean and spread.
    """

    name: ClassVar[str] = "video_rewards"
    version: ClassVar[int] = 1
    of: ClassVar[str] = "video+prompt"

    model: str = "RewardModel"
    frames: FramePlan = field(default_factory=EvenPerSecond)

    @property
    def roles(self) -> tuple[str, ...]:
        return (self.model,)

    def begin(self, facts: VideoFacts, entry: Entry, roles: Roles, given: Mapping[str, Found]) -> "_Rewarder":
        order = self.frames.indices(facts.num_frames, facts.fps)
        return _Rewarder(cast(RewardModel, roles(self.model)), order, entry.case.prompt)


class _Rewarder:
    def __init__(self, model: RewardModel, order: list[int], prompt: str) -> None:
        self._model, self._order, self._prompt = model, order, prompt
        self._frames: dict[int, np.ndarray] = {}

    def add(self, index: int, frame: np.ndarray) -> None:
        self._frames[index] = frame

    def finish(self) -> Found:
        reward = self._model.reward([self._frames[index] for index in self._order], self._prompt)
        found = {"raw": reward.raw, "frame": np.array(self._order, np.int64)}
        return found if reward.normalised is None else found | {"normalised": reward.normalised}


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRewardVQ(Metric):
    """Visual quality."""

    id: ClassVar[str] = "video_reward_vq"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "VideoReward, visual quality"
    source: ClassVar[str] = "VideoReward (VideoAlign), which Phantom-Data's table 2 uses"
    range: ClassVar[tuple[float | None, float | None]] = (None, None)
    needs: ClassVar[tuple[str, ...]] = ("prompt",)

    place: ClassVar[int] = 0
    frames: FramePlan = field(default_factory=EvenPerSecond)
    normalised: bool = False
    """Phantom-Data's 2.07 to 3.83 for text alignment lie about 2.81, the mean that normalising takes off: raw values."""

    @property
    def features(self) -> dict[str, Feature]:
        return {"rewards": VideoRewards(frames=self.frames)}

    def combine(self, entry: Entry, given: Mapping[str, Arrays]) -> Measured:
        rewards = given["rewards"]
        evidence = {name: rewards[name] for name in ("raw", "normalised") if name in rewards}
        if self.normalised and "normalised" not in rewards:
            reason = "unavailable: the checkpoint's model_config.json gives no inference_config to normalise by"
            return Measured(value=Absent(reason), num_units=0, coverage=0.0, evidence=evidence)
        values = rewards["normalised" if self.normalised else "raw"]
        return Measured(value=float(values[self.place]), num_units=len(rewards["frame"]), evidence=evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRewardMQ(VideoRewardVQ):
    """Motion quality."""

    id: ClassVar[str] = "video_reward_mq"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "VideoReward, motion quality"

    place: ClassVar[int] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRewardTA(VideoRewardVQ):
    """Text alignment: Phantom-Data's Reward-TA."""

    id: ClassVar[str] = "video_reward_ta"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "VideoReward, text alignment"

    place: ClassVar[int] = 2
