"""Angles of heads: five points of a known head, turned and seen through a known camera."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from backend.measures.head_pose import FACE_MM, head_angles, mirror_symmetry

SIZE = (1280, 720)


def seen(yaw: float, pitch: float, place: tuple[float, float, float] = (0, 0, 900)) -> np.ndarray:
    """Image points of the head turned to the image's right by `yaw` and up by `pitch`, at a place in millimetres."""
    turn = Rotation.from_euler("YX", [-yaw, -pitch], degrees=True)
    points = turn.apply(FACE_MM) + place
    return points[:, :2] / points[:, 2:] * SIZE[0] + np.array(SIZE) / 2


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (30, 0), (-30, 0), (60, 5), (0, 20), (0, -25), (-45, 15)])
def test_angles_of_a_known_head_come_back(yaw: float, pitch: float) -> None:
    found = head_angles(seen(yaw, pitch), width=SIZE[0], height=SIZE[1])
    assert found is not None
    assert found[0] == pytest.approx(yaw, abs=0.5)
    assert found[1] == pytest.approx(pitch, abs=0.5)


def test_nose_before_the_right_eye_is_a_turn_to_the_images_right() -> None:
    points = np.array([[100, 100], [160, 100], [150, 135], [108, 170], [152, 170]], np.float32)
    found = head_angles(points, width=640, height=480)
    assert found is not None and found[0] > 15


def test_who_looks_at_the_camera_from_the_edge_has_no_yaw() -> None:
    bearing = np.degrees(np.arctan2(400, 900))
    found = head_angles(seen(-bearing, 0, (400, 0, 900)), width=SIZE[0], height=SIZE[1])
    assert found is not None and found[0] == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.zeros((4, 2))])
def test_degenerate_points_have_no_angles(points: np.ndarray) -> None:
    assert head_angles(points, width=640, height=480) is None


def test_symmetry_is_one_for_a_mirrored_face_and_low_for_a_half() -> None:
    rng = np.random.default_rng(0)
    half = rng.integers(0, 255, (48, 24, 3), np.uint8)
    whole = np.concatenate([half, half[:, ::-1]], axis=1)
    assert mirror_symmetry(whole) == pytest.approx(1, abs=1e-5)
    assert mirror_symmetry(rng.integers(0, 255, (48, 48, 3), np.uint8)) < 0.5
    assert mirror_symmetry(np.full((48, 48, 3), 90, np.uint8)) == 0
