"""Which pictures each mode shows of the small export: two clips, each with an in-pair, a cross-pair and a drawn picture."""

import threading

import pytest
import torch

from backend.domain import SettingsError
from backend.jobs.board import JobTicket
from tests.training.made_export import FPS, SIDE, made_export
from training.data.batches import BatchOrder
from training.data.latent_settings import Latents
from training.data.latents import encode
from training.data.loader import TensorReader
from training.data.modes import examples_of
from training.data.shapes import ClipShapes, PictureShapes


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    clips = ClipShapes(fps=FPS, frames=(9,), pixels=SIDE * SIDE, aspects=(1.0,), multiple=8)
    pictures = PictureShapes(pixels=256, aspects=(1.0,), augmentations=2)
    settings = Latents(clips=clips, pictures=pictures, engine="inline")
    ticket = JobTicket(lambda stage, done, total: None, threading.Event())
    return encode(ticket, export=made_export(tmp_path_factory.mktemp("modes")), settings=settings)


@pytest.mark.parametrize(
    ("mode", "variants"),
    [
        ("in_pair", ["plain"]),
        ("augmented", ["augmented.0", "augmented.1"]),
        ("cross_pair", ["plain"]),
        ("generated", ["plain"]),
    ],
)
def test_a_mode_shows_one_picture_of_each_clip_in_its_variants(encoded, mode, variants):
    found = examples_of(encoded, (mode,))
    assert [len(example.pictures) for example in found] == [1, 1]
    assert [list(example.pictures[0].variants) for example in found] == [variants, variants]


def test_modes_differ_in_the_pictures_and_together_give_an_example_each(encoded):
    shown = {
        mode: {example.pictures[0].target for example in examples_of(encoded, (mode,))}
        for mode in ("in_pair", "cross_pair", "generated")
    }
    assert shown["in_pair"] == shown["cross_pair"], "cut-outs of two squares are equal in every frame"
    assert not shown["in_pair"] & shown["generated"]
    assert len(examples_of(encoded, ("in_pair", "generated", "text"))) == 6


@pytest.mark.parametrize("all_references", [True, False])
def test_text_shows_the_caption_alone(encoded, all_references):
    examples = tuple(examples_of(encoded, ("text",)))
    assert [example.pictures for example in examples] == [(), ()]
    order = BatchOrder(examples=examples, tokens=10_000, all_references=all_references)
    (batch,) = order.epoch(0)
    assert batch.tokens == 2 * 9 * (SIDE // 8) ** 2
    x, conditions = TensorReader(encoded, text_tokens=8).read(batch)
    assert conditions.anchors == ((), ())
    assert conditions.given == {"text"}
    assert x.shape == (2, 48, 9, SIDE // 4, SIDE // 4)
    assert not torch.equal(conditions.text_BLA[0], conditions.text_BLA[1])


def test_an_unknown_mode_is_named(encoded):
    with pytest.raises(SettingsError, match="'crosspair', which is no mode; did you mean cross_pair"):
        examples_of(encoded, ("crosspair",))
