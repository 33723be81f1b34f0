import numpy as np
import pytest

from backend.domain import Clip, Failed, Item, Ok, Score, Video
from backend.stages.shots import SplitShots
from tests.backend.measures.moving_pictures import dissolve, shot
from tests.backend.stages.footage_in_memory import ArrayReader, StageContext, video_of


def run(frames: np.ndarray, stage: SplitShots, *, broken: frozenset[int] = frozenset()):
    video = video_of(frames)
    item = Item(video.id, {Video: (video,)})
    (result,) = stage([item], StageContext(ArrayReader(frames, broken=broken)))
    return result


def clips_of(result) -> list[Clip]:
    assert isinstance(result, Ok)
    return [row for row in result.rows if isinstance(row, Clip)]


def test_shots_become_clips_with_times_and_what_they_open_with():
    frames = np.concatenate([shot(1, 30), dissolve(shot(2, 50), shot(3, 50), 16)])
    first, second, third = clips_of(run(frames, SplitShots()))
    assert (first.start_frame, first.stop_frame, first.opens_with) == (0, 30, "start")
    assert (second.start_frame, second.opens_with, third.opens_with) == (30, "cut", "gradual")
    assert second.start_s == pytest.approx(1.2)
    # Frames 64 to 79 are mixed: the clips leave out nearly all of them.
    assert abs(second.stop_frame - 64) <= 3 and abs(third.start_frame - 80) <= 3
    assert (third.stop_frame, third.stop_s) == (114, pytest.approx(114 / 25))


def test_each_clip_is_scored_for_duration_and_confidence():
    result = run(np.concatenate([shot(1, 30), shot(2, 5)]), SplitShots())
    assert isinstance(result, Ok)
    scores = {(row.target, row.name): row.value for row in result.rows if isinstance(row, Score)}
    short = clips_of(result)[1]
    assert scores[short.id, "duration_s"] == pytest.approx(0.2)
    confidence = scores[short.id, "shot_confidence"]
    assert confidence is not None and 0.5 < confidence < 1


def test_a_long_shot_is_divided_evenly():
    clips = clips_of(run(shot(4, 100, speed=0.5), SplitShots(max_s=1.5)))
    assert [(c.start_frame, c.stop_frame) for c in clips] == [(0, 33), (33, 66), (66, 100)]
    assert [c.opens_with for c in clips] == ["start", "split", "split"]


def test_an_unreadable_frame_fails_the_video_by_its_kind():
    result = run(shot(5, 20), SplitShots(), broken=frozenset({7}))
    assert isinstance(result, Failed) and result.kind == "truncated"
