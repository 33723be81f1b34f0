"""Expressions count at the times that a case asks for them; what no anchor shows and what no frame shows is told."""

import re
from pathlib import Path

import numpy as np
import pytest

from backend.domain import Absent
from metrics.expression_schedule import ArcFaceExpressionScheduled, FrameTimes
from metrics.planner import Planner
from metrics.spec import Measured
from metrics.store import FeatureStore
from tests.metrics.conftest import MakeEntry

HAPPY, SAD, CALM = [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]
KINDS = ("global", "expression:happy", "expression:sad")
REFERENCES = ("/x/a.png", "/x/b.png", "/x/c.png")
PICTURE = np.zeros((48, 64, 3), np.uint8)


def faces(*rows: list[float] | None) -> dict[str, np.ndarray]:
    """Arrays of `FrameFaces` or `ReferenceFaces` with one face, or none, a row."""
    found = {"num": np.array([row is not None for row in rows], np.int64), "frame": np.arange(len(rows))}
    found["embedding"] = np.array([[row or [0.0, 0.0]] for row in rows], np.float32)
    found["reason"] = np.array(["" if row else "no detection: no face" for row in rows])
    return found


def combined(
    entry_of: MakeEntry,
    schedule: dict[tuple[float, float], str],
    *rows: list[float] | None,
    kinds=KINDS,
    anchors=(CALM, HAPPY, SAD),
) -> Measured:
    """At two frames a second."""
    about = {"schedule": tuple(schedule.values()), "schedule_s": tuple(schedule)}
    entry = entry_of([PICTURE], references=REFERENCES[: len(kinds)], kinds=kinds, **about)
    given = {"faces": faces(*rows), "references": faces(*anchors), "times": {"time_s": np.arange(len(rows)) / 2}}
    return ArcFaceExpressionScheduled().combine(entry, given)


def test_each_span_counts_by_the_anchor_that_it_asks_for(entry_of: MakeEntry) -> None:
    """Happy for a second, then sad for one and a half: she is happy, has no face, then is happy still, calm, sad.

    Asked are 1 and nothing, then 0, .8 and 1; the last frame lies outside. Of the sad second, happy is nearer once.
    """
    found = combined(
        entry_of, {(0.0, 1.0): "expression:happy", (1.0, 2.5): "expression:sad"}, HAPPY, None, HAPPY, CALM, SAD, HAPPY
    )
    assert found.value == pytest.approx((1 + 0 + 0.8 + 1) / 4)
    assert (found.num_units, found.coverage) == (4, pytest.approx(4 / 5))
    assert found.per_frame["similarity"] == pytest.approx([1, np.nan, 0, 0.8, 1, np.nan], nan_ok=True)
    assert found.evidence["span_similarity"] == pytest.approx([1.0, 0.6])
    assert found.evidence["span_nearest"] == pytest.approx([1.0, 2 / 3])
    assert found.evidence["asked"].tolist() == ["expression:happy", "expression:sad"]
    assert found.evidence["span_s"].tolist() == [[0.0, 1.0], [1.0, 2.5]]


def test_where_spans_overlap_the_nearest_of_what_is_asked_counts(entry_of: MakeEntry) -> None:
    found = combined(entry_of, {(0.0, 1.0): "expression:happy", (0.5, 1.0): "expression:sad"}, SAD, SAD)
    assert found.per_frame["similarity"] == pytest.approx([0.0, 1.0])
    assert found.evidence["span_similarity"] == pytest.approx([0.5, 1.0])


def test_expression_without_an_anchor_lowers_the_coverage(entry_of: MakeEntry) -> None:
    found = combined(entry_of, {(0.0, 0.5): "expression:happy", (0.5, 2.0): "expression:fear"}, HAPPY, HAPPY, HAPPY, HAPPY)
    assert (found.value, found.num_units, found.coverage) == (pytest.approx(1.0), 1, 0.25)
    assert np.isnan(found.evidence["span_similarity"][1])


@pytest.mark.parametrize(
    ("schedule", "kinds", "anchors", "rows", "reason"),
    [
        ({}, KINDS, (CALM, HAPPY, SAD), [HAPPY], "not applicable: case .* has no schedule of expressions"),
        ({(0.0, 5.0): "She turns."}, KINDS, (CALM, HAPPY, SAD), [HAPPY], "not applicable: case .* no schedule"),
        (
            {(0.0, 5.0): "expression:fear"},
            KINDS,
            (CALM, HAPPY, SAD),
            [HAPPY],
            "not applicable: no reference .* expression:fear",
        ),
        ({(3.0, 5.0): "expression:sad"}, KINDS, (CALM, HAPPY, SAD), [SAD] * 6, "not applicable: no frame of 6"),
        ({(0.0, 5.0): "expression:sad"}, KINDS, (CALM, HAPPY, None), [SAD], "no detection: no face"),
        ({(0.0, 5.0): "expression:sad"}, KINDS, (CALM, HAPPY, SAD), [None, None], "no detection: no face in the spans"),
    ],
)
def test_what_cannot_be_measured_has_a_reason(entry_of: MakeEntry, schedule, kinds, anchors, rows, reason: str) -> None:
    value = combined(entry_of, schedule, *rows, kinds=kinds, anchors=anchors).value
    assert isinstance(value, Absent)
    assert re.match(reason, value.reason)


def test_frames_have_their_times(entry_of: MakeEntry, tmp_path: Path) -> None:
    entry = entry_of([PICTURE] * 5)
    planner = Planner(store=FeatureStore(tmp_path / "f"), roles=lambda name: None, model_id=lambda name: "")
    (found,) = planner.features(entry, [FrameTimes()])
    assert isinstance(found, dict)
    rate = 1 / float(found["time_s"][1])
    assert found["time_s"] == pytest.approx(np.arange(5) / rate) and rate == pytest.approx(25.0)
