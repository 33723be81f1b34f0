"""How a head is turned, from five points of its face; and how alike a face and its mirror image are."""

import cv2
import numpy as np

FACE_MM = np.array(
    [(-31.5, -33.0, 24.0), (31.5, -33.0, 24.0), (0.0, 0.0, 0.0), (-25.5, 32.0, 20.0), (25.5, 32.0, 20.0)], np.float64
)
"""Pupils, tip of the nose and corners of the mouth as the camera sees them from the front, x right, y down, z away: 63 mm
between pupils and 51 mm of mouth are adult means (Farkas, Anthropometry of the Head and Face, 1994)."""
NO_DISTORTION = np.zeros(4)
MIRROR_PX = 48


def head_angles(keypoints: np.ndarray, *, width: int, height: int) -> tuple[float, float] | None:
    """Yaw and pitch in degrees of a face with five points float `(5, 2)` on a picture of that size.

    The points are the eye, the eye and corners of the mouth on the image's left first, the nose third. Positive yaw
    turns to the image's right, positive pitch looks up. The camera is taken to see as far as the picture's longer side.
    None where the points are degenerate.
    """
    points = np.asarray(keypoints, np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all() or np.ptp(points, axis=0).min() < 1:
        return None
    focal = float(max(width, height))
    camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    solved, turn, place = cv2.solvePnP(FACE_MM, points, camera, NO_DISTORTION, flags=cv2.SOLVEPNP_SQPNP)
    if not solved:
        return None
    turn, place = cv2.solvePnPRefineLM(FACE_MM, points, camera, NO_DISTORTION, turn, place)
    matrix, _ = cv2.Rodrigues(turn)
    ahead = matrix @ np.array([0.0, 0.0, -1.0])
    sight = -place[:, 0] / max(float(np.linalg.norm(place)), 1e-9)
    # Against the line of sight, not the optical axis: a face at the picture's edge that looks at us has no yaw.
    yaw = np.arctan2(ahead[0], -ahead[2]) - np.arctan2(sight[0], -sight[2])
    pitch = np.arcsin(np.clip(-ahead[1], -1, 1)) - np.arcsin(np.clip(-sight[1], -1, 1))
    return float((np.degrees(yaw) + 180) % 360 - 180), float(np.degrees(pitch))


def mirror_symmetry(face: np.ndarray) -> float:
    """Correlation in [-1, 1] of a face, uint8 `(H, W, 3)`, with its mirror image; 0 for a flat one.

    The window may sit a little beside the face's middle: the best of a few shifts counts.
    """
    grey = cv2.cvtColor(cv2.resize(face, (MIRROR_PX, MIRROR_PX), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    grey = cv2.GaussianBlur(grey, (0, 0), 1.0).astype(np.float32)
    best, width = -1.0, MIRROR_PX - 12
    for shift in range(-6, 7, 2):
        part = grey[4:-4, 6 + shift : 6 + shift + width]
        if part.std() < 1:
            return 0.0
        best = max(best, float(np.corrcoef(part.ravel(), part[:, ::-1].ravel())[0, 1]))
    return best
