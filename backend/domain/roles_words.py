"""Roles of words: captions and phrases by models that are asked, and what is not safe to show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from backend.domain.records import Box
from backend.domain.results import Absent
from backend.domain.roles import Footage, PhraseSpan


@dataclass(frozen=True, slots=True)
class PhraseReading:
    """Phrases that a model named in a text, verified against it; or none, and why."""

    spans: tuple[PhraseSpan, ...] = ()
    dropped: tuple[str, ...] = ()
    """One line for each phrase that was named and is not kept: the phrase and the reason."""
    raw: str = ""
    """The answer as it came."""
    reason: str = ""
    """Why there is no reading; empty where there is one."""
    is_final: bool = True
    """Whether the model did answer; what it could not be asked is asked again in the next run."""


@runtime_checkable
class AskedCaptioner(Protocol):
    """A Captioner that is asked by a prompt: what it writes is kept, since it takes long or is paid for."""

    model_id: str
    prompt_digest: str

    def caption(self, footage: Footage) -> str | Absent: ...


@runtime_checkable
class PhraseReader(Protocol):
    """A PhraseExtractor that is asked and may fail, and that says what it dropped."""

    model_id: str
    prompt_digest: str

    def read(self, texts: Sequence[str]) -> list[PhraseReading]:
        """A reading of each text."""
        ...


class PhraseEmbedder(Protocol):
    """Phrases in one space, unit vectors float32 `(N, D)`: what is called alike lies near."""

    model_id: str

    def texts(self, texts: Sequence[str]) -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class SafetyFinding:
    """How safe something is to show, 1 safe to 0 not, and what speaks against it; None where it could not be told."""

    safety: float | None
    reason: str = ""


class SafetyFilter(Protocol):
    """What should not be shown: by words, and by pictures where the implementation has eyes."""

    model_id: str
    has_eyes: bool

    def words(self, texts: Sequence[str]) -> list[SafetyFinding]:
        """A finding for each text, in any language that the filter reads."""
        ...

    def pictures(self, frames: Sequence[np.ndarray]) -> list[SafetyFinding]:
        """A finding for each picture uint8 `(H, W, 3)`; empty for a filter without eyes."""
        ...


@dataclass(frozen=True, slots=True)
class ReadText:
    """A line of text on a picture, in pixels of that picture."""

    text: str
    box: Box
    score: float


class TextReader(Protocol):
    """What stands written on a picture uint8 `(H, W, 3)`, line by line, in reading order."""

    model_id: str

    def read(self, frame: np.ndarray) -> list[ReadText]: ...
