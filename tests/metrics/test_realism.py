"""Authenticity: tiny classifiers in the real layout, labels that must say what they mean, a mean that is one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.domain import Absent, ModelUnavailable
from backend.models.authenticity import LABELS_FILE, ImageAuthenticity
from backend.models.places import ModelPlace
from metrics.planner import Planner
from metrics.realism import Authenticity
from metrics.spec import Entry, Measured
from metrics.store import FeatureStore
from tests.backend.models.tiny_scores import save_classifier
from tests.metrics.conftest import MakeEntry

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 40, 56, 3), np.uint8)


def loaded(folder: Path) -> ImageAuthenticity:
    return ImageAuthenticity(ModelPlace("AuthenticityScorer", str(folder)), device="cpu", dtype="float32")


def logits_of(folder: Path) -> np.ndarray:
    """By the library itself."""
    import torch
    import transformers as tf

    processor: Any = tf.AutoImageProcessor.from_pretrained(folder, backend="pil")
    model: Any = tf.AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        found = [model(**processor(frame, return_tensors="pt")).logits[0].numpy() for frame in FRAMES]
    return np.stack(found).astype(np.float64)


@pytest.mark.parametrize("labels", [("artificial", "human"), ("Real", "Fake"), ("Realism", "Deepfake")])
def test_probability_is_the_librarys_of_the_class_that_means_real(labels: tuple[str, ...], tmp_path: Path) -> None:
    folder = save_classifier(tmp_path, labels)
    logits = logits_of(folder)
    place = 1 if labels[0] == "artificial" else 0
    expected = np.exp(logits[:, place]) / np.exp(logits).sum(axis=1)
    found = loaded(folder).real(FRAMES)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(found) > 1e-3, "pictures differ"
    np.testing.assert_allclose(loaded(folder).real(FRAMES[3:4]), found[3:4], atol=1e-6)


def test_several_kinds_of_generated_are_one(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path, ("real", "sd", "dalle"))
    logits = logits_of(folder)
    np.testing.assert_allclose(loaded(folder).real(FRAMES), np.exp(logits[:, 0]) / np.exp(logits).sum(axis=1), atol=1e-5)


def test_single_class_is_a_sigmoid(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path, ("fake",), problem_type="multi_label_classification")
    expected = 1 - 1 / (1 + np.exp(-logits_of(folder)[:, 0]))
    np.testing.assert_allclose(loaded(folder).real(FRAMES), expected, atol=1e-5)


def test_labels_that_do_not_say_it_need_the_file(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path, ("LABEL_0", "LABEL_1"))
    with pytest.raises(ModelUnavailable, match=r"label 'LABEL_0' of LABEL_0, LABEL_1 does not say .* real_labels\.json"):
        loaded(folder)
    before = ModelPlace("AuthenticityScorer", str(folder)).digest()
    (folder / LABELS_FILE).write_text(json.dumps({"real": ["LABEL_1"], "generated": ["LABEL_0"]}))
    one = loaded(folder).real(FRAMES)
    assert ModelPlace("AuthenticityScorer", str(folder)).digest() != before, "another mapping is another model"
    (folder / LABELS_FILE).write_text(json.dumps({"real": ["LABEL_0"], "generated": ["LABEL_1"]}))
    np.testing.assert_allclose(loaded(folder).real(FRAMES), 1 - one, atol=1e-6)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ('{"real": ["LABEL_1"]}', "needs two lists"),
        ('{"real": "LABEL_1", "generated": []}', "needs lists of label names"),
        ('{"real": ["LABEL_1", "LABEL_0"], "generated": []}', "do not tell real from generated"),
        ('{"real": ["LABEL_1"], "generated": ["LABEL_1"]}', "does not say whether it means real"),
        ("{", "cannot be read"),
    ],
)
def test_mapping_that_is_none_is_refused(told: str, words: str, tmp_path: Path) -> None:
    folder = save_classifier(tmp_path, ("LABEL_0", "LABEL_1"))
    (folder / LABELS_FILE).write_text(told)
    with pytest.raises(ModelUnavailable, match=words):
        loaded(folder)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="holds no image classifier"):
        loaded(tmp_path)
    with pytest.raises(ModelUnavailable, match="umm-maybe/AI-image-detector"):
        ImageAuthenticity(ModelPlace("AuthenticityScorer", "", ImageAuthenticity.suggested), device="cpu", dtype="float32")


class Brightness:
    """Takes bright pictures for real."""

    model_id = "brightness"

    def __init__(self, factor: float = 1 / 255) -> None:
        self.factor = factor

    def real(self, frames: np.ndarray) -> np.ndarray:
        return frames.reshape(len(frames), -1).mean(axis=1) * self.factor


def measured(entry: Entry, scorer: Brightness, tmp_path: Path) -> Measured | Absent:
    planner = Planner(store=FeatureStore(tmp_path / "f"), roles=lambda name: scorer, model_id=lambda name: "x")
    (found,) = planner.features(entry, list(Authenticity().features.values()))
    return Authenticity().combine(entry, {"frames": found}) if isinstance(found, dict) else found


def test_value_is_the_mean_over_frames_and_each_is_kept(entry_of: MakeEntry, tmp_path: Path) -> None:
    """Levels 0, 8 … 248 on 32 frames: the mean is 124 of 255."""
    entry = entry_of([np.full((32, 32, 3), 8 * t, np.uint8) for t in range(32)])
    row = measured(entry, Brightness(), tmp_path)
    assert isinstance(row, Measured)
    assert row.value == pytest.approx(124 / 255, abs=0.005) and row.num_units == 32
    assert row.per_frame["frame"].tolist() == list(range(32))
    np.testing.assert_allclose(row.per_frame["real"], np.arange(32) * 8 / 255, atol=0.01)


def test_probability_that_is_no_number_fails(entry_of: MakeEntry, tmp_path: Path) -> None:
    found = measured(entry_of([np.full((32, 32, 3), 90, np.uint8)] * 3), Brightness(np.nan), tmp_path)
    assert isinstance(found, Absent) and found.reason.startswith("failed: a probability is not finite")
