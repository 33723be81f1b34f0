"""One thread for tiny tensors; a base of diffusers and ours with the same weights."""

import pytest
import torch
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

from training.model import S2VTransformer

TINY = {
    "num_attention_heads": 2,
    "attention_head_dim": 24,
    "text_dim": 32,
    "freq_dim": 32,
    "ffn_dim": 64,
    "num_layers": 2,
    "rope_max_seq_len": 128,
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def draw():
    """Normal tensors of a shape, the same in every run."""
    generator = torch.Generator().manual_seed(7)
    return lambda *shape: torch.randn(*shape, generator=generator)


@pytest.fixture
def twins():
    """diffusers' model and ours, equal weights, for these arguments."""

    def make(**more):
        torch.manual_seed(3)
        base = WanTransformer3DModel(**{**TINY, **more}).eval()
        ours = S2VTransformer(**{**TINY, **more}).eval()
        ours.load_state_dict(base.state_dict(), strict=True)
        return base, ours

    return make
