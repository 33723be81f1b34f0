"""Where tokens look: shares against a whole softmax by hand, and outputs that do not notice."""

import csv
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.conditioning import Arrangement, Conditions
from training.guidance import GUIDANCE
from training.layout import Segment
from training.model import S2VTransformer, build
from training.positions import position_scheme
from training.probe import OWN, AttentionProbe, Looked, attention_mass
from training.probe_report import mean_mass, write_probe
from training.sampling import GuidedModel, Sampler, clip_latents
from training.shapes import tiny


def by_whole_softmax(query: torch.Tensor, key: torch.Tensor, borders: list[int]) -> torch.Tensor:
    """The whole matrix in float64, then sums."""
    logits = torch.einsum("bqnp,bknp->bqnk", query.double(), key.double()) / query.shape[-1] ** 0.5
    weights = logits.softmax(dim=-1)
    return torch.stack([weights[..., low:high].sum(-1) for low, high in itertools.pairwise(borders)], dim=-1)


@settings(deadline=None, max_examples=40)
@given(
    queries=st.integers(1, 9),
    lengths=st.lists(st.integers(0, 7), min_size=1, max_size=5).filter(lambda found: sum(found) > 0),
    query_block=st.integers(1, 4),
    key_block=st.integers(1, 5),
    spread=st.sampled_from([0.1, 1.0, 30.0]),
)
def test_blockwise_shares_equal_those_of_the_whole_softmax(queries, lengths, query_block, key_block, spread) -> None:
    generator = torch.Generator().manual_seed(queries + sum(lengths))
    borders = np.cumsum([0, *lengths]).tolist()
    query = torch.randn(2, queries, 3, 8, generator=generator) * spread
    key = torch.randn(2, borders[-1], 3, 8, generator=generator) * spread
    found = attention_mass(query, key, borders, query_block=query_block, key_block=key_block)
    near = 1e-5 + 1e-6 * spread**2  # a logit of 4,500 is off by 3e-4 in float32, and a share as much
    torch.testing.assert_close(found.double(), by_whole_softmax(query, key, borders), rtol=1e-4, atol=near)
    torch.testing.assert_close(found.sum(-1), torch.ones(2, queries, 3))


def test_shares_by_hand() -> None:
    """One head of one channel: logits ln 1, ln 2 and ln 5 are weights 1/8, 2/8 and 5/8."""
    key = torch.log(torch.tensor([1.0, 2.0, 5.0])).reshape(1, 3, 1, 1)
    found = attention_mass(torch.ones(1, 1, 1, 1), key, [0, 1, 1, 3])
    assert found.flatten().tolist() == pytest.approx([1 / 8, 0, 7 / 8])


@pytest.fixture
def setting(draw):
    """A tiny model with random modulation, and conditions with a reference, a global anchor and known latents."""

    def make(**more) -> tuple[S2VTransformer, Conditions, Arrangement]:
        torch.manual_seed(5)
        model = build(replace(tiny(), num_attention_heads=2, num_layers=3, ffn_dim=32, **more)).eval()
        fixed = 0.0 if more else None
        anchors = (
            Segment(role="global", size=(1, 4, 4), timestep=fixed),
            Segment(role="view", category="front", size=(1, 2, 4), timestep=fixed),
        )
        conditions = Conditions(
            text_BLA=draw(1, 5, tiny().text_dim),
            empty_text_BLA=draw(1, 5, tiny().text_dim),
            anchors=(anchors,),
            anchor_latents=(draw(1, tiny().in_channels, 1, 4, 4), draw(1, tiny().in_channels, 1, 2, 4)),
            known_BCTHW=draw(1, tiny().in_channels, 2, 4, 4),
        )
        return model, conditions, Arrangement(scheme=position_scheme("weak_condition"), anchors_first=True)

    return make


def sampled(model, conditions, arrangement, noise, looked: list[Looked] | None) -> torch.Tensor:
    probe = None if looked is None else AttentionProbe(model, looked)
    guided = GuidedModel(
        model=model,
        arrangement=arrangement,
        conditions=conditions,
        chain=GUIDANCE["wan"],
        before_forward=None if probe is None else probe.chunk(1, 7),
    )
    if probe is not None:
        probe.attach()
    try:
        return clip_latents(guided, noise, Sampler(steps=2))
    finally:
        if probe is not None:
            probe.detach()


@pytest.mark.parametrize("isolated", [False, True])
def test_looking_changes_no_bit_and_sees_every_layer(setting, draw, isolated: bool) -> None:
    model, conditions, arrangement = setting(**({"isolated_anchors": True} if isolated else {}))
    noise, looked = draw(1, tiny().in_channels, 5, 4, 4), []
    with_probe = sampled(model, conditions, arrangement, noise, looked)
    assert torch.equal(with_probe, sampled(model, conditions, arrangement, noise, None))
    assert all(block.observer is None for block in model.blocks)
    assert [(one.step, one.branch, one.layer) for one in looked] == [
        (step, branch, layer) for step in range(2) for branch in ("text", "none") for layer in range(3)
    ]
    for one in looked:
        assert set(one.segments) == {"global", "view front", "prefix", OWN}
        assert dict(zip(one.segments, one.tokens)) == {"global": 4, "view front": 2, "prefix": 8, OWN: 12}
        assert one.mass.shape == (3, 4), "three generated latent frames"
        np.testing.assert_allclose(one.mass.sum(axis=1), 1, rtol=1e-5)
        assert (one.chunk, one.first_frame) == (1, 9), "the chunk starts at 7 and begins with two known latents"


def test_anchors_of_one_kind_are_told_apart(setting, draw) -> None:
    model, conditions, arrangement = setting()
    (anchor, view), latents = conditions.anchors[0], conditions.anchor_latents
    two = replace(
        conditions,
        anchors=((anchor, replace(anchor, slot=1), view),),
        anchor_latents=(latents[0], draw(1, tiny().in_channels, 1, 4, 4), latents[1]),
    )
    looked: list[Looked] = []
    sampled(model, two, arrangement, draw(1, tiny().in_channels, 5, 4, 4), looked)
    assert set(looked[0].segments) == {"global 0", "global 1", "view front", "prefix", OWN}
    means = mean_mass(looked, lambda one, row: one.layer)
    assert sum(mass for (layer, _), mass in means.items() if layer == 0) == pytest.approx(1), "no share is lost"


@pytest.mark.parametrize("isolated", [False, True])
def test_what_is_seen_is_the_models_own_attention(setting, draw, monkeypatch, isolated: bool) -> None:
    """Queries and keys as the attention function gets them, through a whole softmax."""
    import diffusers.models.transformers.transformer_wan as wan

    import training.blocks

    model, conditions, arrangement = setting(**({"isolated_anchors": True} if isolated else {}))
    calls: list[tuple[torch.Tensor, torch.Tensor]] = []
    for module in (wan, training.blocks):
        whole = module.dispatch_attention_fn

        def kept(query, key, value, *args, whole=whole, **more):
            calls.append((query, key))
            return whole(query, key, value, *args, **more)

        monkeypatch.setattr(module, "dispatch_attention_fn", kept)
    looked: list[Looked] = []
    sampled(model, conditions, arrangement, draw(1, tiny().in_channels, 5, 4, 4), looked)
    # Of all calls, the stream's self-attention alone has these many keys: 4 + 2 + 8 + 12
    own = [(query, key) for query, key in calls if key.shape[1] == 26]
    assert len(own) == len(looked) == 12
    for (query, key), one in zip(own, looked, strict=True):
        borders = np.cumsum([0, *one.tokens]).tolist()
        found = by_whole_softmax(query[:, -12:], key, borders)[0].mean(dim=1).reshape(3, 4, 4).mean(dim=1)
        np.testing.assert_allclose(one.mass, found.numpy(), rtol=1e-4, atol=1e-6)


def looked_at(chunk: int, layer: int, mass: list[list[float]]) -> Looked:
    return Looked(chunk, 0, 500.0, "none", layer, 4 * chunk, ("global", OWN), (4, 12), np.array(mass, np.float32))


def test_means_by_hand() -> None:
    seen = [looked_at(0, 0, [[0.2, 0.8], [0.4, 0.6]]), looked_at(1, 0, [[0.9, 0.1]])]
    found = mean_mass(seen, lambda one, row: one.chunk)
    assert found == pytest.approx({(0, "global"): 0.3, (0, OWN): 0.7, (1, "global"): 0.9, (1, OWN): 0.1})


def test_everything_is_written(tmp_path: Path) -> None:
    seen = [looked_at(chunk, layer, [[0.25, 0.75], [0.5, 0.5]]) for chunk in range(2) for layer in range(3)]
    names = write_probe(tmp_path / "probe", seen)
    assert {path.name for path in (tmp_path / "probe").iterdir()} == set(names)
    assert {"by_chunk.svg", "by_chunk.png", "by_layer.svg", "by_frame.png", "by_step.svg"} <= set(names)
    table = pq.read_table(tmp_path / "probe" / "attention.parquet").to_pylist()
    assert len(table) == 2 * 3 * 2 * 2
    assert [row["frame"] for row in table if row["layer"] == 0 and row["segment"] == "global"] == [0, 1, 4, 5]
    with (tmp_path / "probe" / "attention.csv").open() as file:
        first = next(csv.DictReader(file))
    assert (first["segment"], first["tokens"], first["share_of_tokens"], first["mass"]) == ("global", "4", "0.25", "0.375")
