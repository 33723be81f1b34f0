"""Overlays by reading: what the reader is shown, and where its boxes lie in the source."""

import sys

import cv2
import numpy as np
import pytest

from backend.domain import Clip, Footage, ModelUnavailable, Video
from backend.domain.roles_words import ReadText
from backend.geometry import boxes
from backend.models.read_text import ReadTextSpotter
from tests.backend.stages.footage_in_memory import ArrayReader, clip_item


class Told:
    """A reader of one answer; remembers the sizes that it was shown."""

    model_id = "told-1"

    def __init__(self, *lines: ReadText) -> None:
        self._lines, self.shown = list(lines), []

    def read(self, frame: np.ndarray) -> list[ReadText]:
        self.shown.append(frame.shape[:2])
        return self._lines


def footage(frames: np.ndarray, content=None) -> Footage:
    item = clip_item(frames)
    whole = content or (0.0, 0.0, float(frames.shape[2]), float(frames.shape[1]))
    return Footage(item.one(Video), item.one(Clip), ArrayReader(frames), whole)


def test_every_third_frame_is_read_small_and_boxes_are_of_the_source():
    reader = Told(ReadText("LIVE", (100.0, 50.0, 200.0, 80.0), 0.9))
    found = ReadTextSpotter(reader).spot(footage(np.zeros((20, 640, 1280, 3), np.uint8)))
    assert reader.shown == [(320, 640)] * 7
    assert found == [(pytest.approx((200.0, 100.0, 400.0, 160.0)), pytest.approx(0.9))]


def test_borders_are_not_read():
    reader = Told(ReadText("LIVE", (100.0, 50.0, 200.0, 80.0), 0.9))
    content = (0.0, 80.0, 1280.0, 560.0)
    found = ReadTextSpotter(reader).spot(footage(np.zeros((20, 640, 1280, 3), np.uint8), content))
    assert set(reader.shown) == {(240, 640)}
    assert found == [(pytest.approx((200.0, 180.0, 400.0, 240.0)), pytest.approx(0.9))]


def test_long_clips_are_looked_at_more_seldom():
    reader = Told()
    assert ReadTextSpotter(reader).spot(footage(np.zeros((450, 4, 4, 3), np.uint8))) == []
    assert len(reader.shown) == 90  # every fifth


def test_boxes_that_are_no_numbers_are_left_out():
    reader = Told(ReadText("LIVE", (float("nan"), 50.0, 200.0, 80.0), 0.9), ReadText("X", (0, 0, 9, 9), float("nan")))
    assert ReadTextSpotter(reader).spot(footage(np.zeros((20, 64, 128, 3), np.uint8))) == []


def test_a_missing_package_names_the_next_step(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(ModelUnavailable, match=r"subject-studio\[ocr\]"):
        ReadTextSpotter()


@pytest.mark.slow
def test_words_laid_over_are_found_and_words_of_the_scene_are_not():
    pytest.importorskip("rapidocr", reason="rapidocr is an extra")
    frames = np.full((24, 240, 426, 3), (60, 90, 70), np.uint8)
    for number, frame in enumerate(frames):
        cv2.putText(frame, "BAKERY", (20 + 8 * number, 120), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (250, 240, 230), 3)
        cv2.putText(frame, "BREAKING", (120, 215), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2)
    (found,) = ReadTextSpotter().spot(footage(frames))
    (width, height), _ = cv2.getTextSize("BREAKING", cv2.FONT_HERSHEY_SIMPLEX, 1.0, 2)
    assert boxes.iou(found[0], (120, 215 - height, 120 + width, 217)) > 0.5
    assert found[1] > 0.7
