import numpy as np
import pytest

from backend.geometry import boxes
from backend.models.classical_faces import ClassicalFaceAnalyzer
from tests.backend.stages.moving_things import natural


def test_a_plain_frame_has_no_face():
    assert ClassicalFaceAnalyzer().faces(np.full((240, 320, 3), 120, np.uint8)) == []


def test_faces_come_best_first_and_lie_in_the_frame():
    frame = natural(np.random.default_rng(3), 240, 320)
    found = ClassicalFaceAnalyzer().faces(frame)
    assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)
    assert all(boxes.clip(f.box, (0, 0, 320, 240)) == f.box for f in found)


@pytest.mark.real
@pytest.mark.parametrize("name", ["img1.jpg", "img13.jpg", "img21.jpg", "img29.jpg"])
def test_a_portrait_has_a_face_in_its_upper_half(real_media, name):
    from backend.media.images import read_image

    frame = read_image(real_media / "dev" / "image" / "deepface" / name)
    best = ClassicalFaceAnalyzer().faces(frame)[0]
    assert best.kind == "face"
    assert (best.box[1] + best.box[3]) / 2 < 0.75 * frame.shape[0]
    assert best.score >= 0.5
