import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Appearance
from backend.stages.boxes import box_scores, rival_overlaps

CONTENT = (0.0, 0.0, 200.0, 100.0)
coordinate = st.integers(0, 40)


def appearance(box, *, confidence=0.5, frame=0):
    return Appearance(subject_id="s", frame=frame, box=box, confidence=confidence, origin="video")


def scores(box, frame=None, *, is_person=False):
    frame = np.full((100, 200, 3), 90, np.uint8) if frame is None else frame
    return box_scores(appearance(box), frame, CONTENT, is_person=is_person)


def test_a_plain_surface_is_not_specific():
    measured = scores((50.0, 20.0, 120.0, 80.0))
    assert measured["specificity"] == measured["edge_density"] == measured["colour_entropy"] == 0


def test_a_busy_surface_of_many_colours_is_specific():
    frame = np.random.default_rng(0).integers(0, 256, (100, 200, 3), dtype=np.uint8)
    assert scores((50.0, 20.0, 120.0, 80.0), frame)["specificity"] == 1


def test_a_box_clear_of_the_edges_is_complete():
    measured = scores((50.0, 20.0, 120.0, 80.0))
    assert measured["completeness"] == 1
    assert measured["border_contact"] == 0
    assert measured["area_fraction"] == pytest.approx(70 * 60 / 20_000)


def test_borders_count_as_the_picture_edge():
    frame = np.full((100, 200, 3), 90, np.uint8)
    measured = box_scores(appearance((20.0, 20.0, 60.0, 60.0)), frame, (20.0, 0.0, 180.0, 100.0), is_person=False)
    assert measured["border_contact"] == pytest.approx(0.25)


@st.composite
def crowds(draw):
    count = draw(st.integers(1, 6))
    found = []
    for _ in range(count):
        x, y = draw(coordinate), draw(coordinate)
        box = (float(x), float(y), float(x + draw(st.integers(5, 40))), float(y + draw(st.integers(5, 40))))
        found.append(appearance(box, confidence=draw(st.sampled_from([0.2, 0.5, 0.9])), frame=draw(st.integers(0, 1))))
    return list({a.id: a for a in found}.values())


@given(crowds())
def test_the_surest_box_of_each_frame_has_no_rival(crowd):
    overlaps = rival_overlaps(crowd)
    for frame in {a.frame for a in crowd}:
        surest = min((a for a in crowd if a.frame == frame), key=lambda a: (-a.confidence, a.id))
        assert overlaps[surest.id] == 0
