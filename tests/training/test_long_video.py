"""Chunks of a long video: where they lie, how they join, and that nothing is encoded twice."""

from dataclasses import replace

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from hypothesis import given
from hypothesis import strategies as st

from training.conditioning import Arrangement, Conditions
from training.guidance import GuidanceChain
from training.layout import Segment
from training.long_video import (
    Chunk,
    LongVideo,
    blend_weights,
    chunk_conditions,
    generate_long,
    joined,
    num_frames,
    num_latents,
)
from training.model import build
from training.positions import position_scheme
from training.sampling import GuidedModel, Sampler
from training.shapes import tiny


def test_chunks_by_hand() -> None:
    """21 latents, then 17 new ones each, then what is left."""
    found = list(LongVideo().chunks(60))
    assert found == [Chunk(0, 0, 21, 0), Chunk(1, 17, 38, 4), Chunk(2, 34, 55, 4), Chunk(3, 51, 60, 4)]


@given(st.integers(1, 200), st.integers(2, 30), st.data())
def test_chunks_cover_a_video_once_but_for_prefixes(total: int, length: int, data: st.DataObject) -> None:
    plan = LongVideo(chunk_latents=length, prefix=data.draw(st.integers(1, length - 1)))
    covered = [frame for chunk in plan.chunks(total) for frame in range(chunk.start + chunk.prefix, chunk.stop)]
    assert covered == list(range(total))
    assert all(chunk.stop - chunk.start <= length for chunk in plan.chunks(total))


def test_weights_by_hand() -> None:
    assert blend_weights(4).tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8])


def test_overlap_is_blended_by_hand() -> None:
    """Zeros go over into ones: 0 0 | .2 .4 .6 .8 | 1."""
    before, after = torch.zeros(1, 1, 6, 1, 1), torch.ones(1, 1, 5, 1, 1)
    found = joined(before, after, Chunk(1, 2, 7, 4))
    assert found.flatten().tolist() == pytest.approx([0, 0, 0.2, 0.4, 0.6, 0.8, 1])


@pytest.mark.parametrize(("frames", "latents"), [(1, 1), (2, 2), (5, 2), (6, 3), (81, 21), (121, 31)])
def test_frames_and_latents(frames: int, latents: int) -> None:
    assert num_latents(frames) == latents
    assert num_frames(latents) >= frames > num_frames(latents) - 4


@torch.no_grad()
def test_one_stream_decodes_to_more_frames_than_its_chunks(draw) -> None:
    """Joined, 5 latents are 17 frames; as chunks of 3 and 2 they were 9 and 5."""
    torch.manual_seed(0)
    vae = AutoencoderKLWan(base_dim=8, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]).eval()  # fmt: skip
    latents = draw(1, 16, 5, 2, 2)
    frames = [vae.decode(part).sample.shape[2] for part in (latents, latents[:, :, :3], latents[:, :, 3:])]  # pyright: ignore[reportAttributeAccessIssue]
    assert frames == [num_frames(5), num_frames(3), num_frames(2)] == [17, 9, 5]


def test_a_chunk_has_its_own_sound_and_only_the_first_its_first_frame(draw) -> None:
    conditions = Conditions(
        text_BLA=draw(1, 7, 32),
        empty_text_BLA=draw(1, 7, 32),
        audio_BTWA=draw(1, 9, 4, 6),
        first_frame_BCTHW=draw(1, 16, 5, 2, 2),
        image_BIA=draw(1, 3, 8),
    )
    prefix = draw(1, 16, 2, 2, 2)
    second = chunk_conditions(conditions, Chunk(1, 3, 8, 2), prefix)
    assert second.audio_BTWA is not None and conditions.audio_BTWA is not None
    assert torch.equal(second.audio_BTWA, conditions.audio_BTWA[:, 3:8])
    assert second.known_BCTHW is prefix
    assert second.first_frame_BCTHW is None
    assert second.image_BIA is conditions.image_BIA
    first = chunk_conditions(conditions, Chunk(0, 0, 5, 0), None)
    assert first.first_frame_BCTHW is conditions.first_frame_BCTHW


@pytest.fixture
def setting(draw):
    torch.manual_seed(5)
    model = build(tiny()).eval()
    view = Segment(role="view", category="back", size=(1, 2, 2), timestep=0.0)
    conditions = Conditions(
        text_BLA=draw(1, 7, 32),
        empty_text_BLA=draw(1, 7, 32),
        anchors=((view,),),
        anchor_latents=(draw(1, 16, 1, 2, 2),),
    )
    arrangement = Arrangement(scheme=position_scheme("weak_condition"))
    noises = [draw(1, 16, 10, 2, 2) for _ in range(4)]
    seen: list[Conditions] = []

    def guided(given_: Conditions, chunk: Chunk) -> GuidedModel:
        seen.append(given_)
        return GuidedModel(model=model, arrangement=arrangement, conditions=given_, chain=GuidanceChain())

    def run(plan: LongVideo) -> torch.Tensor:
        return generate_long(
            guided,
            conditions,
            lambda chunk: noises[chunk.index][:, :, : chunk.stop - chunk.start],
            num_latents=10,
            plan=plan,
            sampler=Sampler(steps=2),
        )

    return run, seen, conditions


def test_chunks_follow_from_frozen_prefixes_and_keep_their_anchors(setting) -> None:
    run, seen, conditions = setting
    video = run(LongVideo(chunk_latents=5, prefix=2))
    assert video.shape == (1, 16, 10, 2, 2)
    assert [given_.known_BCTHW is None for given_ in seen] == [True, False, False]
    assert torch.equal(seen[1].known_BCTHW, video[:, :, 3:5])
    assert torch.equal(seen[2].known_BCTHW, video[:, :, 6:8])
    assert all(given_.anchor_latents is conditions.anchor_latents for given_ in seen)


def test_a_soft_prefix_is_moved_and_blended(setting) -> None:
    run, seen, _ = setting
    frozen, soft = (run(LongVideo(chunk_latents=5, prefix=2, prefix_mode=mode)) for mode in ("frozen", "soft"))
    assert all(given_.known_BCTHW is None for given_ in seen[3:])
    assert torch.equal(frozen[:, :, :3], soft[:, :, :3])
    assert not torch.equal(frozen[:, :, 3:5], soft[:, :, 3:5])
    assert torch.isfinite(soft).all()


def test_a_prefix_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="prefix of 4 latents needs longer chunks than 4"):
        LongVideo(chunk_latents=4)


def test_a_video_of_one_chunk_is_one_clip(setting) -> None:
    run, seen, _ = setting
    run(replace(LongVideo(), chunk_latents=10))
    assert len(seen) == 1
