from pathlib import Path

import numpy as np
import pytest

from backend.domain import Box, Clip, Failed, Item, Ok, Region, Score, Video
from backend.media.reader import VideoReader
from backend.stages.motion import MeasureMotion
from tests.backend.measures.moving_pictures import shot
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext, clip_item

DIAGONAL_PX = np.hypot(180, 320)


def measured(frames: np.ndarray, *, fps: float = 25.0, content: Box | None = None) -> dict[str, Score]:
    context = StageContext(ArrayReader(frames, fps=fps), content=content)
    (result,) = MeasureMotion()([clip_item(frames, fps=fps)], context)
    assert isinstance(result, Ok)
    return {row.name: row for row in result.rows if isinstance(row, Score)}


def values(frames: np.ndarray, *, fps: float = 25.0) -> dict[str, float | None]:
    return {name: score.value for name, score in measured(frames, fps=fps).items()}


def test_a_pan_is_motion_of_the_camera():
    found = values(shot(1, 30, speed=2.0))
    wanted = 2.0 * 25 / DIAGONAL_PX
    assert found["motion"] == pytest.approx(wanted, rel=0.05)
    assert found["camera_motion"] == pytest.approx(wanted, rel=0.05)
    assert (found["local_motion"] or 0.0) < 0.1 * wanted
    assert (found["static"], found["frozen_fraction"], found["black_fraction"], found["white_fraction"]) == (0, 0, 0, 0)
    assert (found["temporal_correlation"] or 0.0) > 0.9


def test_footage_of_120_frames_a_second_moves_as_much_as_of_24():
    slow, fast = values(shot(2, 24, speed=2.4), fps=24.0), values(shot(2, 60, speed=0.48), fps=120.0)
    assert fast["motion"] == pytest.approx(slow["motion"], rel=0.1)


def test_one_picture_repeated_is_static_and_frozen():
    found = values(shot(3, 1).repeat(40, axis=0))
    assert (found["static"], found["frozen_fraction"]) == (1, 1)
    assert (found["motion"] or 0.0) < 0.001


def test_half_a_clip_that_stands_still_is_half_frozen():
    moving = shot(4, 21)
    found = values(np.concatenate([moving, moving[-1:].repeat(20, axis=0)]))
    # 16 pairs start at linspace(0, 39, 16); those from frame 20 on repeat the last one.
    assert found["frozen_fraction"] == 0.5


def test_black_and_white_clips_have_no_correlation_and_say_why():
    black, white = (measured(np.full((20, 90, 160, 3), level, np.uint8)) for level in (16, 235))
    assert black["black_fraction"].value == 1 and black["white_fraction"].value == 0
    assert white["white_fraction"].value == 1 and white["black_fraction"].value == 0
    assert black["temporal_correlation"].value is None and black["temporal_correlation"].reason == "the frames are flat"


def test_random_frames_do_not_correlate_in_time():
    found = values(np.random.default_rng(5).integers(0, 256, (25, 90, 160, 3), np.uint8))
    assert abs(found["temporal_correlation"] or 1.0) < 0.02


def test_a_clip_of_one_frame_has_no_motion_and_says_why():
    found = measured(shot(6, 1))
    assert found["motion"].value is None and found["motion"].reason == "one frame only"
    assert found["black_fraction"].value == 0


def test_borders_are_left_out():
    frames = shot(7, 20)
    frames[:, :60] = 0
    frames[:, 120:] = 0
    found = measured(frames, content=(0.0, 60.0, 320.0, 120.0))
    assert found["motion"].value == pytest.approx(25 / np.hypot(60, 320), rel=0.1)


def test_frames_outside_the_clip_are_not_looked_at():
    frames = shot(8, 40)
    reader = ArrayReader(frames, broken=frozenset(range(10)) | frozenset(range(30, 40)))
    whole = clip_item(frames)
    clip = Clip(video_id=whole.one(Clip).video_id, start_frame=10, stop_frame=30, start_s=0.4, stop_s=1.2, opens_with="cut")
    (result,) = MeasureMotion()([Item(clip.id, {Clip: (clip,), Video: whole.all(Video)})], StageContext(reader))
    assert isinstance(result, Ok)


def test_an_unreadable_frame_fails_the_clip_by_its_kind():
    frames = shot(9, 10)
    (result,) = MeasureMotion()([clip_item(frames)], StageContext(ArrayReader(frames, broken=frozenset({0}))))
    assert isinstance(result, Failed) and result.kind == "truncated"


def test_the_stage_asks_for_the_regions_that_name_the_borders():
    assert Region in MeasureMotion.gathers


@pytest.mark.real
def test_empty_clips_are_told_from_real_ones(real_media: Path):
    def of(path: str) -> dict[str, float | None]:
        reader = VideoReader(real_media / path)
        frames = reader.at(range(min(reader.num_frames, 50)), size=(320, 180))
        return values(frames)

    assert of("bad/all_black.mp4")["black_fraction"] == 1
    assert of("bad/all_white.mp4")["white_fraction"] == 1
    assert of("bad/frozen_single_image.mp4")["frozen_fraction"] == 1
    assert abs(of("bad/noise.mp4")["temporal_correlation"] or 1.0) < 0.1
    swan = of("dev/video/animal_blackswan.mp4")
    assert (swan["static"], swan["frozen_fraction"], swan["black_fraction"]) == (0, 0, 0)
    assert (swan["temporal_correlation"] or 0.0) > 0.5
