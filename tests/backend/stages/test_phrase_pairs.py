"""How alike the two sides of a pair are called: by phrase, by category where there is none, and not at all."""

from collections.abc import Sequence

import numpy as np
import pytest

from backend.domain import Filtered, Item, Ok, Pair, Score, Subject
from backend.stages.phrase_pairs import MatchPhrases
from tests.backend.stages.drawn_clips import DrawnContext


class Counted:
    """A PhraseEmbedder that turns by a third of a right angle from text to text, and counts what it is asked."""

    model_id = "counted-1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        angles = [{"a red mug": 0, "red cup": 30, "teddy bear": 90}[text] for text in texts]
        return np.array([(np.cos(np.radians(a)), np.sin(np.radians(a))) for a in angles], np.float32)


class Context(DrawnContext):
    def __init__(self, embedder: object = None) -> None:
        super().__init__({})
        self.embedder = embedder

    def role(self, name: str) -> object:
        assert name == "PhraseEmbedder"
        return self.embedder

    def model_id(self, name: str) -> str:
        return getattr(self.embedder, "model_id", "")


def subject(name: str, phrase: str | None, category: str | None = None) -> Subject:
    return Subject(clip_id=f"clip-{name}", track_id=name, phrase=phrase, category=category, is_living=None)


MUG, CUP = subject("1", "a red mug"), subject("2", "red cup")
TEDDY, NOTHING = subject("3", None, "teddy_bear"), subject("4", None)


def pair(a: Subject, b: Subject, kind: str = "cross_frame") -> Pair:
    return Pair(
        target_subject_id=a.id,
        target_appearance_id=f"a{a.track_id}",
        reference_subject_id=b.id,
        reference_appearance_id=f"a{b.track_id}",
        kind=kind,
    )


def item(*pairs: Pair) -> Item:
    return Item("video", {Subject: (MUG, CUP, TEDDY, NOTHING), Pair: pairs})


def scored(embedder: object, *pairs: Pair) -> dict[str, Score]:
    (result,) = MatchPhrases()([item(*pairs)], Context(embedder))
    assert isinstance(result, Ok)
    return {row.target: row for row in result.rows if isinstance(row, Score)}


def test_a_subject_without_a_phrase_is_called_by_its_category() -> None:
    near, far = pair(MUG, CUP), pair(CUP, TEDDY)
    found = scored(Counted(), near, far)
    assert found[near.id].value == pytest.approx(np.cos(np.radians(30)))
    assert found[far.id].value == pytest.approx(np.cos(np.radians(60)))
    assert {row.producer for row in found.values()} == {"match_phrases/1:counted-1"}


def test_a_phrase_is_embedded_once_however_many_pairs_have_it() -> None:
    embedder = Counted()
    scored(embedder, pair(MUG, CUP), pair(CUP, MUG), pair(MUG, TEDDY))
    assert sorted(embedder.asked) == ["a red mug", "red cup", "teddy bear"]


def test_who_is_called_nothing_is_not_measured() -> None:
    one = pair(MUG, NOTHING)
    found = scored(Counted(), one)[one.id]
    assert (found.value, found.reason) == (None, "not applicable: a subject has neither phrase nor category")


def test_an_unbound_role_leaves_pairs_unmeasured_and_says_so() -> None:
    one = pair(MUG, CUP)
    found = scored(None, one)[one.id]
    assert found.value is None
    assert (found.reason or "").startswith("unavailable: no PhraseEmbedder")


def test_only_pairs_of_two_clips_of_the_video_are_asked_about() -> None:
    (result,) = MatchPhrases()([item(pair(MUG, MUG, "in_pair"), pair(MUG, CUP, "generated"))], Context(Counted()))
    assert result == Filtered("video", "no pair joins two clips of it")
