"""The part that two cut-outs both show."""

import numpy as np

from backend.measures.patch_extents import ABOVE, BELOW, PRICE, Extents, best_match
from backend.measures.patches import match
from tests.backend.measures.test_patches import BLUE, GREY, RED, body

FIGURE = body(RED, GREY, BLUE, (30, 120, 40), (200, 180, 60), stripes=7, size=(320, 160))


def extents(picture: np.ndarray) -> Extents:
    return Extents(picture, np.ones(picture.shape[:2], bool))


def test_a_figure_and_its_upper_part_are_compared_by_the_upper_part() -> None:
    figure, bust = extents(FIGURE), extents(np.ascontiguousarray(FIGURE[: round(320 * 0.48)]))
    whole = match(figure.patches((0, 0)), bust.patches((0, 0)))
    for found in (best_match(figure, bust), best_match(bust, figure)):
        assert found is not None and found.mean < 0.4 * whole.mean


def test_a_lost_head_is_left_out_of_the_other_side() -> None:
    beheaded = extents(np.ascontiguousarray(FIGURE[32:]))
    found, whole = best_match(extents(FIGURE), beheaded), match(extents(FIGURE).patches((0, 0)), beheaded.patches((0, 0)))
    assert found is not None and found.mean < 0.5 * whole.mean


def test_equal_sides_are_compared_whole() -> None:
    found = best_match(extents(FIGURE), extents(FIGURE))
    assert found == match(extents(FIGURE).patches((0, 0)), extents(FIGURE).patches((0, 0)))


def test_a_part_is_left_out_only_for_more_than_its_price() -> None:
    for seed in range(5):
        noise = np.random.default_rng(seed).normal(0, 12, FIGURE.shape)
        noisy = extents(np.clip(FIGURE + noise, 0, 255).astype(np.uint8))
        found, whole = best_match(extents(FIGURE), noisy), match(extents(FIGURE).patches((0, 0)), noisy.patches((0, 0)))
        assert found is not None
        assert found == whole or found.mean < whole.mean - PRICE * min(ABOVE[1], BELOW[1])


def test_nothing_to_compare_is_none() -> None:
    empty = Extents(FIGURE, np.zeros(FIGURE.shape[:2], bool))
    assert best_match(extents(FIGURE), empty) is None
