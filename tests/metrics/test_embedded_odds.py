"""What evidence is worth, and the identity score made of it."""

import numpy as np
import pytest

from backend.domain import Absent
from metrics.embedded import EmbeddedIdentity, upper_mean
from metrics.embedded_odds import LIVING, MIDDLE, THING, chance, identity_odds
from tests.metrics.conftest import MakeEntry

EVIDENCE = (
    *("patches_there", "patches_back", "patches_shift_there", "patches_shift_back", "patches_busyness", "patches_light"),
    *("turned_inliers", "colour_cosine", "shape_cosine"),
)


def rows(**columns: list[float]) -> dict[str, np.ndarray]:
    """Evidence for one reference, one row a frame; 0 where nothing is given."""
    num = len(next(iter(columns.values())))
    found = {name: np.array(columns.get(name, [0.0] * num))[:, None] for name in EVIDENCE}
    frames = np.arange(num)
    return found | {"frame": frames, "looked_at": frames, "box": np.zeros((num, 4))}


def test_odds_are_the_weighted_sum() -> None:
    found = rows(patches_there=[0.5], patches_light=[0.1], turned_inliers=[4.0 + np.e - 1.0])
    expected = LIVING.bias + 0.5 * LIVING.there + 0.1 * LIVING.light + LIVING.inliers
    assert identity_odds(found, np.array([1.0]))[0, 0] == pytest.approx(expected)


def test_inliers_that_chance_gives_are_worth_nothing() -> None:
    odds = identity_odds(rows(turned_inliers=[0.0, 4.0, 5.0]), np.array([0.0]))[:, 0]
    assert odds[0] == odds[1] == pytest.approx(THING.bias)
    assert odds[2] > odds[1]


def test_unexplained_patches_speak_against_and_shared_points_for() -> None:
    for weights in (LIVING, THING):
        assert max(weights.there, weights.back, weights.shift_there, weights.shift_back) <= 0 < weights.inliers


def test_what_is_busy_may_leave_more_unexplained() -> None:
    assert LIVING.busyness > 0 > LIVING.light


def test_like_colours_and_shapes_speak_for() -> None:
    alive = np.array([1.0])
    plain = identity_odds(rows(colour_cosine=[0.2]), alive)[0, 0]
    assert identity_odds(rows(colour_cosine=[0.9]), alive)[0, 0] == pytest.approx(plain + 0.7 * LIVING.colour)
    for weights in (LIVING, THING):
        assert min(weights.colour, weights.shape) >= 0


def test_vectors_without_blocks_count_as_middling() -> None:
    blind = rows(colour_cosine=[np.nan], shape_cosine=[np.nan])
    middling = rows(**{f"{name}_cosine": [value] for name, value in MIDDLE.items()})
    for living in (0.0, 1.0, np.nan):
        expected = identity_odds(middling, np.array([living]))[0, 0]
        assert identity_odds(blind, np.array([living]))[0, 0] == pytest.approx(expected)


def test_an_unknown_label_takes_the_mean_of_both() -> None:
    found = rows(patches_there=[0.7], turned_inliers=[20.0])
    both = [identity_odds(found, np.array([living]))[0, 0] for living in (1.0, 0.0)]
    assert identity_odds(found, np.array([np.nan]))[0, 0] == pytest.approx(np.mean(both))


def test_chance_of_even_odds_is_one_half_and_nothing_stays_nothing() -> None:
    assert chance(np.array([0.0, np.log(3.0)])).tolist() == pytest.approx([0.5, 0.75])
    assert np.isnan(chance(np.array([np.nan])))[0]


def test_the_best_four_fifths_of_the_frames_speak(entry_of: MakeEntry) -> None:
    assert upper_mean(np.array([1.0, 5.0, np.nan, 3.0]), 0.5) == pytest.approx(4.0)
    assert np.isnan(upper_mean(np.array([np.nan]), 0.5))
    entry = entry_of([np.zeros((8, 8, 3), np.uint8)])
    references = {"living": np.array([1.0]), "readable": np.array([True])}
    turned = rows(patches_there=[0.4, 0.4, 0.4, 0.4, 3.0])
    found = EmbeddedIdentity().combine(entry, {"references": references, "subjects": turned})
    assert found.value == pytest.approx(float(chance(np.array(LIVING.bias + 0.4 * LIVING.there))))
    assert found.coverage == 1.0 and len(found.per_frame["likeness"]) == 5


def test_subjects_too_small_to_compare_give_a_reason(entry_of: MakeEntry) -> None:
    entry = entry_of([np.zeros((8, 8, 3), np.uint8)])
    references = {"living": np.array([1.0]), "readable": np.array([True])}
    value = (
        EmbeddedIdentity()
        .combine(entry, {"references": references, "subjects": rows(patches_light=[np.nan, np.nan])})
        .value
    )
    assert isinstance(value, Absent) and value.reason.startswith("no detection")
