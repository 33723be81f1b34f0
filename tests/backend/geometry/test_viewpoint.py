"""Sides of people: synthetic bodies turned by known angles, before the camera and beside it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from backend.geometry.viewpoint import (
    SHOULDERS_PER_TORSO,
    Windows,
    angle_between,
    azimuth_of_keypoints,
    azimuths,
    held,
    rotations,
)

ANGLES = st.floats(-180, 180, allow_nan=False)


def smpl_orient(azimuth_deg: float, *, tilt_deg: float = 0.0) -> np.ndarray:
    """Root rotation of a body whose own axes are x to its left, y up, z ahead, seen at an azimuth by a level camera.

    Turned half around x it stands upright in camera coordinates and faces the camera.
    """
    upright = Rotation.from_euler("x", 180, degrees=True)
    turn = Rotation.from_euler("y", -azimuth_deg, degrees=True)
    return (turn * Rotation.from_euler("x", tilt_deg, degrees=True) * upright).as_rotvec()


def azimuth_of(orient: np.ndarray, position: tuple[float, float, float] = (0, 0, 4)) -> float:
    return float(azimuths(orient[None], np.array([position]))[0])


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_rotations_are_those_of_scipy(vector: list[float]) -> None:
    expected = Rotation.from_rotvec(vector).as_matrix()
    np.testing.assert_allclose(rotations(np.array([vector]))[0], expected, atol=1e-9)


@pytest.mark.parametrize(("azimuth", "side"), [(0, "front"), (90, "right"), (180, "back"), (270, "left")])
def test_each_side_is_named_by_what_is_seen(azimuth: float, side: str) -> None:
    assert Windows().side(azimuth_of(smpl_orient(azimuth))) == side


def test_who_faces_the_images_right_edge_shows_the_right_side() -> None:
    """Forward is (1, 0, 0): a quarter turn about y takes z to x."""
    ahead_is_image_right = Rotation.from_euler("y", 90, degrees=True).as_rotvec()
    assert azimuth_of(ahead_is_image_right) == pytest.approx(90)


@given(ANGLES, st.floats(-60, 60))
def test_turning_and_leaning_bodies_keep_their_azimuth(azimuth: float, tilt: float) -> None:
    assert angle_between(azimuth_of(smpl_orient(azimuth, tilt_deg=tilt)), azimuth) < 1e-6


@given(ANGLES, st.floats(-70, 70))
def test_a_person_beside_the_optical_axis_is_judged_along_the_line_of_sight(azimuth: float, bearing: float) -> None:
    """The camera turns by `bearing`: body and place turn together, what is seen stays the same."""
    turn = Rotation.from_euler("y", bearing, degrees=True)
    orient = (turn * Rotation.from_rotvec(smpl_orient(azimuth))).as_rotvec()
    place = turn.apply([0, 0.4, 5])
    assert angle_between(azimuth_of(orient, tuple(place)), azimuth) < 1e-6


def test_the_optical_axis_alone_would_err() -> None:
    """Facing along the axis from 45 degrees to the right: the camera sees the person's right front."""
    assert azimuth_of(smpl_orient(0), (3, 0, 3)) == pytest.approx(45)
    assert Windows().side(azimuth_of(smpl_orient(0), (3, 0, 3))) is None


def test_a_body_that_looks_straight_down_has_no_azimuth() -> None:
    down = Rotation.from_euler("x", -90, degrees=True).as_rotvec()
    assert np.isnan(azimuth_of(down))
    assert Windows().side(float("nan")) is None


@pytest.mark.parametrize(
    ("azimuth", "side"),
    [(29.9, "front"), (30.1, None), (59.9, None), (60.1, "right"), (119.9, "right"), (150.1, "back"), (239.9, None),
     (240.1, "left"), (299.9, "left"), (329.9, None), (330.1, "front"), (-15, "front")],
)  # fmt: skip
def test_windows_end_at_their_dead_zones(azimuth: float, side: str | None) -> None:
    assert Windows().side(azimuth) == side


def test_centring_falls_to_nothing_at_the_edge() -> None:
    assert [Windows().centring(a) for a in (0, 15, 30, 45, 75)] == pytest.approx([1, 0.5, 0, 0, 0.5])


def test_a_side_must_hold_for_five_frames() -> None:
    sides = ["front", "front", "left", "front", "front", "front"]
    assert held([0, 1, 2, 3, 4, 5], sides, least=5) == [None] * 6
    assert held([0, 4, 8, 12, 16, 20], sides, least=5) == ["front", "front", None, "front", "front", "front"]
    assert held(range(7), ["back"] * 5 + [None, "back"], least=5) == ["back"] * 5 + [None, None]


def skeleton(azimuth_deg: float, *, seen: tuple[int, ...] = tuple(range(17))) -> tuple[np.ndarray, np.ndarray]:
    """COCO points of a body of the geometry's own proportions, in pixels: nose, eyes and ears before and beside the
    neck, shoulders, hips; whoever looks away hides nose and eyes."""
    breadth = SHOULDERS_PER_TORSO * 100
    body = np.zeros((17, 3))  # x to the person's left, y down, z ahead
    body[0], body[1], body[2] = (0, -36, 22), (6, -42, 18), (-6, -42, 18)
    body[3], body[4] = (17, -38, 6), (-17, -38, 6)
    body[5], body[6] = (breadth / 2, 0, 0), (-breadth / 2, 0, 0)
    body[11], body[12] = (breadth / 3, 100, 0), (-breadth / 3, 100, 0)
    a = np.radians(azimuth_deg)
    x = body[:, 0] * np.cos(a) + body[:, 2] * np.sin(a)
    scores = np.array([0.9 if i in seen else 0.0 for i in range(17)])
    if np.cos(a) < -0.2:
        scores[:3] = 0.0
    return np.stack([x + 300, body[:, 1] + 200], axis=1), scores


@pytest.mark.parametrize("azimuth", range(0, 360, 15))
def test_keypoints_give_the_azimuth_of_a_synthetic_body(azimuth: int) -> None:
    found = azimuth_of_keypoints(*skeleton(azimuth))
    assert found is not None
    assert angle_between(found[0], azimuth) < 2
    assert found[1] == pytest.approx(0.9)


@pytest.mark.parametrize(("azimuth", "side"), [(0, "front"), (90, "right"), (180, "back"), (270, "left")])
def test_keypoints_name_the_four_sides(azimuth: int, side: str) -> None:
    found = azimuth_of_keypoints(*skeleton(azimuth))
    assert found is not None and Windows().side(found[0]) == side


def test_a_half_length_portrait_is_judged_by_its_ears() -> None:
    head = (0, 1, 2, 3, 4, 5, 6)
    front = azimuth_of_keypoints(*skeleton(0, seen=head))
    side = azimuth_of_keypoints(*skeleton(80, seen=head))
    assert front is not None and Windows().side(front[0]) == "front"
    assert side is not None and Windows().side(side[0]) == "right"


def test_too_few_keypoints_give_nothing() -> None:
    assert azimuth_of_keypoints(*skeleton(0, seen=(0, 1, 2, 5))) is None
    points, scores = skeleton(0)
    assert azimuth_of_keypoints(points * 0, scores) is None
