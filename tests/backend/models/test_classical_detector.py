import cv2
import numpy as np
import pytest

from backend.geometry import boxes
from backend.models.classical_detector import ClassicalDetector
from backend.models.classical_motion import camera_motion, motion_map
from tests.backend.stages.footage_in_memory import ArrayReader
from tests.backend.stages.moving_things import WHOLE, MovingThings, footage_of, footage_of_file

FRAMES = [2, 23, 44]
TWO = MovingThings([((110, 150), (2, 0), (60, 90)), ((390, 120), (-1, 0), (50, 70))])


@pytest.fixture(scope="module")
def found():
    return ClassicalDetector().detect(footage_of(TWO), FRAMES, ())


def best(found, thing, frame):
    return max((d for d in found if d.frame == frame), key=lambda d: boxes.iou(d.box, TWO.box(thing, frame)))


@pytest.mark.parametrize("thing", [0, 1])
@pytest.mark.parametrize("frame", FRAMES)
def test_a_textured_thing_on_a_panning_background_is_boxed(found, thing, frame):
    assert boxes.iou(best(found, thing, frame).box, TWO.box(thing, frame)) >= 0.5


def test_one_thing_keeps_its_track_over_the_clip(found):
    assert len({best(found, 0, frame).track for frame in FRAMES}) == 1
    assert best(found, 0, 2).track != best(found, 1, 2).track


def test_two_things_side_by_side_are_not_boxed_as_one(found):
    both = boxes.union(TWO.box(0, 23), TWO.box(1, 23))
    assert all(boxes.iou(d.box, both) < 0.8 for d in found if d.frame == 23)


def test_equal_footage_gives_equal_detections(found):
    assert ClassicalDetector().detect(footage_of(TWO), FRAMES, ()) == found


def test_boxes_lie_in_the_picture_and_scores_in_the_unit_interval(found):
    assert all(boxes.clip(d.box, WHOLE) == d.box and 0 <= d.score <= 1 for d in found)


def test_what_is_laid_over_the_picture_is_no_subject():
    over = boxes.expand(TWO.box(1, 23), 0.1)
    found = ClassicalDetector().detect(footage_of(TWO, overlays=(over,)), [23], ())
    assert all(boxes.iou(d.box, TWO.box(1, 23)) < 0.5 for d in found)


def test_camera_motion_of_a_shifted_picture_is_that_shift():
    scene = cv2.cvtColor(TWO.at([0])[0], cv2.COLOR_RGB2GRAY)
    moved = np.roll(scene, (2, 5), axis=(0, 1))
    model = camera_motion(scene, moved)
    np.testing.assert_allclose(cv2.perspectiveTransform(np.array([[[200.0, 100.0]]]), model)[0, 0], (205, 102), atol=0.2)


def test_a_blank_picture_has_no_motion():
    blank = np.full((90, 160), 128, np.uint8)
    strength, _ = motion_map(blank, [blank], [blank])
    assert strength.max() == 0


def test_a_frame_without_neighbours_has_no_motion():
    strength, flow = motion_map(np.zeros((9, 16), np.uint8), [], [])
    assert strength.shape == (9, 16)
    assert flow.shape == (9, 16, 2)
    assert not strength.any()


@pytest.mark.parametrize("size", [(16, 320), (320, 16), (15, 320), (1, 320), (2, 2)])
def test_motion_is_sought_in_strips_of_any_size(size):
    noise = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    strength, flow = motion_map(noise, [noise], [noise])
    assert strength.shape == size
    assert flow.shape == (*size, 2)


def test_boxes_are_drawn_tight_around_what_is_cut_out(found):
    loose = ClassicalDetector(least_left=1.01).detect(footage_of(TWO), FRAMES, ())
    for thing in (0, 1):
        tight, before = (
            np.mean([boxes.iou(best(some, thing, frame).box, TWO.box(thing, frame)) for frame in FRAMES])
            for some in (found, loose)
        )
        assert tight >= 0.85
        assert tight >= before - 0.02


@pytest.mark.parametrize(("width", "height"), [(8000, 16), (16, 16), (64, 2000)])
def test_extreme_shapes_show_no_subject(width, height):
    frames = np.full((12, height, width, 3), 90, np.uint8)
    for i, frame in enumerate(frames):
        frame[height // 4 : height * 3 // 4, width // 4 + i * width // 40 :][:, : width // 4] = (200, 30, 30)
    footage = footage_of_file(ArrayReader(frames))
    assert ClassicalDetector().detect(footage, [1, 6, 10], ()) == []


@pytest.mark.real
@pytest.mark.slow
def test_a_person_on_real_video_is_boxed_and_known_by_the_face(real_media):
    from backend.media.reader import VideoReader

    with VideoReader(real_media / "dev" / "video" / "talk_man_suit.mp4") as reader:
        found = ClassicalDetector().detect(footage_of_file(reader), [67], ())
    surest = max(found, key=lambda d: d.score)
    # The man fills .03 to .91 across and .06 to 1 down, read off the frame.
    assert boxes.iou(surest.box, (21.0, 42.0, 637.0, 700.0)) >= 0.8
    assert surest.kind == "person"
