"""Expressions of followed faces by a classifier that tells them by colour."""

import json
from collections.abc import Sequence

import numpy as np

from backend.domain import Clip, Filtered, Item, Ok, Score, Track
from backend.stages.expressions import ANCHOR_LABELS, AS_ANCHOR, ReadExpressions
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext, clip_item

FRAMES = np.zeros((8, 120, 200, 3), np.uint8)
FRAMES[:4, 20:100, 40:120] = (200, 0, 0)
FRAMES[4:, 20:100, 40:120] = (0, 200, 0)


class ByColour:
    """Red faces are happy, green ones sad; `broken` answers with what it is not asked."""

    model_id = "colour-1"
    labels = ("happy", "sad", "open")

    def __init__(self, *, sure: float = 0.8, broken: np.ndarray | None = None) -> None:
        self._sure, self._broken = sure, broken
        self.shapes: list[tuple[int, ...]] = []

    def classify(self, faces: Sequence[np.ndarray]) -> np.ndarray:
        self.shapes += [face.shape for face in faces]
        if self._broken is not None:
            return np.resize(self._broken, (len(faces), *self._broken.shape[1:]))
        rest = 1 - self._sure
        rows = [[self._sure, rest, 0] if face[..., 0].mean() > 100 else [rest, self._sure, 0] for face in faces]
        return np.array(rows, np.float32)


def read(classifier: ByColour, **settings):
    item = clip_item(FRAMES)
    clip = item.one(Clip)
    box = (40.0, 20.0, 120.0, 100.0)
    face = Track(clip_id=clip.id, kind="face", frames=tuple(range(8)), boxes=(box,) * 8, scores=(1.0,) * 8)
    context = StageContext(ArrayReader(FRAMES), roles={"ExpressionClassifier": classifier})
    (result,) = ReadExpressions(**{"min_face_px": 64.0, "every": 1, **settings})(
        [Item(item.id, {**item.records, Track: (face,)})], context
    )
    assert isinstance(result, Ok)
    scores = {(row.target == face.id, row.name): row for row in result.rows if isinstance(row, Score)}
    return scores, context, result


def test_two_expressions_of_one_face_are_counted() -> None:
    classifier = ByColour()
    scores, context, _ = read(classifier)
    assert scores[True, "num_expressions"].value == scores[False, "num_expressions"].value == 2
    assert scores[False, "source_short_px"].value == 120 and scores[False, "face_px"].value == 80
    assert set(classifier.shapes) == {(80, 80, 3)}
    name = scores[True, "num_expressions"].evidence
    assert name is not None
    evidence = json.loads(context.artifacts.get(name))
    assert evidence["frames"] == list(range(8)) and evidence["labels"] == ["happy", "sad", "open"]
    np.testing.assert_allclose(evidence["probabilities"], [[0.8, 0.2, 0]] * 4 + [[0.2, 0.8, 0]] * 4, atol=1e-4)


def test_unsure_faces_count_for_nothing() -> None:
    assert read(ByColour(sure=0.55))[0][True, "num_expressions"].value == 0


def test_small_faces_are_not_read() -> None:
    classifier = ByColour()
    scores, _, _ = read(classifier, min_face_px=160.0)
    assert scores[True, "num_expressions"].value is None and classifier.shapes == []
    assert scores[False, "num_expressions"].reason == "no face reaches 160 px"


def test_nonsense_of_the_model_is_said() -> None:
    for broken in (np.full((1, 3), np.nan), np.full((1, 3), 2.0), np.zeros((1, 5))):
        scores, _, result = read(ByColour(broken=broken))
        assert scores[True, "num_expressions"].value is None
        assert scores[True, "num_expressions"].reason == "the model gave no probabilities"
        assert result.warnings == ("8 faces got no probabilities",)


def test_clips_without_a_face_are_not_applicable() -> None:
    item = clip_item(FRAMES)
    context = StageContext(ArrayReader(FRAMES), roles={"ExpressionClassifier": ByColour()})
    (result,) = ReadExpressions()([Item(item.id, {**item.records, Track: ()})], context)
    assert isinstance(result, Filtered)


def test_an_open_mouth_is_no_anchor() -> None:
    assert set(AS_ANCHOR.values()) == set(ANCHOR_LABELS)
    assert AS_ANCHOR["smile"] == "happy" and "open" not in AS_ANCHOR
