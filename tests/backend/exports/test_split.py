"""Splits: nothing shared across parts, shares as asked, and no part changed by what is not connected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import SettingsError
from backend.exports.split import Split, nodes_of, split_of_nodes, video_node
from tests.backend.exports.made_pairs import made_pair, made_video

THREE = Split((("train", 0.9), ("val", 0.05), ("test", 0.05)))


def test_a_text_names_parts_and_shares() -> None:
    assert Split.parse("train=.9, val=.05,test=.05") == THREE
    assert Split.parse(" ") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("train=.9,test=.2", "add up to 1.1"),
        ("train=.5,train=.5", "names train twice"),
        ("train", "'train' is not NAME=SHARE"),
        ("Train=1", "'Train=1' is not NAME=SHARE"),
        ("train=0,test=1", "'train=0' is not NAME=SHARE"),
        ("train=nan", "'train=nan' is not NAME=SHARE"),
        ("../x=1", "is not NAME=SHARE"),
    ],
)
def test_a_wrong_text_is_refused(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Split.parse(text)


def test_parts_get_their_shares() -> None:
    parts = [THREE.of(f"video_{number}") for number in range(10_000)]
    # Three standard deviations of a binomial: 90 for train, 65 for the others
    assert abs(parts.count("train") - 9000) < 90
    assert abs(parts.count("val") - 500) < 65
    assert abs(parts.count("test") - 500) < 65


HALVES = Split((("train", 0.5), ("test", 0.5)))
LINKS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=14)


@given(LINKS, LINKS)
def test_connected_videos_share_a_part(links: list[tuple[int, int]], copies: list[tuple[int, int]]) -> None:
    pairs = [made_pair(one, other, None) for one, other in links]
    videos = [made_video(number) for number in range(13)]
    duplicates = [(made_video(one).video_id, made_video(other).video_id) for one, other in copies]
    part = split_of_nodes(pairs, videos, duplicates, split=HALVES)
    for pair in pairs:
        assert len({part[node] for node in nodes_of(pair)}) == 1
    for one, other in duplicates:
        assert part[video_node(one)] == part[video_node(other)]


@given(LINKS, st.randoms(use_true_random=False))
def test_order_and_unconnected_data_change_nothing(links: list[tuple[int, int]], random) -> None:
    pairs = [made_pair(one, other, None) for one, other in links]
    videos = [made_video(number) for number in range(13)]
    before = split_of_nodes(pairs, videos, (), split=HALVES)
    more = [*pairs, *(made_pair(20 + number, 40 + number, None) for number in range(5))]
    random.shuffle(more)
    after = split_of_nodes(more, [*videos, *(made_video(n) for n in (*range(20, 25), *range(40, 45)))], (), split=HALVES)
    assert {node: after[node] for node in before} == before


def test_an_identity_holds_pairs_together() -> None:
    pairs = [made_pair(2 * n, 2 * n + 1, None, identity="anna") for n in range(12)]
    part = split_of_nodes(pairs, [made_video(n) for n in range(24)], (), split=HALVES)
    assert len(set(part.values())) == 1
