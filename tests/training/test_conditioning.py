"""What is left out, how conditions become a sequence, and that each reference is encoded alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.pipelines.wan.pipeline_wan_i2v import WanImageToVideoPipeline

from training.conditioning import Arrangement, Conditions, encode_each, image_condition
from training.dropout import DROPOUT, DropoutPlan
from training.guidance import GUIDANCE
from training.layout import Segment
from training.positions import position_scheme
from training.sampling import Sampler

CONCAT = Arrangement(scheme=position_scheme("concat"))
ANCHORS = (Segment(role="reference", size=(1, 2, 4)), Segment(role="global", size=(1, 4, 4), slot=1))


@pytest.fixture
def conditions(draw) -> Conditions:
    return Conditions(
        text_BLA=draw(2, 7, 32),
        empty_text_BLA=torch.zeros(1, 7, 32),
        anchors=(ANCHORS,),
        anchor_latents=(draw(2, 16, 1, 2, 4), draw(2, 16, 1, 4, 4)),
        audio_BTWA=draw(2, 5, 4, 6),
    )


@pytest.fixture
def vae() -> AutoencoderKLWan:
    torch.manual_seed(0)
    return AutoencoderKLWan(base_dim=8, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]).eval()  # fmt: skip


def test_each_sample_loses_its_own(conditions) -> None:
    left = conditions.without((frozenset({"text", "global"}), frozenset({"reference", "audio"})))
    assert left.text_BLA[0].abs().max() == 0
    assert torch.equal(left.text_BLA[1], conditions.text_BLA[1])
    reference, whole = left.anchor_latents
    assert reference[1].abs().max() == whole[0].abs().max() == left.audio_BTWA[1].abs().max() == 0
    assert torch.equal(reference[0], conditions.anchor_latents[0][0])
    assert torch.equal(whole[1], conditions.anchor_latents[1][1])
    assert torch.equal(left.audio_BTWA[0], conditions.audio_BTWA[0])
    assert left.anchors == conditions.anchors


def test_a_negative_prompt_stands_for_a_dropped_text(conditions, draw) -> None:
    negative = draw(1, 7, 32)
    left = replace(conditions, empty_text_BLA=negative).without(frozenset({"text"}))
    assert torch.equal(left.text_BLA, negative.expand(2, -1, -1))


def test_tokens_of_a_role_can_go_from_all(conditions) -> None:
    left = conditions.without_tokens(frozenset({"reference"}))
    assert left.anchors == (ANCHORS[1:],)
    assert len(left.anchor_latents) == 1
    assert torch.equal(left.anchor_latents[0], conditions.anchor_latents[1])
    (layout,) = CONCAT.layouts((5, 4, 4), left)
    assert layout.position_ids()[-1].tolist() == [6, 1, 1]


def test_what_is_given_is_named(conditions) -> None:
    assert conditions.given == {"text", "audio", "reference", "global"}


def test_a_known_start_takes_the_place_of_noise(conditions, draw) -> None:
    x, known = draw(2, 16, 5, 4, 4), draw(2, 16, 2, 4, 4)
    given = replace(conditions, known_BCTHW=known)
    prefix, video, *anchors = CONCAT.latents(x, given)
    assert torch.equal(prefix, known)
    assert torch.equal(video, x[:, :, 2:])
    assert torch.equal(anchors[0], conditions.anchor_latents[0])
    (layout,) = CONCAT.layouts((5, 4, 4), given)
    assert [segment.role for segment in layout.stream] == ["prefix", "video"]
    (layout,) = CONCAT.layouts((5, 4, 4), replace(given, known_BCTHW=known[:, :, :1], known_as="first_frame"))
    assert [segment.role for segment in layout.stream] == ["first_frame", "video"]


def test_image_base_gets_noise_mask_and_condition(conditions, draw) -> None:
    """Channels 0-15 noise, 16-19 mask, 20-35 condition; the mask marks frame 0 alone."""
    arrangement = replace(CONCAT, image_channels=True, anchors_first=True)
    x, first = draw(2, 16, 5, 4, 4), draw(2, 16, 5, 4, 4)
    reference, whole, stream = arrangement.latents(x, replace(conditions, first_frame_BCTHW=first))
    assert stream.shape == (2, 36, 5, 4, 4)
    assert torch.equal(stream[:, :16], x)
    assert stream[:, 16:20].mean(dim=(0, 1, 3, 4)).tolist() == [1, 0, 0, 0, 0]
    assert torch.equal(stream[:, 20:], first)
    assert whole.shape == (2, 36, 1, 4, 4)
    assert torch.equal(reference[:, :16], reference[:, 20:])
    assert reference[:, 16:20].min() == 1


def test_prefix_of_the_image_base_is_marked_and_repeated(conditions, draw) -> None:
    arrangement = replace(CONCAT, image_channels=True)
    x, known = draw(2, 16, 5, 4, 4), draw(2, 16, 2, 4, 4)
    prefix, video, *_ = arrangement.latents(x, replace(conditions, known_BCTHW=known))
    assert torch.equal(prefix[:, :16], known)
    assert torch.equal(prefix[:, 20:], known)
    assert prefix[:, 16:20].min() == 1
    assert video[:, 16:].abs().max() == 0
    first = draw(2, 16, 5, 4, 4)
    prefix, video, *_ = arrangement.latents(x, replace(conditions, known_BCTHW=known, first_frame_BCTHW=first))
    assert torch.equal(prefix[:, 20:], known)
    assert torch.equal(video[:, 20:], first[:, :, 2:])


@torch.no_grad()
def test_image_condition_is_the_pipelines_of_diffusers(vae, conditions, draw) -> None:
    pipeline = WanImageToVideoPipeline(tokenizer=None, text_encoder=None, vae=vae, scheduler=Sampler().scheduler())  # pyright: ignore[reportArgumentType]
    picture, x = draw(1, 3, 16, 24).clamp(-1, 1), draw(1, 16, 3, 2, 3)
    _, expected = pipeline.prepare_latents(picture, 1, 16, 16, 24, 9, torch.float32, torch.device("cpu"), None, x)
    mean, std = (
        torch.tensor(values).reshape(1, 16, 1, 1, 1) for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    first = (vae.encode(torch.nn.functional.pad(picture[:, :, None], (0, 0, 0, 0, 0, 8))).latent_dist.mode() - mean) / std
    found = image_condition(x, replace(conditions, anchors=((),), anchor_latents=(), first_frame_BCTHW=first))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@torch.no_grad()
def test_each_reference_is_encoded_alone(vae, draw) -> None:
    """Three pictures give three latents; as frames of one clip they would give one."""

    def encode(clip: torch.Tensor) -> torch.Tensor:
        return vae.encode(clip).latent_dist.mode()

    pictures = [draw(1, 3, 16, 24), draw(1, 3, 32, 16), draw(1, 3, 16, 24)]
    latents = encode_each(encode, pictures)
    assert [tuple(x.shape) for x in latents] == [(1, 16, 1, 2, 3), (1, 16, 1, 4, 2), (1, 16, 1, 2, 3)]
    for picture, found in zip(pictures, latents):
        assert torch.equal(found, encode(picture[:, :, None]))
    assert encode(torch.stack((pictures[0], pictures[2], pictures[0]), dim=2)).shape[2] == 1


@pytest.mark.parametrize("name", DROPOUT)
def test_plans_are_kept_to(name: str) -> None:
    plan, samples = DROPOUT[name], 20000
    found = plan.draw(samples, np.random.default_rng(5))
    for names, chance in plan.outcomes:
        share = found.count(frozenset(names)) / samples
        assert abs(share - chance) < 4 * (chance * (1 - chance) / samples) ** 0.5
    assert found.count(frozenset()) / samples == pytest.approx(1 - sum(p for _, p in plan.outcomes), abs=0.015)


@pytest.mark.parametrize("name", ["phantom", "kaleido", "gloria"])
def test_each_forward_of_guidance_was_seen_in_training(name: str) -> None:
    seen = {frozenset(names) for names, _ in DROPOUT[name].outcomes} | {frozenset()}
    assert set(GUIDANCE[name].branches()) <= seen


def test_impossible_plans_are_refused() -> None:
    with pytest.raises(ValueError, match="no condition 'sound'"):
        DropoutPlan(((("sound",), 0.1),))
    with pytest.raises(ValueError, match="no shares of 1"):
        DropoutPlan(((("text",), 0.6), (("audio",), 0.6)))
