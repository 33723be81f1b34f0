"""Casting: depths, normals and directions worked out by hand."""

import numpy as np
import pytest

from backend.sampleworld.raster import View, ball, block, cast, limb, turned


def view(azimuth_deg: float = 0.0, elevation_deg: float = 0.0) -> View:
    return View(azimuth_deg=azimuth_deg, elevation_deg=elevation_deg, left=-2, top=2, width_px=81, height_px=81, scale=20)


def at(plane: np.ndarray, x: float, y: float) -> float:
    return float(plane[round((2 - y) * 20 - 0.5), round((x + 2) * 20 - 0.5)])


def test_ball_has_the_depth_of_a_sphere():
    seen = cast([ball((0, 0, 0), (1, 1, 1), 0)], view())
    assert at(seen.depth, 0.025, 0.025) == pytest.approx(1.0, abs=0.002)
    assert at(seen.depth, 0.625, 0.025) == pytest.approx(np.sqrt(1 - 0.625**2 - 0.025**2), abs=0.002)
    assert at(seen.depth, 1.2, 0.025) == -np.inf


def test_ball_normals_point_away_from_its_centre():
    seen = cast([ball((0, 0, 0), (1, 1, 1), 0)], view())
    rows, columns = np.nonzero(seen.solid >= 0)
    x, y = (columns + 0.5) / 20 - 2, 2 - (rows + 0.5) / 20
    np.testing.assert_allclose(seen.normal[0][rows, columns], x, atol=0.01)
    np.testing.assert_allclose(seen.normal[1][rows, columns], y, atol=0.01)


def test_subject_turned_by_90_degrees_faces_the_images_right_edge():
    nose = ball((0, 0, 1), (0.2, 0.2, 0.2), 0)
    seen = cast([nose], view(azimuth_deg=90))
    _, columns = np.nonzero(seen.solid >= 0)
    assert (columns.mean() + 0.5) / 20 - 2 == pytest.approx(1.0, abs=0.03)


def test_limb_of_equal_radii_is_a_capsule():
    seen = cast([limb((-1, 0, 0), (1, 0, 0), (0.5, 0.5), 0)], view())
    assert at(seen.depth, 0.025, 0.025) == pytest.approx(0.5, abs=0.002)
    assert at(seen.depth, -1.425, 0.025) == pytest.approx(np.sqrt(0.25 - 0.425**2), abs=0.01)
    assert at(seen.depth, 1.575, 0.025) == -np.inf


def test_turned_profile_is_a_cylinder_with_a_lid_seen_from_above():
    can = turned((0, -0.5, 0), [(0.0, 0.4), (1.0, 0.4)], 0)
    side = cast([can], view())
    assert at(side.depth, 0.025, 0.025) == pytest.approx(np.sqrt(0.16 - 0.025**2), abs=0.003)
    above = cast([can], view(elevation_deg=90))
    assert at(above.depth, 0.025, 0.025) == pytest.approx(0.5, abs=0.003)
    assert at(above.normal[2], 0.025, 0.025) == pytest.approx(1.0, abs=1e-4)


def test_box_shows_the_face_that_looks_at_the_camera():
    seen = cast([block((0, 0, 0), (0.5, 0.8, 0.3), 0)], view(azimuth_deg=90))
    assert at(seen.depth, 0.025, 0.025) == pytest.approx(0.5, abs=0.003)
    assert at(seen.depth, 0.425, 0.025) == -np.inf


def test_nearer_solid_hides_the_farther_one():
    seen = cast([ball((0, 0, -1), (1, 1, 1), 0), ball((0, 0, 1), (0.3, 0.3, 0.3), 1)], view())
    assert at(seen.solid, 0.025, 0.025) == 1
    assert at(seen.solid, 0.6, 0.025) == 0
