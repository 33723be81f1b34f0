"""Backgrounds by DINOv2: the subject does not speak, the rest does."""

import numpy as np
import pytest
import torch

from backend.domain import Absent
from backend.models.background_encoders import DinoV2Background
from backend.models.places import ModelPlace
from tests.backend.models import tiny_vision

FRAME = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
MASK = np.zeros((90, 160), bool)
MASK[10:60, 20:100] = True
BOX = (20.0, 10.0, 100.0, 60.0)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> DinoV2Background:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("dino")
    tiny_vision.save_dino(folder, "dinov2")
    return DinoV2Background(ModelPlace("BackgroundEmbedder", str(folder)), device="cpu", dtype="float32")


def vector(encoder: DinoV2Background, frame: np.ndarray) -> np.ndarray:
    found = encoder.embed(frame, MASK, BOX)
    assert isinstance(found, np.ndarray)
    return found


def test_another_subject_before_the_same_place_has_the_same_vector(encoder: DinoV2Background) -> None:
    other = np.where(MASK[..., None], 255 - FRAME, FRAME)
    np.testing.assert_array_equal(vector(encoder, FRAME), vector(encoder, other))
    assert np.linalg.norm(vector(encoder, FRAME)) == pytest.approx(1, abs=1e-5)


def test_the_edge_of_a_wide_frame_counts(encoder: DinoV2Background) -> None:
    other = FRAME.copy()
    other[:, -16:] = 255 - other[:, -16:]
    assert not np.array_equal(vector(encoder, FRAME), vector(encoder, other))


def test_a_frame_that_is_all_subject_has_no_background(encoder: DinoV2Background) -> None:
    assert encoder.embed(FRAME, np.ones_like(MASK), BOX) == Absent("the subject leaves 0 % of the frame, needs 5 %")


def test_its_model_id_names_the_weights(encoder: DinoV2Background) -> None:
    assert encoder.model_id.startswith("dino-v2-background@")
