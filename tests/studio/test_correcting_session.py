"""A box and a mask put right, worked out by hand on a frame of 64 x 48; no window, no service."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.corrections import Outline
from backend.geometry import rle
from studio.sessions.correcting import EDGES, LEAST_PX, CorrectingSession

MASK = np.zeros((48, 64), bool)
MASK[10:30, 10:30] = True


def session() -> CorrectingSession:
    outline = Outline(
        appearance_id="a",
        subject_id="s",
        clip_id="c",
        clip_media="p-c",
        picture_media=None,
        frame=5,
        start_frame=0,
        width=64,
        height=48,
        box=(8.0, 8.0, 40.0, 40.0),
        counts=rle.encode(MASK).decode(),
        phrase="a mug",
        category="cup",
        caption="A mug.",
    )
    return CorrectingSession(outline=outline)


def said(edited: CorrectingSession, **words: str) -> dict[str, object]:
    ids = count()
    made = edited.corrections(words, rater="ann", now="", new_id=lambda: str(next(ids)))
    return {one.kind: one.box or one.counts or one.text for one in made}


def test_nothing_changed_is_nothing_to_store() -> None:
    assert said(session(), phrase="a mug", category="cup", caption=" A mug. ") == {}


def test_words_that_differ_are_stored_and_empty_ones_are_not() -> None:
    assert said(session(), phrase="a cup", category="", caption="A mug.") == {"phrase": "a cup"}


def test_the_box_stops_at_the_edge_of_the_frame() -> None:
    edited = session()
    edited.move_box(100, -100)
    assert edited.box == (32.0, 0.0, 64.0, 32.0)


def test_a_brush_paints_its_disc_and_a_step_is_undone_whole() -> None:
    edited = session()
    edited.radius = 2.0
    edited.begin()
    edited.paint((50.0, 20.0), (50.0, 20.0), include=True)
    ys, xs = np.mgrid[:48, :64] + 0.5
    disc = (xs - 50) ** 2 + (ys - 20) ** 2 <= 4
    assert edited.mask is not None
    assert np.array_equal(edited.mask, MASK | disc)
    edited.undo()
    assert np.array_equal(edited.mask, MASK)


def test_a_stroke_leaves_no_gap_between_two_places() -> None:
    edited = session()
    edited.radius = 1.0
    edited.paint((10.5, 20.5), (29.5, 20.5), include=False)
    assert edited.mask is not None
    assert not edited.mask[20, 10:30].any()
    assert edited.mask[17, 10:30].all()


def test_a_mask_that_reaches_out_of_the_box_takes_it_along() -> None:
    edited = session()
    edited.radius = 2.0
    edited.paint((50.0, 20.0), (50.0, 20.0), include=True)
    found = said(edited)
    assert found["box"] == (8.0, 8.0, 52.0, 40.0)
    assert set(found) == {"box", "mask"}


@given(
    handle=st.sampled_from(sorted(EDGES)),
    steps=st.lists(st.tuples(st.floats(-90, 90), st.floats(-90, 90)), max_size=6),
)
def test_a_box_stays_in_the_frame_and_keeps_a_size(handle: str, steps: list[tuple[float, float]]) -> None:
    edited = session()
    for dx, dy in steps:
        edited.pull(handle, dx, dy)
    x0, y0, x1, y1 = edited.box
    assert 0 <= x0 <= x1 - LEAST_PX + 1e-9
    assert 0 <= y0 <= y1 - LEAST_PX + 1e-9
    assert x1 <= 64
    assert y1 <= 48


@pytest.mark.parametrize("include", [True, False])
def test_points_are_given_to_the_segmenter_with_what_they_mean(include: bool) -> None:
    edited = session()
    edited.point(12, 13, include=include)
    assert [(point.x, point.y, point.include) for point in edited.points] == [(12.0, 13.0, include)]
    edited.undo()
    assert edited.points == ()
