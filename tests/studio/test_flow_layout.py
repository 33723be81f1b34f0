"""The geometry of the picture of flow, and what is said of a stage."""

from itertools import pairwise

import pytest

from backend.domain.jobs import StageFlow
from studio.charts.flow_layout import LANE_PX, NODE_PX, ROW_PX, arrange, band_width
from studio.flow_words import sentence_of, words_of


def stage(name: str, over: str, entering: int, **more) -> StageFlow:
    passed = more.pop("passed", entering - sum(more.get(part, 0) for part in ("filtered", "failed", "pending")))
    parts = {"filtered": 0, "failed": 0, "pending": 0, "seconds": 0.0, **more}
    return StageFlow(stage=name, over=over, entering=entering, passed=passed, **parts)


STAGES = (
    stage("probe_source", "source", 12, failed=2, gives={"video": 10}, seconds=1.5),
    stage("split_shots", "video", 10, gives={"clip": 400}),
    stage("score_motion", "clip", 400, filtered=100, held_back={"clip.motion ≥ .2": 80, "clip.length ≥ 1": 120}),
    stage("find_subjects", "clip", 200, pending=50, gives={"subject": 90, "score": 7}),
)


def test_each_kind_has_a_lane_and_a_node_is_as_wide_as_its_share_of_the_lane() -> None:
    found = arrange(STAGES, 1400)
    assert [(lane.kind, lane.most) for lane in found.lanes] == [("source", 12), ("video", 10), ("clip", 400)]
    widths = [node.width for node in found.nodes]
    full = [lane.width for lane in found.lanes]
    assert widths == pytest.approx([full[0], full[1], full[2], full[2] / 2])
    assert max(full) <= LANE_PX
    assert all(one.y + NODE_PX <= other.y for one, other in pairwise(found.nodes))
    assert found.height > len(STAGES) * ROW_PX


def test_a_node_is_made_of_what_became_of_its_items_in_one_order() -> None:
    node = arrange(STAGES, 1400).nodes[2]
    assert [(part.what, part.count) for part in node.parts] == [("passed", 300), ("filtered", 100)]
    assert node.parts[1].x == pytest.approx(node.x + node.width * 0.75)


def test_what_goes_on_keeps_its_width_and_what_leaves_ends() -> None:
    bands = arrange(STAGES, 1400).bands
    clip = next(lane for lane in arrange(STAGES, 1400).lanes if lane.kind == "clip")
    down = [band for band in bands if band.what == "on" and band.y1 - band.y0 > ROW_PX / 2]
    assert [band.w0 for band in down] == [pytest.approx(clip.width / 2)], "200 of 400 clips reach the next stage"
    assert down[0].w0 == down[0].w1
    left = [band for band in bands if band.what == "held"]
    assert [band.w0 for band in left] == [pytest.approx(clip.width / 2)]
    assert left[0].w1 == 0.0


def test_records_are_born_into_the_lane_of_their_kind_and_kinds_without_a_stage_have_none() -> None:
    found = arrange(STAGES, 1400)
    born = [band for band in found.bands if band.what == "born"]
    assert [band.x1 for band in born] == [found.lanes[1].x, found.lanes[2].x]


def test_one_item_among_a_million_is_seen() -> None:
    lane = arrange((stage("x", "pair", 1_000_000, failed=1),), 900).lanes[0]
    assert band_width(1, lane) == 2.0
    assert band_width(0, lane) == 0.0


def test_twenty_stages_of_eight_kinds_do_not_overlap_in_a_narrow_window() -> None:
    kinds = ("source", "video", "clip", "track", "subject", "appearance", "anchor", "pair")
    stages = tuple(stage(f"stage_{n}", kinds[n * len(kinds) // 20], 100, filtered=20, failed=3) for n in range(20))
    found = arrange(stages, 700)
    assert found.width > 700, "it scrolls rather than shrinks to nothing"
    assert all(one.x + one.width < other.x for one, other in pairwise(found.lanes))
    assert all(node.width <= lane.width + 1e-6 for node in found.nodes for lane in found.lanes if lane.x == node.x)


def test_no_stage_is_an_empty_picture() -> None:
    assert arrange((), 500).nodes == ()


def test_a_stage_is_said_in_a_sentence_with_all_its_counts() -> None:
    said = sentence_of(STAGES, 2)
    for part in (
        "score motion, stage 3 of 4",
        "takes 400 clips, passes 300",
        "100 not applicable",
        "120 held back by clip.length ≥ 1",
    ):
        assert part in said
    assert said.index("120 held") < said.index("80 held")
    assert "failed" not in said
    assert "gives 10 videos; took 1.5 s." in sentence_of(STAGES, 0)


def test_beside_the_picture_stand_two_gates_and_how_many_more() -> None:
    many = stage("x", "clip", 10, held_back={"a": 1, "b": 5, "c": 3, "d": 0, "e": 2})
    outcomes, gates = words_of(many)
    assert outcomes == (("passed", "✓ all passed"),)
    assert gates == "▨ 5 b   ▨ 3 c   +2"
