"""Sound: windows by hand, a new branch that does nothing, and who listens to what."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.audio_branch import AudioAttention, audio_windows
from training.layout import Segment, SequenceLayout, clip_segments
from training.model import build
from training.positions import position_scheme
from training.shapes import tiny

SIZE = (5, 4, 6)
LAYOUT = SequenceLayout(
    stream=clip_segments(SIZE), anchors=(Segment(role="reference", size=(1, 4, 4)),), scheme=position_scheme("rrope")
)


@pytest.fixture
def inputs(draw):
    return [draw(1, 16, *SIZE), draw(1, 16, 1, 4, 4)], draw(1, 7, 32), draw(1, 5, 4, 6)


def speaking(**more):
    """A model whose branch says something."""
    torch.manual_seed(5)
    model = build(replace(tiny().with_audio(6), **more)).eval()
    for part in model.modules():
        if isinstance(part, AudioAttention):
            torch.nn.init.normal_(part.to_v.weight)
    return model


def test_windows_hold_four_frames_and_repeat_the_first() -> None:
    """9 frames at the video's own rate: nothing is resampled."""
    frames = torch.arange(9.0).reshape(1, 9, 1)
    assert audio_windows(frames, 9)[0, :, :, 0].tolist() == [[0, 0, 0, 0], [1, 2, 3, 4], [5, 6, 7, 8]]


def test_features_are_resampled_between_their_middles() -> None:
    """10 features over 5 frames: the middle of frame k is that between features 2 k and 2 k + 1."""
    features = torch.arange(10.0).reshape(1, 10, 1)
    assert audio_windows(features, 5)[0, :, :, 0].tolist() == [[0.5] * 4, [2.5, 4.5, 6.5, 8.5]]


def test_a_clip_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="1 \\+ 4 n frames, not 80"):
        audio_windows(torch.zeros(1, 50, 3), 80)


@torch.no_grad()
def test_a_new_branch_changes_nothing_at_all(inputs) -> None:
    latents, text, sound = inputs
    torch.manual_seed(5)
    loud = build(tiny().with_audio(6)).eval()
    silent = build(tiny()).eval()
    missing = silent.load_state_dict(
        {name: value for name, value in loud.state_dict().items() if "audio" not in name}, strict=True
    )
    assert not missing.missing_keys
    times = torch.tensor([400.0])
    found = loud(latents, LAYOUT, times, text, audio_BTWA=sound)
    assert torch.equal(found, silent(latents, LAYOUT, times, text))
    assert torch.equal(found, loud(latents, LAYOUT, times, text))


def test_at_first_only_values_learn(inputs) -> None:
    latents, text, sound = inputs
    torch.manual_seed(5)
    model = build(tiny().with_audio(6))
    model(latents, LAYOUT, torch.tensor([400.0]), text, audio_BTWA=sound).square().mean().backward()
    gradients = {name: value.grad for name, value in model.named_parameters() if "audio" in name}
    assert len(gradients) == 8
    learning = {name for name, gradient in gradients.items() if gradient is not None and gradient.abs().max() > 0}
    assert learning == {"blocks.1.audio.to_v.weight", "blocks.1.audio.to_v.bias"}


def test_half_of_the_blocks_have_a_branch() -> None:
    model = build(replace(tiny().with_audio(6), num_layers=4))
    assert [block.audio is not None for block in model.blocks] == [False, True, False, True]


@torch.no_grad()
def test_a_latent_frame_listens_to_its_own_window_alone(draw) -> None:
    torch.manual_seed(5)
    branch = AudioAttention(12, 6, 2, 1e-6)
    torch.nn.init.normal_(branch.to_v.weight)
    queries, sound = draw(2, 3 * 4, 12), draw(2, 3, 4, 6)
    other = sound.clone()
    other[:, 1] += 1
    changed = (
        branch(queries, sound, tokens_per_frame=4, start=0) != branch(queries, other, tokens_per_frame=4, start=0)
    ).any(-1)
    assert changed.tolist() == [[False] * 4 + [True] * 4 + [False] * 4] * 2


@torch.no_grad()
def test_branch_equals_attention_written_out(draw) -> None:
    torch.manual_seed(5)
    branch = AudioAttention(12, 6, 2, 1e-6)
    torch.nn.init.normal_(branch.to_v.weight)
    queries, sound = draw(1, 2 * 3, 12), draw(1, 2, 4, 6)
    expected = []
    for token in range(6):
        window = sound[0, token // 3]
        key, value = branch.norm_k(branch.to_k(window)), branch.to_v(window)
        heads = []
        for part in (slice(0, 6), slice(6, 12)):
            weights = torch.softmax(key[:, part] @ queries[0, token, part] / 6**0.5, dim=0)
            heads.append(weights @ value[:, part])
        expected.append(branch.to_out(torch.cat(heads)))
    found = branch(queries, sound, tokens_per_frame=3, start=0)
    torch.testing.assert_close(found[0], torch.stack(expected), rtol=1e-5, atol=1e-6)


@given(st.integers(0, 12), st.integers(0, 12))
@torch.no_grad()
def test_a_share_of_the_tokens_hears_what_it_would_in_the_whole(low: int, high: int) -> None:
    if low >= high:
        return
    generator = torch.Generator().manual_seed(2)
    queries, sound = torch.randn(1, 12, 12, generator=generator), torch.randn(1, 3, 4, 6, generator=generator)
    torch.manual_seed(5)
    branch = AudioAttention(12, 6, 2, 1e-6)
    torch.nn.init.normal_(branch.to_v.weight)
    whole = branch(queries, sound, tokens_per_frame=4, start=0)
    share = branch(queries[:, low:high], sound, tokens_per_frame=4, start=low)
    torch.testing.assert_close(share, whole[:, low:high], rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_given_latents_do_not_listen(draw) -> None:
    """Windows of the prefix may hold anything."""
    model = speaking()
    layout = SequenceLayout(stream=clip_segments(SIZE, prefix=2), scheme=position_scheme("concat"))
    latents, text, sound = [draw(1, 16, 2, 4, 6), draw(1, 16, 3, 4, 6)], draw(1, 7, 32), draw(1, 5, 4, 6)
    other = sound.clone()
    other[:, :2] = 9
    times = torch.tensor([400.0])
    one = model(latents, layout, times, text, audio_BTWA=sound)
    assert torch.equal(one, model(latents, layout, times, text, audio_BTWA=other))
    assert not torch.equal(one, model(latents, layout, times, text))


@torch.no_grad()
@pytest.mark.parametrize("isolated", [False, True])
def test_where_anchors_stand_changes_nothing_of_what_is_heard(inputs, isolated) -> None:
    latents, text, sound = inputs
    model = speaking(isolated_anchors=isolated)
    anchor = replace(LAYOUT.anchors[0], timestep=0.0)
    after = replace(LAYOUT, anchors=(anchor,))
    before = replace(after, anchors_first=True)
    times = torch.tensor([400.0])
    one = model(latents, after, times, text, audio_BTWA=sound)
    torch.testing.assert_close(one, model(latents[::-1], before, times, text, audio_BTWA=sound), rtol=0, atol=2e-6)
    assert not torch.equal(one, model(latents, after, times, text))


class Share:
    """One rank's part of a sequence; what others have is left zero."""

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.stop, self.total = start, stop, 0

    def bounds(self, num_tokens: int) -> tuple[int, int]:
        self.total = num_tokens
        return self.start, self.stop

    def split(self, x_BSD: torch.Tensor) -> torch.Tensor:
        return x_BSD[:, self.start : self.stop]

    def gather(self, x_BSD: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(x_BSD, (0, 0, self.start, self.total - self.stop))


@torch.no_grad()
@pytest.mark.parametrize("first", [False, True])
def test_parts_of_a_sequence_hear_what_the_whole_hears(draw, first) -> None:
    """Without self-attention tokens do not know of each other, so parts can be worked on alone. 4 + 30 tokens, prefix of 12."""
    model = speaking()
    for block in model.blocks:
        torch.nn.init.zeros_(block.get_parameter("attn1.to_out.0.weight"))
    anchor = replace(LAYOUT.anchors[0], timestep=0.0)
    layout = replace(LAYOUT, stream=clip_segments(SIZE, prefix=2), anchors=(anchor,), anchors_first=first)
    latents, text, sound = [draw(1, 16, 2, 4, 6), draw(1, 16, 3, 4, 6)], draw(1, 7, 32), draw(1, 5, 4, 6)
    picture, times = draw(1, 16, 1, 4, 4), torch.tensor([400.0])
    ordered = [picture, *latents] if first else [*latents, picture]
    whole = model(ordered, layout, times, text, audio_BTWA=sound)
    for borders in ([0, 17, 34], [0, 4, 13, 34], [0, 10, 21, 27, 34]):
        found = torch.zeros_like(whole)
        for start, stop in pairwise(borders):
            model.sharding = Share(start, stop)
            part = model(ordered, layout, times, text, audio_BTWA=sound)
            tokens = torch.arange(30) + (4 if first else 0)
            mine = ((tokens >= start) & (tokens < stop)).reshape(5, 2, 3)
            found += part * mine.repeat_interleave(2, 1).repeat_interleave(2, 2)
        torch.testing.assert_close(found, whole, rtol=0, atol=2e-6)


def test_a_part_that_hears_nothing_has_gradients_of_zero(draw) -> None:
    """So that ranks agree on which weights have gradients."""
    model = speaking()
    model.sharding = Share(0, 5)
    layout = SequenceLayout(stream=clip_segments(SIZE, prefix=2), scheme=position_scheme("concat"))
    latents, text, sound = [draw(1, 16, 2, 4, 6), draw(1, 16, 3, 4, 6)], draw(1, 7, 32), draw(1, 5, 4, 6)
    model(latents, layout, torch.tensor([400.0]), text, audio_BTWA=sound).square().mean().backward()
    gradients = [value.grad for name, value in model.named_parameters() if "audio" in name]
    assert len(gradients) == 8
    assert all(gradient is not None and gradient.abs().max() == 0 for gradient in gradients)


def test_sound_of_another_length_or_for_a_deaf_model_is_refused(inputs) -> None:
    latents, text, sound = inputs
    with pytest.raises(ValueError, match="4 windows, the clip 5 latent frames"):
        speaking()(latents, LAYOUT, torch.tensor([4.0]), text, audio_BTWA=sound[:, :4])
    with pytest.raises(ValueError, match="without an audio branch"):
        build(tiny())(latents, LAYOUT, torch.tensor([4.0]), text, audio_BTWA=sound)
