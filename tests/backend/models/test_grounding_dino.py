"""GroundingDINO's boxes belong to the phrase that holds their best token."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.domain import Clip, Detection, Footage, Video
from backend.models.grounding_dino import GroundingDino, answers, joined, linked, phrase_of_token
from backend.models.places import ModelPlace
from tests.backend.models.tiny_grounding import save_grounding_dino
from tests.backend.stages.footage_in_memory import ArrayReader, clip_item


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_grounding_dino(tmp_path_factory.mktemp("dino"))


@pytest.fixture(scope="module")
def dino(folder: Path) -> GroundingDino:
    return GroundingDino(ModelPlace("Detector", str(folder)), device="cpu", dtype="float32")


def footage_of(frames: np.ndarray) -> Footage:
    item = clip_item(frames)
    height, width = frames.shape[1:3]
    return Footage(item.one(Video), item.one(Clip), ArrayReader(frames), (0.0, 0.0, float(width), float(height)))


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 64, 96, 3), np.uint8)


def test_boxes_and_scores_are_the_librarys(dino: GroundingDino, folder: Path, frames: np.ndarray) -> None:
    import transformers

    found = dino.detect(footage_of(frames), [2], ["Man", "red cup"])
    processor: Any = transformers.AutoProcessor.from_pretrained(folder)
    model: Any = transformers.GroundingDinoForObjectDetection.from_pretrained(folder, dtype=torch.float32).eval()
    inputs = processor(images=frames[2], text="man. red cup.", return_tensors="pt")
    with torch.inference_mode():
        outputs = model(**inputs)
    tokens = processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    assert tokens == ["[CLS]", "man", ".", "red", "cup", ".", "[SEP]"]
    probabilities = outputs.logits[0].sigmoid().numpy()[:, [1, 3, 4]]
    result = processor.post_process_grounded_object_detection(outputs, threshold=-1.0, target_sizes=[(64, 96)])[0]
    assert found
    for detection in found:
        near = np.abs(np.clip(result["boxes"].numpy(), 0, [96, 64, 96, 64]) - detection.box).max(axis=1)
        row = int(near.argmin())
        assert near[row] < 1e-3
        assert detection.score == pytest.approx(float(probabilities[row].max()), abs=1e-5)
        assert detection.label == ("Man" if probabilities[row].argmax() == 0 else "red cup")


def test_frames_together_are_as_frames_alone(dino: GroundingDino, frames: np.ndarray) -> None:
    footage = footage_of(frames)
    together = dino.detect(footage, range(6), ["cat", "dog"])
    for n in range(6):
        alone = dino.detect(footage, [n], ["cat", "dog"])
        here = [d for d in together if d.frame == n]
        assert [d.label for d in alone] == [d.label for d in here]
        np.testing.assert_allclose([d.box for d in alone], [d.box for d in here], atol=1e-2)


def test_many_phrases_are_read_in_parts(dino: GroundingDino, frames: np.ndarray) -> None:
    phrases = [f"{a} {b} {c}" for a in ("man", "woman", "cat") for b in ("and", "red", "a") for c in ("dog", "cup", "park")]
    parts = list(dino._texts([*phrases, "", phrases[0]]))
    assert len(parts) > 1
    assert [phrase for part in parts for phrase in part] == phrases
    assert {d.label for d in dino.detect(footage_of(frames), [0], phrases)} <= set(phrases)


def test_words_without_end_are_cut(dino: GroundingDino, frames: np.ndarray) -> None:
    found = dino.detect(footage_of(frames), [0], ["cat " * 5000])
    assert all(d.label == "cat " * 5000 for d in found)


def test_no_phrase_finds_nothing(dino: GroundingDino, frames: np.ndarray) -> None:
    assert dino.detect(footage_of(frames), [0, 1], []) == []


def test_phrases_are_lower_case_and_end_with_a_stop() -> None:
    prompt, spans = joined(["Red Cup", " man ", "Mr. X"])
    assert prompt == "red cup. man. mr x."
    assert [prompt[start:stop] for start, stop in spans] == ["red cup", "man", "mr x"]


def test_box_answers_the_phrase_of_its_best_token() -> None:
    _, spans = joined(["red cup", "man"])  # "red cup. man."
    offsets = np.array([[0, 0], [0, 3], [4, 7], [7, 8], [9, 12], [12, 13], [0, 0]])
    owners = phrase_of_token(offsets, spans)
    assert owners.tolist() == [-1, 0, 0, -1, 1, -1, -1]
    scores = np.array([[0.9, 0.1, 0.6, 0.9, 0.3, 0, 0], [0, 0.1, 0.2, 0, 0.7, 0, 0], [0.9, 0.2, 0.1, 0.9, 0.24, 0, 0]])
    places = np.array([[0.5, 0.5, 0.5, 0.5], [0.25, 0.5, 0.1, 0.2], [0.5, 0.5, 1, 1]])
    found = answers(4, scores, places, owners=owners, phrases=["red cup", "man"], size=(100, 50))
    assert [(d.label, d.kind, d.frame) for d in found] == [("man", "person", 4), ("red cup", "object", 4)]
    assert found[1].box == pytest.approx((25, 12.5, 75, 37.5))


def test_overlapping_boxes_of_one_phrase_are_one() -> None:
    owners = np.array([-1, 0, 1])
    scores = np.array([[0, 0.6, 0], [0, 0.8, 0], [0, 0, 0.5]])
    places = np.array([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.52, 0.5], [0.5, 0.5, 0.5, 0.5]])
    found = answers(0, scores, places, owners=owners, phrases=["a", "b"], size=(100, 100))
    assert [(d.label, d.score) for d in found] == [("a", 0.8), ("b", 0.5)]


def seen(frame: int, x: float, label: str, score: float = 0.5) -> Detection:
    return Detection(frame=frame, box=(x, 0, x + 10, 10), score=score, kind="object", label=label)


def test_boxes_go_on_where_they_overlap_or_stand_alone() -> None:
    found = linked(
        [
            seen(0, 0, "cup"),
            seen(0, 50, "cup"),
            seen(0, 80, "man"),
            seen(5, 52, "cup"),
            seen(5, 2, "cup"),
            seen(9, 0, "man"),
        ]
    )
    tracks = {(d.frame, d.box[0]): d.track for d in found}
    assert tracks[(5, 52)] == tracks[(0, 50)] != tracks[(5, 2)] == tracks[(0, 0)]
    assert tracks[(9, 0)] == tracks[(0, 80)], "the only man is the man before him"
