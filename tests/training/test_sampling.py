"""Samplers on paths with known ends, against diffusers' schedulers and its pipeline, and guidance around a model."""

from dataclasses import replace

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.pipelines.wan.pipeline_wan import WanPipeline
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from training.conditioning import Arrangement, Conditions
from training.flow import noised
from training.guidance import GUIDANCE, GuidanceChain
from training.layout import Segment
from training.model import build
from training.positions import position_scheme
from training.sampling import GuidedModel, Sampler, clip_latents, denoise, renoised
from training.shapes import tiny

CONCAT = Arrangement(scheme=position_scheme("concat"))
SIZE = (3, 4, 6)
REFERENCE = Segment(role="reference", size=(1, 4, 4), timestep=0.0)


@pytest.fixture
def conditions(draw) -> Conditions:
    return Conditions(
        text_BLA=draw(1, 7, 32),
        empty_text_BLA=draw(1, 7, 32),
        anchors=((REFERENCE,),),
        anchor_latents=(draw(1, 16, 1, 4, 4),),
    )


@pytest.fixture
def model():
    torch.manual_seed(5)
    return build(tiny()).eval()


@pytest.mark.parametrize("method", ["euler", "unipc"])
def test_a_straight_path_is_walked_to_its_end(method, draw) -> None:
    """The velocity e - x_0 is constant on it, so any number of steps lands on x_0."""
    x, noise = draw(2, 4, 3, 2, 2), draw(2, 4, 3, 2, 2)
    for steps in (1, 7):
        found = denoise(lambda _x, _t: noise - x, noise, Sampler(method=method, steps=steps))
        torch.testing.assert_close(found, x, rtol=0, atol=2e-5)


def test_euler_steps_by_hand() -> None:
    """Two steps with shift 3: t is 1, then 3 * .5 / (1 + 2 * .5) = .75, then 0. With v = x: 2 * (1 - .25) * (1 - .75)."""
    seen = []

    def velocity(x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        seen.append(times.item())
        return x

    found = denoise(velocity, torch.full((1, 1, 1, 1, 1), 2.0), Sampler(method="euler", steps=2, shift=3.0))
    assert seen == pytest.approx([1000, 750])
    assert found.item() == pytest.approx(0.375)


@pytest.mark.parametrize("shift", [1.0, 5.0])
def test_unipc_is_diffusers(shift, draw) -> None:
    noise = draw(1, 4, 3, 2, 2)
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift)
    scheduler.set_timesteps(9)
    expected = noise
    for timestep in scheduler.timesteps:
        expected = scheduler.step(torch.tanh(expected) * timestep / 500, timestep, expected, return_dict=False)[0]
    found = denoise(lambda x, t: torch.tanh(x) * t[0] / 500, noise, Sampler(steps=9, shift=shift))
    assert torch.equal(found, expected)


def test_without_references_it_is_the_pipeline_of_diffusers(twins, draw) -> None:
    base, ours = twins()
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
    vae = AutoencoderKLWan(base_dim=8, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True])  # fmt: skip
    pipeline = WanPipeline(tokenizer=None, text_encoder=None, transformer=base, vae=vae, scheduler=scheduler)  # pyright: ignore[reportArgumentType]
    pipeline.set_progress_bar_config(disable=True)
    text, negative, noise = draw(1, 7, 32), draw(1, 7, 32), draw(1, 16, *SIZE)
    expected = pipeline(
        prompt_embeds=text, negative_prompt_embeds=negative, latents=noise, height=32, width=48, num_frames=9,
        num_inference_steps=4, guidance_scale=5.0, output_type="latent",
        return_dict=False,
    )[0]  # fmt: skip
    conditions = Conditions(text_BLA=text, empty_text_BLA=negative)
    guided = GuidedModel(model=ours, arrangement=CONCAT, conditions=conditions, chain=GUIDANCE["wan"])
    found = clip_latents(guided, noise, Sampler(steps=4, shift=3.0))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("how", ["zero", "remove"])
def test_phantoms_three_forwards_around_a_model(model, conditions, draw, how) -> None:
    x, times = draw(1, 16, *SIZE), torch.tensor([700.0])
    guided = GuidedModel(
        model=model, arrangement=CONCAT, conditions=conditions, chain=GUIDANCE["phantom"], dropped_anchors=how
    )
    full = CONCAT.velocity(model, x, times, conditions)
    no_text = CONCAT.velocity(model, x, times, replace(conditions, text_BLA=conditions.empty_text_BLA))
    nothing = replace(conditions, text_BLA=conditions.empty_text_BLA, anchor_latents=(torch.zeros(1, 16, 1, 4, 4),))
    if how == "remove":
        nothing = replace(nothing, anchors=((),), anchor_latents=())
    none = CONCAT.velocity(model, x, times, nothing)
    torch.testing.assert_close(guided(x, times), none + 5 * (no_text - none) + 7.5 * (full - no_text), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_sampling_with_kept_references_equals_sampling_without_a_cache(conditions, draw) -> None:
    torch.manual_seed(5)
    model = build(replace(tiny(), isolated_anchors=True)).eval()
    guided = GuidedModel(model=model, arrangement=CONCAT, conditions=conditions, chain=GUIDANCE["phantom"])
    noise = draw(1, 16, *SIZE)

    def uncached(x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        each = [conditions.without(dropped) for dropped in GUIDANCE["phantom"].branches()]
        return GUIDANCE["phantom"].combined([CONCAT.velocity(model, x, times, given) for given in each])

    assert torch.equal(clip_latents(guided, noise, Sampler(steps=3)), denoise(uncached, noise, Sampler(steps=3)))


def test_known_latents_come_back_as_they_are(model, conditions, draw) -> None:
    known = draw(1, 16, 2, 4, 6)
    guided = GuidedModel(
        model=model, arrangement=CONCAT, conditions=replace(conditions, known_BCTHW=known), chain=GuidanceChain()
    )
    found = clip_latents(guided, draw(1, 16, *SIZE), Sampler(steps=2))
    assert torch.equal(found[:, :, :2], known)
    assert torch.isfinite(found).all()


def test_noise_where_latents_are_known_does_not_matter(model, conditions, draw) -> None:
    guided = GuidedModel(
        model=model,
        arrangement=CONCAT,
        conditions=replace(conditions, known_BCTHW=draw(1, 16, 2, 4, 6)),
        chain=GuidanceChain(),
    )
    noise = draw(1, 16, *SIZE)
    other = torch.cat((noise[:, :, :2] + 3, noise[:, :, 2:]), dim=2)
    one, two = (clip_latents(guided, each, Sampler(steps=3)) for each in (noise, other))
    assert torch.equal(one, two)


@pytest.mark.parametrize("method", ["euler", "unipc"])
def test_what_is_done_before_a_step_knows_its_time_and_is_stepped_from(method, draw) -> None:
    told, seen = [], []

    def before_step(x: torch.Tensor, t: float) -> torch.Tensor:
        told.append(t)
        return x * 0 + 3

    def velocity(x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        seen.append(times.item() / 1000)
        assert torch.equal(x, torch.full_like(x, 3))
        return torch.zeros_like(x)

    found = denoise(velocity, draw(1, 2, 1, 2, 2), Sampler(method=method, steps=4), before_step=before_step)
    assert told == pytest.approx(seen, abs=1e-3)
    torch.testing.assert_close(found, torch.full_like(found, 3))


def test_a_soft_prefix_is_at_the_noise_of_each_step(draw) -> None:
    prefix, noise, x = draw(1, 2, 2, 1, 1), draw(1, 2, 3, 1, 1), draw(1, 2, 3, 1, 1)
    found = renoised(prefix, noise)(x, 0.25)
    torch.testing.assert_close(found[:, :, :2], 0.75 * prefix + 0.25 * noise[:, :, :2])
    assert torch.equal(found[:, :, 2:], x[:, :, 2:])
    assert torch.equal(found[:, :, :2], noised(prefix, noise[:, :, :2], torch.tensor([0.25])))
