"""Finders of logos: by print alone, and by grounding with reading."""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.domain import ModelUnavailable
from backend.domain.roles_words import ReadText
from backend.models.classical_logos import ClassicalLogos
from backend.models.grounded_logos import PHRASES, GroundedLogos, agreed
from backend.models.grounding_dino import GroundingDino
from backend.models.places import ModelPlace
from tests.backend.models.tiny_grounding import save_grounding_dino
from tests.backend.stages.test_logos import cut_out

MASK = np.ones((100, 200), bool)


def line(text: str, box, score: float = 0.9) -> ReadText:
    return ReadText(text, box, score)


def test_print_is_found_inside_the_mask():
    (logo,) = ClassicalLogos().find(cut_out("KALOMI"))
    assert logo.is_uncut
    assert logo.text is None
    assert 20 < logo.box[0] < 40 and 180 < logo.box[2] < 240


def test_no_more_marks_are_kept_than_asked_for():
    picture = cut_out("")
    for x in range(30, 230, 40):
        picture[60:80, x : x + 20, :3] = 240
        picture[140:160, x : x + 20, :3] = 240
    assert len(ClassicalLogos(most=3).find(picture)) <= 3


def test_a_box_has_the_text_inside_it_and_other_text_is_a_mark_of_its_own():
    found = agreed(
        [((10.0, 10.0, 90.0, 60.0), 0.8)],
        [line("KALO", (20, 20, 80, 40)), line("MI", (20, 42, 50, 58)), line("NET 400 G", (120, 70, 190, 90), 0.7)],
        MASK,
    )
    assert [(logo.text, logo.score) for logo in found] == [("KALO MI", 0.8), ("NET 400 G", 0.7)]
    assert all(logo.is_uncut for logo in found)


def test_text_belongs_to_the_smallest_box_around_it():
    found = agreed(
        [((0.0, 0.0, 150.0, 90.0), 0.9), ((10.0, 10.0, 60.0, 40.0), 0.5)], [line("KALO", (15, 15, 55, 35))], MASK
    )
    assert [logo.text for logo in found] == ["", "KALO"]


def test_phrases_that_find_one_mark_give_one():
    found = agreed([((10.0, 10.0, 90.0, 60.0), 0.5), ((11.0, 10.0, 90.0, 60.0), 0.8)], [], MASK)
    assert [logo.score for logo in found] == [0.8]


def test_a_logo_at_the_edge_of_the_cut_out_is_cut():
    (logo,) = agreed([((-5.0, 10.0, 60.0, 50.0), 0.9)], [], MASK)
    assert logo.box == (0.0, 10.0, 60.0, 50.0)
    assert not logo.is_uncut


@pytest.mark.parametrize(
    ("box", "score"),
    [
        ((float("nan"), 0.0, 5.0, 5.0), 0.9),
        ((300.0, 10.0, 400.0, 50.0), 0.9),
        ((50.0, 50.0, 40.0, 40.0), 0.9),
        ((0.0, 0.0, 200.0, 100.0), 0.9),
        ((10.0, 10.0, 50.0, 50.0), float("inf")),
    ],
)
def test_boxes_that_are_no_mark_are_left_out(box, score: float):
    assert agreed([(box, score)], [], MASK) == []


def test_faint_and_wordless_lines_are_left_out():
    assert agreed([], [line("KALO", (0, 0, 50, 20), 0.3), line("--", (0, 40, 50, 60))], MASK) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_grounding_dino(tmp_path_factory.mktemp("dino"))


def test_grounding_on_a_picture_is_grounding_on_a_frame(folder: Path):
    from tests.backend.models.test_grounding_dino import footage_of

    dino = GroundingDino(ModelPlace("Detector", str(folder)), device="cpu", dtype="float32")
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 96, 3), np.uint8)
    here, there = dino.detect_on(frames[1], PHRASES), dino.detect(footage_of(frames), [1], PHRASES)
    assert sorted((d.box, d.score, d.label) for d in here) == sorted((d.box, d.score, d.label) for d in there)


def test_the_grounded_finder_needs_weights(tmp_path: Path):
    with pytest.raises(ModelUnavailable, match=r"models\.LogoFinder"):
        GroundedLogos(ModelPlace("LogoFinder", "", GroundedLogos.suggested), device="cpu", dtype="float32")
    with pytest.raises(ModelUnavailable, match="cannot be loaded as GroundingDINO"):
        GroundedLogos(ModelPlace("LogoFinder", str(tmp_path)), device="cpu", dtype="float32")


@pytest.mark.slow
def test_words_on_a_thing_are_read(folder: Path):
    pytest.importorskip("rapidocr", reason="rapidocr is an extra")
    finder = GroundedLogos(ModelPlace("LogoFinder", str(folder)), device="cpu", dtype="float32")
    found = finder.find(cut_out("KALOMI"))
    assert "KALOMI" in {(logo.text or "").split(" ")[0] for logo in found}
    assert finder.model_id.startswith("grounded-logos-1@")
    assert finder.model_id.endswith("+rapidocr-1")
