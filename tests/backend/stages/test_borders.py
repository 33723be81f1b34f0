from backend.domain import Failed, Ok, Region, Score
from backend.stages.borders import FindBorders
from tests.backend.measures.moving_pictures import shot
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext, clip_item


def test_letterbox_gives_a_content_region_and_its_part_of_the_frame():
    frames = shot(1, 20)
    frames[:, :45] = 0
    frames[:, 135:] = 0
    (result,) = FindBorders()([clip_item(frames)], StageContext(ArrayReader(frames)))
    assert isinstance(result, Ok)
    (region,) = [row for row in result.rows if isinstance(row, Region)]
    assert region.kind == "content" and region.box == (0, 45, 320, 135)
    scores = {row.name: row.value for row in result.rows if isinstance(row, Score)}
    assert scores == {"content_fraction": 0.5, "content_short_px": 90}


def test_large_frames_are_measured_small_and_given_in_source_pixels():
    frames = shot(2, 4, height=360, width=640)
    frames[:, :, :80] = 0
    frames[:, :, -80:] = 0
    (result,) = FindBorders(max_width_px=320)([clip_item(frames)], StageContext(ArrayReader(frames)))
    assert isinstance(result, Ok) and isinstance(result.rows[0], Region)
    assert result.rows[0].box == (80, 0, 560, 360)


def test_an_unreadable_frame_fails_the_clip_by_its_kind():
    frames = shot(3, 10)
    (result,) = FindBorders()([clip_item(frames)], StageContext(ArrayReader(frames, broken=frozenset({0}))))
    assert isinstance(result, Failed) and result.kind == "truncated"
