import cv2
import numpy as np
import pytest

from backend.measures import keypoints


def poster(seed: int, *, side: int = 240) -> np.ndarray:
    rng = np.random.default_rng(seed)
    picture = np.full((side, side, 3), 128, np.uint8)
    for _ in range(60):
        x, y, w, h = (int(v) for v in rng.integers(5, side // 3, 4))
        x, y = int(rng.integers(0, side - w)), int(rng.integers(0, side - h))
        picture[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return cv2.GaussianBlur(picture, (3, 3), 0)


def turned(picture: np.ndarray, *, angle: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    side = picture.shape[0]
    mapping = cv2.getRotationMatrix2D((side / 2, side / 2), angle, scale)
    return cv2.warpAffine(picture, mapping, (side, side), borderValue=(90, 90, 90)), mapping


def test_a_turned_picture_is_found_with_its_mapping():
    picture = poster(0)
    moved, mapping = turned(picture, angle=25, scale=0.8)
    found = keypoints.match(keypoints.describe(picture), keypoints.describe(moved))
    assert found.inliers >= 20
    assert found.ratio > 0.7
    assert found.mapping == pytest.approx(mapping, abs=2.0)


@pytest.mark.parametrize("seed", range(1, 7))
def test_unrelated_pictures_share_few_points(seed):
    found = keypoints.match(keypoints.describe(poster(0)), keypoints.describe(poster(seed)))
    assert found.inliers < 12


def test_points_outside_the_mask_are_left_out():
    picture, mask = poster(0), np.zeros((240, 240), bool)
    mask[:120] = True
    assert keypoints.describe(picture, mask).points[:, 1].max() <= 121


def test_a_flat_picture_has_no_points_and_no_match():
    flat = keypoints.describe(np.full((64, 64, 3), 100, np.uint8))
    assert len(flat.points) == 0
    assert keypoints.match(flat, keypoints.describe(poster(0))) == keypoints.Match(0, 0)


def test_equal_inputs_give_equal_matches():
    a, b = keypoints.describe(poster(0)), keypoints.describe(turned(poster(0), angle=10, scale=1.1)[0])
    assert [keypoints.match(a, b).inliers for _ in range(3)] == [keypoints.match(a, b).inliers] * 3
