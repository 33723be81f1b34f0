"""The transformer against diffusers' own, with and without anchors."""

from dataclasses import replace

import pytest
import torch

from training.layout import Segment, SequenceLayout, clip_segments
from training.model import build, num_parameters
from training.positions import POSITIONS, position_scheme
from training.shapes import forward_flops, tiny, wan_1_3b, wan_5b, wan_14b, wan_i2v_14b

SIZE = (5, 8, 12)


def layout_of(scheme="concat", *, anchors=(), stream=None, **more) -> SequenceLayout:
    return SequenceLayout(
        stream=stream or clip_segments(SIZE), anchors=tuple(anchors), scheme=position_scheme(scheme), **more
    )


def reference(slot=0, rows=8, columns=12, **more) -> Segment:
    return Segment(role="reference", size=(1, rows, columns), slot=slot, **more)


@torch.no_grad()
def test_without_anchors_it_is_diffusers_bit_for_bit(twins, draw) -> None:
    base, ours = twins()
    video, text, times = draw(2, 16, *SIZE), draw(2, 7, 32), torch.tensor([731.0, 12.0])
    assert torch.equal(ours([video], layout_of(), times, text), base(video, times, text).sample)


@torch.no_grad()
def test_concat_is_diffusers_on_the_longer_tensor_bit_for_bit(twins, draw) -> None:
    base, ours = twins()
    video, pictures, text, times = draw(1, 16, *SIZE), draw(1, 16, 3, 8, 12), draw(1, 7, 32), torch.tensor([500.0])
    layout = layout_of(anchors=[reference(0), reference(1), reference(2)])
    found = ours([video, *pictures.split(1, dim=2)], layout, times, text)
    whole = base(torch.cat((video, pictures), dim=2), times, text).sample
    assert torch.equal(found, whole[:, :, :5])


@torch.no_grad()
def test_image_base_is_diffusers_bit_for_bit(twins, draw) -> None:
    base, ours = twins(in_channels=36, image_dim=20, added_kv_proj_dim=48)
    video, text, image, times = draw(1, 36, *SIZE), draw(1, 512, 32), draw(1, 9, 20), torch.tensor([250.0])
    found = ours([video], layout_of(), times, text, image_BIA=image)
    assert torch.equal(found, base(video, times, text, image).sample)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("isolated", [False, True])
def test_blocks_compile_without_a_break_and_change_nothing(draw, isolated) -> None:
    torch.manual_seed(0)
    model = build(replace(tiny().with_audio(6), isolated_anchors=isolated)).eval()
    layout = layout_of("rrope", anchors=[reference(0, 4, 6, timestep=0.0)])
    inputs = [draw(1, 16, *SIZE), draw(1, 16, 1, 4, 6)], layout, torch.tensor([300.0]), draw(1, 7, 32)
    sound = draw(1, 5, 4, 6)
    expected = model(*inputs, audio_BTWA=sound)
    for block in model.blocks:
        block.compile(backend="eager", fullgraph=True)
    assert torch.equal(model(*inputs, audio_BTWA=sound), expected)


def test_image_base_without_its_inputs_is_refused(twins, draw) -> None:
    _, ours = twins(in_channels=36, image_dim=20, added_kv_proj_dim=48)
    video, times = draw(1, 36, *SIZE), torch.tensor([250.0])
    with pytest.raises(ValueError, match="512 text tokens, not 7"):
        ours([video], layout_of(), times, draw(1, 7, 32), image_BIA=draw(1, 9, 20))
    with pytest.raises(ValueError, match="needs image embeddings"):
        ours([video], layout_of(), times, draw(1, 512, 32))


@torch.no_grad()
def test_modulation_by_runs_equals_timesteps_by_token(twins, draw) -> None:
    base, ours = twins()
    stream = clip_segments(SIZE, prefix=2)
    layout = layout_of(anchors=[reference(0, timestep=0.0), reference(1)], stream=stream)
    video, pictures, text = draw(2, 16, *SIZE), draw(2, 16, 2, 8, 12), draw(2, 7, 32)
    times = torch.tensor([731.0, 40.0])
    by_token = torch.cat([times[:, None] * kept for kept in (torch.zeros(2, 48), torch.ones(2, 72), torch.zeros(2, 24), torch.ones(2, 24))], 1)  # fmt: skip
    whole = base(torch.cat((video, pictures), dim=2), by_token, text).sample
    found = ours([video[:, :, :2], video[:, :, 2:], *pictures.split(1, dim=2)], layout, times, text)
    torch.testing.assert_close(found, whole[:, :, :5], rtol=0, atol=1e-6)
    assert not torch.allclose(found, ours([video, *pictures.split(1, 2)], layout_of(anchors=[reference(0), reference(1)]), times, text), atol=1e-3)  # fmt: skip


@torch.no_grad()
@pytest.mark.parametrize("scheme", POSITIONS)
def test_order_of_references_does_not_matter_when_ids_stay(twins, draw, scheme) -> None:
    _, ours = twins()
    video, text, times = draw(1, 16, *SIZE), draw(1, 7, 32), torch.tensor([500.0])
    small, large = draw(1, 16, 1, 4, 6), draw(1, 16, 1, 10, 8)
    first, second = reference(0, 4, 6), reference(1, 10, 8)
    one = ours([video, small, large], layout_of(scheme, anchors=[first, second]), times, text)
    other = ours([video, large, small], layout_of(scheme, anchors=[second, first]), times, text)
    before = ours([small, large, video], layout_of(scheme, anchors=[first, second], anchors_first=True), times, text)
    torch.testing.assert_close(one, other, rtol=0, atol=2e-6)
    torch.testing.assert_close(one, before, rtol=0, atol=2e-6)


@torch.no_grad()
def test_exchanged_slots_matter(twins, draw) -> None:
    _, ours = twins()
    video, text, times = draw(1, 16, *SIZE), draw(1, 7, 32), torch.tensor([500.0])
    pictures = draw(1, 16, 1, 4, 6), draw(1, 16, 1, 4, 6)
    one = ours([video, *pictures], layout_of("rrope", anchors=[reference(0, 4, 6), reference(1, 4, 6)]), times, text)
    other = ours([video, *pictures], layout_of("rrope", anchors=[reference(1, 4, 6), reference(0, 4, 6)]), times, text)
    assert (one - other).abs().max() > 1e-4


@torch.no_grad()
def test_samples_of_a_batch_may_differ_in_categories(twins, draw) -> None:
    _, ours = twins()
    video, text, times, picture = draw(2, 16, *SIZE), draw(2, 7, 32), torch.tensor([500.0, 200.0]), draw(2, 16, 1, 4, 6)
    views = [Segment(role="view", category=name, size=(1, 4, 6)) for name in ("front", "right")]
    layouts = [layout_of("weak_condition", anchors=[view]) for view in views]
    both = ours([video, picture], layouts, times, text)
    for index, layout in enumerate(layouts):
        alone = ours([video[index, None], picture[index, None]], layout, times[index, None], text[index, None])
        torch.testing.assert_close(both[index], alone[0], rtol=0, atol=2e-6)


def test_samples_of_other_sizes_are_refused(twins, draw) -> None:
    _, ours = twins()
    layouts = [layout_of(anchors=[reference(0, 4, 6)]), layout_of(anchors=[reference(0, 4, 8)])]
    with pytest.raises(ValueError, match="differ in segments"):
        ours([draw(2, 16, *SIZE), draw(2, 16, 1, 4, 6)], layouts, torch.zeros(2), draw(2, 7, 32))


def test_latents_that_do_not_fit_the_layout_are_refused(twins, draw) -> None:
    _, ours = twins()
    with pytest.raises(ValueError, match=r"\(5, 8, 10\).*do not fit.*\(5, 8, 12\)"):
        ours([draw(1, 16, 5, 8, 10)], layout_of(), torch.zeros(1), draw(1, 7, 32))


def test_a_layout_of_another_patch_is_refused(twins, draw) -> None:
    _, ours = twins()
    with pytest.raises(ValueError, match=r"patches of \(1, 4, 4\), the model in \(1, 2, 2\)"):
        ours([draw(1, 16, *SIZE)], layout_of(patch=(1, 4, 4)), torch.zeros(1), draw(1, 7, 32))


def test_gradient_checkpointing_changes_no_gradient(draw) -> None:
    layout = layout_of("rrope", anchors=[reference(0, 4, 6, timestep=0.0)])
    inputs = [draw(1, 16, *SIZE), draw(1, 16, 1, 4, 6)]
    text, sound = draw(1, 7, 32), draw(1, 5, 4, 6)
    for isolated in (False, True):
        gradients = []
        for checkpointed in (False, True):
            torch.manual_seed(0)
            model = build(replace(tiny().with_audio(6), isolated_anchors=isolated))
            if checkpointed:
                model.enable_gradient_checkpointing()
            model(inputs, layout, torch.tensor([300.0]), text, audio_BTWA=sound).square().mean().backward()
            gradients.append({name: value.grad for name, value in model.named_parameters()})
        assert all(value is not None for value in gradients[0].values())
        assert all(torch.equal(value, gradients[1][name]) for name, value in gradients[0].items())


@pytest.mark.parametrize(
    ("shape", "billions"),
    [
        (wan_1_3b(), (1.4185, 1.4195)),
        (wan_14b(), (14.2875, 14.2885)),
        (wan_i2v_14b(), (16.3945, 16.3955)),
        (wan_i2v_14b().with_audio(), (17.08, 17.13)),
        (wan_5b(), (4.95, 5.05)),
    ],
    ids=["1.3B", "14B", "I2V 14B", "with sound", "5B"],
)
def test_parameter_counts_are_the_published_ones(shape, billions) -> None:
    assert billions[0] < num_parameters(shape) / 1e9 < billions[1]


def test_a_narrower_branch_has_the_lower_count() -> None:
    assert 17.075 < num_parameters(replace(wan_i2v_14b().with_audio(), audio_width=768)) / 1e9 < 17.085


def test_flops_of_the_1_3b_by_hand() -> None:
    """30 blocks on 32,760 tokens: 30 * (32760 * (12*1536^2 + 4*1536*8960) + 4 * 32760^2 * 1536 + 4*512*1536^2 + 4*32760*512*1536)."""
    assert forward_flops(wan_1_3b(), 32760) == pytest.approx(2.83e14, rel=0.005)


def test_tiny_shape_builds() -> None:
    assert build(tiny()).config["num_layers"] == 2
