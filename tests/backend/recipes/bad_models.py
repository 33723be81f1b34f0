"""Roles that answer what cannot be believed. Beside them everything is right."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from backend.domain import Absent, Box, Detection, Footage
from backend.domain.roles_words import PhraseReading
from backend.models.phrase_answers import read_phrases

MIDDLE: Box = (150.0, 60.0, 330.0, 220.0)
"""Of 480 x 270: passes every gate on boxes."""
NAN = float("nan")


def seen(frame: int, box: Box, *, label: str | None = None, track: int = 0) -> Detection:
    return Detection(frame=frame, box=box, score=0.9, kind="object", label=label, track=track)


class Sound:
    """A Detector of one thing in the middle."""

    model_id: ClassVar[str] = "sound-1"

    def detect(self, footage: Footage, frames: Sequence[int], phrases: Sequence[str]) -> list[Detection]:
        return [seen(frame, MIDDLE) for frame in frames]


class Outside(Sound):
    """One box hangs over the edge, one lies beside the picture."""

    model_id: ClassVar[str] = "outside-1"

    def detect(self, footage: Footage, frames: Sequence[int], phrases: Sequence[str]) -> list[Detection]:
        places = ((150.0, 60.0, 900.0, 220.0), (600.0, 0.0, 900.0, 200.0))
        return [seen(frame, box, track=track) for frame in frames for track, box in enumerate(places)]


class NotANumber(Sound):
    model_id: ClassVar[str] = "not-a-number-1"

    def detect(self, footage: Footage, frames: Sequence[int], phrases: Sequence[str]) -> list[Detection]:
        return [seen(frame, (NAN, 0.0, NAN, 9.0)) for frame in frames]


class Unasked(Sound):
    model_id: ClassVar[str] = "unasked-1"

    def detect(self, footage: Footage, frames: Sequence[int], phrases: Sequence[str]) -> list[Detection]:
        return [seen(frame, MIDDLE, label="a spaceship") for frame in frames]


class Blind(Sound):
    model_id: ClassVar[str] = "blind-1"

    def detect(self, footage: Footage, frames: Sequence[int], phrases: Sequence[str]) -> list[Detection]:
        return []


class Prose:
    """A PhraseExtractor whose model answers with a sentence where JSON was asked."""

    model_id: str = "prose-1"
    prompt_digest: str = "prose"

    def phrases(self, text: str) -> list:
        raise AssertionError("who reads is asked to read")

    def read(self, texts: Sequence[str]) -> list[PhraseReading]:
        return [read_phrases("Sure! I can see a red dog.", text) for text in texts]


class NanVectors:
    """An AppearanceEmbedder whose half precision ran over."""

    model_id: ClassVar[str] = "nan-vectors-1"
    space: ClassVar[str] = "appearance"

    def embed(self, frame: np.ndarray, mask: np.ndarray, box: Box) -> np.ndarray | Absent:
        return np.full(8, np.nan, np.float32)
