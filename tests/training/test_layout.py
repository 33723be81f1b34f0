"""Segments of a sequence: what is refused, rows of timesteps, runs of tokens, what is in the loss."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.layout import Grid, Segment, SequenceLayout, clip_segments
from training.positions import position_scheme

CONCAT = position_scheme("concat")


def test_a_clip_with_a_prefix_is_asked_for_the_rest_only() -> None:
    layout = SequenceLayout(stream=clip_segments((21, 4, 6), prefix=4), scheme=CONCAT)
    assert [segment.in_loss for segment in layout.stream] == [False, True]
    assert layout.video_frames == slice(4, 21)
    assert layout.num_frames == 21
    assert layout.fixed_timesteps == (0.0,)


def test_a_first_frame_is_one_clean_latent() -> None:
    first, video = clip_segments((3, 4, 6), first_frame=True)
    assert (first.role, first.size, first.timestep) == ("first_frame", (1, 4, 6), 0.0)
    assert (video.size, video.timestep) == ((2, 4, 6), None)


def test_tokens_are_counted_by_hand() -> None:
    """2 x 2 x 3 tokens of video after 2 x 1 of a reference."""
    anchor = Segment(role="reference", size=(1, 4, 2))
    layout = SequenceLayout(stream=clip_segments((2, 4, 6)), anchors=(anchor,), scheme=CONCAT, anchors_first=True)
    assert layout.grid(anchor) == Grid(1, 2, 1)
    assert layout.stream_grid == Grid(2, 2, 3)
    assert (layout.num_tokens, layout.stream_tokens) == (14, slice(2, 14))


def test_runs_join_neighbours_of_one_timestep() -> None:
    anchors = tuple(
        Segment(role="reference", size=(1, 2, 2), slot=slot, timestep=timestep)
        for slot, timestep in enumerate((None, 0.0, 0.0, 999.0))
    )
    layout = SequenceLayout(stream=clip_segments((3, 2, 2)), anchors=anchors, scheme=CONCAT)
    assert layout.spans(layout.segments) == ((0, 4, 0), (4, 6, 1), (6, 7, 2))
    assert layout.spans(layout.segments, start=2, stop=5) == ((0, 2, 0), (2, 3, 1))


@given(st.integers(1, 5), st.data())
def test_runs_of_shares_make_the_whole(ranks: int, data: st.DataObject) -> None:
    timesteps = data.draw(st.lists(st.sampled_from([None, 0.0, 500.0]), max_size=4))
    anchors = tuple(
        Segment(role="reference", size=(1, 2, 4), slot=slot, timestep=timestep) for slot, timestep in enumerate(timesteps)
    )
    layout = SequenceLayout(stream=clip_segments((5, 4, 2), prefix=2), anchors=anchors, scheme=CONCAT)
    rows = [row for low, high, row in layout.spans(layout.segments) for _ in range(high - low)]
    borders = [layout.num_tokens * rank // ranks for rank in range(ranks + 1)]
    shares = []
    for start, stop in pairwise(borders):
        found = layout.spans(layout.segments, start=start, stop=stop)
        assert sum(high - low for low, high, _ in found) == stop - start
        shares += [row for low, high, row in found for _ in range(high - low)]
    assert shares == rows
    assert len(rows) == layout.num_tokens


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"role": "subject", "size": (1, 2, 2)}, "not 'subject'"),
        ({"role": "reference", "size": (2, 2, 2)}, "one picture, encoded alone: 1 latent frame, not 2"),
        ({"role": "view", "size": (1, 2, 2)}, "category"),
        ({"role": "view", "size": (1, 2, 2), "category": "happy"}, "not 'happy'"),
        ({"role": "video", "size": (0, 2, 2)}, "holds nothing"),
    ],
)
def test_impossible_segments_are_refused(fields, words) -> None:
    with pytest.raises(ValueError, match=words):
        Segment(**fields)


def test_impossible_sequences_are_refused() -> None:
    video, prefix = Segment(role="video", size=(2, 4, 4)), Segment(role="prefix", size=(2, 4, 4))
    same = Segment(role="reference", size=(1, 2, 2))
    with pytest.raises(ValueError, match="no multiple of the patch"):
        SequenceLayout(stream=clip_segments((2, 3, 4)), scheme=CONCAT)
    with pytest.raises(ValueError, match="a stream is"):
        SequenceLayout(stream=(video, prefix), scheme=CONCAT)
    with pytest.raises(ValueError, match="a stream is"):
        SequenceLayout(stream=(prefix,), scheme=CONCAT)
    with pytest.raises(ValueError, match="differ in rows"):
        SequenceLayout(stream=(Segment(role="prefix", size=(1, 2, 4)), video), scheme=CONCAT)
    with pytest.raises(ValueError, match="slots of their own"):
        SequenceLayout(stream=(video,), anchors=(same, same), scheme=CONCAT)
    with pytest.raises(ValueError, match="nothing is left"):
        clip_segments((4, 2, 2), prefix=4)


def test_leaving_out_anchors_keeps_the_ids_of_the_others() -> None:
    anchors = (Segment(role="reference", size=(1, 2, 2)), Segment(role="global", size=(1, 2, 2), slot=1))
    layout = SequenceLayout(stream=clip_segments((2, 2, 2)), anchors=anchors, scheme=CONCAT)
    left = layout.without_anchors(("reference",))
    assert left.anchors == anchors[1:]
    assert left.position_ids().tolist() == [[0, 0, 0], [1, 0, 0], [3, 0, 0]]
