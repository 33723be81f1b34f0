import numpy as np
import pytest

from backend.domain import Appearance, Failed, Filtered, Item, Mask, Ok, Score
from backend.geometry import rle
from backend.media.images import decode_image
from backend.stages.masks import SegmentSubjects
from tests.backend.stages.moving_things import FixedContext, MovingThings, clip_item

READER = MovingThings([((200, 150), (2, 0), (60, 80))])


class FromTruth:
    """A Segmenter that knows where the thing is on frame 10."""

    model_id = "truth-1"

    def segment(self, frame, boxes):
        mask = READER.mask(0, 10)
        return np.stack([mask for _ in boxes]), np.full(len(boxes), 0.75, np.float32)


class Blind(FromTruth):
    def segment(self, frame, boxes):
        return np.zeros((len(boxes), *frame.shape[:2]), bool), np.zeros(len(boxes), np.float32)


def segmented(segmenter, appearance):
    context = FixedContext(READER, Segmenter=segmenter)
    item = Item(appearance.id, {**clip_item().records, Appearance: (appearance,)})
    (result,) = SegmentSubjects()([item], context)
    return result, context


def appearance_on(frame, box):
    return Appearance(subject_id="subject_1", frame=frame, box=box, confidence=0.5, origin="video")


def test_the_mask_and_its_cut_out_are_kept():
    shown = appearance_on(10, READER.box(0, 10))
    result, context = segmented(FromTruth(), shown)
    assert isinstance(result, Ok)
    mask = next(row for row in result.rows if isinstance(row, Mask))
    np.testing.assert_array_equal(rle.decode(mask.counts, mask.height, mask.width), READER.mask(0, 10))
    crop = decode_image(context.artifacts.get(mask.crop))
    assert crop.shape == (160, 120, 4)
    assert np.array_equal(crop[..., 3] > 127, READER.mask(0, 10)[70:230, 160:280])
    assert (mask.author, mask.appearance_id) == ("truth-1", shown.id)


def test_the_cut_out_is_measured():
    result, _ = segmented(FromTruth(), appearance_on(10, READER.box(0, 10)))
    assert isinstance(result, Ok)
    scores = {row.name: row.value for row in result.rows if isinstance(row, Score)}
    assert scores["mask_quality"] == 0.75
    assert scores["mask_fill"] == pytest.approx(np.pi / 4, abs=0.03)
    assert scores["mask_border"] == 0
    frame, mask = READER.at([10])[0], READER.mask(0, 10)
    luma = frame[mask] @ np.array([0.299, 0.587, 0.114])
    assert scores["brightness"] == pytest.approx(luma.mean(), abs=0.5)
    assert scores["clipped"] == 0
    assert (scores["sharpness"] or 0) > 0


def test_an_empty_mask_filters_the_appearance():
    result, context = segmented(Blind(), appearance_on(10, READER.box(0, 10)))
    assert isinstance(result, Filtered)
    assert not context.artifacts.files


@pytest.mark.parametrize("wrong", [(2, 240, 320), (1, 100, 100), (240, 320)])
def test_masks_of_another_shape_fail_by_name(wrong):
    class Odd(FromTruth):
        def segment(self, frame, boxes):
            return np.ones(wrong, bool), np.ones(1, np.float32)

    result, context = segmented(Odd(), appearance_on(10, READER.box(0, 10)))
    assert isinstance(result, Failed) and result.kind == "answer"
    assert str(wrong) in result.message
    assert not context.artifacts.files


def test_an_external_picture_has_no_frame_to_cut():
    result, _ = segmented(
        FromTruth(), Appearance(subject_id=None, frame=None, box=(0, 0, 1, 1), confidence=1, origin="external")
    )
    assert isinstance(result, Filtered)


class Moving(FromTruth):
    """Remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def segment_moving(self, footage, frame, boxes):
        self.asked.append((frame, len(boxes)))
        return self.segment(READER.at([frame])[0], boxes)


def test_appearances_on_one_frame_are_cut_together_and_answered_in_order():
    segmenter = Moving()
    context = FixedContext(READER, Segmenter=segmenter)
    shown = [appearance_on(frame, READER.box(0, frame)) for frame in (10, 12)]
    shown.append(appearance_on(10, (150.0, 60.0, 300.0, 240.0)))
    items = [Item(row.id, {**clip_item().records, Appearance: (row,)}) for row in shown]
    results = SegmentSubjects()(items, context)
    assert segmenter.asked == [(10, 2), (12, 1)]
    assert [result.item_id for result in results] == [row.id for row in shown]
    masks = [row for result in results if isinstance(result, Ok) for row in result.rows if isinstance(row, Mask)]
    assert [mask.appearance_id for mask in masks] == [row.id for row in shown]
