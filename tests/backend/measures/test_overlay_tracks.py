"""cosmos-curate's rules on boxes written down by hand. The picture is 1000 x 500 unless said otherwise."""

import pytest

from backend.domain import Box
from backend.measures.overlay_tracks import artificial_text

PICTURE = (0.0, 0.0, 1000.0, 500.0)
MIDDLE: Box = (400.0, 200.0, 600.0, 240.0)
CORNER: Box = (20.0, 10.0, 160.0, 40.0)


def looks(num: int, *rows: tuple[Box, float], every: int = 3, only: set[int] | None = None):
    """The rows on each of `num` looks, or on those numbered in `only`."""
    return {every * n: list(rows) if only is None or n in only else [] for n in range(num)}


@pytest.mark.parametrize(("num", "is_overlay"), [(3, False), (4, True)])  # 3 looks span 7 frames, 4 span 10
def test_a_text_that_stays_for_ten_frames_is_laid_over(num: int, is_overlay: bool):
    found = artificial_text(looks(num, (MIDDLE, 0.8)), PICTURE)
    assert found == ([(MIDDLE, pytest.approx(0.8))] if is_overlay else [])


def moved(box: Box, by: float) -> Box:
    return box[0] + by, box[1], box[2] + by, box[3]


@pytest.mark.parametrize(("by", "is_overlay"), [(10.0, True), (11.0, False)])
def test_a_stable_box_has_an_iou_of_nine_tenths(by: float, is_overlay: bool):
    # Moved by 10 of 200 px: 190 shared of 210, .905; by 11: 189 of 211, .896.
    found = {3 * n: [(moved(MIDDLE, by * (n % 2)), 0.9)] for n in range(4)}
    assert bool(artificial_text(found, PICTURE)) == is_overlay


def test_text_that_drifts_with_the_scene_is_none():
    found = {3 * n: [(moved(MIDDLE, 5.0 * n), 0.9)] for n in range(20)}
    assert artificial_text(found, PICTURE) == []


def test_a_look_may_miss_a_text_but_not_two_in_a_row():
    assert artificial_text(looks(5, (MIDDLE, 0.9), only={0, 2, 4}), PICTURE)
    assert not artificial_text(looks(7, (MIDDLE, 0.9), only={0, 3, 6}), PICTURE)


@pytest.mark.parametrize(("only", "is_overlay"), [({0, 9}, True), ({0}, False)])
def test_corner_text_counts_from_a_tenth_of_the_frames(only: set[int], is_overlay: bool):
    assert bool(artificial_text(looks(20, (CORNER, 0.9), only=only), PICTURE)) == is_overlay


def test_one_sight_of_a_corner_is_too_little_however_short_the_clip():
    assert artificial_text(looks(2, (CORNER, 0.9), only={0}), PICTURE) == []


@pytest.mark.parametrize(
    "box",
    [
        (120.0, 10.0, 260.0, 40.0),  # beside the left margin of 100
        (20.0, 60.0, 160.0, 90.0),  # below the upper margin of 50
        (20.0, 10.0, 980.0, 40.0),  # across the whole picture
        (400.0, 460.0, 600.0, 490.0),  # a subtitle
    ],
)
def test_other_places_are_no_corner(box: Box):
    assert artificial_text(looks(20, (box, 0.9), only={0, 9}), PICTURE) == []


def test_corners_are_those_of_the_picture_inside_borders():
    inner = (0.0, 100.0, 1000.0, 400.0)
    box = (20.0, 110.0, 160.0, 125.0)
    assert artificial_text(looks(20, (box, 0.9), only={0, 9}), inner)
    assert not artificial_text(looks(20, (box, 0.9), only={0, 9}), PICTURE)


def test_a_stable_corner_text_is_given_once_and_the_surest_first():
    found = artificial_text(looks(10, (CORNER, 0.6), (MIDDLE, 0.9)), PICTURE)
    assert [box for box, _ in found] == [MIDDLE, CORNER]


def test_the_box_holds_every_sight_and_stays_in_the_picture():
    box = (900.0, 460.0, 1004.0, 495.0)
    found = {0: [(box, 0.9)], 3: [(moved(box, -2.0), 0.7)], 6: [(box, 0.9)], 9: [(box, 0.9)]}
    assert artificial_text(found, PICTURE) == [((898.0, 460.0, 1000.0, 495.0), pytest.approx(0.85))]


def test_nothing_found_is_nothing_laid_over():
    assert artificial_text({}, PICTURE) == []
    assert artificial_text(looks(10), PICTURE) == []
