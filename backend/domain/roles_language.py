"""Roles of models that see and read: frames against text, levels of quality, judges, rewards.

Frames are RGB uint8, embeddings float32 unit vectors, as everywhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class VideoTextEmbedder(Protocol):
    """Texts and pictures in one space, unit vectors float32 `(N, D)`."""

    model_id: str

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Texts as queries for a picture that matches them."""
        ...

    def images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Pictures uint8 `(H, W, 3)` of any sizes."""
        ...


class LevelReader(Protocol):
    """How likely a model finds each of five words (excellent, good, fair, poor, bad) for what it sees."""

    model_id: str

    def read(self, windows: Sequence[np.ndarray], tasks: Sequence[str]) -> np.ndarray:
        """Shares float32 `(windows, tasks, 5)` that sum to 1, best word first.

        A window is one picture or several in order, uint8 `(T, H, W, 3)`. Tasks are `quality`, `aesthetics` (one
        picture) and `video` (a window). Raises ModelUnavailable for a task it does not know.
        """
        ...

    def prepared(self, picture: np.ndarray) -> np.ndarray:
        """A picture uint8 `(H, W, 3)` brought to the model's own size, so that several windows need not do it again."""
        ...

    def read_over(
        self, pictures: Sequence[np.ndarray], windows: Sequence[Sequence[int]], tasks: Sequence[str]
    ) -> np.ndarray:
        """As `read`, of windows given as places in `pictures`, which are of one size: each picture is looked at once."""
        ...


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question about pictures that is answered by one integer. `repeat` tells equal questions apart."""

    prompt: str
    images: tuple[bytes, ...]
    """JPEG, in the order shown."""
    lowest: int
    highest: int
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge made of an inquiry: a score in range, or None and why, always with the answer as it came.

    `is_final` says that the judge did answer, so that asking once more would only pay twice.
    """

    score: int | None
    raw: str
    reason: str = ""
    is_final: bool = True
    num_calls: int = 1
    """How often the model was asked; 0 for a kept answer."""
    num_tokens_in: int = 0
    num_tokens_out: int = 0


class Judge(Protocol):
    """Answers inquiries by integers. Raises ModelUnavailable when it cannot be asked at all; faults are verdicts."""

    model_id: str
    sampling: str
    """How an answer is drawn, as JSON; `{}` where the model's own defaults hold."""

    def ask(
        self, inquiries: Sequence[Inquiry], answered: Callable[[Inquiry, Verdict], None] | None = None
    ) -> list[Verdict]:
        """A verdict for each. `answered` is told of each as soon as it is there, before the others are."""
        ...


@dataclass(frozen=True, slots=True)
class Reward:
    """Visual quality, motion quality, text alignment: as the head gives them, and less their mean over their spread."""

    raw: np.ndarray
    """float32 `(3,)`."""
    normalised: np.ndarray | None
    """float32 `(3,)`; None where the checkpoint names no mean and spread."""


class RewardModel(Protocol):
    """What people would think of a video, as a model trained on their choices foretells."""

    model_id: str

    def reward(self, frames: Sequence[np.ndarray], prompt: str) -> Reward:
        """Of an even number of frames uint8 `(H, W, 3)`, in order, and the text that the video was to follow."""
        ...
