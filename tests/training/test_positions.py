"""Position ids of every scheme, written by hand for one small clip, and the rotary tables made of them."""

import numpy as np
import pytest
import torch
from diffusers.models.transformers.transformer_wan import WanRotaryPosEmbed
from hypothesis import given, settings
from hypothesis import strategies as st

from training.layout import EXPRESSIONS, VIEWS, Segment, SequenceLayout, clip_segments
from training.positions import POSITIONS, WeakCondition, position_scheme
from training.rope import axis_channels, layout_rotary, rotary_table, turned

# A clip of 2 x 4 x 6 latents (2 x 2 x 3 tokens) and two references: of 2 x 4 latents (1 x 2 tokens) and of 4 x 2 (2 x 1).
VIDEO = [[t, h, w] for t in (0, 1) for h in (0, 1) for w in (0, 1, 2)]
GOLDEN = {
    "concat": [[2, 0, 0], [2, 0, 1], [3, 0, 0], [3, 1, 0]],
    "shift_w": [[0, 0, 3], [0, 0, 4], [1, 0, 3], [1, 1, 3]],
    "shift_h": [[0, 2, 0], [0, 2, 1], [1, 2, 0], [1, 3, 0]],
    "rrope": [[0, 2, 3], [0, 2, 4], [1, 2, 3], [1, 3, 3]],
    "rrope_fixed": [[0, 80, 80], [0, 80, 81], [1, 80, 80], [1, 81, 80]],
    "weak_condition": [[100, 0, 0], [100, 0, 1], [101, 0, 0], [101, 1, 0]],
    "wan_s2v": [[30, 0, 0], [30, 0, 1], [30, 0, 0], [30, 1, 0]],
}
REFERENCES = (Segment(role="reference", size=(1, 2, 4)), Segment(role="reference", size=(1, 4, 2), slot=1))


@pytest.mark.parametrize("name", POSITIONS)
def test_ids_are_those_written_by_hand(name: str) -> None:
    for first in (False, True):
        layout = SequenceLayout(
            stream=clip_segments((2, 4, 6)), anchors=REFERENCES, scheme=position_scheme(name), anchors_first=first
        )
        expected = GOLDEN[name] + VIDEO if first else VIDEO + GOLDEN[name]
        assert layout.position_ids().tolist() == expected
        assert layout.position_ids().dtype == np.float64


def test_a_known_start_moves_no_token_of_the_clip() -> None:
    whole = SequenceLayout(stream=clip_segments((5, 4, 6)), anchors=REFERENCES, scheme=position_scheme("rrope"))
    for stream in (clip_segments((5, 4, 6), prefix=3), clip_segments((5, 4, 6), first_frame=True)):
        given = SequenceLayout(stream=stream, anchors=REFERENCES, scheme=position_scheme("rrope"))
        assert np.array_equal(given.position_ids(), whole.position_ids())


def test_weak_condition_binds_each_role_and_category_to_a_time() -> None:
    anchors = (
        Segment(role="global", size=(1, 2, 2)),
        *(Segment(role="view", category=name, size=(1, 2, 2)) for name in VIEWS),
        *(Segment(role="expression", category=name, size=(1, 2, 2)) for name in EXPRESSIONS),
    )
    layout = SequenceLayout(stream=clip_segments((1, 2, 2)), anchors=anchors, scheme=position_scheme("weak_condition"))
    times = [30, 40, 41, 42, 43, 60, 61, 62, 63, 64, 65, 66, 67]
    assert layout.position_ids().tolist() == [[0, 0, 0]] + [[t, 0, 0] for t in times]


@pytest.mark.parametrize(("frames", "base"), [(21, 30), (29, 30), (30, 40), (31, 40)])
def test_base_is_the_next_ten_beyond_the_longest_clip(frames: int, base: int) -> None:
    segment, clip = Segment(role="global", size=(1, 2, 2)), clip_segments((3, 2, 2))
    layout = SequenceLayout(stream=clip, anchors=(segment,), scheme=WeakCondition(max_frames=frames))
    assert layout.position_ids()[-1].tolist() == [base, 0, 0]


def test_stride_spreads_categories() -> None:
    layout = SequenceLayout(
        stream=clip_segments((1, 2, 2)),
        anchors=tuple(Segment(role="view", category=name, size=(1, 2, 2)) for name in ("right", "back")),
        scheme=WeakCondition(stride=2.5),
    )
    assert layout.position_ids()[1:, 0].tolist() == [47.5, 42.5]


@given(st.floats(0.1, 5.0), st.integers(1, 60))
@settings(deadline=None)
def test_no_two_categories_share_a_time_at_any_stride(stride: float, frames: int) -> None:
    scheme = WeakCondition(max_frames=frames, stride=stride)
    anchors = [Segment(role="global", size=(1, 2, 2))]
    anchors += [Segment(role="view", category=name, size=(1, 2, 2)) for name in VIEWS]
    anchors += [Segment(role="expression", category=name, size=(1, 2, 2)) for name in EXPRESSIONS]
    anchors += [Segment(role="reference", slot=slot, size=(1, 2, 2)) for slot in range(4)]
    layout = SequenceLayout(stream=clip_segments((frames, 2, 2)), anchors=tuple(anchors), scheme=scheme)
    times = layout.position_ids()[:, 0]
    assert len(set(times)) == len(times)


def test_a_stride_that_mixes_roles_is_refused() -> None:
    with pytest.raises(ValueError, match=r"stride of 6\.0"):
        WeakCondition(stride=6.0)


def test_a_clip_that_reaches_the_anchors_is_refused() -> None:
    layout = SequenceLayout(stream=clip_segments((31, 2, 2)), anchors=REFERENCES, scheme=position_scheme("weak_condition"))
    with pytest.raises(ValueError, match=r"31 latent frames may reach the anchors at 30: the model was trained for 21"):
        layout.position_ids()


def test_an_unknown_scheme_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no position scheme 'rope3'; there are concat, shift_w"):
        position_scheme("rope3")


@given(st.permutations(range(4)), st.sampled_from(sorted(POSITIONS)), st.booleans())
@settings(deadline=None)
def test_ids_follow_the_slot_and_not_the_order(order: list[int], name: str, first: bool) -> None:
    anchors = [Segment(role="reference", size=(1, 2 + 2 * slot, 4), slot=slot) for slot in range(4)]

    def ids_by_slot(given_order: list[int]) -> dict[int, list[list[float]]]:
        layout = SequenceLayout(
            stream=clip_segments((2, 4, 6)),
            anchors=tuple(anchors[slot] for slot in given_order),
            scheme=position_scheme(name),
            anchors_first=first,
        )
        ids, at, found = layout.position_ids().tolist(), 0 if first else 12, {}
        for slot in given_order:
            tokens = layout.grid(anchors[slot]).tokens
            found[slot] = ids[at : at + tokens]
            at += tokens
        return found

    assert ids_by_slot(order) == ids_by_slot([0, 1, 2, 3])


def test_tables_are_wans_for_whole_ids() -> None:
    layout = SequenceLayout(stream=clip_segments((21, 60, 104)), scheme=position_scheme("concat"))
    wan = WanRotaryPosEmbed(128, (1, 2, 2), 1024)
    expected = wan(torch.empty(1, 1, 21, 60, 104))
    found = layout_rotary((layout,), 128, torch.device("cpu"))
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


def test_channels_of_axes_are_wans() -> None:
    assert axis_channels(128) == (44, 42, 42)
    assert axis_channels(24) == (8, 8, 8)


@given(st.floats(-50, 200), st.floats(-50, 200), st.floats(-30, 30))
@settings(deadline=None)
def test_products_depend_on_differences_of_ids(one: float, other: float, moved: float) -> None:
    generator = torch.Generator().manual_seed(1)
    query, key = torch.randn(1, 1, 1, 24, generator=generator), torch.randn(1, 1, 1, 24, generator=generator)

    def product(first: float, second: float) -> float:
        tables = [rotary_table(torch.full((1, 1, 3), value, dtype=torch.float64), 24) for value in (first, second)]
        return float((turned(query, tables[0]) * turned(key, tables[1])).sum())

    assert product(one, other) == pytest.approx(product(one + moved, other + moved), abs=1e-4)
