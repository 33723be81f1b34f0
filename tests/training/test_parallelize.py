"""What `parallelize` does to the blocks: how much is computed again in the backward, and what is compiled."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from training.config import Parallel
from training.layout import Segment, SequenceLayout, clip_segments
from training.model import build
from training.parallel import World, parallelize
from training.positions import position_scheme
from training.shapes import tiny

ALONE = World(0, 1, torch.device("cpu"), 0, 1, None, None)
SIZE = (3, 4, 4)
PRODUCTS = ("aten.mm.", "aten.addmm.")


class Counting(TorchDispatchMode):
    """Operations by name."""

    def __init__(self) -> None:
        super().__init__()
        self.attentions = self.products = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = str(func)
        if "_scaled_dot_product" in name and "backward" not in name:
            self.attentions += 1
        self.products += name.startswith(PRODUCTS)
        return func(*args, **(kwargs or {}))


def loss_of(model, draw) -> torch.Tensor:
    layout = SequenceLayout(
        stream=clip_segments(SIZE), anchors=(Segment(role="reference", size=(1, 4, 4)),), scheme=position_scheme("concat")
    )
    x, picture, text = draw(1, 16, *SIZE), draw(1, 16, 1, 4, 4), draw(1, 7, 32)
    return model([x, picture], layout, torch.tensor([300.0]), text).square().mean()


def test_none_computes_nothing_again_selective_some_products_full_all(draw) -> None:
    found = {}
    for kind in ("none", "selective", "full"):
        torch.manual_seed(0)
        model = parallelize(build(tiny()).train(), ALONE, Parallel(checkpointing=kind, dtype="float32"))
        loss = loss_of(model, draw)
        with Counting() as counting:
            loss.backward()
        found[kind] = counting
    blocks = tiny().num_layers
    assert [found[kind].attentions for kind in ("none", "selective", "full")] == [0, 0, 2 * blocks]
    assert found["none"].products < found["selective"].products < found["full"].products


@pytest.mark.parametrize("compiled", [False, True])
def test_each_block_is_compiled_once_where_it_is_asked_for(monkeypatch, draw, compiled) -> None:
    seen, ran = [], []

    def compile_(forward, *_, **__):
        number = len(seen)
        seen.append(forward)

        def instead(*args, **kwargs):
            ran.append(number)
            return forward(*args, **kwargs)

        return instead

    monkeypatch.setattr(torch, "compile", compile_)
    model = parallelize(build(tiny()), ALONE, Parallel(compile=compiled, checkpointing="none", dtype="float32"))
    with torch.no_grad():
        loss_of(model, draw)
    blocks = list(range(tiny().num_layers)) if compiled else []
    assert [getattr(forward, "__self__", None) for forward in seen] == [model.blocks[number] for number in blocks]
    assert ran == blocks
