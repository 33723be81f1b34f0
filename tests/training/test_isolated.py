"""Isolated anchors: they see each other alone, so that their keys and values are computed once."""

from dataclasses import replace

import pytest
import torch
from diffusers.models.transformers.transformer_wan import WanAttnProcessor, WanTransformer3DModel

from training.layout import Segment, SequenceLayout, clip_segments
from training.model import AnchorCache, build
from training.positions import position_scheme
from training.shapes import tiny

SIZE = (3, 8, 12)
TWO = tuple(Segment(role="reference", size=(1, 8, 12), slot=slot, timestep=0.0) for slot in range(2))
LAYOUT = SequenceLayout(stream=clip_segments(SIZE), anchors=TWO, scheme=position_scheme("concat"))


@pytest.fixture
def model():
    torch.manual_seed(5)
    return build(replace(tiny(), isolated_anchors=True)).eval()


@pytest.fixture
def latents(draw):
    return [draw(1, 16, *SIZE), draw(1, 16, 1, 8, 12), draw(1, 16, 1, 8, 12)]


class Masked(WanAttnProcessor):
    """diffusers' processor with a mask on self-attention: the last `anchors` tokens see only each other."""

    def __init__(self, anchors: int) -> None:
        super().__init__()
        self.anchors = anchors

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, rotary_emb=None):
        if encoder_hidden_states is None:
            tokens = hidden_states.shape[1]
            attention_mask = torch.ones(tokens, tokens, dtype=torch.bool)
            attention_mask[-self.anchors :, : -self.anchors] = False
        return super().__call__(attn, hidden_states, encoder_hidden_states, attention_mask, rotary_emb)


@torch.no_grad()
def test_it_is_diffusers_with_a_mask(model, latents, draw) -> None:
    base = WanTransformer3DModel(num_attention_heads=2, attention_head_dim=24, text_dim=32, freq_dim=32, ffn_dim=64, num_layers=2).eval()  # fmt: skip
    base.load_state_dict(model.state_dict())
    base.set_attn_processor(Masked(anchors=48))  # pyright: ignore[reportArgumentType]
    text, times = draw(1, 7, 32), torch.tensor([600.0])
    by_token = torch.cat((torch.full((1, 72), 600.0), torch.zeros(1, 48)), dim=1)
    expected = base(torch.cat(latents, dim=2), by_token, text).sample[:, :, :3]
    torch.testing.assert_close(model(latents, LAYOUT, times, text), expected, rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("first", [False, True])
def test_kept_keys_and_values_give_what_computing_them_again_gives_bit_for_bit(model, latents, draw, first) -> None:
    layout = replace(LAYOUT, anchors_first=first)
    ordered = latents[1:] + latents[:1] if first else latents
    text, cache = draw(1, 7, 32), AnchorCache()
    for time in (900.0, 500.0, 100.0):
        ordered[-1 if first else 0] = draw(1, 16, *SIZE)
        times = torch.tensor([time])
        kept = model(ordered, layout, times, text, cache=cache)
        assert torch.equal(kept, model(ordered, layout, times, text))
    assert len(cache.blocks) == 2
    assert cache.blocks[0][0].shape == (1, 48, 2, 24)


@torch.no_grad()
def test_a_filled_cache_stands_for_the_anchors(model, latents, draw) -> None:
    text, times, cache = draw(1, 7, 32), torch.tensor([600.0]), AnchorCache()
    expected = model(latents, LAYOUT, times, text, cache=cache)
    emptied = [latents[0], *(torch.zeros_like(x) for x in latents[1:])]
    assert torch.equal(model(emptied, LAYOUT, times, text, cache=cache), expected)
    assert not torch.equal(model(emptied, LAYOUT, times, text), expected)


@torch.no_grad()
def test_without_anchors_it_is_the_joint_model_bit_for_bit(model, latents, draw) -> None:
    joint = build(tiny()).eval()
    joint.load_state_dict(model.state_dict())
    layout, text, times = replace(LAYOUT, anchors=()), draw(1, 7, 32), torch.tensor([600.0])
    assert torch.equal(model(latents[:1], layout, times, text), joint(latents[:1], layout, times, text))


def test_anchors_at_the_videos_timestep_are_refused(model, latents, draw) -> None:
    layout = replace(LAYOUT, anchors=tuple(replace(anchor, timestep=None) for anchor in TWO))
    with pytest.raises(ValueError, match="need a timestep of their own"):
        model(latents, layout, torch.tensor([600.0]), draw(1, 7, 32))
