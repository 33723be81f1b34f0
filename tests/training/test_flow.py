"""Paths, losses and times of flow matching, worked out by hand or against scipy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from training.flow import clean, drawn_times, flow_loss, noised, shifted, token_shift, velocity
from training.layout import Segment, SequenceLayout, clip_segments
from training.positions import position_scheme
from training.times import TimeSampling

CONCAT = position_scheme("concat")


def test_a_quarter_of_the_way_by_hand() -> None:
    x, noise, t = torch.tensor([[4.0]]), torch.tensor([[8.0]]), torch.tensor([0.25])
    assert noised(x, noise, t).item() == 5.0
    assert velocity(x, noise).item() == 4.0
    assert clean(noised(x, noise, t), velocity(x, noise), t).item() == 4.0


def test_each_sample_has_its_own_time() -> None:
    x, noise = torch.zeros(2, 1, 1, 1, 2), torch.ones(2, 1, 1, 1, 2)
    assert noised(x, noise, torch.tensor([0.0, 1.0])).flatten().tolist() == [0, 0, 1, 1]


def test_loss_is_of_the_video_alone() -> None:
    """One of two video frames is wrong by 2: 4 / 2. What the prefix says, and that there is a reference, does not count."""
    anchor = Segment(role="reference", size=(1, 2, 2))
    layout = SequenceLayout(stream=clip_segments((4, 2, 2), prefix=2), anchors=(anchor,), scheme=CONCAT)
    x, noise = torch.zeros(1, 3, 4, 2, 2), torch.ones(1, 3, 4, 2, 2)
    said = torch.ones(1, 3, 4, 2, 2)
    said[:, :, 3] += 2
    said[:, :, :2] = 1e6
    assert flow_loss(said, x, noise, layout).tolist() == [2.0]


def test_loss_teaches_nothing_about_known_latents_and_references(draw) -> None:
    from training.model import build
    from training.shapes import tiny

    torch.manual_seed(0)
    model = build(tiny())
    anchor = Segment(role="reference", size=(1, 2, 2))
    layout = SequenceLayout(stream=clip_segments((3, 2, 2), first_frame=True), anchors=(anchor,), scheme=CONCAT)
    x, noise = draw(1, 16, 3, 2, 2), draw(1, 16, 3, 2, 2)
    said = model([x[:, :, :1], x[:, :, 1:], draw(1, 16, 1, 2, 2)], layout, torch.tensor([500.0]), draw(1, 7, 32))
    said.retain_grad()
    flow_loss(said, x, noise, layout).mean().backward()
    assert said.shape == x.shape
    assert said.grad[:, :, 0].abs().max() == 0
    assert said.grad[:, :, 1:].abs().min() > 0


def test_loss_is_taken_in_float32() -> None:
    layout = SequenceLayout(stream=clip_segments((1, 2, 2)), scheme=CONCAT)
    x = torch.zeros(2, 1, 1, 2, 2, dtype=torch.bfloat16)
    assert flow_loss(x + 0.1, x, x, layout).dtype == torch.float32


def test_shifts_by_hand() -> None:
    """5 * .5 / (1 + 4 * .5) = 2.5 / 3; ends stay."""
    assert shifted(torch.tensor([0.0, 0.5, 1.0]), 5.0).tolist() == pytest.approx([0, 2.5 / 3, 1])


@pytest.mark.parametrize(("tokens", "shift"), [(256, math.exp(0.5)), (4096, math.exp(1.15)), (3600, 2.904), (1792, 2.138)])
def test_shift_by_tokens_is_flux(tokens: int, shift: float) -> None:
    assert token_shift(tokens) == pytest.approx(shift, rel=1e-3)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (TimeSampling(density="uniform"), lambda t: t),
        (TimeSampling(mean=0.5, spread=0.7), lambda t: stats.norm.cdf((np.log(t / (1 - t)) - 0.5) / 0.7)),
        (TimeSampling(density="uniform", shift=5.0), lambda t: t / (5 - 4 * t)),
        (TimeSampling(density="uniform", shift="tokens"), lambda t: t / (token_shift(1560) - (token_shift(1560) - 1) * t)),
    ],
    ids=["uniform", "logit-normal", "shifted", "by tokens"],
)
def test_times_have_the_density_they_are_named_after(sampling, expected) -> None:
    t = drawn_times(sampling, 4000, torch.Generator().manual_seed(11), spatial_tokens=1560).double().numpy()
    assert stats.kstest(t, expected).pvalue > 0.01


@given(st.integers(0, 2**31), st.sampled_from(["uniform", "logit_normal"]))
def test_times_repeat_with_their_generator(seed: int, density) -> None:
    sampling = TimeSampling(density=density, shift=3.0)
    one, other = (drawn_times(sampling, 5, torch.Generator().manual_seed(seed), spatial_tokens=9) for _ in range(2))
    assert torch.equal(one, other)
    assert ((one >= 0) & (one <= 1)).all()


def test_times_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        TimeSampling(spread=0)
    with pytest.raises(ValueError, match="above 0"):
        TimeSampling(shift=-1)
